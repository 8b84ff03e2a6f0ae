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

/// A segment, and traces that may be in it.
pub(crate) type Named<'s, 't> = (&'s Segment, Vec<&'t str>);

/// Of these traces of each segment those that have spans in it; those that may have where they are many, or where its
/// spans lie in more than one table; all where only roll-ups are left, which name no trace. All are looked for at once: to
/// ask costs more than to look.
pub(crate) fn having<'t>(
    conn: &Connection,
    named: Vec<Named<'_, 't>>,
) -> duckdb::Result<Vec<Vec<&'t str>>> {
    let named: Vec<Named<'_, 't>> = named
        .into_iter()
        .map(|(segment, mut traces)| {
            traces.retain(|id| segment.is_history() || segment.may_hold_trace(id));
            (segment, traces)
        })
        .collect();
    let unknown: Vec<Named<'_, 't>> = named
        .iter()
        .map(|(segment, traces)| (*segment, segment.unknown(traces)))
        .filter(|(_, unknown)| !unknown.is_empty())
        .collect();
    if !unknown.is_empty() {
        let there = there(conn, &unknown)?;
        for (segment, traces) in &unknown {
            segment.learn(traces, &there);
        }
    }
    Ok(named
        .into_iter()
        .map(|(segment, mut traces)| {
            let known = locked(&segment.kept.having);
            traces.retain(|id| known.get(*id) != Some(&false));
            traces
        })
        .collect())
}

/// The traces that are there, by segment.
fn there(conn: &Connection, wanted: &[Named<'_, '_>]) -> duckdb::Result<HashSet<(u64, String)>> {
    let selects: Vec<String> = wanted
        .iter()
        .map(|(segment, traces)| {
            format!(
                "SELECT DISTINCT {}::UBIGINT, f.trace_id FROM {}.spans f \
                 WHERE f.trace_id IN (SELECT unnest(string_split(?, ','))) AND {}",
                segment.id,
                segment.schema(),
                segment.held(0, traces).condition("f.rowid")
            )
        })
        .collect();
    let mut question = conn.ask(&selects.join(" UNION ALL "))?;
    let values = wanted.iter().map(|(_, traces)| traces.join(","));
    let rows = question.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

impl Segment {
    /// Those of these traces that must be looked for.
    fn unknown<'t>(&self, traces: &[&'t str]) -> Vec<&'t str> {
        let is_looked_for = (1..=WANTED_MAX).contains(&traces.len());
        let is_elsewhere = self.is_text() || self.is_history() || self.meta.outliers > 0;
        if !is_looked_for || is_elsewhere {
            return Vec::new();
        }
        let known = locked(&self.kept.having);
        let of = traces.iter().copied();
        of.filter(|id| !known.contains_key(*id)).collect()
    }

    fn learn(&self, traces: &[&str], there: &HashSet<(u64, String)>) {
        let mut known = locked(&self.kept.having);
        if known.len() + traces.len() > ANSWERS_MAX {
            known.clear();
        }
        known.extend(traces.iter().map(|id| {
            let place = (self.id, (*id).to_owned());
            let is_there = there.contains(&place);
            (place.1, is_there)
        }));
    }
}
