//! Saved views: the few writes a page makes, each an explicit POST.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tripline_storage::saved::SaveError;

use super::request::PageRequest;
use super::{problem_page, request::bare_frame};
use crate::api::AppState;
use crate::api::problem::Problem;
use crate::api::when::now_ns;

/// What the form of a page sends.
#[derive(Deserialize)]
pub(super) struct View {
    name: String,
    path: String,
}

fn problem(error: &SaveError) -> Problem {
    match error {
        SaveError::Io(source) => {
            tracing::error!(%source, "saved views cannot be written");
            Problem::internal()
        }
        SaveError::Full => Problem::new(
            StatusCode::CONFLICT,
            "full",
            "Too many saved views",
            error.to_string(),
        ),
        SaveError::Name | SaveError::Path => Problem::parameter("name", error.to_string()),
    }
}

/// `POST /views`: saves the page and goes back to it.
pub(super) async fn save(State(state): State<AppState>, Form(view): Form<View>) -> Response {
    let saved = tokio::task::spawn_blocking(move || {
        state
            .saved
            .save(&view.name, &view.path, now_ns())
            .map(|_| view.path)
    });
    match saved.await {
        Ok(Ok(path)) => Redirect::to(&path).into_response(),
        Ok(Err(error)) => problem_page(&bare_frame(), &problem(&error)),
        Err(_) => problem_page(&bare_frame(), &Problem::internal()),
    }
}

/// `GET /views/{id}`: the saved page.
pub(super) async fn open(
    State(state): State<AppState>,
    Path(id): Path<u64>,
    request: PageRequest,
) -> Response {
    match state.saved.get(id) {
        Some(view) => Redirect::to(&view.path).into_response(),
        None => problem_page(
            &request.frame,
            &Problem::not_found("No view of that number is saved."),
        ),
    }
}

/// `POST /views/{id}/delete`.
pub(super) async fn delete(State(state): State<AppState>, Path(id): Path<u64>) -> Response {
    let deleted = tokio::task::spawn_blocking(move || state.saved.delete(id));
    match deleted.await {
        Ok(Ok(true)) => Redirect::to("/").into_response(),
        Ok(Ok(false)) => problem_page(
            &bare_frame(),
            &Problem::not_found("No view of that number is saved."),
        ),
        Ok(Err(error)) => problem_page(&bare_frame(), &problem(&error)),
        Err(_) => problem_page(&bare_frame(), &Problem::internal()),
    }
}
