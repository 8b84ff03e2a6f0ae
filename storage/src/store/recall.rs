//! What of the stored spans the writer must still know after a restart: a client that heard no answer because the
//! server died sends its spans again to the next one.

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type, UInt64Type};
use duckdb::Connection;

use crate::ingest::{GENERATION_MAX, RecentSpans, ResourceRow, SpanIdentity, service_identity};
use crate::segment::Segment;

/// Segments last committed into within this time are read: clients give up resending long before.
const HORIZON_NS: i64 = 600 * 1_000_000_000;

/// Remembers the spans of the newest segments, as many as one generation holds. A damaged segment stops no start: spans
/// of it that are sent again count twice.
pub(super) fn recall<'a>(
    conn: &Connection,
    segments: impl Iterator<Item = &'a Segment>,
    now_ns: i64,
) -> RecentSpans {
    let mut recent = RecentSpans::default();
    let mut segments: Vec<&Segment> = segments
        .filter(|segment| !segment.is_history())
        .filter(|segment| segment.is_text() || segment.meta.ingest_range.1 >= now_ns - HORIZON_NS)
        .collect();
    segments.sort_by_key(|segment| std::cmp::Reverse(segment.id));
    let mut left = GENERATION_MAX;
    for segment in segments {
        if left == 0 {
            break;
        }
        match recall_segment(conn, segment, left, &mut recent) {
            Ok(count) => left -= count,
            Err(error) => tracing::error!(
                %error,
                segment = segment.id,
                "spans of a segment cannot be read; those of it that are sent again will count twice"
            ),
        }
    }
    recent.commit();
    recent
}

/// Remembers at most `limit` spans of a segment; how many they were.
fn recall_segment(
    conn: &Connection,
    segment: &Segment,
    limit: usize,
    recent: &mut RecentSpans,
) -> duckdb::Result<usize> {
    let services = services(conn, segment)?;
    let mut count = read(conn, &segment.schema(), &services, limit, recent)?;
    if segment.meta.outliers > 0 && count < limit {
        let schema = format!("\"{}\".outliers", segment.alias());
        count += read(conn, &schema, &services, limit - count, recent)?;
    }
    Ok(count)
}

/// The identity of each resource's service, by its number in the segment.
fn services(conn: &Connection, segment: &Segment) -> duckdb::Result<Vec<u64>> {
    let mut statement = conn.prepare(&format!(
        "SELECT resource_ix, environment, service_namespace, cluster, service_name FROM {}.resources",
        segment.schema()
    ))?;
    let mut rows = statement.query([])?;
    let mut services = Vec::new();
    while let Some(row) = rows.next()? {
        let at = row.get::<_, u32>(0)? as usize;
        if services.len() <= at {
            services.resize(at + 1, 0);
        }
        services[at] = service_identity(&ResourceRow {
            environment: row.get(1)?,
            service_namespace: row.get(2)?,
            cluster: row.get(3)?,
            service_name: row.get(4)?,
            ..ResourceRow::default()
        });
    }
    Ok(services)
}

/// Reads at most `limit` spans; how many they were.
fn read(
    conn: &Connection,
    schema: &str,
    services: &[u64],
    limit: usize,
    recent: &mut RecentSpans,
) -> duckdb::Result<usize> {
    let mut statement = conn.prepare(&format!(
        "SELECT resource_ix, trace_id, span_id, start_time, start_exception FROM {schema}.spans LIMIT {limit}"
    ))?;
    let mut count = 0;
    for batch in statement.query_arrow([])? {
        count += batch.num_rows();
        let resources = batch.column(0).as_primitive::<UInt32Type>();
        let (traces, spans) = (
            batch.column(1).as_string::<i32>(),
            batch.column(2).as_string::<i32>(),
        );
        let starts = batch.column(3).as_primitive::<TimestampNanosecondType>();
        let exceptions = batch.column(4).as_primitive::<UInt64Type>();
        for row in 0..batch.num_rows() {
            let (Some(trace), Some(span)) = (bytes(traces.value(row)), bytes(spans.value(row)))
            else {
                continue;
            };
            let start = if exceptions.is_null(row) {
                u64::try_from(starts.value(row)).unwrap_or(0)
            } else {
                exceptions.value(row)
            };
            let service = services
                .get(resources.value(row) as usize)
                .copied()
                .unwrap_or(0);
            recent.is_known(SpanIdentity::new(trace, span, start).of_service(service));
        }
    }
    Ok(count)
}

/// `N` bytes from hex; `None` when it is not that.
fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
