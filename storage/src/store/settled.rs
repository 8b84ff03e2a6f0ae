//! Calls of sealed segments that nobody answered there, of traces that others have spans of too, and other spans of them
//! that entries elsewhere name as their cause: looked for once.

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
    causes: Vec<Arc<Hops>>,
}

/// What sealed segments have to do with the spans of some parts.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Calls that nobody answered in their own segment.
    pub(super) calls: Vec<Arc<Hops>>,
    /// Other spans that entries of the parts name as their cause.
    pub(super) causes: Vec<Arc<Hops>>,
}

impl Settled {
    /// What these sealed segments have of the traces of some parts at least.
    pub(super) fn others(
        &self,
        conn: &Connection,
        sealed: &[&Segment],
        parts: &[(PartKey, Arc<Hops>)],
    ) -> duckdb::Result<Others> {
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
        let mut others = Others::default();
        for (segment, traces) in sealed.iter().zip(held) {
            let found = all.entry(segment.id).or_default();
            found.add(conn, segment, &traces)?;
            found.add_causes(conn, segment, parts)?;
            found.looked_for = parts.iter().map(|(key, _)| *key).collect();
            others.calls.extend(found.calls.iter().cloned());
            others.causes.extend(found.causes.iter().cloned());
        }
        Ok(others)
    }
}

impl Found {
    /// Traces of parts that were not looked for yet.
    fn wanted<'p>(&self, parts: &'p [(PartKey, Arc<Hops>)]) -> Vec<&'p str> {
        let wanted: BTreeSet<&str> = self
            .unseen(parts)
            .flat_map(|hops| hops.traces.iter().map(String::as_str))
            .filter(|trace| !self.traces.contains(*trace))
            .collect();
        wanted.into_iter().collect()
    }

    /// Parts that were not looked at yet.
    fn unseen<'p>(&self, parts: &'p [(PartKey, Arc<Hops>)]) -> impl Iterator<Item = &'p Hops> {
        let unseen = parts
            .iter()
            .filter(move |(key, _)| !self.looked_for.contains(key));
        unseen.map(|(_, hops)| hops.as_ref())
    }

    /// Looks for what entries of new parts name as their cause, in traces that are there.
    fn add_causes(
        &mut self,
        conn: &Connection,
        segment: &Segment,
        parts: &[(PartKey, Arc<Hops>)],
    ) -> duckdb::Result<()> {
        let (traces, ids): (BTreeSet<&str>, BTreeSet<u64>) = self
            .unseen(parts)
            .flat_map(Hops::sought)
            .filter(|(trace, _)| self.traces.contains(*trace) && segment.may_hold_trace(trace))
            .unzip();
        if ids.is_empty() || !segment.has_rows() {
            return Ok(());
        }
        let traces: Vec<&str> = traces.into_iter().collect();
        let ids: Vec<u64> = ids.into_iter().collect();
        let causes = segment.cause_hops(conn, &traces, &ids)?;
        if !causes.is_empty() {
            self.causes.push(Arc::new(causes));
        }
        Ok(())
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
