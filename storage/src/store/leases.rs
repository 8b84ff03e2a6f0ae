//! Leases: a reader holds an immutable set of segments, and nothing of it goes away before the reader does.
//!
//! Sets and attachments are counted by `Arc`. The last holder's drop, on whatever thread, only notes what
//! may go ([`Retirement`]); the steward thread then drops the set's view schema, detaches the files and unlinks
//! those that are doomed. DETACH under a reader would make its later statements fail.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use duckdb::Connection;
use duckdb::types::Value;

use super::conclusions::{Found, Latest};
use crate::as_of::AsOf;
use crate::model::TimeRange;
use crate::resilience::views as breakers;
use crate::retirement::{Retired, Retirement};
use crate::rollup::{self, EdgeSum, ServiceSum};
use crate::segment::{Segment, Sender};

/// A consumer whose cause is a client's call of another segment finds it when it began at most so much earlier; all other
/// calls are paired however far apart.
const ANSWERED_WITHIN_NS: i64 = 600_000_000_000;

/// An immutable set of segments, with its own schema of public views.
#[derive(Debug)]
pub struct SegmentSet {
    pub(crate) version: u64,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) retirement: Retirement,
    pub(super) latest: Latest,
    /// What was looked up for conclusions over this set and those before.
    pub(super) found: Arc<Found>,
    pub(super) as_of: AsOf,
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

    /// The body of a fact relation (`spans`, `logs`, `metric_points`, `exemplars`) over the segments that
    /// `pick` picks: the same columns as the public view, planned over fewer files.
    pub fn relation_sql(&self, relation: &str, pick: impl Fn(&Segment) -> bool) -> Option<String> {
        let picked = self
            .segments
            .iter()
            .map(Arc::as_ref)
            .filter(|segment| segment.may_have(relation) && pick(segment));
        crate::segment::views::relation(relation, picked)
    }

    /// What questions about calls read of the spans of the segments that `pick` picks: their columns but for documents,
    /// and for each of `keys` (our own words) a column of that name with the attribute's value as text.
    pub(crate) fn calls_sql(
        &self,
        keys: &[&'static str],
        pick: impl Fn(&Segment) -> bool,
    ) -> String {
        let picked = self
            .segments
            .iter()
            .map(Arc::as_ref)
            .filter(|segment| segment.may_have("spans") && pick(segment));
        crate::segment::views::calls(keys, picked)
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

    /// Whether there is evidence of any breaker: `false` is certain.
    pub(crate) fn may_have_breakers(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.may_have_evidence())
    }

    /// The rows of `red` with buckets between two times (nanoseconds, both inclusive), and others: the same columns as
    /// the public view, planned over fewer files.
    pub(crate) fn red_sql(&self, from: i64, to: i64) -> String {
        rollup::red_view_sql(&self.calls(|segment| segment.may_hold_calls(from, to)))
    }

    /// The rows of `service_edges` with buckets between two times (nanoseconds, both inclusive), and others: the same
    /// columns as the public view, planned over fewer files.
    pub(crate) fn service_edges_sql(&self, from: i64, to: i64) -> String {
        // Rows of a bucket that has begun count, whenever in it they are.
        let to = to.saturating_add(rollup::BUCKET_NS);
        let around = |from: i64, to: i64| self.calls(|segment| segment.may_hold_calls(from, to));
        let near = around(
            from.saturating_sub(ANSWERED_WITHIN_NS),
            to.saturating_add(ANSWERED_WITHIN_NS),
        );
        rollup::service_edges_sql(&rollup::EdgeParts {
            finals: &around(from, to),
            near: &near,
            settled: &[],
            all: &self.calls(|_| true),
        })
    }

    /// Sums of `red` by service over the buckets that touch a range; `clause` says the range and more in SQL, `pick`
    /// the rest of it.
    pub(crate) fn service_sums(
        &self,
        conn: &Connection,
        range: TimeRange,
        (clause, values): (&str, &[Value]),
        pick: impl Fn(&ServiceSum) -> bool,
    ) -> duckdb::Result<Vec<ServiceSum>> {
        let (whole, cut) =
            self.whole_and_cut(range, |segment| segment.whole_services(conn, range))?;
        let mut all: Vec<ServiceSum> = whole.into_iter().filter(pick).collect();
        if !cut.is_empty() {
            let red = rollup::red_view_sql(&cut);
            all.extend(rollup::sums::services(conn, &red, clause, values)?);
        }
        Ok(all)
    }

    /// Sums of `service_edges` by edge, as [`Self::service_sums`].
    pub(crate) fn edge_sums(
        &self,
        conn: &Connection,
        range: TimeRange,
        (clause, values): (&str, &[Value]),
        pick: impl Fn(&EdgeSum) -> bool,
    ) -> duckdb::Result<Vec<EdgeSum>> {
        let (from, to) = (
            range.from_unix_nano.saturating_sub(ANSWERED_WITHIN_NS),
            range.to_unix_nano.saturating_add(ANSWERED_WITHIN_NS),
        );
        let mut all = Vec::new();
        let mut alone = Vec::new();
        let (mut cut, mut near, mut settled) = (Vec::new(), Vec::new(), Vec::new());
        for segment in &self.segments {
            if !segment.may_hold_calls(from, to) {
                continue;
            }
            if let Some(whole) = segment.whole_edges(conn, range)? {
                all.extend(whole.iter().filter(|sum| pick(sum)).cloned());
                alone.extend(segment.alone(conn)?.iter().filter(|sum| pick(sum)).cloned());
                settled.push(segment.calls());
                continue;
            }
            near.push(segment.calls());
            if segment.may_hold_calls(range.from_unix_nano, range.to_unix_nano) {
                cut.push(segment.calls());
            }
        }
        let edges = rollup::service_edges_sql(&rollup::EdgeParts {
            finals: &cut,
            near: &near,
            settled: &settled,
            all: &self.calls(|_| true),
        });
        let live = rollup::sums::edges(conn, &edges, clause, values)?;
        let (minus, more): (Vec<EdgeSum>, Vec<EdgeSum>) =
            live.into_iter().partition(|sum| sum.is_minus);
        all.extend(more);
        all.extend(rollup::sums::without(alone, &minus));
        Ok(all)
    }

    /// What is kept of the segments that lie in a range whole, and the other segments that may have calls of it.
    fn whole_and_cut<'a, T: Clone + 'a>(
        &'a self,
        range: TimeRange,
        whole: impl Fn(&'a Segment) -> duckdb::Result<Option<Cow<'a, [T]>>>,
    ) -> duckdb::Result<(Vec<T>, Vec<rollup::Part>)> {
        let (mut kept, mut cut) = (Vec::new(), Vec::new());
        for segment in &self.segments {
            if !segment.may_hold_calls(range.from_unix_nano, range.to_unix_nano) {
                continue;
            }
            match whole(segment)? {
                Some(sums) => kept.extend_from_slice(&sums),
                None => cut.push(segment.calls()),
            }
        }
        Ok((kept, cut))
    }

    fn calls(&self, pick: impl Fn(&Segment) -> bool) -> Vec<rollup::Part> {
        let segments = self.segments.iter();
        segments
            .filter(|segment| segment.may_have_calls() && pick(segment))
            .map(|segment| segment.calls())
            .collect()
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
