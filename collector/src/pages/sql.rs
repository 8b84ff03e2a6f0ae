//! The SQL editor and what it asked.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tripline_web::pages as views;

use super::answer::{may_retry, page};
use super::find::pasted_trace;
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::problem::Problem;
use crate::api::sql;

/// Rows of an answer on the page; the API gives more.
const SQL_ROWS_MAX: u64 = 500;

/// `/sql`.
pub(super) async fn editor(State(state): State<AppState>, request: PageRequest) -> Response {
    let frame = request.frame;
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let query = frame.param("q").unwrap_or_default().to_owned();
    let answer = match query.trim() {
        "" => None,
        _ => Some(sql::document(&state, &query, SQL_ROWS_MAX).await),
    };
    // What the API would answer: who asks without eyes is told by the status.
    let refused = match &answer {
        Some(Err(problem)) => Some((problem.status, problem.retry_after)),
        _ => None,
    };
    let outcome = answer.map(sql_outcome);
    let relations = sql::relations();
    let data = views::SqlPage {
        query,
        outcome,
        relations,
        limits: sql_limits(&state),
    };
    let (status, retry_after) = refused.unwrap_or((StatusCode::OK, None));
    let mut response = page(&frame, status, "SQL", |frame| views::sql(&data, frame));
    may_retry(&mut response, retry_after);
    response
}

/// The bounds of a query, as they are configured.
fn sql_limits(state: &AppState) -> views::SqlLimits {
    let limits = sql::limits(&state.config.sql);
    let nanos = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    views::SqlLimits {
        timeout_ns: nanos(limits.timeout_default.min(limits.timeout_max)),
        timeout_max_ns: nanos(limits.timeout_max),
        rows_shown: SQL_ROWS_MAX.min(limits.rows_max),
        rows_file: limits.rows_default,
        rows_max: limits.rows_max,
        bytes_max: limits.bytes_max,
        memory_bytes_max: limits.memory_bytes_max,
        concurrent_max: limits.concurrent_max as u64,
    }
}

fn sql_outcome(answer: Result<serde_json::Value, Problem>) -> views::SqlOutcome {
    let document = match answer {
        Ok(document) => document,
        Err(problem) => {
            return views::SqlOutcome::Failed {
                title: problem.title.to_owned(),
                is_refused: problem.status.is_client_error(),
                detail: problem.detail,
            };
        }
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    views::SqlOutcome::Table(views::SqlTable {
        columns: list(&document["columns"])
            .iter()
            .map(|column| {
                (
                    text(&column["name"]).unwrap_or_default(),
                    text(&column["type"]).unwrap_or_default(),
                )
            })
            .collect(),
        rows: list(&document["rows"])
            .iter()
            .map(|row| list(row).iter().map(text).collect())
            .collect(),
        truncated: document["truncated"] == true,
        elapsed_ms: document["elapsed_ms"].as_u64().unwrap_or_default(),
    })
}
