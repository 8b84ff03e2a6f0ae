//! The pages: each handler asks its questions and hands the plain answers to [`tripline_web`].

mod answer;
mod assets;
mod breakers;
mod by_id;
mod encodings;
mod explore;
mod export;
mod find;
mod footer;
mod graph;
mod incidents;
mod login;
mod logs;
mod overview;
mod questions;
mod request;
mod saved;
mod service;
mod sql;
mod status;
mod trace;
mod traces;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use self::answer::refused;
use crate::api::AppState;
use crate::api::problem::Problem;

/// Routes of the pages and of what they load.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(overview::overview))
        .route("/traces", get(traces::traces))
        .route("/traces/{trace_id}", get(trace::trace))
        .route("/logs", get(logs::logs))
        .route("/explore", get(explore::explore))
        .route("/graph", get(graph::graph))
        .route("/services/{name}", get(service::one))
        .route("/breakers", get(breakers::list))
        .route("/breakers/encodings", post(encodings::learn))
        .route("/breakers/{service}/{name}", get(breakers::one))
        .route("/breakers/{service}/{name}/{*rest}", get(breakers::one))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::one))
        .route("/sql", get(sql::editor))
        .route("/status", get(status::status))
        .route("/export/{file}", get(export::export))
        .route("/find", get(find::find))
        .route("/views", post(saved::save))
        .route("/views/{id}", get(saved::open))
        .route("/views/{id}/delete", post(saved::delete))
        .route("/login", post(login::login))
        .route("/assets/{name}", get(assets::serve))
        .fallback(find::nothing_here)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
}

/// A page as a response.
fn page(
    frame: &Frame,
    status: StatusCode,
    title: &str,
    body: impl FnOnce(&Frame) -> views::View,
) -> Response {
    (status, Html(document::render(frame, title, body))).into_response()
}

/// A problem as a page, at the address where it happened.
fn problem_page(frame: &Frame, problem: &Problem) -> Response {
    let mut response = page(frame, problem.status, problem.title, |frame| {
        if problem.status == StatusCode::NOT_FOUND {
            views::missing(
                &problem.detail,
                "A range does not matter for an address: check the id or the name.",
            )
        } else {
            views::failed(frame, problem.title, &problem.detail)
        }
    });
    if let Some(after) = problem.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, after.as_secs().max(1).into());
    }
    response
}

/// What somebody sees who may not come in: the login, or the reason.
pub(crate) fn refused(problem: &Problem, uri: &Uri) -> Response {
    let frame = request::bare_frame();
    if problem.status == StatusCode::UNAUTHORIZED {
        let next = uri
            .path_and_query()
            .map_or("/", axum::http::uri::PathAndQuery::as_str);
        return page(&frame, problem.status, problem.title, |_| {
            views::login(next, None)
        });
    }
    page(&frame, problem.status, problem.title, |frame| {
        views::failed(frame, problem.title, &problem.detail)
    })
}
