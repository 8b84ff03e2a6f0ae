//! `POST /api/v1/sql`: one read-only query, answered in the format the client accepts.
//!
//! The query runs on a thread of its own (DuckDB plans recursively and needs the stack); its bytes come through
//! a short channel. A result smaller than one chunk is answered whole, with its summary in headers; a longer one
//! is streamed, with its summary in trailers for those who say `TE: trailers`. When a streamed one fails the connection is cut, so that no client takes it for complete.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::StreamBody;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tripline_storage::sql::{
    Format, Gate, Gone, Limits, Permit, Request, STACK_BYTES, SqlError, Summary, schema_docs,
};
use tripline_storage::store::Store;

use super::AppState;
use super::problem::Problem;
use crate::config::SqlSection;
use crate::operations::query_times::QueryTimes;

/// Chunks between the query and the connection.
const CHUNKS_MAX: usize = 4;
/// A result that was this long when it ended is answered whole.
const WHOLE_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take for one chunk.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);
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
        let opened = Gate::frozen_at(reader.connection(), limits, as_of).map_err(failed)?;
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

/// Rows of the answer.
const ROWS: &str = "x-tripline-rows";
/// How long it took.
const ELAPSED_MS: &str = "x-tripline-elapsed-ms";
/// Whether there were more rows than the limit.
pub(crate) const TRUNCATED: &str = "x-tripline-truncated";

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

/// What the query's thread tells.
enum Event {
    Bytes(Vec<u8>),
    End(Result<Summary, SqlError>),
}

/// Interrupts the query when the client goes away while nothing is being sent.
struct Interrupt(Box<dyn Fn() + Send + Sync>);

impl Drop for Interrupt {
    fn drop(&mut self) {
        (self.0)();
    }
}

async fn answer(state: &AppState, request: Request) -> Result<Response, SqlError> {
    let format = request.format;
    let (mut events, interrupt) = start(state, request).await?;
    let mut collected = Vec::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::End(Ok(summary)) => return Ok(whole(format, collected, summary)),
            Event::End(Err(error)) => return Err(error),
            Event::Bytes(bytes) => collected.extend(bytes),
        }
        if collected.len() >= WHOLE_BYTES_MAX {
            return Ok(streamed(format, collected, events, interrupt));
        }
    }
    Err(SqlError::Gone)
}

type Started = (mpsc::Receiver<Event>, Interrupt);

async fn start(state: &AppState, request: Request) -> Result<Started, SqlError> {
    let gate = state.sql.gate(&state.store).map_err(|_| SqlError::Gone)?;
    let times = state.times.clone();
    let permit = gate
        .admit()
        .inspect_err(|error| times.query(&request.query, outcome(Err(error)), Duration::ZERO))?;
    let (events, receiver) = mpsc::channel(CHUNKS_MAX);
    let (ready, interrupt) = tokio::sync::oneshot::channel();
    let store = Arc::clone(&state.store);
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("sql-query".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || run(&store, &permit, &request, &runtime, &events, ready, &times))
        .map_err(|error| {
            tracing::error!(%error, "no thread for a query");
            SqlError::Gone
        })?;
    let interrupt = interrupt.await.map_err(|_| SqlError::Gone)?;
    Ok((receiver, interrupt))
}

fn run(
    store: &Store,
    permit: &Permit,
    request: &Request,
    runtime: &tokio::runtime::Handle,
    events: &mpsc::Sender<Event>,
    ready: tokio::sync::oneshot::Sender<Interrupt>,
    times: &QueryTimes,
) {
    let reader = match store.reader() {
        Ok(reader) => reader,
        Err(error) => {
            tracing::error!(%error, "cannot read the store");
            return;
        }
    };
    let handle = reader.interrupt_handle();
    if ready
        .send(Interrupt(Box::new(move || handle.interrupt())))
        .is_err()
    {
        return;
    }
    let send = |event| {
        // Inside the runtime: a timer cannot be made outside of it.
        let sent = runtime
            .block_on(async { tokio::time::timeout(CHUNK_TIMEOUT, events.send(event)).await });
        sent.ok().and_then(Result::ok).ok_or(Gone)
    };
    let started = Instant::now();
    let answer = permit
        .run(&reader, request, &mut |bytes| send(Event::Bytes(bytes)))
        .map_err(|error| error.reported(store));
    times.query(&request.query, outcome(answer.as_ref()), started.elapsed());
    // Whoever is not there any more needs no end.
    let _ = send(Event::End(answer));
}

/// A query's end as one word.
fn outcome(answer: Result<&Summary, &SqlError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(SqlError::Refused { .. }) => "refused",
        Err(SqlError::Syntax { .. }) => "syntax",
        Err(SqlError::Invalid { .. }) => "invalid",
        Err(SqlError::Unsupported { .. }) => "unsupported",
        Err(SqlError::Deadline { .. }) => "deadline",
        Err(SqlError::Memory { .. }) => "memory",
        Err(SqlError::Busy { .. }) => "busy",
        Err(SqlError::Gone) => "gone",
        Err(SqlError::Damaged | SqlError::Failed { .. }) => "failed",
    }
}

fn whole(format: Format, bytes: Vec<u8>, summary: Summary) -> Response {
    let mut response = Body::from(bytes).into_response();
    let headers = response.headers_mut();
    shared_headers(headers, format);
    headers.extend(told(summary));
    response
}

/// The summary as headers: before an answer that is whole, after one that was streamed.
fn told(summary: Summary) -> HeaderMap {
    let number =
        |value: u128| HeaderValue::from_str(&value.to_string()).expect("digits are a header value");
    let truncated = HeaderValue::from_static(if summary.truncated { "true" } else { "false" });
    HeaderMap::from_iter([
        (HeaderName::from_static(ROWS), number(summary.rows.into())),
        (
            HeaderName::from_static(ELAPSED_MS),
            number(summary.elapsed.as_millis()),
        ),
        (HeaderName::from_static(TRUNCATED), truncated),
    ])
}

fn streamed(
    format: Format,
    first: Vec<u8>,
    events: mpsc::Receiver<Event>,
    interrupt: Interrupt,
) -> Response {
    let data = |bytes: Vec<u8>| Frame::data(Bytes::from(bytes));
    let first = futures::stream::once(std::future::ready(Ok(data(first))));
    let rest = ReceiverStream::new(events).scan(false, move |ended, event| {
        let _alive = &interrupt;
        let item = match event {
            _ if *ended => None,
            Event::Bytes(bytes) => Some(Ok(data(bytes))),
            Event::End(Ok(summary)) => {
                *ended = true;
                Some(Ok(Frame::trailers(told(summary))))
            }
            Event::End(Err(error)) => {
                *ended = true;
                tracing::info!(%error, "a streamed query failed");
                Some(Err(std::io::Error::other("the query failed")))
            }
        };
        std::future::ready(item)
    });
    let mut response = Body::new(StreamBody::new(first.chain(rest))).into_response();
    let headers = response.headers_mut();
    shared_headers(headers, format);
    let trailers =
        HeaderValue::from_static("x-tripline-rows, x-tripline-elapsed-ms, x-tripline-truncated");
    headers.insert(header::TRAILER, trailers);
    response
}

fn shared_headers(headers: &mut HeaderMap, format: Format) {
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// The format the client likes best.
fn accepted(headers: &HeaderMap) -> Result<Format, Problem> {
    let Some(accept) = headers.get(header::ACCEPT) else {
        return Ok(Format::Json);
    };
    let accept = accept.to_str().unwrap_or_default().to_ascii_lowercase();
    if accept.trim().is_empty() {
        return Ok(Format::Json);
    }
    let mut best: Option<(f32, Format)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some(format) = parts.next().and_then(Format::of_media_type) else {
            continue;
        };
        let quality = parts
            .find_map(|part| part.strip_prefix("q="))
            .and_then(|q| q.parse().ok())
            .unwrap_or(1.0);
        if quality > 0.0 && best.is_none_or(|(other, _)| quality > other) {
            best = Some((quality, format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(|| {
        let detail = "answers are application/json, text/csv, application/x-ndjson, \
                      application/vnd.apache.arrow.stream, application/vnd.apache.parquet or text/plain";
        Problem::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", "No acceptable format", detail)
    })
}

/// What an error looks like from outside.
pub(crate) fn problem(error: SqlError, text: &str) -> Problem {
    let detail = error.to_string();
    match error {
        SqlError::Refused { position, .. } => located(
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "sql-refused",
                "The query is not allowed",
                detail,
            ),
            text,
            position,
        ),
        SqlError::Syntax { position, .. } => located(
            Problem::new(
                StatusCode::BAD_REQUEST,
                "sql-syntax",
                "The query is not SQL",
                detail,
            ),
            text,
            position,
        ),
        SqlError::Invalid { .. } => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "sql-invalid",
            "The query cannot be answered",
            detail,
        ),
        SqlError::Unsupported { .. } => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "sql-unsupported",
            "The format cannot hold the result",
            detail,
        ),
        SqlError::Deadline { .. } => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "sql-deadline",
            "The query took too long",
            detail,
        ),
        SqlError::Memory { .. } => Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "sql-memory",
            "The query needs too much memory",
            detail,
        ),
        SqlError::Busy { retry_after, .. } => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "sql-busy",
            "Too many queries run",
            detail,
        )
        .retry_after(retry_after),
        SqlError::Failed { source } => {
            tracing::error!(error = %source, "a query failed in the engine");
            Problem::internal()
        }
        SqlError::Damaged => Problem::segment_damaged(),
        SqlError::Gone => Problem::internal(),
    }
}

/// With line and column, from 1, for people and editors.
fn located(problem: Problem, text: &str, position: Option<usize>) -> Problem {
    let Some(before) = position.and_then(|position| text.get(..position)) else {
        return problem;
    };
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    problem
        .with("position", before.len())
        .with("line", line)
        .with("column", column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &'static str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        accepted(&headers).ok()
    }

    #[test]
    fn the_best_liked_format_is_chosen() {
        assert_eq!(accepted(&HeaderMap::new()).ok(), Some(Format::Json));
        assert_eq!(of("*/*"), Some(Format::Json));
        assert_eq!(of("text/csv"), Some(Format::Csv));
        assert_eq!(
            of("text/html, application/x-ndjson;q=0.9, application/json;q=0.5"),
            Some(Format::Ndjson)
        );
        assert_eq!(of("application/vnd.apache.parquet"), Some(Format::Parquet));
        assert_eq!(
            of("application/vnd.apache.arrow.stream, */*;q=0.1"),
            Some(Format::Arrow)
        );
        assert_eq!(of(""), Some(Format::Json));
        assert_eq!(of("image/png"), None);
        assert_eq!(of("application/json;q=0"), None);
    }

    #[test]
    fn every_function_the_editor_offers_may_be_called() {
        for (name, _) in tripline_web::islands::sql_words::FUNCTIONS {
            let text = format!("SELECT {name}(name, 2) FROM spans");
            let checked = tripline_storage::sql::guard::check(&text);
            assert!(checked.is_ok(), "{text}: {checked:?}");
        }
    }

    #[test]
    fn every_kind_of_error_is_a_type_of_its_own() {
        let text = "SELECT 1,\n getenv('x')";
        let refused = problem(
            SqlError::Refused {
                reason: "no".into(),
                position: Some(11),
            },
            text,
        );
        assert_eq!(
            (
                refused.kind,
                refused.members["line"].as_u64(),
                refused.members["column"].as_u64()
            ),
            ("sql-refused", Some(2), Some(2))
        );
        let kinds = [
            problem(
                SqlError::Syntax {
                    message: String::new(),
                    position: None,
                },
                text,
            )
            .kind,
            problem(
                SqlError::Deadline {
                    limit: Duration::ZERO,
                },
                text,
            )
            .kind,
            problem(
                SqlError::Memory {
                    what: String::new(),
                },
                text,
            )
            .kind,
            problem(
                SqlError::Busy {
                    running: 4,
                    retry_after: Duration::from_secs(1),
                },
                text,
            )
            .kind,
            problem(
                SqlError::Invalid {
                    message: String::new(),
                },
                text,
            )
            .kind,
        ];
        assert_eq!(
            kinds,
            [
                "sql-syntax",
                "sql-deadline",
                "sql-memory",
                "sql-busy",
                "sql-invalid"
            ]
        );
    }
}
