//! Calls of sealed segments that nobody answered there, of traces that others have spans of too: looked for once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use duckdb::Connection;

use crate::rollup::Hops;
use crate::segment::Segment;
use crate::segment::having::having;
use crate::sync::locked;

/// Traces of one segment, about 60 bytes each, above which all is looked for anew.
const TRACES_MAX: usize = 100_000;

/// Spans that were read together: the segment they are of, and the how manieth.
pub(super) type PartKey = (u64, usize);

/// What was found of each sealed segment.
#[derive(Debug, Default)]
pub(super) struct Settled(Mutex<HashMap<u64, Found>>);

#[derive(Debug, Default)]
struct Found {
    /// The parts whose traces were looked for.
    looked_for: HashSet<PartKey>,
    /// Those that are there.
    traces: HashSet<String>,
    calls: Vec<Arc<Hops>>,
}

impl Settled {
    /// The calls that nobody answered in these sealed segments, of the traces of some parts at least.
    pub(super) fn calls(
        &self,
        conn: &Connection,
        sealed: &[&Segment],
        parts: &[(PartKey, Arc<Hops>)],
    ) -> duckdb::Result<Vec<Arc<Hops>>> {
        let mut all = locked(&self.0);
        all.retain(|id, _| sealed.iter().any(|segment| segment.id == *id));
        let mut wanted = Vec::new();
        for segment in sealed {
            let found = all.entry(segment.id).or_default();
            if found.traces.len() > TRACES_MAX {
                *found = Found::default();
            }
            wanted.push(found.wanted(parts));
        }
        let named = sealed.iter().copied().zip(wanted).collect();
        let held = having(conn, named)?;
        let mut calls = Vec::new();
        for (segment, traces) in sealed.iter().zip(held) {
            let found = all.entry(segment.id).or_default();
            found.add(conn, segment, &traces)?;
            found.looked_for = parts.iter().map(|(key, _)| *key).collect();
            calls.extend(found.calls.iter().cloned());
        }
        Ok(calls)
    }
}

impl Found {
    /// Traces of parts that were not looked for yet.
    fn wanted<'p>(&self, parts: &'p [(PartKey, Arc<Hops>)]) -> Vec<&'p str> {
        let wanted: BTreeSet<&str> = parts
            .iter()
            .filter(|(key, _)| !self.looked_for.contains(key))
            .flat_map(|(_, hops)| hops.traces.iter().map(String::as_str))
            .filter(|trace| !self.traces.contains(*trace))
            .collect();
        wanted.into_iter().collect()
    }

    fn add(&mut self, conn: &Connection, segment: &Segment, held: &[&str]) -> duckdb::Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        let calls = segment.plain_hops(conn, held)?;
        if !calls.is_empty() {
            self.calls.push(Arc::new(calls));
        }
        self.traces.extend(held.iter().map(|id| (*id).to_owned()));
        Ok(())
    }
}
