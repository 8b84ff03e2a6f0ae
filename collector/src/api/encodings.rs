//! Numbers of breakers that nobody knows: `GET /breakers/encodings` says what was seen while each held and what it may
//! mean; `POST` says what it means.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::Deserialize;
use tripline_storage::learned::LearnError;
use tripline_storage::model::{Encodings, EncodingsQuery, LearnedState};
use tripline_storage::query;

use super::AppState;
use super::endpoints::{Answer, known};
use super::params::Params;
use super::problem::Problem;
use super::when::now_ns;

/// What a number means, as `POST` takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// Name of the metric, in any spelling.
    metric: String,
    /// The service whose metric it is; that of any unless said.
    #[serde(default)]
    service: Option<String>,
    /// The number, as one or as text.
    value: serde_json::Value,
    /// A canonical state; `unknown` forgets.
    state: String,
}

/// `GET /breakers/encodings`.
pub async fn list(State(state): State<AppState>, params: Params) -> Answer<Encodings> {
    known(&params, &["service"])?;
    let question = EncodingsQuery {
        range: params.range()?,
        service: params.get("service").map(str::to_owned),
    };
    let learned = state.store.learned_states();
    state
        .ask(move |session| query::encodings(session, &question, learned))
        .await
        .map(Json)
}

/// `POST /breakers/encodings`.
pub async fn learn(
    State(state): State<AppState>,
    meaning: Result<Json<Meaning>, JsonRejection>,
) -> Result<(StatusCode, Json<LearnedState>), Problem> {
    let Json(meaning) = meaning.map_err(|error| Problem::parameter("body", error.body_text()))?;
    let value = match &meaning.value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let service = meaning.service.as_deref();
    let learned = keep(&state, &meaning.metric, service, &value, &meaning.state).await?;
    Ok((StatusCode::CREATED, Json(learned)))
}

/// Keeps what a number means.
///
/// # Errors
/// It is no meaning, or it could not be kept.
pub(crate) async fn keep(
    state: &AppState,
    metric: &str,
    service: Option<&str>,
    value: &str,
    meaning: &str,
) -> Result<LearnedState, Problem> {
    let learned = LearnedState::new(metric, service, value, meaning, now_ns());
    let learned = learned.map_err(|error| problem(&error))?;
    let (store, said) = (state.store.clone(), learned.clone());
    tokio::task::spawn_blocking(move || store.learn_state(said))
        .await
        .map_err(|_| Problem::internal())?
        .map_err(|error| problem(&error))?;
    Ok(learned)
}

fn problem(error: &LearnError) -> Problem {
    match error {
        LearnError::Name => Problem::parameter("metric", error.to_string()),
        LearnError::Value => Problem::parameter("value", error.to_string()),
        LearnError::State => Problem::parameter("state", error.to_string()),
        LearnError::Full => Problem::new(
            StatusCode::CONFLICT,
            "full",
            "Too many learned states",
            error.to_string(),
        ),
        LearnError::Io(_) | LearnError::Engine(_) => {
            tracing::error!(%error, "what a number means could not be kept");
            Problem::internal()
        }
    }
}
