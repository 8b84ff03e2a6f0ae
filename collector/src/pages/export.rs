//! Lists of the pages and answers of `/sql` as files.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tripline_storage::model::{
    Attributes, MetricPoint, MetricPoints, Page, ServiceOrder, TimeRange, TraceQuery, TraceSummary,
    exact,
};
use tripline_storage::query;
use tripline_storage::sql::csv_cell;
use tripline_web::frame::Frame;

use super::answer::problem_page;
use super::by_id::has_range;
use super::path::PagePath;
use super::questions::services_of;
use super::request::PageRequest;
use super::traces::inside;
use crate::api::AppState;
use crate::api::params::Params;
use crate::api::problem::Problem;
use crate::api::sql;

/// Rows of a file; what is beyond is said in `x-tripline-truncated`.
const ROWS_MAX: usize = 10_000;
/// Traces of a file, likewise: as many as the store tells at once.
const TRACES_MAX: usize = 1_000;
/// Streams of a metric, or groups of them.
const SERIES_MAX: usize = 200;

/// `/export/{file}`: `traces.csv`, `logs.json`, `metrics.csv` and so on, by the parameters of the page; `sql.parquet` by `q`.
/// `spans` are those that make the traces of the page be listed, newest first.
pub(super) async fn export(
    State(state): State<AppState>,
    PagePath(file): PagePath<String>,
    request: PageRequest,
) -> Response {
    let frame = request.frame.clone();
    answer(&state, &file, request)
        .await
        .unwrap_or_else(|problem| problem_page(&frame, &problem))
}

async fn answer(state: &AppState, file: &str, request: PageRequest) -> Result<Response, Problem> {
    let PageRequest { frame, params } = request;
    let unknown = || Problem::not_found(format!("There is no file {file}"));
    let (list, format) = file.rsplit_once('.').ok_or_else(unknown)?;
    match (list, format) {
        ("sql", _) => sql::file(state, frame.param("q").unwrap_or_default(), format).await,
        ("traces", "csv" | "json") => {
            let question = of_traces(&frame, &params, TRACES_MAX)?;
            let page = state
                .ask(move |session| query::traces(session, &question))
                .await?;
            Ok(written(&lines_of(page), file))
        }
        ("spans", "csv" | "json") => {
            let question = of_traces(&frame, &params, ROWS_MAX)?;
            let page = state
                .ask(move |session| query::spans(session, &question))
                .await?;
            Ok(written(&page, file))
        }
        ("logs", "csv" | "json") => {
            let mut question = params.logs()?;
            question.limit = ROWS_MAX;
            question.range = range_asked(&frame, question.range, question.names_an_id());
            let page = state
                .ask(move |session| query::logs(session, &question))
                .await?;
            Ok(written(&page, file))
        }
        ("metrics", "csv" | "json") => {
            let name = frame
                .param("metric")
                .ok_or_else(|| Problem::parameter("metric", "`metric` is the name of one"))?
                .to_owned();
            let mut question = params.metric(&name)?;
            question.series_max = SERIES_MAX;
            let points = state
                .ask(move |session| query::metric_points(session, &question))
                .await?;
            Ok(written(&rows_of(&name, points), file))
        }
        ("services", "csv" | "json") => {
            let mut question = services_of(&frame);
            question.order = params.service_order()?.unwrap_or(ServiceOrder::Impact);
            question.limit = ROWS_MAX;
            let page = state
                .ask(move |session| query::services(session, &question))
                .await?;
            Ok(written(&page, file))
        }
        _ => Err(unknown()),
    }
}

/// What the page of traces asks: with its range, its filter, its box and its order.
fn of_traces(frame: &Frame, params: &Params, limit: usize) -> Result<TraceQuery, Problem> {
    let asked = params.traces()?;
    let question = TraceQuery {
        range: range_asked(frame, asked.range, asked.names_an_id()),
        limit,
        ..asked
    };
    Ok(inside(question, params.selection()?))
}

/// A trace as the page lists it.
#[derive(Serialize)]
struct ExportedTrace {
    trace_id: String,
    root_service_name: Option<String>,
    root_name: String,
    /// Else the earliest span stands for the root.
    has_root: bool,
    #[serde(with = "exact::option")]
    start_time_unix_nano: Option<i64>,
    #[serde(with = "exact::option")]
    duration_ns: Option<i64>,
    spans: u64,
    errors: u64,
    services: Vec<String>,
}

/// In the order of the page.
fn lines_of(page: Page<TraceSummary>) -> Page<ExportedTrace> {
    let line = |trace: TraceSummary| ExportedTrace {
        trace_id: trace.trace_id,
        root_service_name: trace.root.service_name,
        root_name: trace.root.name,
        has_root: trace.has_root,
        start_time_unix_nano: trace.start_time_unix_nano,
        duration_ns: trace.duration_ns,
        spans: trace.spans,
        errors: trace.errors,
        services: trace.services,
    };
    Page {
        items: page.items.into_iter().map(line).collect(),
        truncated: page.truncated,
        total: page.total,
        next: page.next,
    }
}

/// As the page of the list has it: what has an id is found whenever it was.
fn range_asked(frame: &Frame, range: Option<TimeRange>, names_an_id: bool) -> Option<TimeRange> {
    range.filter(|_| has_range(frame) || !names_an_id)
}

/// A point with what its stream, or its group, says of it.
#[derive(Serialize)]
struct ExportedPoint {
    metric: String,
    kind: String,
    unit: String,
    service_name: Option<String>,
    service_instance_id: Option<String>,
    attributes: Attributes,
    #[serde(flatten)]
    point: MetricPoint,
}

/// Stream by stream, oldest first.
fn rows_of(metric: &str, points: MetricPoints) -> Page<ExportedPoint> {
    let mut is_cut = points.truncated;
    let mut items = Vec::new();
    for series in points.series {
        for point in series.points {
            if items.len() == ROWS_MAX {
                is_cut = true;
                break;
            }
            items.push(ExportedPoint {
                metric: metric.to_owned(),
                kind: series.kind.clone(),
                unit: series.unit.clone(),
                service_name: series.service_name.clone(),
                service_instance_id: series.service_instance_id.clone(),
                attributes: series.attributes.clone(),
                point,
            });
        }
    }
    Page {
        items,
        truncated: is_cut,
        total: None,
        next: None,
    }
}

fn written<T: Serialize>(page: &Page<T>, file: &str) -> Response {
    let rows: Vec<Value> = page
        .items
        .iter()
        .filter_map(|item| serde_json::to_value(item).ok())
        .collect();
    let (kind, text) = if file.ends_with(".csv") {
        ("text/csv; charset=utf-8; header=present", csv(&rows))
    } else {
        ("application/json", Value::Array(rows).to_string())
    };
    (
        [
            (header::CONTENT_TYPE.as_str(), kind.to_owned()),
            (
                header::CONTENT_DISPOSITION.as_str(),
                format!("attachment; filename=\"{file}\""),
            ),
            ("x-tripline-truncated", page.truncated.to_string()),
        ],
        text,
    )
        .into_response()
}

/// RFC 4180: one column a key, by name; maps and lists as JSON. Cells are those of SQL answers: no text of a stranger runs
/// as a formula.
fn csv(rows: &[Value]) -> String {
    let keys: BTreeSet<&String> = rows
        .iter()
        .filter_map(Value::as_object)
        .flat_map(serde_json::Map::keys)
        .collect();
    let mut out = String::new();
    for (at, key) in keys.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        csv_cell(&mut out, key);
    }
    out.push_str("\r\n");
    for row in rows {
        for (at, key) in keys.iter().enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            cell(&mut out, &row[key.as_str()]);
        }
        out.push_str("\r\n");
    }
    out
}

fn cell(line: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        // An integer beyond 2^53 is a text in JSON, and a number all the same.
        Value::String(text) if text.parse::<i64>().is_ok() => line.push_str(text),
        Value::String(text) => csv_cell(line, text),
        Value::Array(_) | Value::Object(_) => csv_cell(line, &value.to_string()),
        Value::Bool(_) | Value::Number(_) => {
            let _ = write!(line, "{value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_quoted_and_columns_are_those_of_all_rows() {
        let rows = [
            json!({"b": "x,\"y\"\n", "a": 1}),
            json!({"c": [1, 2], "a": null}),
        ];
        assert_eq!(
            csv(&rows),
            "a,b,c\r\n1,\"x,\"\"y\"\"\n\",\r\n,,\"[1,2]\"\r\n"
        );
    }

    #[test]
    fn texts_that_start_like_formulas_are_neutralised_and_numbers_stay_numbers() {
        for (value, expected) in [
            (
                json!("=HYPERLINK(\"http://x\")"),
                "\"'=HYPERLINK(\"\"http://x\"\")\"",
            ),
            (json!("@SUM(A1)"), "\"'@SUM(A1)\""),
            (json!("-2+3"), "\"'-2+3\""),
            (json!("\t=1"), "\"'\t=1\""),
            (json!(["=1"]), "\"[\"\"=1\"\"]\""),
            (json!(-5), "-5"),
            (json!(-0.25), "-0.25"),
            (json!("-9007199254740993"), "-9007199254740993"),
            (json!(true), "true"),
            (json!(""), "\"\""),
        ] {
            let mut line = String::new();
            cell(&mut line, &value);
            assert_eq!(line, expected, "{value}");
        }
        assert_eq!(csv(&[json!({"=1+1": 1})]), "\"'=1+1\"\r\n1\r\n");
    }
}
