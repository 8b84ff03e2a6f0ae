//! `/incidents` and `/incidents/{id}`.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use tripline_storage::model::IncidentsQuery;
use tripline_storage::query;
use tripline_web::frame::Frame;
use tripline_web::pages as views;

use super::answer::show;
use super::path::PagePath;
use super::questions::{range_of, scope_of};
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::incidents::find;

/// Incidents on the page.
const SHOWN_MAX: usize = 200;

/// The incidents of a page's range.
pub(super) fn question(frame: &Frame, limit: usize) -> IncidentsQuery {
    IncidentsQuery {
        range: range_of(frame),
        scope: scope_of(frame),
        service: frame.param("service").map(str::to_owned),
        limit,
        now_unix_nano: i64::try_from(frame.now_ns).unwrap_or(i64::MAX),
    }
}

/// `/incidents`.
pub(super) async fn list(State(state): State<AppState>, request: PageRequest) -> Response {
    let frame = request.frame;
    let question = question(&frame, SHOWN_MAX);
    let answer = state
        .ask(move |session| query::incidents(session, &question))
        .await;
    show(&frame, "Incidents", answer, views::incidents)
}

/// `/incidents/{id}`; with `format=markdown` its text alone.
pub(super) async fn one(
    State(state): State<AppState>,
    PagePath(id): PagePath<String>,
    request: PageRequest,
) -> Response {
    let mut frame = request.frame;
    let answer = find(&state, &id, None, state.when().now()).await;
    if frame.param("format") == Some("markdown")
        && let Ok(found) = &answer
    {
        let kind = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
        return (kind, views::markdown(found)).into_response();
    }
    frame.markdown = answer.as_ref().ok().map(views::markdown);
    show(&frame, "Incident", answer, views::incident)
}
