//! Lists of the pages and answers of `/sql` as files.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tripline_storage::model::{
    Attributes, MetricPoint, MetricPoints, Page, ServiceOrder, TimeRange,
};
use tripline_storage::query;
use tripline_web::frame::Frame;

use super::answer::problem_page;
use super::by_id::has_range;
use super::questions::services_of;
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::problem::Problem;
use crate::api::sql;

/// Rows of a file; what is beyond is said in `x-tripline-truncated`.
const ROWS_MAX: usize = 10_000;
/// Streams of a metric, or groups of them.
const SERIES_MAX: usize = 200;

/// `/export/{file}`: `traces.csv`, `logs.json`, `metrics.csv` and so on, by the parameters of the page; `sql.parquet` by `q`.
pub(super) async fn export(
    State(state): State<AppState>,
    Path(file): Path<String>,
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
            let mut question = params.traces()?;
            question.limit = ROWS_MAX;
            question.range = range_asked(&frame, question.range, question.names_an_id());
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

/// RFC 4180: one column a key, by name; maps and lists as JSON.
fn csv(rows: &[Value]) -> String {
    let keys: BTreeSet<&String> = rows
        .iter()
        .filter_map(Value::as_object)
        .flat_map(serde_json::Map::keys)
        .collect();
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = String>| {
        for (at, cell) in cells.enumerate() {
            let _ = write!(out, "{}{}", if at > 0 { "," } else { "" }, quoted(&cell));
        }
        out.push_str("\r\n");
    };
    line(&mut keys.iter().map(|key| (*key).clone()));
    for row in rows {
        line(&mut keys.iter().map(|key| match &row[key.as_str()] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }));
    }
    out
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
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
}
