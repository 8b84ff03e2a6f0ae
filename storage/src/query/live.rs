//! How much is stored, and how old the newest of it is.

use duckdb::Connection;

use super::{QueryError, Session};
use crate::model::{LiveCounts, SignalAge, TimeRange};
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
            add_rows(conn, segment, &mut counts)?;
        }
        let union = |columns: &str, table: &str| {
            let selects: Vec<String> = segments
                .iter()
                .map(|segment| format!("SELECT {columns} FROM {}.{table}", segment.schema()))
                .collect();
            selects.join(" UNION ALL ")
        };
        if !segments.is_empty() {
            let streams = format!(
                "SELECT count(DISTINCT series_id)::UBIGINT FROM ({})",
                union("series_id", "series")
            );
            counts.metric_streams = conn.query_row(&streams, [], |row| row.get(0))?;
            let service = "environment, service_namespace, cluster, service_name";
            let services = format!(
                "SELECT count(*)::UBIGINT FROM (SELECT DISTINCT * FROM ({}))",
                union(service, "resources")
            );
            counts.services = conn.query_row(&services, [], |row| row.get(0))?;
        }
        for (signal, tables, time) in [
            ("traces", &["spans"][..], "start_time"),
            ("logs", &["logs"], "time"),
            ("metrics", &["number_points", "histogram_points"], "time"),
        ] {
            let (oldest_unix_nano, newest_unix_nano) = ages(conn, &segments, tables, time)?;
            counts.ages.push(SignalAge {
                signal: signal.to_owned(),
                oldest_unix_nano,
                newest_unix_nano,
            });
        }
        Ok(counts)
    })
}

/// Environments, namespaces and clusters that are stored, each sorted.
pub fn scopes(session: &Session<'_>) -> Result<[Vec<String>; 3], QueryError> {
    session.run(|conn| {
        let mut statement =
            conn.prepare("SELECT DISTINCT environment, service_namespace, cluster FROM resources")?;
        let mut rows = statement.query([])?;
        let mut found: [std::collections::BTreeSet<String>; 3] = Default::default();
        while let Some(row) = rows.next()? {
            for (at, values) in found.iter_mut().enumerate() {
                values.extend(
                    row.get::<_, Option<String>>(at)?
                        .filter(|value| !value.is_empty()),
                );
            }
        }
        Ok(found.map(|values| values.into_iter().collect()))
    })
}

/// The part of `range` in which spans can be: it starts with the oldest one stored. Rates are over this.
pub fn covered(session: &Session<'_>, range: TimeRange) -> Result<TimeRange, QueryError> {
    let segments: Vec<&Segment> = session
        .set()
        .segments()
        .iter()
        .map(AsRef::as_ref)
        .filter(|segment| !segment.is_history())
        .collect();
    let (oldest, _) = session.run(|conn| ages(conn, &segments, &["spans"], "start_time"))?;
    let from = oldest.map_or(range.from_unix_nano, |oldest| {
        oldest.max(range.from_unix_nano)
    });
    // A moment of data is no base for a rate.
    let latest = range.to_unix_nano.saturating_sub(COVERED_MIN_NS);
    Ok(TimeRange {
        from_unix_nano: from.min(latest).max(range.from_unix_nano),
        to_unix_nano: range.to_unix_nano,
    })
}

/// Rates are over at least so long.
const COVERED_MIN_NS: i64 = 10_000_000_000;

/// A sealed segment knows its rows; a hot one is counted, which reads no data.
fn add_rows(
    conn: &Connection,
    segment: &Segment,
    counts: &mut LiveCounts,
) -> Result<(), QueryError> {
    let meta = &segment.meta;
    let (spans, logs, points) = if segment.is_text() {
        let schema = segment.schema();
        let sql = format!(
            "SELECT (SELECT count(*) FROM {schema}.spans)::UBIGINT, (SELECT count(*) FROM {schema}.logs)::UBIGINT, \
             ((SELECT count(*) FROM {schema}.number_points) + (SELECT count(*) FROM {schema}.histogram_points))::UBIGINT"
        );
        conn.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
    } else {
        (meta.spans, meta.logs, meta.points)
    };
    counts.spans += spans;
    counts.logs += logs;
    counts.metric_points += points;
    Ok(())
}

/// Of all hot rows, and of the sealed segment that reaches furthest back and forth.
fn ages(
    conn: &Connection,
    segments: &[&Segment],
    tables: &[&str],
    time: &str,
) -> Result<(Option<i64>, Option<i64>), QueryError> {
    let of = |segment: &Segment| -> Result<(Option<i64>, Option<i64>), QueryError> {
        let selects: Vec<String> = tables
            .iter()
            .map(|table| format!("SELECT {time} AS t FROM {}.{table}", segment.schema()))
            .collect();
        let sql = format!(
            "SELECT epoch_ns(min(t)), epoch_ns(max(t)) FROM ({})",
            selects.join(" UNION ALL ")
        );
        Ok(conn.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    let (mut oldest, mut newest) = (None, None);
    let (hot, mut sealed): (Vec<&Segment>, Vec<&Segment>) =
        segments.iter().partition(|segment| segment.is_text());
    for segment in hot {
        let (first, last) = of(segment)?;
        oldest = oldest.into_iter().chain(first).min();
        newest = newest.max(last);
    }
    sealed.retain(|segment| segment.meta.event_range.is_some());
    sealed.sort_by_key(|segment| segment.meta.event_range.map(|(first, _)| first));
    for segment in &sealed {
        if let (Some(first), _) = of(segment)? {
            oldest = oldest.into_iter().chain([first]).min();
            break;
        }
    }
    sealed.sort_by_key(|segment| {
        segment
            .meta
            .event_range
            .map(|(_, last)| std::cmp::Reverse(last))
    });
    for segment in &sealed {
        if let (_, Some(last)) = of(segment)? {
            newest = newest.max(Some(last));
            break;
        }
    }
    Ok((oldest, newest))
}
