//! Search for spans and traces, newest first.

use super::{QueryError, Session};
use crate::model::{Page, SpanSummary, TraceQuery, TraceSummary};

/// Spans that fit, newest first.
pub fn spans(_session: &Session<'_>, _query: &TraceQuery) -> Result<Page<SpanSummary>, QueryError> {
    Ok(Page::default())
}

/// Traces with a span that fits, by their newest such span, newest first.
pub fn traces(
    _session: &Session<'_>,
    _query: &TraceQuery,
) -> Result<Page<TraceSummary>, QueryError> {
    Ok(Page::default())
}
