//! How edges and services did before and during each of several incidents, from roll-ups of ten seconds.

use std::collections::BTreeMap;

use duckdb::{Connection, params};

use super::links::Node;
use super::{QueryError, SECOND};
use crate::ask::Ask;
use crate::model::Incident;
use crate::rollup::BUCKET_NS;
use crate::store::SegmentSet;

const WINDOWS: &str = include_str!("windows.sql");
/// What was usual is measured over so long before.
const BEFORE_NS: i64 = 300 * SECOND;
/// A window of the breaker lies before its trip: errors of this time belong to the incident.
const LEAD_NS: i64 = 20 * SECOND;
/// How much of an incident is looked at for its cause.
const DURING_MAX_NS: i64 = 60 * SECOND;

/// Sums of one edge or service; calls are those that the spans stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    pub calls: u64,
    pub errors: u64,
    pub mean_ns: f64,
}

impl Sums {
    /// Failed share, 0 to 1.
    pub(super) fn error_share(&self) -> f64 {
        self.errors as f64 / (self.calls.max(1)) as f64
    }
}

/// Before and during.
pub(super) type Pair = [Sums; 2];

/// Edges and services of each window.
#[derive(Default)]
pub(super) struct Windows {
    /// `(window, caller, callee)`.
    pub edges: BTreeMap<(usize, Node, Node), Pair>,
    /// `(window, service)`: calls it answered.
    pub services: BTreeMap<(usize, Node), Pair>,
}

impl Windows {
    /// One window an incident, numbered in their order.
    pub(super) fn load<'a>(
        set: &SegmentSet,
        conn: &Connection,
        incidents: impl Iterator<Item = &'a Incident>,
    ) -> Result<Self, QueryError> {
        let floor = |ns: i64| ns.div_euclid(BUCKET_NS) * BUCKET_NS;
        let (mut from, mut to) = (i64::MAX, i64::MIN);
        let texts: Vec<String> = incidents
            .enumerate()
            .map(|(at, incident)| {
                let start = incident.start_unix_nano;
                let during = floor(start - LEAD_NS);
                let last = incident
                    .breakers
                    .iter()
                    .map(|b| b.trip.time_unix_nano)
                    .max();
                let finish = last.unwrap_or(start).min(start + DURING_MAX_NS) + BUCKET_NS;
                (from, to) = (from.min(during - BEFORE_NS), to.max(finish));
                format!("{at}:{}:{during}:{finish}", during - BEFORE_NS)
            })
            .collect();
        if texts.is_empty() {
            return Ok(Self::default());
        }
        let sql = WINDOWS
            .replace("{edges}", &set.service_edges_sql(from, to))
            .replace("{red}", &set.red_sql(from, to));
        let mut statement = conn.ask(&sql)?;
        let mut rows = statement.query(params![texts.join(","), from, to])?;
        let mut windows = Self::default();
        while let Some(row) = rows.next()? {
            let scope = |at: usize| super::super::breakers::scope(row, at);
            let number = usize::try_from(row.get::<_, i32>(0)?).unwrap_or_default();
            let phase = usize::from(row.get::<_, bool>(1)?);
            let callee: Node = (scope(6)?, row.get(9)?);
            let sums = Sums {
                calls: row.get(10)?,
                errors: row.get(11)?,
                mean_ns: row.get::<_, Option<f64>>(12)?.unwrap_or(0.0),
            };
            match row.get::<_, Option<String>>(5)? {
                Some(caller) => {
                    let key = (number, (scope(2)?, caller), callee);
                    windows.edges.entry(key).or_default()[phase] = sums;
                }
                None => windows.services.entry((number, callee)).or_default()[phase] = sums,
            }
        }
        Ok(windows)
    }

    /// Whom a service calls, with the sums of the calls.
    pub(super) fn callees<'a>(
        &'a self,
        window: usize,
        caller: &'a Node,
    ) -> impl Iterator<Item = (&'a Node, &'a Pair)> {
        self.edges
            .iter()
            .filter(move |((number, from, to), _)| {
                *number == window && from == caller && to != caller
            })
            .map(|((_, _, to), pair)| (to, pair))
    }

    /// How a node answers: its own spans, else the calls made to it.
    pub(super) fn answers(&self, window: usize, node: &Node) -> Option<Pair> {
        if let Some(pair) = self.services.get(&(window, node.clone())) {
            return Some(*pair);
        }
        let mut sum: Option<Pair> = None;
        for ((number, _, to), pair) in &self.edges {
            if *number == window && to == node {
                let known = sum.get_or_insert_with(Default::default);
                for (phase, add) in pair.iter().enumerate() {
                    let calls = known[phase].calls + add.calls;
                    let mean = known[phase].mean_ns * known[phase].calls as f64
                        + add.mean_ns * add.calls as f64;
                    known[phase] = Sums {
                        calls,
                        errors: known[phase].errors + add.errors,
                        mean_ns: mean / calls.max(1) as f64,
                    };
                }
            }
        }
        sum
    }
}
