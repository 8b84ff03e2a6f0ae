//! The form of `/breakers` that says what a number means: an explicit POST.

use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::answer::{bare_frame, problem_page};
use crate::api::AppState;
use crate::api::encodings::keep;

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Said {
    metric: String,
    /// Empty for any.
    service: String,
    value: String,
    state: String,
    /// The page it was sent from.
    path: String,
}

/// `POST /breakers/encodings`: keeps what the number means and goes back to the page.
pub(super) async fn learn(State(state): State<AppState>, Form(said): Form<Said>) -> Response {
    let service = Some(said.service.as_str()).filter(|service| !service.is_empty());
    match keep(&state, &said.metric, service, &said.value, &said.state).await {
        Ok(_) => Redirect::to(page_of(&said.path)).into_response(),
        Err(problem) => problem_page(&bare_frame(), &problem),
    }
}

/// The address if it is a page of ours, else the list.
fn page_of(path: &str) -> &str {
    let is_ours = path.starts_with("/breakers")
        && !path.contains('\\')
        && !path.chars().any(char::is_control);
    if is_ours { path } else { "/breakers" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_page_of_ours() {
        assert_eq!(page_of("/breakers?from=-1h"), "/breakers?from=-1h");
        for path in [
            "//evil.example/",
            "https://evil.example/",
            "/breakers\r\nx",
            "",
        ] {
            assert_eq!(page_of(path), "/breakers", "{path}");
        }
    }
}
