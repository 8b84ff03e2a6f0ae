//! What stands beside a span: what else its callee did then, and what changed near it.

use std::collections::BTreeSet;

use super::{QueryError, Session, logs, search, service};
use crate::analysis::callee_of;
use crate::model::{
    BesideSpan, LogQuery, LogRecord, Page, ServiceQuery, SpanRecord, SpanSummary, TimeRange,
    TraceQuery,
};

/// What the callee did is shown of so long before and after the span.
const AROUND_NS: i64 = 5_000_000_000;
/// What changed is looked for so long before and after it.
const CHANGED_NS: i64 = 1_800_000_000_000;
/// Rows read of each kind. Those of the span's own trace are left out afterwards: who asks has them.
const ROWS_MAX: usize = 60;

/// What is beside a span, `spans` those of its trace; `None` where its time or service is not known.
pub fn beside<'a>(
    session: &Session<'_>,
    span: &SpanRecord,
    spans: impl IntoIterator<Item = &'a SpanRecord>,
) -> Result<Option<BesideSpan>, QueryError> {
    let Some((callee, (start, end))) = callee_of(span, spans).zip(times(span)) else {
        return Ok(None);
    };
    let within = |ns: i64| TimeRange {
        from_unix_nano: start.saturating_sub(ns).max(0),
        to_unix_nano: end.saturating_add(ns).min(TimeRange::LAST_UNIX_NANO),
    };
    let range = within(AROUND_NS);
    let of_service = ServiceQuery {
        service: callee.service.clone(),
        range: within(CHANGED_NS),
        scope: callee.scope.clone(),
        own: Some(callee.scope.clone()),
        steps: 1,
    };
    let ((spans, logs), service) = session.both(
        |session| {
            let asked = TraceQuery {
                range: Some(range),
                scope: callee.scope.clone(),
                service: Some(callee.service.clone()),
                limit: ROWS_MAX,
                ..TraceQuery::default()
            };
            let of_logs = LogQuery {
                range: Some(range),
                scope: callee.scope.clone(),
                service: Some(callee.service.clone()),
                limit: ROWS_MAX,
                ..LogQuery::default()
            };
            let spans = other_spans(session, &asked, end, &span.trace_id)?;
            let logs = logs::logs(session, &of_logs)?;
            Ok((spans, other_logs(logs, &span.trace_id)))
        },
        |session| service::service(session, &of_service),
    )?;
    let has_no_version = !service.versions.is_empty()
        && service
            .versions
            .iter()
            .all(|version| version.version.is_none());
    Ok(Some(BesideSpan {
        callee,
        range,
        spans,
        logs,
        changes: service.changes,
        has_no_version,
    }))
}

/// When a span began and ended, if that is known.
fn times(span: &SpanRecord) -> Option<(i64, i64)> {
    let start = i64::try_from(span.start_time_unix_nano).ok()?;
    let end = i64::try_from(span.end_time_unix_nano).ok()?;
    (start > 0).then_some((start, end.max(start)))
}

/// Those that failed, then those begun last before the span ended (what came later could not have hurt it); those nearest
/// to its end first.
fn other_spans(
    session: &Session<'_>,
    asked: &TraceQuery,
    end: i64,
    trace_id: &str,
) -> Result<Vec<SpanSummary>, QueryError> {
    let failed = TraceQuery {
        status: Some("error".to_owned()),
        ..asked.clone()
    };
    let before = TraceQuery {
        range: asked.range.map(|range| TimeRange {
            to_unix_nano: end.saturating_add(1),
            ..range
        }),
        ..asked.clone()
    };
    let mut found = search::spans(session, &failed)?.items;
    found.extend(search::spans(session, &before)?.items);
    found.retain(|span| span.trace_id != trace_id);
    let mut seen = BTreeSet::new();
    found.retain(|span| seen.insert((span.trace_id.clone(), span.span_id.clone())));
    found.sort_by_key(|span| {
        let start = span.start_time_unix_nano.unwrap_or(0);
        (span.status_code != "error", start.abs_diff(end))
    });
    Ok(found)
}

/// Those that are not of the trace.
fn other_logs(page: Page<LogRecord>, trace_id: &str) -> Page<LogRecord> {
    let mut items = page.items;
    items.retain(|log| log.trace_id.as_deref() != Some(trace_id));
    Page { items, ..page }
}
