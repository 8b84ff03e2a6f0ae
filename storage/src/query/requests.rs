//! Requests as the metrics of services count them: every one, where their spans are a sample or may be one.
//!
//! The standard histograms of HTTP and RPC servers have a count of all requests, which no sampler thins. A count that
//! only grows is taken by its differences: what came between two points belongs to the later one, and the last point
//! before a range is what its first is compared with. An instance that pushes and is scraped too counts once, where both
//! senders name it alike; whether two ids mean one instance no count can tell, so that those add up. What no metric counts
//! stays with the spans: the messages of a queue, durations, and the calls between two services.

use std::collections::BTreeMap;

use duckdb::Connection;

use super::QueryError;
use crate::ask::{Ask, NONE};
use crate::model::{Basis, RequestCounts, Scope, TimeRange};
use crate::rollup::Totals;
use crate::store::SegmentSet;

const REQUESTS: &str = include_str!("requests.sql");

/// Histograms that count each request, as they are called today, by Prometheus, and in older conventions. Of two that
/// count the same requests of one sender the first is taken.
pub(super) const REQUEST_METRICS: &str = "'http.server.request.duration', 'http_server_request_duration_seconds', \
    'http.server.duration', 'http_server_duration_milliseconds', \
    'rpc.server.call.duration', 'rpc_server_call_duration_seconds', \
    'rpc.server.duration', 'rpc_server_duration_milliseconds'";

/// The place of metrics among the signals of a segment.
const METRICS: usize = 2;

/// How long before a range the point may be that its first is compared with, nanoseconds: two export intervals of
/// OpenTelemetry's default. A shorter range counts spans: metrics say nothing of it.
pub(super) const BASELINE_NS: i64 = 120_000_000_000;

/// Services that metrics may count better than their spans do, each with the least that a metric must count for that.
pub(super) type Thinned = BTreeMap<(Scope, String), f64>;

/// The least that metrics must count of a service to count better than its spans: of spans that are a sample half of what
/// they stand for (a metric that counts less does not count everything), of spans that may be one clearly more than there
/// are, as spans of the last seconds come later than points of them.
/// `None` if every span stands for itself alone, or some are messages taken, which no metric of requests counts.
pub(super) fn thinned(totals: &Totals) -> Option<f64> {
    if totals.messages > 0 {
        return None;
    }
    match totals.basis() {
        Basis::All => None,
        Basis::Sampled => Some(totals.weight / 2.0),
        Basis::Unknown => Some(totals.weight * 1.05 + 10.0),
    }
}

/// What metrics count of these services, where they count better; of none, nothing is read.
pub(super) fn requests(
    set: &SegmentSet,
    conn: &Connection,
    range: TimeRange,
    thinned: &Thinned,
) -> Result<BTreeMap<(Scope, String), RequestCounts>, QueryError> {
    let mut found = BTreeMap::new();
    let (from, to) = (range.from_unix_nano, range.to_unix_nano);
    if thinned.is_empty() || to.saturating_sub(from) < BASELINE_NS {
        return Ok(found);
    }
    if !reaches_back(set, from) {
        return Ok(found);
    }
    let since = from.saturating_sub(BASELINE_NS);
    let read = set.request_points_sql(|segment| segment.may_hold_time(since, to));
    let Some([streams, points]) = read else {
        return Ok(found);
    };
    let streams = streams.replace("{names}", REQUEST_METRICS);
    let points = points
        .replace("{names}", REQUEST_METRICS)
        .replace("{since}", &since.to_string())
        .replace("{to}", &to.to_string());
    let sql = counted_sql(&streams, &points, "SELECT * FROM by_service", range);
    let mut question = conn.ask(&sql)?;
    let mut rows = question.query(NONE)?;
    while let Some(row) = rows.next()? {
        let scope = Scope {
            environment: row.get(0)?,
            service_namespace: row.get(1)?,
            cluster: row.get(2)?,
        };
        let metrics: String = row.get(6)?;
        let counts = RequestCounts {
            calls: row.get(4)?,
            errors: row.get(5)?,
            metrics: metrics.split(", ").map(str::to_owned).collect(),
        };
        let key: (Scope, String) = (scope, row.get(3)?);
        let counts_better = |least: &f64| counts.calls as f64 >= *least;
        if thinned.get(&key).is_some_and(counts_better) {
            found.insert(key, counts);
        }
    }
    Ok(found)
}

/// Whether points of metrics may be as old as a range. Of a time whose telemetry has expired roll-ups still count the
/// calls, and metrics would count a part of the range only.
fn reaches_back(set: &SegmentSet, from: i64) -> bool {
    let (histories, segments): (Vec<_>, Vec<_>) = set
        .segments()
        .iter()
        .partition(|segment| segment.is_history());
    let oldest = segments
        .iter()
        .filter_map(|segment| segment.known_times(METRICS)?)
        .map(|(first, _)| first)
        .min();
    histories.is_empty() || oldest.is_some_and(|oldest| oldest <= from.saturating_add(BASELINE_NS))
}

/// SQL that counts the requests which `points` (SQL of them) say of `streams` after the start of a range.
pub(super) fn counted_sql(streams: &str, points: &str, select: &str, range: TimeRange) -> String {
    let since = range.from_unix_nano.saturating_sub(BASELINE_NS);
    let text = REQUESTS
        .replace("{names}", REQUEST_METRICS)
        .replace("{from}", &range.from_unix_nano.to_string())
        .replace("{to}", &range.to_unix_nano.to_string())
        .replace("{since}", &since.to_string())
        .replace("{select}", select);
    // One after the other: what a person wrote in one of them is no hole.
    let (head, rest) = text.split_once("{streams}").expect("a hole of the file");
    let (middle, tail) = rest.split_once("{points}").expect("a hole of the file");
    [head, streams.trim_end(), middle, points.trim_end(), tail].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_count_clearly_more_than_spans_or_half_of_what_a_sample_stands_for() {
        let spans = |basis: &str| {
            let mut totals = Totals::default();
            totals.add_counts(60, 0, 60.0, 0.0, basis);
            totals
        };
        assert_eq!(thinned(&spans("all")), None);
        assert_eq!(thinned(&spans("unknown")), Some(73.0));
        assert_eq!(thinned(&spans("sampled")), Some(30.0));
        let mut mail = spans("sampled");
        mail.messages = 1;
        assert_eq!(thinned(&mail), None);
    }
}
