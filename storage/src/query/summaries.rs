//! Whole traces in a line each.
//!
//! Each file that may have some of them is asked by itself, for those alone: planned over five files at once the same
//! took three times as long as reading them.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use duckdb::{Connection, Row};

use super::newest::{Holding, holding};
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Scope, SpanSummary, TraceSummary};

const SPANS_OF_TRACES: &str = include_str!("spans_of_traces.sql");

/// The whole of each trace, in the order of the matches.
pub(super) fn summaries(
    session: &Session<'_>,
    matches: Vec<SpanSummary>,
) -> Result<Vec<TraceSummary>, QueryError> {
    let ids: Vec<&str> = matches.iter().map(|span| span.trace_id.as_str()).collect();
    let mut traces: HashMap<String, Whole> = HashMap::new();
    session.run(|conn| {
        for place in holding(session, &ids) {
            for span in spans(conn, &place)? {
                match traces.get_mut(&span.trace_id) {
                    Some(whole) => whole.add(span),
                    None => {
                        let mut whole = Whole::default();
                        let id = span.trace_id.clone();
                        whole.add(span);
                        traces.insert(id, whole);
                    }
                }
            }
        }
        Ok(())
    })?;
    Ok(matches
        .into_iter()
        .filter_map(|span| traces.remove(&span.trace_id)?.summary(span))
        .collect())
}

/// The spans of these traces in one place.
fn spans(conn: &Connection, place: &Holding<'_>) -> Result<Vec<SpanSummary>, QueryError> {
    let sql = SPANS_OF_TRACES
        .replace("{facts}", &place.table.facts)
        .replace("{within}", &place.within);
    let mut question = conn.ask(&sql)?;
    let rows = question.query_map([place.traces.join(",")], |row| {
        Ok((row.get::<_, u32>(0)?, span(row)?))
    })?;
    let found: Vec<(u32, SpanSummary)> = rows.collect::<Result<_, _>>()?;
    let resources: BTreeSet<u32> = found.iter().map(|(resource, _)| *resource).collect();
    let origins = place.segment.origins(conn, &resources, &BTreeSet::new())?;
    let named = found.into_iter().map(|(resource, mut span)| {
        if let Some(sender) = origins.resources.get(&resource) {
            span.scope = sender.scope.clone();
            span.service_name.clone_from(&sender.service_name);
        }
        span
    });
    Ok(named.collect())
}

/// A span whose sender is not known yet.
fn span(row: &Row<'_>) -> duckdb::Result<SpanSummary> {
    Ok(SpanSummary {
        trace_id: row.get(1)?,
        span_id: row.get(2)?,
        parent_span_id: row.get(3)?,
        name: row.get(4)?,
        kind: row.get(5)?,
        status_code: row.get(6)?,
        start_time_unix_nano: row.get(7)?,
        duration_ns: row.get(8)?,
        scope: Scope::default(),
        service_name: None,
    })
}

/// What is known of a trace by now.
#[derive(Default)]
struct Whole {
    /// Its spans, each once, and whether one failed.
    spans: HashMap<u64, bool>,
    first: Option<i64>,
    last: Option<i64>,
    services: BTreeSet<String>,
    /// Its root, or the earliest span.
    root: Option<SpanSummary>,
}

impl Whole {
    fn add(&mut self, span: SpanSummary) {
        let mut identity = DefaultHasher::new();
        (&span.span_id, &span.scope, &span.service_name).hash(&mut identity);
        span.start_time_unix_nano.hash(&mut identity);
        *self.spans.entry(identity.finish()).or_default() |= span.status_code == "error";
        let start = span.start_time_unix_nano;
        let end = start
            .zip(span.duration_ns)
            .map(|(start, length)| start.saturating_add(length));
        self.first = self.first.into_iter().chain(start).min();
        self.last = self.last.into_iter().chain(end).max();
        if let Some(service) = &span.service_name
            && !self.services.contains(service)
        {
            self.services.insert(service.clone());
        }
        if self
            .root
            .as_ref()
            .is_none_or(|root| place(&span) < place(root))
        {
            self.root = Some(span);
        }
    }

    fn summary(self, matched: SpanSummary) -> Option<TraceSummary> {
        let root = self.root?;
        Some(TraceSummary {
            trace_id: root.trace_id.clone(),
            has_root: root.parent_span_id.is_none(),
            start_time_unix_nano: self.first,
            duration_ns: self.first.zip(self.last).map(|(first, last)| last - first),
            spans: self.spans.len() as u64,
            errors: self.spans.values().filter(|failed| **failed).count() as u64,
            services: self.services.into_iter().collect(),
            matched,
            root,
        })
    }
}

/// Roots first, then by start, those without a time last.
fn place(span: &SpanSummary) -> (bool, bool, Option<i64>, &str) {
    let start = span.start_time_unix_nano;
    (
        span.parent_span_id.is_some(),
        start.is_none(),
        start,
        &span.span_id,
    )
}
