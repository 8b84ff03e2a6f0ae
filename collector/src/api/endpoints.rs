//! The endpoints: one question each. `from` and `to` are relative (`now-15m`), RFC 3339 or nanoseconds.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use tripline_storage::filter::Signal;
use tripline_storage::model::{
    Completion, Differences, DifferencesQuery, Graph, Heatmap, HeatmapQuery, LiveCounts,
    LogPatterns, LogRecord, MetricPoints, MetricSummary, Page, ServiceSummary, SpanDetail,
    TraceDetail, TraceQuery, TraceSummary,
};
use tripline_storage::query;

use super::AppState;
use super::paging::Paging;
use super::params::{Params, hex_id};
use super::problem::Problem;
use super::sql::TRUNCATED;
use super::when::When;
use crate::decode::Signal as _;
use crate::decode::rows::{Requests, SpanRows};

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
    known(&params, &["cursor", "sort"])?;
    let mut question = params.services()?;
    let paging = Paging::of(&params, &mut question.limit)?;
    let found = state
        .ask(move |session| query::services(session, &question))
        .await?;
    Ok(Json(paging.cut(found)))
}

/// `GET /traces`.
pub async fn traces(State(state): State<AppState>, params: Params) -> Answer<Page<TraceSummary>> {
    known(
        &params,
        &[
            "service", "name", "kind", "status", "min", "max", "attr", "q", "filter", "cursor",
            "sort",
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
        .await
        .map_err(Problem::without_range)?;
    found.map(Json).ok_or_else(|| Problem::not_found(missing))
}

/// `GET /traces/{trace_id}/spans/{span_id}`: one span with what is next to it in its trace and what was beside it in time.
pub async fn span(
    State(state): State<AppState>,
    Path((trace_id, span_id)): Path<(String, String)>,
    params: Params,
) -> Answer<SpanDetail> {
    params.only(&[])?;
    let trace_id = hex_id("trace_id", &trace_id, 32)?;
    let span_id = hex_id("span_id", &span_id, 16)?;
    let missing = format!("no span {span_id} of trace {trace_id} is stored; it may have expired");
    let found = state
        .ask(move |session| query::span(session, &trace_id, &span_id))
        .await
        .map_err(Problem::without_range)?;
    found.map(Json).ok_or_else(|| Problem::not_found(missing))
}

/// `GET /traces/{trace_id}/otlp`: the spans as one OTLP/JSON request, as a file. Where they are too many these are the
/// earliest: the file's name and a header say so.
pub async fn trace_otlp(
    State(state): State<AppState>,
    Path(trace_id): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let trace_id = hex_id("trace_id", &trace_id, 32)?;
    let missing = format!("no span of trace {trace_id} is stored; it may have expired");
    let asked = trace_id.clone();
    let rows = state
        .ask(move |session| query::trace_rows(session, &asked))
        .await
        .map_err(Problem::without_range)?;
    if rows.items.is_empty() {
        return Err(Problem::not_found(missing));
    }
    let cut = if rows.truncated { "-cut" } else { "" };
    let name = format!("attachment; filename=\"trace-{trace_id}{cut}.json\"");
    let mut gathered = SpanRows::default();
    for row in &rows.items {
        gathered.push(row).map_err(|error| {
            tracing::error!(?error, "a stored row cannot be read");
            Problem::internal()
        })?;
    }
    let body = <SpanRows as Requests>::Signal::encode_json(&gathered.take());
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (
            HeaderName::from_static(TRUNCATED),
            rows.truncated.to_string(),
        ),
    ];
    Ok((headers, body).into_response())
}

/// Steps of time unless asked otherwise.
const HEATMAP_COLUMNS: u32 = 60;

/// `GET /heatmap`: durations over time of the spans that fit.
pub async fn heatmap(State(state): State<AppState>, params: Params) -> Answer<Heatmap> {
    known(
        &params,
        &[
            "service", "name", "kind", "status", "min", "max", "attr", "q", "filter",
        ],
    )?;
    let asked = HeatmapQuery {
        spans: TraceQuery {
            range: Some(params.range()?),
            ..params.traces()?
        },
        columns: HEATMAP_COLUMNS,
    };
    state
        .ask(move |session| query::heatmap(session, &asked))
        .await
        .map(Json)
}

/// `GET /differences`: what tells the spans in `box` from the others that fit.
pub async fn differences(State(state): State<AppState>, params: Params) -> Answer<Differences> {
    known(
        &params,
        &[
            "service", "name", "kind", "status", "min", "max", "attr", "q", "filter", "box",
        ],
    )?;
    let selection = params
        .selection()?
        .ok_or_else(|| Problem::parameter("box", "`box` is missing: from,to,min,max"))?;
    let asked = DifferencesQuery {
        spans: TraceQuery {
            range: Some(params.range()?),
            ..params.traces()?
        },
        selection,
    };
    state
        .ask(move |session| query::differences(session, &asked))
        .await
        .map(Json)
}

/// `GET /logs/patterns`: the newest records that fit, gathered by pattern.
pub async fn log_patterns(State(state): State<AppState>, params: Params) -> Answer<LogPatterns> {
    known(
        &params,
        &[
            "service", "text", "severity", "trace", "span", "attr", "q", "filter",
        ],
    )?;
    let question = params.logs()?;
    state
        .ask(move |session| query::log_patterns(session, &question))
        .await
        .map(Json)
}

/// Time between two ticks.
const TICK: std::time::Duration = std::time::Duration::from_secs(2);

/// `GET /ticks`: server-sent events, one every two seconds with the time of day: when a live page asks again.
pub async fn ticks(
    State(state): State<AppState>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // Not the whole state: a page left open must not keep the store.
    let stream = futures::stream::unfold(state.config, |config| async move {
        tokio::time::sleep(TICK).await;
        let when = When::of(config.bundle.as_ref());
        let time = tripline_web::units::time_of_day(when.now_ns, 0);
        Some((Ok(Event::default().data(time)), config))
    });
    Sse::new(stream)
}

/// `GET /logs`.
pub async fn logs(State(state): State<AppState>, params: Params) -> Answer<Page<LogRecord>> {
    known(
        &params,
        &[
            "service", "text", "severity", "trace", "span", "attr", "q", "filter", "cursor",
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
    known(&params, &["service", "text", "q", "filter", "cursor"])?;
    let mut question = params.metrics()?;
    let paging = Paging::of(&params, &mut question.limit)?;
    let found = state
        .ask(move |session| query::metrics(session, &question))
        .await?;
    Ok(Json(paging.cut(found)))
}

/// `GET /metrics/{name}`.
pub async fn metric(
    State(state): State<AppState>,
    Path(name): Path<String>,
    params: Params,
) -> Answer<MetricPoints> {
    known(&params, &["service", "q", "filter", "by"])?;
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

/// `GET /complete`: what may come at character `at` of the filter `q`.
pub async fn complete(State(state): State<AppState>, params: Params) -> Answer<Completion> {
    params.only(&["signal", "q", "at"])?;
    let signal = match params.get("signal") {
        None | Some("spans") => Signal::Spans,
        Some("logs") => Signal::Logs,
        Some("metrics") => Signal::Metrics,
        Some(_) => {
            return Err(Problem::parameter(
                "signal",
                "`signal` is one of spans, logs, metrics",
            ));
        }
    };
    let text = params.get("q").unwrap_or_default().to_owned();
    let at = match params.get("at").map(str::parse) {
        None => text.chars().count(),
        Some(Ok(at)) => at,
        Some(Err(_)) => return Err(Problem::parameter("at", "`at` is a number of characters")),
    };
    state
        .ask(move |session| query::complete(session, signal, &text, at))
        .await
        .map(Json)
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
