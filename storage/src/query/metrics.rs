//! Metric streams and their points.

use super::{QueryError, Session};
use crate::model::{MetricPoints, MetricPointsQuery, MetricSummary, MetricsQuery, Page};

/// The metrics stored, by name.
pub fn metrics(
    _session: &Session<'_>,
    _query: &MetricsQuery,
) -> Result<Page<MetricSummary>, QueryError> {
    Ok(Page::default())
}

/// The points of one metric, per stream, with rates and quantiles.
pub fn metric_points(
    _session: &Session<'_>,
    _query: &MetricPointsQuery,
) -> Result<MetricPoints, QueryError> {
    Ok(MetricPoints::default())
}
