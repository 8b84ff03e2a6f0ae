//! Leases: a reader holds an immutable set of segments, and nothing of it goes away before the reader does.
//!
//! Sets and attachments are counted by `Arc`. The last holder's drop, on whatever thread, only notes what
//! may go ([`Retirement`]); the steward thread then drops the set's view schema, detaches the files and unlinks
//! those that are doomed. DETACH under a reader would make its later statements fail.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use duckdb::Connection;

use super::calls::{Opened, Sums};
use super::conclusions::{Found, Latest};
use super::locked;
use crate::as_of::AsOf;
use crate::model::TimeRange;
use crate::resilience::views as breakers;
use crate::retirement::{Retired, Retirement};
use crate::segment::views::ReadKeys;
use crate::segment::{Segment, Sender, views};

/// The relations of breakers where there is no evidence of any.
pub(super) const NO_BREAKERS: &str = "memory.no_breakers";

/// An immutable set of segments, with its own schema of public views.
#[derive(Debug)]
pub struct SegmentSet {
    pub(crate) version: u64,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) retirement: Retirement,
    pub(super) latest: Latest,
    /// The latest edges of calls that are not rolled up for good.
    pub(super) opened: Opened,
    /// What was looked up for conclusions over this set and those before.
    pub(super) found: Arc<Found>,
    /// What is kept of calls over this set and those before.
    pub(super) sums: Arc<Sums>,
    pub(super) as_of: AsOf,
    /// The units of public views that were made, each when somebody asked for it. All of them at each change of the set
    /// would take a third of a second over twenty segments, most of it to parse them.
    pub(super) views: Mutex<BTreeSet<&'static str>>,
}

impl SegmentSet {
    /// Every segment, oldest first.
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The qualified schema of the public views over this set, ready for SQL text.
    pub fn schema(&self) -> String {
        schema_of(self.version)
    }

    /// Makes the public views of these relations in [`Self::schema`], as far as they are not there yet.
    pub(super) fn provide(&self, conn: &Connection, relations: &[&str]) -> duckdb::Result<()> {
        // Whoever asks for the same meanwhile waits until it is there.
        let mut made = locked(&self.views);
        let mut missing = views::units(relations);
        missing.retain(|unit| !made.contains(unit));
        if missing.is_empty() {
            return Ok(());
        }
        let segments: Vec<&Segment> = self.segments.iter().map(Arc::as_ref).collect();
        let schema = self.schema();
        let sql: String = missing
            .iter()
            .map(|unit| views::create(unit, &schema, &segments))
            .collect();
        let sql = format!("BEGIN;\n{}COMMIT;", self.as_of.fill(&sql));
        if let Err(error) = conn.execute_batch(&sql) {
            // A transaction that failed to begin needs no rollback.
            let _ = conn.execute_batch("ROLLBACK");
            return Err(error);
        }
        made.extend(missing);
        Ok(())
    }

    /// The segments that `pick` picks of those that may have rows of a relation.
    fn picked(
        &self,
        relation: &str,
        pick: impl Fn(&Segment) -> bool,
    ) -> impl Iterator<Item = &Segment> {
        let segments = self.segments.iter().map(Arc::as_ref);
        segments.filter(move |segment| segment.may_have(relation) && pick(segment))
    }

    /// The body of a fact relation (`spans`, `logs`, `metric_points`, `exemplars`) over the segments that
    /// `pick` picks: the same columns as the public view, planned over fewer files.
    pub fn relation_sql(&self, relation: &str, pick: impl Fn(&Segment) -> bool) -> Option<String> {
        views::relation(relation, self.picked(relation, pick))
    }

    /// What questions about calls read of the spans of the segments that `pick` picks: their columns but for documents,
    /// and for each of `keys` (our own words) a column of that name with the attribute's value as text.
    pub(crate) fn calls_sql(
        &self,
        keys: &[&'static str],
        pick: impl Fn(&Segment) -> bool,
    ) -> String {
        views::calls(keys, self.picked("spans", pick))
    }

    /// Attempts that gRPC's own instrumentation tells in the segments that `pick` picks.
    pub(crate) fn grpc_attempts_sql(&self, pick: impl Fn(&Segment) -> bool) -> String {
        views::grpc_attempts(self.picked("spans", pick))
    }

    /// What recognisers read of the spans of the segments that `pick` picks: events as JSON text, and attributes as text or
    /// in a column for each of `keys`; `only` is a condition of ours on columns of spans.
    pub(crate) fn readable_spans_sql(
        &self,
        keys: ReadKeys<'_>,
        only: &str,
        pick: impl Fn(&Segment) -> bool,
    ) -> String {
        views::readable_spans(keys, only, self.picked("spans", pick))
    }

    /// SQL of the streams that count requests (their metrics have a name of `{names}`), and of their points after
    /// `{since}` and up to `{to}`, over the segments that `pick` picks; `None` when none of these has points.
    pub(crate) fn request_points_sql(
        &self,
        pick: impl Fn(&Segment) -> bool,
    ) -> Option<[String; 2]> {
        views::request_points(self.picked("metric_points", pick))
    }

    /// The same as [`Self::relation_sql`]; `None` when no picked segment has rows of it.
    pub(crate) fn some_rows_sql(
        &self,
        relation: &str,
        pick: impl Fn(&Segment) -> bool,
    ) -> Option<String> {
        self.segments
            .iter()
            .any(|segment| segment.may_have(relation) && pick(segment))
            .then(|| self.relation_sql(relation, pick))?
    }

    /// Everyone who sent something that is still stored, each once.
    pub(crate) fn senders(&self, conn: &Connection) -> duckdb::Result<BTreeSet<Sender>> {
        let mut all = BTreeSet::new();
        for segment in &self.segments {
            all.extend(segment.senders(conn)?.iter().cloned());
        }
        Ok(all)
    }

    /// Who sent spans to the segments that may have some in a range; `None` where one of them is a history, which keeps no
    /// list.
    pub(crate) fn senders_in(
        &self,
        conn: &Connection,
        range: TimeRange,
    ) -> duckdb::Result<Option<BTreeSet<Sender>>> {
        let mut all = BTreeSet::new();
        for segment in self.with_spans_in(range) {
            if segment.is_history() {
                return Ok(None);
            }
            all.extend(segment.senders(conn)?.iter().cloned());
        }
        Ok(Some(all))
    }

    /// Whether there is evidence of any breaker: `false` is certain.
    pub(crate) fn may_have_breakers(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.may_have_evidence())
    }

    /// SQL that names the breakers whose evidence names a trace; the trace id is parameter 1 and 2.
    pub(crate) fn breakers_of_trace_sql(&self) -> String {
        breakers::of_trace(&self.evidence())
    }

    /// SQL of whether there is evidence of any breaker.
    pub(crate) fn has_breakers_sql(&self) -> String {
        breakers::has_any(&self.evidence())
    }

    /// A number that changes with every committed batch of evidence.
    pub(super) fn evidence_seen(&self) -> u64 {
        let segments = self.segments.iter();
        segments.map(|segment| segment.evidence_seen()).sum()
    }

    pub(super) fn evidence(&self) -> Vec<breakers::Part> {
        self.segments
            .iter()
            .filter(|segment| segment.may_have_evidence())
            .map(|segment| segment.evidence())
            .collect()
    }
}

impl Drop for SegmentSet {
    fn drop(&mut self) {
        self.retirement.push(Retired::Schema(self.version));
    }
}

/// Name of a version's view schema.
pub(crate) fn schema_of(version: u64) -> String {
    format!("memory.v{version}")
}
