//! Answers as pages: what was found, what cannot be asked, what failed, and who may not come in.

use std::time::Duration;

use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use tripline_web::frame::Frame;
use tripline_web::parts::{Complaint, WayOn};
use tripline_web::{document, pages as views};

use super::assets;
use crate::api::problem::Problem;
use crate::api::when::now_ns;

/// Renders what was answered, or the problem.
pub(super) fn show<T>(
    frame: &Frame,
    title: &str,
    answer: Result<T, Problem>,
    body: impl FnOnce(&T, &Frame) -> views::View,
) -> Response {
    match answer {
        Ok(data) => page(frame, StatusCode::OK, title, |frame| body(&data, frame)),
        Err(problem) => problem_page(frame, &problem),
    }
}

/// A page as a response.
pub(super) fn page(
    frame: &Frame,
    status: StatusCode,
    title: &str,
    body: impl FnOnce(&Frame) -> views::View,
) -> Response {
    (status, Html(document::render(frame, title, body))).into_response()
}

/// A problem as a page, at the address where it happened.
pub(super) fn problem_page(frame: &Frame, problem: &Problem) -> Response {
    let mut response = page(frame, problem.status, problem.title, |frame| {
        if problem.status == StatusCode::NOT_FOUND {
            views::missing(
                frame,
                &problem.detail,
                "A range does not matter for an address: check the id or the name.",
            )
        } else {
            views::failed(problem.title, &problem.detail, way_on(problem, frame))
        }
    });
    may_retry(&mut response, problem.retry_after);
    response
}

/// Where a problem leads: what is wrong with the question is wrong again.
fn way_on(problem: &Problem, frame: &Frame) -> WayOn {
    if problem.status != StatusCode::BAD_REQUEST {
        return WayOn::again(frame);
    }
    match parameter_of(problem) {
        Some(parameter) => WayOn::without(parameter, frame),
        None => WayOn::home(frame),
    }
}

/// The parameter that a problem is about.
fn parameter_of(problem: &Problem) -> Option<&str> {
    problem.members.get("parameter")?.as_str()
}

/// Says when to ask again, if that helps.
pub(super) fn may_retry(response: &mut Response, after: Option<Duration>) {
    if let Some(after) = after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, after.as_secs().max(1).into());
    }
}

/// The page of a question that cannot be asked, with what is wrong.
pub(super) fn complained(
    frame: &Frame,
    title: &str,
    problem: &Problem,
    body: impl FnOnce(Complaint, &Frame) -> views::View,
) -> Response {
    page(frame, problem.status, title, |frame| {
        body(complaint_of(problem), frame)
    })
}

/// What is wrong with a question, for the page that asked it.
fn complaint_of(problem: &Problem) -> Complaint {
    let at = problem
        .members
        .get("filter")
        .and_then(|text| text.as_str())
        .zip(
            problem
                .members
                .get("column")
                .and_then(serde_json::Value::as_u64),
        );
    Complaint {
        detail: problem.detail.clone(),
        at: at.map(|(text, column)| (text.to_owned(), usize::try_from(column).unwrap_or(1))),
        parameter: parameter_of(problem).map(str::to_owned),
    }
}

/// What somebody sees who may not come in: the login, or the reason.
pub(crate) fn refused(problem: &Problem, uri: &Uri) -> Response {
    let frame = bare_frame();
    if problem.status == StatusCode::UNAUTHORIZED {
        let next = uri
            .path_and_query()
            .map_or("/", axum::http::uri::PathAndQuery::as_str);
        return page(&frame, problem.status, problem.title, |_| {
            views::login(next, None)
        });
    }
    page(&frame, problem.status, problem.title, |frame| {
        views::failed(problem.title, &problem.detail, WayOn::again(frame))
    })
}

/// A frame that knows nothing of the store, for those who may not come in.
pub(super) fn bare_frame() -> Frame {
    Frame {
        path: "/".to_owned(),
        now_ns: now_ns(),
        assets: assets::paths(),
        ..Frame::default()
    }
}
