//! Which engine answers.

use super::{QueryError, Session};
use crate::ask::{Ask, NONE};

/// The version of DuckDB, as it says it: `v2.0.0`.
pub fn engine_version(session: &Session<'_>) -> Result<String, QueryError> {
    session.run(|conn| Ok(conn.ask_row("SELECT version() AS version", NONE, |row| row.get(0))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreConfig};

    #[test]
    fn the_engine_says_its_version() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(StoreConfig {
            data_dir: dir.path().to_owned(),
            ..StoreConfig::default()
        })
        .expect("a store");
        let reader = store.reader().expect("a reader");
        let version = engine_version(&Session::new(&reader)).expect("a version");
        assert!(version.starts_with('v'), "{version}");
    }
}
