//! The endpoints: one question each. `from` and `to` are relative (`now-15m`), RFC 3339 or nanoseconds.

use axum::Json;
use axum::extract::{Path, State};
use tripline_storage::model::{
    Graph, LiveCounts, LogRecord, MetricPoints, MetricSummary, Page,
    ServiceSummary, TraceDetail, TraceSummary,
};
use tripline_storage::query;

use super::AppState;
use super::params::{Params, hex_id};
use super::problem::Problem;

pub(super) type Answer<T> = Result<Json<T>, Problem>;

/// Parameters every list knows.
const RANGE: [&str; 6] = [
    "from",
    "to",
    "limit",
    "environment",
    "service_namespace",
    "cluster",
];

pub(super) fn known(params: &Params, more: &[&str]) -> Result<(), Problem> {
    params.only(&[&RANGE, more].concat())
}

/// `GET /services`.
pub async fn services(
    State(state): State<AppState>,
    params: Params,
) -> Answer<Page<ServiceSummary>> {
    known(&params, &[])?;
    let question = params.services()?;
    state
        .ask(move |session| query::services(session, &question))
        .await
        .map(Json)
}

/// `GET /traces`.
pub async fn traces(State(state): State<AppState>, params: Params) -> Answer<Page<TraceSummary>> {
    known(
        &params,
        &[
            "service", "name", "kind", "status", "min", "max", "attr", "cursor",
        ],
    )?;
    let question = params.traces()?;
    state
        .ask(move |session| query::traces(session, &question))
        .await
        .map(Json)
}

/// `GET /traces/{trace_id}`: no range, a trace is found whenever it was.
pub async fn trace(
    State(state): State<AppState>,
    Path(trace_id): Path<String>,
    params: Params,
) -> Answer<TraceDetail> {
    params.only(&[])?;
    let trace_id = hex_id("trace_id", &trace_id, 32)?;
    let missing = format!("no trace {trace_id} is stored; it may have expired");
    let found = state
        .ask(move |session| query::trace(session, &trace_id))
        .await?;
    found.map(Json).ok_or_else(|| Problem::not_found(missing))
}

/// `GET /logs`.
pub async fn logs(State(state): State<AppState>, params: Params) -> Answer<Page<LogRecord>> {
    known(
        &params,
        &[
            "service", "text", "severity", "trace", "span", "attr", "cursor",
        ],
    )?;
    let question = params.logs()?;
    state
        .ask(move |session| query::logs(session, &question))
        .await
        .map(Json)
}

/// `GET /metrics`.
pub async fn metrics(State(state): State<AppState>, params: Params) -> Answer<Page<MetricSummary>> {
    known(&params, &["service", "text"])?;
    let question = params.metrics()?;
    state
        .ask(move |session| query::metrics(session, &question))
        .await
        .map(Json)
}

/// `GET /metrics/{name}`.
pub async fn metric(
    State(state): State<AppState>,
    Path(name): Path<String>,
    params: Params,
) -> Answer<MetricPoints> {
    known(&params, &["service"])?;
    let question = params.metric(&name)?;
    let points = state
        .ask(move |session| query::metric_points(session, &question))
        .await?;
    if points.series.is_empty() {
        return Err(Problem::not_found(format!(
            "no point of a metric named {name} in this range"
        )));
    }
    Ok(Json(points))
}

/// `GET /graph`.
pub async fn graph(State(state): State<AppState>, params: Params) -> Answer<Graph> {
    known(&params, &["service"])?;
    let question = params.graph()?;
    state
        .ask(move |session| query::graph(session, &question))
        .await
        .map(Json)
}

/// `GET /counts`.
pub async fn counts(State(state): State<AppState>, params: Params) -> Answer<LiveCounts> {
    params.only(&[])?;
    state.ask(query::live_counts).await.map(Json)
}
