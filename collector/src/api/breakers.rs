//! Circuit breakers: `/breakers`, and one of them by its id or by service, name and key.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use tripline_storage::model::{
    Breaker, BreakerDetail, BreakerTransition, BreakersQuery, Page, TransitionsQuery,
};
use tripline_storage::query;

use super::AppState;
use super::endpoints::{Answer, known};
use super::paging::Paging;
use super::params::{Params, hex_id};
use super::problem::Problem;

/// `GET /breakers`.
pub async fn list(State(state): State<AppState>, params: Params) -> Answer<Page<Breaker>> {
    known(&params, &["service", "state", "cursor"])?;
    let mut question = params.breakers()?;
    let paging = Paging::of(&params, &mut question.limit)?;
    let found = state
        .ask(move |session| query::breakers(session, &question))
        .await?;
    Ok(Json(paging.cut(found)))
}

/// `GET /breakers/{id}`.
pub async fn by_id(
    State(state): State<AppState>,
    Path(id): Path<String>,
    params: Params,
) -> Answer<BreakerDetail> {
    params.only(&[])?;
    let id = hex_id("id", &id, 16)?;
    detail(&state, id).await.map(Json)
}

/// `GET /breakers/{id}/transitions`.
pub async fn transitions_by_id(
    State(state): State<AppState>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    // A breaker may be called `transitions`; its service is no id then.
    let Ok(breaker_id) = hex_id("id", &id, 16) else {
        let named = Named {
            service: id,
            name: "transitions".to_owned(),
            key: None,
        };
        let found = named.find(&state, &params).await?;
        return Ok(Json(detail(&state, found).await?).into_response());
    };
    transitions(&state, &params, breaker_id).await
}

/// `GET /breakers/{service}/{name}[/{key}][/transitions]`.
pub async fn by_name(
    State(state): State<AppState>,
    Path(path): Path<Vec<(String, String)>>,
    params: Params,
) -> Result<Response, Problem> {
    let mut parts = path.into_iter().map(|(_, value)| value);
    let (service, name, rest) = (parts.next(), parts.next(), parts.next());
    let rest = rest.unwrap_or_default();
    let (key, is_history) = match rest.strip_suffix("transitions") {
        Some("") => ("", true),
        Some(key) if key.ends_with('/') => (key.trim_end_matches('/'), true),
        _ => (rest.as_str(), false),
    };
    let named = Named {
        service: service.unwrap_or_default(),
        name: name.unwrap_or_default(),
        key: (!key.is_empty()).then(|| key.to_owned()),
    };
    let found = named.find(&state, &params).await?;
    if is_history {
        transitions(&state, &params, found).await
    } else {
        Ok(Json(detail(&state, found).await?).into_response())
    }
}

/// A breaker as a person writes it down.
struct Named {
    service: String,
    name: String,
    key: Option<String>,
}

impl Named {
    /// Its id. The scope tells breakers of one name apart; without one, the first that refuses wins.
    async fn find(self, state: &AppState, params: &Params) -> Result<String, Problem> {
        known(params, &["cursor"])?;
        let missing = format!(
            "no breaker {} of {} is known",
            self.key
                .as_ref()
                .map_or_else(|| self.name.clone(), |key| format!("{}/{key}", self.name)),
            self.service
        );
        let question = BreakersQuery {
            service: Some(self.service),
            name: Some(self.name),
            key: self.key,
            limit: 1,
            ..params.breakers()?
        };
        let found = state
            .ask(move |session| query::breakers(session, &question))
            .await?;
        let first = found.items.into_iter().next();
        first
            .map(|breaker| breaker.breaker_id)
            .ok_or_else(|| Problem::not_found(missing))
    }
}

async fn detail(state: &AppState, breaker_id: String) -> Result<BreakerDetail, Problem> {
    let missing = format!("no breaker {breaker_id} is known; it may have expired");
    let found = state
        .ask(move |session| query::breaker(session, &breaker_id))
        .await?;
    found.ok_or_else(|| Problem::not_found(missing))
}

async fn transitions(
    state: &AppState,
    params: &Params,
    breaker_id: String,
) -> Result<Response, Problem> {
    known(params, &["cursor"])?;
    let mut question = TransitionsQuery {
        breaker_id: Some(breaker_id),
        ..params.transitions()?
    };
    let paging = Paging::of(params, &mut question.limit)?;
    let found: Page<BreakerTransition> = state
        .ask(move |session| query::transitions(session, &question))
        .await?;
    Ok(Json(paging.cut(found)).into_response())
}
