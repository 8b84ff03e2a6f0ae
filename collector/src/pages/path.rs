//! What the path of a page names, or a page that says why it names nothing.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::answer::problem_page;
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::problem::Problem;

/// The names and numbers in a path. One that is none is an error said as a page, where axum says it in bare words.
pub(super) struct PagePath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for PagePath<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let status = match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(named)) => return Ok(Self(named)),
            Err(rejection) => rejection.status(),
        };
        let frame = PageRequest::from_request_parts(parts, state).await?.frame;
        let detail = format!(
            "The address {} names nothing: a name is text in UTF-8, the number of a view is digits.",
            frame.path
        );
        let problem = Problem::new(status, "bad-request", "The address cannot be read", detail);
        Err(problem_page(&frame, &problem))
    }
}
