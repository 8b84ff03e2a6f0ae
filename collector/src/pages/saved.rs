//! Saved views: the few writes a page makes, each an explicit POST.

use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tripline_web::pages::is_query;

use super::answer::{bare_frame, problem_page};
use super::path::PagePath;
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::problem::Problem;
use crate::api::views::problem;
use crate::api::when::now_ns;

/// What the form of a page sends.
#[derive(Deserialize)]
pub(super) struct View {
    name: String,
    path: String,
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
    PagePath(id): PagePath<u64>,
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

/// `POST /views/{id}/delete`; a saved query leads back to the editor.
pub(super) async fn delete(State(state): State<AppState>, PagePath(id): PagePath<u64>) -> Response {
    let view = state.saved.get(id);
    let is_query = view.is_some_and(|view| is_query(&view.path));
    let back = if is_query { "/sql" } else { "/" };
    let deleted = tokio::task::spawn_blocking(move || state.saved.delete(id));
    match deleted.await {
        Ok(Ok(true)) => Redirect::to(back).into_response(),
        Ok(Ok(false)) => problem_page(
            &bare_frame(),
            &Problem::not_found("No view of that number is saved."),
        ),
        Ok(Err(error)) => problem_page(&bare_frame(), &problem(&error)),
        Err(_) => problem_page(&bare_frame(), &Problem::internal()),
    }
}
