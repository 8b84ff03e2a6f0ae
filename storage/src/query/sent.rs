//! Stored spans by who sent them, a bucket of the roll-ups at a time.

use std::collections::{BTreeMap, HashSet};

use duckdb::Connection;

use crate::model::TimeRange;
use crate::rollup::{BUCKET_NS, Counted, Totals};
use crate::segment::origins::Resource;
use crate::store::SegmentSet;

/// Spans of one sender in one bucket.
pub(super) struct SentBy<'a> {
    pub resource: &'a Resource,
    /// How well they stand for calls of the service, as `rollup/sum_red.sql` has it: 1 best.
    pub rank: u8,
    /// They failed.
    pub failed: bool,
    /// They took a power of two of nanoseconds.
    pub is_round: bool,
    /// Start of the bucket, nanoseconds.
    pub bucket_start: i64,
    pub calls: u64,
    /// Calls these stand for.
    pub weight: f64,
    /// Buckets of the roll-ups' histogram, and how many of the calls fall into each.
    pub durations: &'a [Counted],
    /// Start of the first, nanoseconds: exact unless the range begins after the sender did.
    pub first: i64,
    /// Start of the last: exact unless the range ends before the sender did.
    pub last: i64,
}

impl SentBy<'_> {
    /// Adds them to sums.
    pub(super) fn add_to(&self, totals: &mut Totals) {
        let (errors, error_weight) = if self.failed {
            (self.calls, self.weight)
        } else {
            (0, 0.0)
        };
        totals.add_counts(self.calls, errors, self.weight, error_weight, "all");
        for (bucket, calls) in self.durations {
            totals.add_bucket(*bucket, (*calls).into());
        }
    }
}

/// The service a resource is of.
pub(super) fn service_name(resource: &Resource) -> &str {
    resource
        .service_name
        .as_deref()
        .unwrap_or("unknown_service")
}

/// Visits the spans of the buckets that touch a range, of the resources that `pick` picks, in any order.
pub(super) fn each_sent_by(
    set: &SegmentSet,
    conn: &Connection,
    range: TimeRange,
    pick: impl Fn(&Resource) -> bool,
    mut visit: impl FnMut(&SentBy<'_>),
) -> duckdb::Result<()> {
    set.each_sent(conn, range, |sent| {
        let resources = sent.origins.resources.iter();
        let picked: HashSet<u32> = resources
            .filter(|(_, resource)| pick(resource))
            .map(|(number, _)| *number)
            .collect();
        if picked.is_empty() {
            return;
        }
        let times: BTreeMap<(u32, u8), (i64, i64)> = sent.times.iter().copied().collect();
        for sum in sent.sums.within(range) {
            let of = *sum.of;
            let Some(resource) = sent.origins.resources.get(&of.resource) else {
                continue;
            };
            if !picked.contains(&of.resource) {
                continue;
            }
            let bucket = sum.bucket_start..sum.bucket_start.saturating_add(BUCKET_NS);
            let (first, last) = times
                .get(&(of.resource, of.rank))
                .copied()
                .unwrap_or((i64::MIN, i64::MAX));
            // A bucket may reach out of the range, into what came while a page was made.
            let last = if bucket.contains(&last) {
                last
            } else {
                bucket.end - 1
            };
            visit(&SentBy {
                resource,
                rank: of.rank,
                failed: of.failed,
                is_round: of.is_round,
                bucket_start: sum.bucket_start,
                calls: sum.calls,
                weight: sum.weight,
                durations: sum.durations,
                first: if bucket.contains(&first) {
                    first
                } else {
                    bucket.start.max(range.from_unix_nano)
                },
                last: last.min(range.to_unix_nano - 1),
            });
        }
    })
}
