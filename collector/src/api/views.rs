//! Saved views for programs: names for addresses of pages, as the form of every page saves them.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tripline_storage::model::{Page, exact};
use tripline_storage::saved::{SaveError, SavedView};

use super::AppState;
use super::endpoints::Answer;
use super::params::Params;
use super::problem::Problem;
use super::when::now_ns;

/// What is to be saved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewView {
    /// What people call it; an equal name is replaced.
    name: String,
    /// Path and query of a page.
    path: String,
}

/// A saved view.
#[derive(Debug, Serialize)]
pub struct View {
    /// Never given twice in one data directory.
    id: u64,
    name: String,
    path: String,
    #[serde(with = "exact")]
    saved_unix_nano: u64,
}

impl From<SavedView> for View {
    fn from(view: SavedView) -> Self {
        Self {
            id: view.id,
            name: view.name,
            path: view.path,
            saved_unix_nano: view.saved_unix_nano,
        }
    }
}

/// Why a view was not saved or deleted, for whoever asked.
pub(crate) fn problem(error: &SaveError) -> Problem {
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
        SaveError::Name => Problem::parameter("name", error.to_string()),
        SaveError::Path => Problem::parameter("path", error.to_string()),
    }
}

fn missing(id: u64) -> Problem {
    Problem::not_found(format!("no view {id} is saved"))
}

/// `GET /views`: all of them, by name.
pub async fn list(State(state): State<AppState>, params: Params) -> Answer<Page<View>> {
    params.only(&[])?;
    let views = state.saved.list().into_iter().map(View::from);
    Ok(Json(Page::whole(views.collect())))
}

/// `POST /views`.
pub async fn save(
    State(state): State<AppState>,
    view: Result<Json<NewView>, JsonRejection>,
) -> Result<(StatusCode, Json<View>), Problem> {
    let Json(view) = view.map_err(|error| Problem::parameter("body", error.body_text()))?;
    let now_ns = now_ns();
    let saved = tokio::task::spawn_blocking(move || {
        let id = state.saved.save(&view.name, &view.path, now_ns)?;
        Ok::<_, SaveError>(state.saved.get(id))
    });
    let saved = saved.await.map_err(|_| Problem::internal())?;
    // Gone already when another request replaced it.
    match saved.map_err(|error| problem(&error))? {
        Some(view) => Ok((StatusCode::CREATED, Json(view.into()))),
        None => Err(Problem::busy()),
    }
}

/// `GET /views/{id}`.
pub async fn one(State(state): State<AppState>, Path(id): Path<u64>) -> Answer<View> {
    let view = state.saved.get(id).ok_or_else(|| missing(id))?;
    Ok(Json(view.into()))
}

/// `DELETE /views/{id}`.
pub async fn delete(
    State(state): State<AppState>,
    Path(id): Path<u64>,
) -> Result<StatusCode, Problem> {
    let deleted = tokio::task::spawn_blocking(move || state.saved.delete(id));
    let deleted = deleted.await.map_err(|_| Problem::internal())?;
    if deleted.map_err(|error| problem(&error))? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(missing(id))
    }
}
