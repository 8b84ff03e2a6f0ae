//! The box on every page: an id or a name leads to where it is; any other address to nothing.

use axum::response::{IntoResponse as _, Redirect, Response};
use tripline_web::frame::Frame;

use super::answer::problem_page;
use super::request::PageRequest;
use crate::api::params::hex_id;
use crate::api::problem::Problem;

/// `/find`: a trace id leads to its trace, any other text to the service of that name.
pub(super) async fn find(request: PageRequest) -> Redirect {
    let frame = request.frame;
    let text = frame.param("q").unwrap_or_default().trim();
    let target = match hex_id("q", text, 32) {
        Ok(id) => frame.link(&format!("/traces/{id}"), &[]),
        Err(_) if text.is_empty() => frame.link("/traces", &[]),
        Err(_) => frame.link("/traces", &[("service", text)]),
    };
    Redirect::to(&target)
}

/// A trace id alone, whatever box it was pasted into.
pub(super) fn pasted_trace(frame: &Frame) -> Option<Response> {
    let text = ["q", "text", "name"]
        .iter()
        .find_map(|name| frame.param(name))?;
    let id = hex_id("q", text.trim().trim_matches('"'), 32).ok()?;
    Some(Redirect::to(&frame.link(&format!("/traces/{id}"), &[])).into_response())
}

/// Any other address.
pub(super) async fn nothing_here(request: PageRequest) -> Response {
    let detail = format!("There is no page at {}", request.frame.path);
    problem_page(&request.frame, &Problem::not_found(detail))
}
