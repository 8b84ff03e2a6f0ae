//! Learned states in the engine: the one table the views of breakers read them from.

use duckdb::params;

use super::Store;
use super::catalog::Catalog;
use crate::learned::LearnError;
use crate::model::LearnedState;
use crate::resilience::views;

impl Store {
    /// What numbers of breakers were said to mean, by metric, service and value.
    pub fn learned_states(&self) -> Vec<LearnedState> {
        self.learned.list()
    }

    /// Keeps what a number means; relations of breakers say it from the next reader on.
    ///
    /// # Errors
    /// There are too many, or it could not be kept.
    pub fn learn_state(&self, learned: LearnedState) -> Result<(), LearnError> {
        let catalog = &self.shared.catalog;
        self.learned.learn(learned, |all| take_over(catalog, all))
    }
}

/// Puts them into the table, in place of those there, and publishes the set anew: what was concluded before is not
/// asked for again.
pub(super) fn take_over(catalog: &Catalog, all: &[LearnedState]) -> duckdb::Result<()> {
    let table = views::learned_table();
    let mut conn = catalog.connect()?;
    let change = conn.transaction()?;
    change.execute(&format!("DELETE FROM {table}"), [])?;
    for learned in all {
        let service = learned.service.as_deref().unwrap_or_default();
        change.execute(
            &format!("INSERT INTO {table} VALUES (?, ?, ?)"),
            params![learned.raw_state(), service, learned.state],
        )?;
    }
    change.commit()?;
    catalog.publish(<[_]>::to_vec)
}
