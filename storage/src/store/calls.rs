//! Calls of a set: the roll-ups of its segments as SQL, and added up.
//!
//! Sums are made of what is kept of sealed segments, what was added up ahead of hot ones, and the hot rows after that. Of a
//! segment that a range holds whole its totals are kept with it; of one that a range cuts, or of which the steps are
//! drawn, the sums by bucket are kept here, those used last; so are totals by operation, of segments held whole. A
//! history may be of any length: of one the range is read.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use duckdb::Connection;

use super::leases::SegmentSet;
use super::settled::Settled;
use super::shelf::Shelf;
use crate::model::TimeRange;
use crate::rollup::sums::{
    self, OPERATIONS_MAX, hot_operations, stored_edges, stored_operations, stored_services,
};
use crate::rollup::{
    self, ByBucket, EdgeCalls, EdgeSum, Hops, Operation, Part, ServiceSpans, ServiceSum, Summed,
    Totals, edges_of,
};
use crate::segment::Segment;
use crate::segment::grown::Grown;
use crate::segment::having::having;
use crate::segment::origins::Resource;
use crate::segment::sent::{Sent, SpansOf};

/// In [`SegmentSet::service_edges_sql`] an entry whose cause is in another segment, and no half that is left open there,
/// finds it when that segment has calls of at most so much earlier; all other calls are paired however far apart.
const ANSWERED_WITHIN_NS: i64 = 600_000_000_000;

/// Sums by bucket of sealed segments, kept for all sets of a store.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    services: Shelf<ServiceSpans>,
    /// Of all time.
    operations: Shelf<Operation>,
    edges: Shelf<EdgeCalls>,
    alone: Shelf<EdgeCalls>,
    spans: Shelf<SpansOf>,
    settled: Settled,
}

/// Halves up to which the edges they make are made in memory, of all times: more may be of many months.
const OPEN_HALVES_MAX: u64 = 100_000;
/// The same of hot spans, about 130 bytes each: more wait while the sealer is behind.
const HOT_SPANS_MAX: u64 = 300_000;

/// Operations of segments that a range holds whole up to which they are added up here: so many have room on their shelf,
/// and those of one range do not push each other off it.
const KEPT_OPERATIONS_MAX: usize = if cfg!(test) { 60 } else { 20_000 };

/// The edges that the calls of a set make which are not rolled up for good, as they were when so many rows were there.
pub(crate) type Opened = Grown<ByBucket<EdgeCalls>>;

impl SegmentSet {
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

    /// Sums of `red` by service over the buckets that touch a range, of those that `pick` picks.
    pub(crate) fn service_sums(
        &self,
        conn: &Connection,
        range: TimeRange,
        pick: impl Fn(&ServiceSpans) -> bool,
    ) -> duckdb::Result<Vec<ServiceSum>> {
        let mut all: HashMap<ServiceSpans, Totals> = HashMap::new();
        let cut = |segment: &Segment| match segment.whole_services(conn, range)? {
            Some(whole) => {
                merge(&mut all, &whole);
                Ok(false)
            }
            None => Ok(true),
        };
        let cut = self.segments_of(range, cut)?;
        self.each_sums_of_services(conn, range, &cut, |sums| sums.add_to(range, &mut all))?;
        Ok(summed(all, pick))
    }

    /// Visits the sums of `red` by service of each bucket that touches a range, in any order; a bucket may have several.
    pub(crate) fn each_service_bucket(
        &self,
        conn: &Connection,
        range: TimeRange,
        mut visit: impl FnMut(&rollup::BucketSum<'_, ServiceSpans>),
    ) -> duckdb::Result<()> {
        let segments = self.segments_of(range, |_| Ok(true))?;
        self.each_sums_of_services(conn, range, &segments, |sums| {
            sums.within(range).for_each(|sum| visit(&sum));
        })
    }

    fn each_sums_of_services(
        &self,
        conn: &Connection,
        range: TimeRange,
        segments: &[&Segment],
        mut visit: impl FnMut(&ByBucket<ServiceSpans>),
    ) -> duckdb::Result<()> {
        for segment in segments {
            let schema = segment.schema();
            if segment.is_text() {
                let known = segment.added_up(conn)?;
                known.iter().for_each(|sums| visit(sums));
            } else if segment.is_history() {
                visit(&stored_services(conn, &schema, Some(range))?);
            } else {
                let read = || stored_services(conn, &schema, None);
                visit(&*self.sums.services.of(segment.id, read)?);
            }
        }
        Ok(())
    }

    /// Visits the sums of `red` by operation over the buckets that touch a range, of services of a name and maybe of
    /// others; an operation may have several. `false` if they are too many to be added up here: then some are missing.
    pub(crate) fn each_operation(
        &self,
        conn: &Connection,
        range: TimeRange,
        service_name: &str,
        mut visit: impl FnMut(&rollup::BucketSum<'_, Operation>),
    ) -> duckdb::Result<bool> {
        if self.hot_spans(conn)? > HOT_SPANS_MAX {
            return Ok(false);
        }
        let segments = self.segments_of(range, |_| Ok(true))?.into_iter();
        let (whole, cut): (Vec<&Segment>, Vec<&Segment>) =
            segments.partition(|segment| segment.has_all_calls_in(range));
        let mut kept = 0;
        for segment in whole {
            let read = || stored_operations(conn, &segment.schema(), None);
            let sums = self.sums.operations.of(segment.id, read)?;
            let count = sums.of().len();
            kept += count;
            if count >= OPERATIONS_MAX || kept > KEPT_OPERATIONS_MAX {
                return Ok(false);
            }
            sums.iter().for_each(|sum| visit(&sum));
        }
        let only = (range, service_name);
        for segment in cut {
            let sums = if segment.is_text() {
                hot_operations(conn, &segment.calls(), only)?
            } else {
                stored_operations(conn, &segment.schema(), Some(only))?
            };
            if sums.of().len() >= OPERATIONS_MAX {
                return Ok(false);
            }
            sums.iter().for_each(|sum| visit(&sum));
        }
        Ok(true)
    }

    /// Visits the spans of each segment that may have some in a range, by who sent them and by bucket.
    pub(crate) fn each_sent(
        &self,
        conn: &Connection,
        range: TimeRange,
        mut visit: impl FnMut(&Sent<'_>),
    ) -> duckdb::Result<()> {
        for segment in self.with_spans_in(range) {
            if let Some(hot) = segment.hot_sent(conn)? {
                visit(&segment.senders_of(conn, &hot.sums, Cow::Borrowed(hot.times.as_slice()))?);
                continue;
            }
            let sums = self.spans_of(conn, segment)?;
            visit(&segment.senders_of(conn, &sums, segment.sent_times(conn)?)?);
        }
        Ok(())
    }

    /// Visits who sent spans in a range, each with when the first of them began in nanoseconds, once for every segment:
    /// exact if it has none of before the range, else the start of a bucket.
    pub(crate) fn each_first_sent(
        &self,
        conn: &Connection,
        range: TimeRange,
        mut visit: impl FnMut(&Resource, i64),
    ) -> duckdb::Result<()> {
        for segment in self.with_spans_in(range) {
            let first = segment.first_sent(conn, range, || self.spans_of(conn, segment))?;
            let numbers: BTreeSet<u32> = first.keys().copied().collect();
            let origins = segment.origins(conn, &numbers, &BTreeSet::new())?;
            for (number, first) in first {
                if let Some(resource) = origins.resources.get(&number) {
                    visit(resource, first);
                }
            }
        }
        Ok(())
    }

    /// The segments that may have spans of buckets that touch a range.
    pub(super) fn with_spans_in(&self, range: TimeRange) -> impl Iterator<Item = &Segment> {
        let (from, to) = (rollup::first_bucket(range), range.to_unix_nano);
        let segments = self.segments.iter().map(Arc::as_ref);
        segments.filter(move |segment| segment.may_have("spans") && segment.may_hold_time(from, to))
    }

    /// The spans of a segment by who sent them, kept if it is sealed.
    fn spans_of(
        &self,
        conn: &Connection,
        segment: &Segment,
    ) -> duckdb::Result<Arc<ByBucket<SpansOf>>> {
        if segment.is_text() {
            return Ok(Arc::new(segment.sent(conn)?));
        }
        self.sums.spans.of(segment.id, || segment.sent(conn))
    }

    /// Sums of `service_edges` by edge over the buckets that touch a range, of those that `pick` picks.
    pub(crate) fn edge_sums(
        &self,
        conn: &Connection,
        range: TimeRange,
        pick: impl Fn(&EdgeCalls) -> bool,
    ) -> duckdb::Result<Vec<EdgeSum>> {
        let mut all: HashMap<EdgeCalls, Totals> = HashMap::new();
        let mut alone: HashMap<EdgeCalls, Totals> = HashMap::new();
        let cut = |segment: &Segment| match segment.whole_edges(conn, range)? {
            Some(whole) => {
                merge(&mut all, &whole);
                merge(&mut alone, &segment.whole_alone(conn)?);
                Ok(false)
            }
            None => Ok(!segment.is_text()),
        };
        let cut = self.segments_of(range, cut)?;
        self.each_sums_of_edges(conn, range, &cut, |edges, calls| {
            edges.add_to(range, &mut all);
            calls.add_to(range, &mut alone);
        })?;
        let mut minus = Vec::new();
        let mut more = HashMap::new();
        self.open_edges(conn, range)?.add_to(range, &mut more);
        for (of, totals) in more {
            if of.is_minus {
                minus.push(Summed { of, totals });
            } else {
                all.entry(of).or_default().merge(&totals);
            }
        }
        for (of, totals) in alone {
            all.entry(of).or_default().merge(&totals);
        }
        Ok(summed(sums::without(all, minus), pick))
    }

    /// Visits the sums of `service_edges` by edge of each bucket that touches a range, in any order; a bucket may have
    /// several, and those that are `is_minus` are to be taken away from the others.
    pub(crate) fn each_edge_bucket(
        &self,
        conn: &Connection,
        range: TimeRange,
        mut visit: impl FnMut(&rollup::BucketSum<'_, EdgeCalls>),
    ) -> duckdb::Result<()> {
        let sealed = self.segments_of(range, |segment| Ok(!segment.is_text()))?;
        self.each_sums_of_edges(conn, range, &sealed, |edges, alone| {
            edges.within(range).for_each(|sum| visit(&sum));
            alone.within(range).for_each(|sum| visit(&sum));
        })?;
        let open = self.open_edges(conn, range)?;
        open.within(range).for_each(|sum| visit(&sum));
        Ok(())
    }

    /// Visits the final edges of each of these sealed segments, and its calls that nobody answered there.
    fn each_sums_of_edges(
        &self,
        conn: &Connection,
        range: TimeRange,
        segments: &[&Segment],
        mut visit: impl FnMut(&ByBucket<EdgeCalls>, &ByBucket<EdgeCalls>),
    ) -> duckdb::Result<()> {
        for segment in segments {
            let schema = segment.schema();
            if segment.is_history() {
                let edges = stored_edges(conn, &schema, Some(range))?;
                visit(&edges, &sums::alone(conn, &schema, Some(range))?);
                continue;
            }
            let read = || stored_edges(conn, &schema, None);
            let edges = self.sums.edges.of(segment.id, read)?;
            let read = || sums::alone(conn, &schema, None);
            visit(&edges, &*self.sums.alone.of(segment.id, read)?);
        }
        Ok(())
    }

    /// What hot spans and halves that may still be completed make, of a range at least; of the calls that nobody answered in
    /// their own segment, those that somebody did answer, to be taken away. Who asks while nothing comes gets the same.
    fn open_edges(
        &self,
        conn: &Connection,
        range: TimeRange,
    ) -> duckdb::Result<Arc<ByBucket<EdgeCalls>>> {
        let rows = self.hot_spans(conn)?;
        let mut halves = 0;
        for segment in self.sealed_calls() {
            halves += segment.open_halves(conn)?;
        }
        if halves > OPEN_HALVES_MAX || rows > HOT_SPANS_MAX {
            return Ok(Arc::new(self.open_edges_by_engine(conn, range)?));
        }
        self.opened.of(rows, || self.open_edges_in_memory(conn))
    }

    /// Committed spans of its hot segments.
    fn hot_spans(&self, conn: &Connection) -> duckdb::Result<u64> {
        let hot = self.segments.iter().filter(|segment| segment.is_text());
        hot.map(|segment| segment.count_spans(conn)).sum()
    }

    /// The sealed segments that may have calls.
    fn sealed_calls(&self) -> impl Iterator<Item = &Segment> {
        let segments = self.segments.iter().map(Arc::as_ref);
        segments.filter(|segment| !segment.is_text() && segment.may_have_calls())
    }

    pub(crate) fn open_edges_in_memory(
        &self,
        conn: &Connection,
    ) -> duckdb::Result<ByBucket<EdgeCalls>> {
        let mut parts = Vec::new();
        for segment in self.segments.iter().filter(|one| one.may_have_calls()) {
            if segment.is_text() {
                let hops = segment.hops(conn)?.into_iter().enumerate();
                parts.extend(hops.map(|(at, hops)| ((segment.id, at), hops)));
            } else if segment.open_halves(conn)? > 0 {
                parts.push(((segment.id, 0), segment.open_hops(conn)?));
            }
        }
        if parts.is_empty() {
            return Ok(ByBucket::default());
        }
        let sealed: Vec<&Segment> = self.sealed_calls().collect();
        let others = self.sums.settled.others(conn, &sealed, &parts)?;
        let open: Vec<Arc<Hops>> = parts.into_iter().map(|(_, hops)| hops).collect();
        Ok(edges_of(&open, &others.calls, &others.causes))
    }

    /// The same, of a range, by the rules for files: where there is much, the engine has room on disk.
    pub(crate) fn open_edges_by_engine(
        &self,
        conn: &Connection,
        range: TimeRange,
    ) -> duckdb::Result<ByBucket<EdgeCalls>> {
        let mut open = Vec::new();
        for segment in self.segments.iter().filter(|one| one.may_have_calls()) {
            if segment.is_text() || segment.open_halves(conn)? > 0 {
                open.push(segment.calls());
            }
        }
        if open.is_empty() {
            return Ok(ByBucket::default());
        }
        let traces = sums::open_traces(conn, &open)?;
        let (settled, shared) = self.sharing(conn, &traces)?;
        sums::open_edges(conn, &open, (&settled, &shared), Some(range))
    }

    /// The sealed segments that may have calls of some of these traces, and the traces of which they may. What is left of
    /// a history's traces is in its roll-ups alone, so it may have any.
    fn sharing<'t>(
        &self,
        conn: &Connection,
        traces: &'t [String],
    ) -> duckdb::Result<(Vec<Part>, Vec<&'t str>)> {
        let mut segments = Vec::new();
        let mut shared: BTreeSet<&str> = BTreeSet::new();
        let all: Vec<&str> = traces.iter().map(String::as_str).collect();
        let sealed = self.sealed_calls();
        let held = having(conn, sealed.map(|segment| (segment, all.clone())).collect())?;
        for (segment, held) in self.sealed_calls().zip(held) {
            if !held.is_empty() {
                segments.push(segment.calls());
                shared.extend(held);
            }
        }
        Ok((segments, shared.into_iter().collect()))
    }

    /// The segments that may have calls of a range, of those that `pick` picks.
    fn segments_of(
        &self,
        range: TimeRange,
        mut pick: impl FnMut(&Segment) -> duckdb::Result<bool>,
    ) -> duckdb::Result<Vec<&Segment>> {
        // Rows of a bucket that has begun count, whenever in it they are.
        let (from, to) = (
            range.from_unix_nano,
            range.to_unix_nano.saturating_add(rollup::BUCKET_NS),
        );
        let mut picked = Vec::new();
        for segment in &self.segments {
            if segment.may_hold_calls(from, to) && pick(segment)? {
                picked.push(segment.as_ref());
            }
        }
        Ok(picked)
    }

    fn calls(&self, pick: impl Fn(&Segment) -> bool) -> Vec<Part> {
        let segments = self.segments.iter();
        segments
            .filter(|segment| segment.may_have_calls() && pick(segment))
            .map(|segment| segment.calls())
            .collect()
    }
}

fn merge<K: Clone + Eq + std::hash::Hash>(all: &mut HashMap<K, Totals>, sums: &[Summed<K>]) {
    for sum in sums {
        match all.get_mut(&sum.of) {
            Some(totals) => totals.merge(&sum.totals),
            None => {
                all.insert(sum.of.clone(), sum.totals.clone());
            }
        }
    }
}

fn summed<K>(all: HashMap<K, Totals>, pick: impl Fn(&K) -> bool) -> Vec<Summed<K>> {
    all.into_iter()
        .filter(|(of, _)| pick(of))
        .map(|(of, totals)| Summed { of, totals })
        .collect()
}
