//! `POST /api/v1/sql`: one read-only statement in, its rows out, in the format the client accepts.
//!
//! The statement runs on a thread of its own (DuckDB plans nested queries recursively and wants a deep stack) and
//! its answer is streamed through a short channel. Until the first bytes exist an error is a problem document;
//! after that the connection is cut, so that no half answer looks whole.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc;
use tripline_storage::sql::{Format, Gate, Gone, Request, STACK_BYTES, SqlError};
use tripline_storage::store::Store;

use super::AppState;
use super::problem::Problem;

/// Chunks of an answer waiting for a slow client.
const CHUNKS_MAX: usize = 4;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The statement.
    query: String,
    /// Rows at most.
    limit: Option<u64>,
    /// Milliseconds at most.
    timeout_ms: Option<u64>,
}

/// Bytes of the answer, or why there are no (more) of them.
type Part = Result<Bytes, SqlError>;

/// The handler.
pub(super) async fn answer(
    State(state): State<AppState>,
    headers: HeaderMap,
    question: Result<Json<Question>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(question) = question.map_err(|rejection| {
        Problem::new(
            rejection.status(),
            "invalid-body",
            "The body cannot be read",
            format!(
                "{}; send {{\"query\": \"SELECT …\"}} as application/json",
                rejection.body_text()
            ),
        )
    })?;
    let format = accepted(&headers)?;
    let request = Request {
        query: question.query,
        limit: question.limit,
        timeout: question.timeout_ms.map(Duration::from_millis),
        format,
    };
    let mut parts = start(Arc::clone(&state.store), Arc::clone(&state.gate), request)?;
    let first = match parts.recv().await {
        Some(Ok(first)) => first,
        Some(Err(error)) => return Err(error.into()),
        None => return Err(Problem::internal()),
    };
    let rest = futures::stream::unfold((Some(first), parts), |(first, mut parts)| async move {
        let part = match first {
            Some(first) => Ok(first),
            None => parts.recv().await?.map_err(|error| {
                tracing::warn!(%error, "an answer broke off");
                std::io::Error::other("the answer broke off")
            }),
        };
        Some((part, (None, parts)))
    });
    let mut response = Body::from_stream(rest).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Whole answer as JSON, for the page `/sql`.
pub(crate) async fn whole_json(
    state: &AppState,
    query: String,
    limit: u64,
) -> Result<Vec<u8>, Problem> {
    let request = Request {
        query,
        limit: Some(limit),
        timeout: None,
        format: Format::Json,
    };
    let mut parts = start(Arc::clone(&state.store), Arc::clone(&state.gate), request)?;
    let mut whole = Vec::new();
    while let Some(part) = parts.recv().await {
        whole.extend_from_slice(&part?);
    }
    Ok(whole)
}

/// Admits the statement and starts its thread.
fn start(
    store: Arc<Store>,
    gate: Arc<Gate>,
    request: Request,
) -> Result<mpsc::Receiver<Part>, Problem> {
    let permit = gate.admit()?;
    let (sender, receiver) = mpsc::channel::<Part>(CHUNKS_MAX);
    let run = move || {
        let reader = match store.reader() {
            Ok(reader) => reader,
            Err(error) => {
                tracing::error!(%error, "no reader for a statement");
                return;
            }
        };
        let mut emit = |bytes: Vec<u8>| sender.blocking_send(Ok(bytes.into())).map_err(|_| Gone);
        if let Err(error) = permit.run(reader.connection(), &request, &mut emit) {
            let _ = sender.blocking_send(Err(error));
        }
    };
    std::thread::Builder::new()
        .name("sql".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(run)
        .map_err(|error| {
            tracing::error!(%error, "no thread for a statement");
            Problem::busy()
        })?;
    Ok(receiver)
}

/// The first format of `Accept` we write; JSON when anything goes.
fn accepted(headers: &HeaderMap) -> Result<Format, Problem> {
    let Some(accept) = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
    else {
        return Ok(Format::Json);
    };
    let kinds = accept
        .split(',')
        .map(|kind| kind.split(';').next().unwrap_or_default().trim());
    for kind in kinds {
        if matches!(kind, "" | "*/*" | "application/*") {
            return Ok(Format::Json);
        }
        if let Some(format) = Format::of_media_type(kind) {
            return Ok(format);
        }
    }
    Err(Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "not-acceptable",
        "No such format",
        "answers are application/json, text/csv, application/x-ndjson, application/vnd.apache.arrow.stream or \
         application/vnd.apache.parquet",
    ))
}

impl From<SqlError> for Problem {
    fn from(error: SqlError) -> Self {
        let detail = error.to_string();
        let positioned = |problem: Self, position: Option<usize>| match position {
            Some(position) => problem.with("position", position),
            None => problem,
        };
        match error {
            SqlError::Refused { position, .. } => positioned(
                Self::new(
                    StatusCode::FORBIDDEN,
                    "sql-refused",
                    "The statement may not run here",
                    detail,
                ),
                position,
            ),
            SqlError::Syntax { position, .. } => positioned(
                Self::new(
                    StatusCode::BAD_REQUEST,
                    "sql-syntax",
                    "The statement is not SQL",
                    detail,
                ),
                position,
            ),
            SqlError::Invalid { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "sql-invalid",
                "The statement cannot be answered",
                detail,
            ),
            SqlError::Deadline { .. } => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "sql-deadline",
                "Deadline exceeded",
                detail,
            ),
            SqlError::Memory { .. } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "sql-memory",
                "The statement needs too much memory",
                detail,
            ),
            SqlError::Busy { retry_after, .. } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "sql-busy",
                "Too many statements run",
                detail,
            )
            .retry_after(retry_after),
            SqlError::Unsupported { .. } => Self::new(
                StatusCode::NOT_ACCEPTABLE,
                "sql-unsupported",
                "The format cannot hold the result",
                detail,
            ),
            SqlError::Gone => Self::internal(),
            SqlError::Failed { source } => {
                tracing::error!(error = %source, "a statement failed in the engine");
                Self::internal()
            }
        }
    }
}
