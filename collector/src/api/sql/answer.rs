//! The answer of a query over HTTP: in the format the client likes best, whole or streamed, with its summary.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tripline_storage::sql::{Format, Request, SqlError, Summary};

use super::running::{Event, Interrupt, start};
use crate::api::AppState;
use crate::api::problem::Problem;

/// A result that was this long when it ended is answered whole.
const WHOLE_BYTES_MAX: usize = 64 * 1024;
/// Rows of the answer.
const ROWS: &str = "x-tripline-rows";
/// How long it took.
const ELAPSED_MS: &str = "x-tripline-elapsed-ms";
/// Whether there were more rows than the limit.
pub(crate) const TRUNCATED: &str = "x-tripline-truncated";

/// Runs a query and answers it: whole when it is short, streamed from there on when it is not.
pub(super) async fn answer(state: &AppState, request: Request) -> Result<Response, SqlError> {
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
pub(super) fn accepted(headers: &HeaderMap) -> Result<Format, Problem> {
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
}
