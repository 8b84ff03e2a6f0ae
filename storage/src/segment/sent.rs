//! The spans of a segment by who sent them: instances, versions and heatmaps are added up from these.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use duckdb::Connection;

use super::kept::{all, keep};
use super::origins::Origins;
use super::{Segment, views};
use crate::model::TimeRange;
use crate::rollup::ByBucket;
use crate::rollup::sums::read;

const SENT: &str = include_str!("sent.sql");
const TIMES: &str = include_str!("sent_times.sql");

/// Spans that one resource sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SpansOf {
    /// Its number in the segment.
    pub resource: u32,
    /// How well they stand for calls of the service: 1 best.
    pub rank: u8,
    /// They failed.
    pub failed: bool,
    /// They took a power of two of nanoseconds.
    pub is_round: bool,
}

/// Resource and rank, and the starts of the first and the last such span in nanoseconds.
pub(crate) type SentTimes = ((u32, u8), (i64, i64));

/// The spans of a hot segment by who sent them, and when.
#[derive(Debug)]
pub(crate) struct HotSent {
    pub sums: ByBucket<SpansOf>,
    pub times: Vec<SentTimes>,
}

/// The spans of a segment by who sent them.
pub(crate) struct Sent<'a> {
    pub sums: &'a ByBucket<SpansOf>,
    pub times: Cow<'a, [SentTimes]>,
    pub origins: Cow<'a, Origins>,
}

impl Segment {
    /// Its spans by bucket; of the whole of it.
    pub(crate) fn sent(&self, conn: &Connection) -> duckdb::Result<ByBucket<SpansOf>> {
        let sql = SENT.replace("{spans}", &self.all_spans());
        read(conn, &sql, 4, |row| {
            Ok(SpansOf {
                resource: row.get(0)?,
                rank: row.get(1)?,
                failed: row.get(2)?,
                is_round: row.get(3)?,
            })
        })
    }

    /// Its spans, of one that this process writes to, as they were when all rows of now were there.
    pub(crate) fn hot_sent(&self, conn: &Connection) -> duckdb::Result<Option<Arc<HotSent>>> {
        let Some(live) = &self.live else {
            return Ok(None);
        };
        // The times last: they tell of every row that the sums do.
        let read = || {
            Ok(HotSent {
                sums: self.sent(conn)?,
                times: self.sent_times(conn)?.into_owned(),
            })
        };
        live.sent.of(live.rows(0), read).map(Some)
    }

    /// Sums of its spans with their times, and by whom they were sent.
    pub(crate) fn senders_of<'a>(
        &'a self,
        conn: &Connection,
        sums: &'a ByBucket<SpansOf>,
        times: Cow<'a, [SentTimes]>,
    ) -> duckdb::Result<Sent<'a>> {
        let resources: BTreeSet<u32> = sums.of().iter().map(|of| of.resource).collect();
        Ok(Sent {
            sums,
            times,
            origins: self.origins(conn, &resources, &BTreeSet::new())?,
        })
    }

    /// When each of its resources sent its first span of a range, by number: exact if it had sent none before the range,
    /// else the start of its first bucket there, which `sums` tell.
    pub(crate) fn first_sent(
        &self,
        conn: &Connection,
        range: TimeRange,
        sums: impl FnOnce() -> duckdb::Result<Arc<ByBucket<SpansOf>>>,
    ) -> duckdb::Result<BTreeMap<u32, i64>> {
        let (from, to) = (range.from_unix_nano, range.to_unix_nano);
        let mut found: BTreeMap<u32, i64> = BTreeMap::new();
        let mut add = |resource: u32, time: i64| {
            let first = found.entry(resource).or_insert(time);
            *first = time.min(*first);
        };
        let mut earlier: BTreeSet<(u32, u8)> = BTreeSet::new();
        for (of, (first, last)) in self.sent_times(conn)?.iter() {
            if (from..to).contains(first) {
                add(of.0, *first);
            } else if *first < from && from <= *last {
                earlier.insert(*of);
            }
        }
        if earlier.is_empty() {
            return Ok(found);
        }
        for sum in sums()?.within(range) {
            if earlier.contains(&(sum.of.resource, sum.of.rank)) {
                add(sum.of.resource, sum.bucket_start.max(from));
            }
        }
        Ok(found)
    }

    /// When its first and last spans of each resource and rank began, in order.
    pub(crate) fn sent_times(&self, conn: &Connection) -> duckdb::Result<Cow<'_, [SentTimes]>> {
        let sql = TIMES.replace("{spans}", &self.all_spans());
        keep((!self.is_text()).then_some(&self.kept.sent_times), || {
            all(conn, &sql, |row| {
                Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))
            })
        })
    }

    fn all_spans(&self) -> String {
        let places = views::places(self).into_iter();
        let spans: Vec<String> = places
            .map(|facts| {
                format!(
                    "SELECT resource_ix, kind, sidecar, status_code, duration_ns, start_time, resent, weight FROM {facts}.spans"
                )
            })
            .collect();
        spans.join(" UNION ALL ")
    }
}
