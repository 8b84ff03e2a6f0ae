//! How much is stored, and how old the newest of it is.

use std::collections::BTreeSet;

use duckdb::Connection;

use super::{QueryError, Session};
use crate::as_of::now_ns;
use crate::ask::{Ask, NONE};
use crate::model::{LiveCounts, Scope, SignalAge, TimeRange};
use crate::segment::Segment;

/// Counts over all segments; cheap enough for a tick a second. Ages leave outliers out: one bad clock would
/// otherwise be the age of everything.
pub fn live_counts(session: &Session<'_>) -> Result<LiveCounts, QueryError> {
    let segments: Vec<&Segment> = session
        .set()
        .segments()
        .iter()
        .map(AsRef::as_ref)
        .filter(|segment| segment.has_rows())
        .collect();
    session.run(|conn| {
        let mut counts = LiveCounts::default();
        for segment in &segments {
            let [spans, logs, points] = match segment.known_rows() {
                Some(rows) => rows,
                None => counted_rows(conn, segment)?,
            };
            counts.spans += spans;
            counts.logs += logs;
            counts.metric_points += points;
        }
        counts.metric_streams = metric_streams(conn, &segments)?;
        let senders = session.set().senders(conn)?;
        let services: BTreeSet<(&Scope, &Option<String>)> = senders
            .iter()
            .map(|sender| (&sender.scope, &sender.service_name))
            .collect();
        counts.services = services.len() as u64;
        for (signal, name) in ["traces", "logs", "metrics"].into_iter().enumerate() {
            let (oldest_unix_nano, newest_unix_nano) = ages(conn, &segments, signal)?;
            counts.ages.push(SignalAge {
                signal: name.to_owned(),
                oldest_unix_nano,
                newest_unix_nano,
            });
        }
        Ok(counts)
    })
}

/// Streams of all segments that have points.
fn metric_streams(conn: &Connection, segments: &[&Segment]) -> Result<u64, QueryError> {
    let selects: Vec<String> = segments
        .iter()
        .filter(|segment| segment.may_have("metric_points"))
        .map(|segment| format!("SELECT series_id FROM {}.series", segment.schema()))
        .collect();
    if selects.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "SELECT count(DISTINCT series_id)::UBIGINT FROM ({})",
        selects.join(" UNION ALL ")
    );
    Ok(conn.ask_row(&sql, NONE, |row| row.get(0))?)
}

/// Environments, namespaces and clusters that are stored, each sorted.
pub fn scopes(session: &Session<'_>) -> Result<[Vec<String>; 3], QueryError> {
    let senders = session.run(|conn| Ok(session.set().senders(conn)?))?;
    let of = |part: fn(&Scope) -> &Option<String>| -> Vec<String> {
        let known: BTreeSet<&String> = senders
            .iter()
            .filter_map(|sender| part(&sender.scope).as_ref())
            .filter(|value| !value.is_empty())
            .collect();
        known.into_iter().cloned().collect()
    };
    Ok([
        of(|scope| &scope.environment),
        of(|scope| &scope.service_namespace),
        of(|scope| &scope.cluster),
    ])
}

/// The part of `range` in which calls can be, from the oldest span or roll-up stored, of any service, to now: of a range
/// of the past that all lies after the oldest, the whole. Rates are over this.
pub fn covered(session: &Session<'_>, range: TimeRange) -> Result<TimeRange, QueryError> {
    let segments: Vec<&Segment> = session
        .set()
        .segments()
        .iter()
        .map(AsRef::as_ref)
        .filter(|segment| !segment.is_history())
        .collect();
    let oldest = session.run(|conn| {
        let (mut oldest, _) = ages(conn, &segments, 0)?;
        // Of what has expired the roll-ups still count.
        for history in session.set().segments().iter().filter(|s| s.is_history()) {
            oldest = oldest.into_iter().chain(history.oldest_call(conn)?).min();
        }
        Ok(oldest)
    })?;
    let from = oldest.map_or(range.from_unix_nano, |oldest| {
        oldest.max(range.from_unix_nano)
    });
    // A moment of data is no base for a rate.
    let to = now_ns()
        .max(range.from_unix_nano.saturating_add(COVERED_MIN_NS))
        .min(range.to_unix_nano);
    let latest = to.saturating_sub(COVERED_MIN_NS);
    Ok(TimeRange {
        from_unix_nano: from.min(latest).max(range.from_unix_nano),
        to_unix_nano: to,
    })
}

/// Rates are over at least so long.
const COVERED_MIN_NS: i64 = 10_000_000_000;

/// Rows of spans, logs and points of a segment that does not know them, which reads no data.
fn counted_rows(conn: &Connection, segment: &Segment) -> duckdb::Result<[u64; 3]> {
    let schema = segment.schema();
    let sql = format!(
        "SELECT (SELECT count(*) FROM {schema}.spans)::UBIGINT, (SELECT count(*) FROM {schema}.logs)::UBIGINT, \
         ((SELECT count(*) FROM {schema}.number_points) + (SELECT count(*) FROM {schema}.histogram_points))::UBIGINT"
    );
    conn.ask_row(&sql, NONE, |row| {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?])
    })
}

/// Tables and column of event time of each signal.
const EVENT_TIMES: [(&[&str], &str); 3] = [
    (&["spans"], "start_time"),
    (&["logs"], "time"),
    (&["number_points", "histogram_points"], "time"),
];

/// Oldest and newest event time of a signal. Segments of older versions that do not know theirs are asked: the one
/// that reaches furthest back and the one furthest forth.
fn ages(
    conn: &Connection,
    segments: &[&Segment],
    signal: usize,
) -> Result<(Option<i64>, Option<i64>), QueryError> {
    let (tables, time) = EVENT_TIMES[signal];
    let asked = |segment: &Segment| -> Result<(Option<i64>, Option<i64>), QueryError> {
        let selects: Vec<String> = tables
            .iter()
            .map(|table| format!("SELECT {time} AS t FROM {}.{table}", segment.schema()))
            .collect();
        let sql = format!(
            "SELECT epoch_ns(min(t)), epoch_ns(max(t)) FROM ({})",
            selects.join(" UNION ALL ")
        );
        Ok(conn.ask_row(&sql, NONE, |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    let (mut oldest, mut newest) = (None, None);
    let mut add = |(first, last): (Option<i64>, Option<i64>)| {
        oldest = oldest.into_iter().chain(first).min();
        newest = newest.max(last);
    };
    let mut unknown = Vec::new();
    for segment in segments {
        match segment.known_times(signal) {
            Some(times) => add(times.unzip()),
            None if segment.is_text() => add(asked(segment)?),
            None if segment.meta.event_range.is_some() => unknown.push(*segment),
            None => {}
        }
    }
    unknown.sort_by_key(|segment| segment.meta.event_range.map(|(first, _)| first));
    for segment in &unknown {
        let (first, _) = asked(segment)?;
        add((first, None));
        if first.is_some() {
            break;
        }
    }
    unknown.sort_by_key(|segment| {
        segment
            .meta
            .event_range
            .map(|(_, last)| std::cmp::Reverse(last))
    });
    for segment in &unknown {
        let (_, last) = asked(segment)?;
        add((None, last));
        if last.is_some() {
            break;
        }
    }
    Ok((oldest, newest))
}
