//! Which of some traces a sealed segment has.
//!
//! A filter of traces is wrong one time in some thousands. Asked for the thousands of a hot segment at each view of the
//! graph it would name a few in nearly every file, and each of these would be read. So what it names is looked for,
//! once: a sealed segment does not change.

use std::collections::{HashMap, HashSet};

use duckdb::Connection;

use super::Segment;
use crate::ask::Ask as _;
use crate::sync::locked;

/// Answers that are kept of a segment, about 60 bytes each.
const ANSWERS_MAX: usize = 10_000;
/// Traces that are looked for: of more most are there.
const WANTED_MAX: usize = 2_000;

/// Whether a trace is in a segment, as far as it was looked for.
pub(super) type Answers = HashMap<String, bool>;

impl Segment {
    /// Of these traces those that have spans in it; those that may have where they are many, or where its spans lie in more
    /// than one table.
    pub(crate) fn having<'t>(
        &self,
        conn: &Connection,
        traces: impl Iterator<Item = &'t str>,
    ) -> duckdb::Result<Vec<&'t str>> {
        let mut found: Vec<&str> = traces.filter(|id| self.may_hold_trace(id)).collect();
        let is_looked_for = (1..=WANTED_MAX).contains(&found.len());
        if !is_looked_for || self.is_text() || self.meta.outliers > 0 {
            return Ok(found);
        }
        let unknown: Vec<&str> = {
            let known = locked(&self.kept.having);
            let of = found.iter().copied();
            of.filter(|id| !known.contains_key(*id)).collect()
        };
        let there = if unknown.is_empty() {
            HashSet::new()
        } else {
            self.spans_of(conn, &unknown)?
        };
        let mut known = locked(&self.kept.having);
        if known.len() + unknown.len() > ANSWERS_MAX {
            known.clear();
        }
        known.extend(
            unknown
                .iter()
                .map(|id| ((*id).to_owned(), there.contains(*id))),
        );
        found.retain(|id| known.get(*id) != Some(&false));
        Ok(found)
    }

    fn spans_of(&self, conn: &Connection, traces: &[&str]) -> duckdb::Result<HashSet<String>> {
        let sql = format!(
            "SELECT DISTINCT f.trace_id FROM {}.spans f WHERE f.trace_id IN (SELECT unnest(string_split(?, ','))) AND {}",
            self.schema(),
            self.held(0, traces).condition("f.rowid")
        );
        let mut question = conn.ask(&sql)?;
        let rows = question.query_map([traces.join(",")], |row| row.get(0))?;
        rows.collect()
    }
}
