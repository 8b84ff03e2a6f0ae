//! `POST /api/v1/sql`: one read-only query, answered in the format the client accepts.
//!
//! A result smaller than one chunk is answered whole, with its summary in headers; a longer one is streamed, with its
//! summary in trailers for those who say `TE: trailers`. When a streamed one fails the connection is cut, so that no
//! client takes it for complete.

mod answer;
mod mark;
mod problem;
mod running;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use tripline_storage::sql::{Format, Gate, Limits, Request, SqlError, schema_docs};
use tripline_storage::store::Store;

pub(crate) use self::answer::TRUNCATED;
use self::answer::{accepted, answer};
pub(crate) use self::problem::problem;
use self::running::{Event, start};
use super::AppState;
use super::problem::Problem;
use crate::config::SqlSection;

/// Largest body: the longest statement, escaped.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// The way of user SQL into the store; opened at the first query.
#[derive(Debug, Clone)]
pub struct Door {
    limits: Limits,
    as_of_unix_nano: Option<i64>,
    gate: Arc<Mutex<Option<Arc<Gate>>>>,
}

impl Door {
    /// A door with these bounds; `now()` of the queries is that moment, or the clock's.
    pub fn new(section: &SqlSection, as_of_unix_nano: Option<i64>) -> Self {
        Self {
            limits: limits(section),
            as_of_unix_nano,
            gate: Arc::default(),
        }
    }

    fn gate(&self, store: &Store) -> Result<Arc<Gate>, Problem> {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gate.as_ref() {
            return Ok(Arc::clone(gate));
        }
        let reader = store.reader().map_err(failed)?;
        let (limits, as_of) = (self.limits.clone(), self.as_of_unix_nano);
        let opened = Gate::frozen_at(&reader, limits, as_of).map_err(failed)?;
        Ok(Arc::clone(gate.insert(opened)))
    }
}

/// The bounds a configuration asks for.
pub(crate) fn limits(section: &SqlSection) -> Limits {
    let rows_max = section.rows_max;
    let defaults = Limits::default();
    Limits {
        concurrent_max: section.concurrency_max,
        rows_default: defaults.rows_default.min(rows_max),
        rows_max,
        bytes_max: section.bytes_max.bytes(),
        timeout_default: section.timeout_default.get(),
        timeout_max: section.timeout_max.get(),
        ..defaults
    }
}

fn failed(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "cannot read the store");
    Problem::internal()
}

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    query: String,
    limit: Option<u64>,
    timeout_ms: Option<u64>,
}

/// The handler.
pub(super) async fn query(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    if body.len() > BODY_BYTES_MAX {
        let detail = format!("a query has at most {BODY_BYTES_MAX} bytes with its JSON");
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Request too large",
            detail,
        ));
    }
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| Problem::parameter("body", error.to_string()))?;
    let format = accepted(&headers)?;
    let request = Request {
        query: asked.query,
        limit: asked.limit,
        timeout: asked.timeout_ms.map(Duration::from_millis),
        format,
    };
    let text = request.query.clone();
    let outcome = answer(&state, request).await;
    outcome.map_err(|error| problem(error, &text))
}

/// The answer of a query in the format of that name, as a file: `csv`, `ndjson`, `json`, `parquet` or `arrow`.
pub(crate) async fn file(state: &AppState, query: &str, format: &str) -> Result<Response, Problem> {
    let kind = match format {
        "csv" => "text/csv",
        "ndjson" => "application/x-ndjson",
        "json" => "application/json",
        "parquet" => "application/vnd.apache.parquet",
        "arrow" => "application/vnd.apache.arrow.stream",
        _ => {
            return Err(Problem::parameter(
                "format",
                "csv, ndjson, json, parquet or arrow",
            ));
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static(kind));
    let request = Request {
        query: query.to_owned(),
        limit: None,
        timeout: None,
        format: accepted(&headers)?,
    };
    let mut response = answer(state, request)
        .await
        .map_err(|error| problem(error, query))?;
    let name = format!("attachment; filename=\"tripline.{format}\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The answer of a query as the page shows it: the JSON document, at most `rows_max` rows of it.
pub(crate) async fn document(
    state: &AppState,
    query: &str,
    rows_max: u64,
) -> Result<serde_json::Value, Problem> {
    let (query, format) = (query.to_owned(), Format::Json);
    let request = Request {
        query: query.clone(),
        limit: Some(rows_max),
        timeout: None,
        format,
    };
    let document = async {
        let (mut events, _interrupt) = start(state, request).await?;
        let mut collected = Vec::new();
        while let Some(event) = events.recv().await {
            match event {
                Event::Bytes(bytes) => collected.extend(bytes),
                Event::End(Ok(_)) => return Ok(collected),
                Event::End(Err(error)) => return Err(error),
            }
        }
        Err(SqlError::Gone)
    };
    let bytes = document.await.map_err(|error| problem(error, &query))?;
    serde_json::from_slice(&bytes).map_err(failed)
}

/// What may be asked: relations with the names and types of their columns.
pub(crate) fn relations() -> Vec<(String, Vec<(String, String)>)> {
    schema_docs::RELATIONS
        .iter()
        .map(|relation| {
            let columns = relation
                .columns
                .iter()
                .map(|column| (column.name.to_owned(), column.sql_type.to_owned()));
            (relation.name.to_owned(), columns.collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_function_the_editor_offers_may_be_called() {
        for (name, _) in tripline_web::islands::sql_words::FUNCTIONS {
            let text = format!("SELECT {name}(name, 2) FROM spans");
            let checked = tripline_storage::sql::guard::check(&text);
            assert!(checked.is_ok(), "{text}: {checked:?}");
        }
    }
}
