//! What the evidence of breakers leads to, kept until there is more of it.
//!
//! Concluding transitions and states reads the whole history of every breaker; pages ask for them many times a view.
//! So the first question after a change of the set, or after new evidence, concludes once into tables of a schema of its
//! own, and the questions after it read those. SQL of people reads the public views, which always conclude anew.

use std::sync::{Arc, Mutex};

use duckdb::Connection;

use super::leases::{Retired, Retirement, SegmentSet};
use super::locked;
use crate::resilience::views;

/// Tables of conclusions; they go when the last holder does.
#[derive(Debug)]
pub(crate) struct Conclusions {
    number: u64,
    /// The evidence they were made of.
    evidence: u64,
    retirement: Retirement,
}

/// The latest conclusions over a set.
#[derive(Debug, Default)]
pub(crate) struct Latest(Mutex<Option<Arc<Conclusions>>>);

impl Conclusions {
    /// The qualified schema they are in, ready for SQL text.
    pub(crate) fn schema(&self) -> String {
        schema_of(self.number)
    }
}

impl Drop for Conclusions {
    fn drop(&mut self) {
        self.retirement.push(Retired::Conclusions(self.number));
    }
}

/// Name of the schema of the conclusions with this number.
pub(crate) fn schema_of(number: u64) -> String {
    format!("memory.c{number}")
}

impl SegmentSet {
    /// The conclusions from all evidence by now, if somebody has drawn them already.
    pub(crate) fn conclusions(&self) -> Option<Arc<Conclusions>> {
        let evidence = self.evidence_seen();
        let latest = locked(&self.latest.0);
        latest.clone().filter(|latest| latest.evidence == evidence)
    }

    /// The conclusions from all evidence by now, drawn on `conn` if nobody has yet; who comes meanwhile waits.
    pub(crate) fn conclude(&self, conn: &Connection) -> duckdb::Result<Arc<Conclusions>> {
        let mut latest = locked(&self.latest.0);
        // Read before the rows are: what is committed in between is concluded from, and concluded from again.
        let evidence = self.evidence_seen();
        if let Some(fresh) = latest.as_ref().filter(|latest| latest.evidence == evidence) {
            return Ok(Arc::clone(fresh));
        }
        let made = Arc::new(Conclusions {
            number: self.retirement.number(),
            evidence,
            retirement: self.retirement.clone(),
        });
        let sql = views::conclude(&made.schema(), &self.schema(), &self.evidence());
        conn.execute_batch(&self.as_of.fill(&sql))?;
        *latest = Some(Arc::clone(&made));
        Ok(made)
    }
}
