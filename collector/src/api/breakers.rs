//! Circuit breakers: `/breakers`, and one of them by its id or by service, name and key.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tripline_storage::model::{
    Breaker, BreakerDetail, BreakerTransition, BreakersQuery, Page, TransitionsQuery, WhatIf,
};
use tripline_storage::query;
use tripline_web::address::name_in;

use super::AppState;
use super::endpoints::{Answer, known};
use super::paging::Paging;
use super::params::{Params, hex_id};
use super::problem::Problem;
use super::whatif;
use crate::config::PeerSection;

/// `GET /breakers`.
pub async fn list(State(state): State<AppState>, params: Params) -> Answer<Page<Breaker>> {
    known(&params, &["service", "state", "cursor"])?;
    // The latest state is the same in every range; what is no range is still refused, as everywhere.
    params.range()?;
    let mut question = params.breakers()?;
    let paging = Paging::of(&params, &mut question.limit)?;
    let found = state
        .ask(move |session| query::breakers(session, &question))
        .await?;
    Ok(Json(paging.cut(found)))
}

/// What the configuration says of whom breakers guard; the first rule that fits counts.
#[derive(Debug, Serialize)]
pub struct PeerRules {
    /// The rules, in their order.
    pub items: Vec<PeerSection>,
}

/// `GET /breakers/peers`.
pub async fn peers(State(state): State<AppState>, params: Params) -> Answer<PeerRules> {
    params.only(&[])?;
    Ok(Json(PeerRules {
        items: state.config.resilience.peer.clone(),
    }))
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
        let named = Named::of(&id, "transitions", "");
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
    let (key, about) = key_and_word(&rest);
    let named = Named::of(&service.unwrap_or_default(), &name.unwrap_or_default(), key);
    if about == Some("whatif") {
        let question = named.question(&params)?;
        let answer = whatif::of_breaker(&state, question, &params).await?;
        return Ok(answer.into_response());
    }
    let found = named.find(&state, &params).await?;
    if about == Some("transitions") {
        transitions(&state, &params, found).await
    } else {
        Ok(Json(detail(&state, found).await?).into_response())
    }
}

/// `POST /breakers/{service}/{name}[/{key}]/whatif`.
pub async fn post_by_name(
    State(state): State<AppState>,
    Path(path): Path<Vec<(String, String)>>,
    params: Params,
    Json(body): Json<whatif::Body>,
) -> Answer<WhatIf> {
    params.only(&["environment", "service_namespace", "cluster"])?;
    let mut parts = path.into_iter().map(|(_, value)| value);
    let (service, name, rest) = (parts.next(), parts.next(), parts.next());
    let rest = rest.unwrap_or_default();
    let (key, Some("whatif")) = key_and_word(&rest) else {
        return Err(Problem::method_not_allowed());
    };
    let named = Named::of(&service.unwrap_or_default(), &name.unwrap_or_default(), key);
    let question = named.question(&params)?;
    whatif::post_of_breaker(&state, question, body).await
}

/// What follows a breaker's name: its key, and what is asked about it. Keys have slashes too.
fn key_and_word(rest: &str) -> (&str, Option<&'static str>) {
    for word in ["transitions", "whatif"] {
        match rest.strip_suffix(word) {
            Some("") => return ("", Some(word)),
            Some(key) if key.ends_with('/') => return (key.trim_end_matches('/'), Some(word)),
            _ => {}
        }
    }
    (rest, None)
}

/// A breaker as a person writes it down.
struct Named {
    service: String,
    name: String,
    key: Option<String>,
}

impl Named {
    /// As the segments of a path name it.
    fn of(service: &str, name: &str, key: &str) -> Self {
        Self {
            service: name_in(service).to_owned(),
            name: name_in(name).to_owned(),
            key: (!key.is_empty()).then(|| name_in(key).to_owned()),
        }
    }

    /// What finds it, by the scope of the parameters.
    fn question(self, params: &Params) -> Result<BreakersQuery, Problem> {
        Ok(BreakersQuery {
            service: Some(self.service),
            name: Some(self.name),
            key: self.key,
            limit: 1,
            ..params.breakers()?
        })
    }

    /// Its id. The scope tells breakers of one name apart; without one, the first that refuses wins.
    async fn find(self, state: &AppState, params: &Params) -> Result<String, Problem> {
        known(params, &["cursor"])?;
        params.range()?;
        let missing = format!(
            "no breaker {} of {} is known",
            self.key
                .as_ref()
                .map_or_else(|| self.name.clone(), |key| format!("{}/{key}", self.name)),
            self.service
        );
        let question = self.question(params)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_a_breaker_is_told_from_its_key() {
        for (rest, key, word) in [
            ("", "", None),
            ("eu/west", "eu/west", None),
            ("transitions", "", Some("transitions")),
            ("whatif", "", Some("whatif")),
            ("eu/west/whatif", "eu/west", Some("whatif")),
            ("eu-whatif", "eu-whatif", None),
        ] {
            assert_eq!(key_and_word(rest), (key, word), "{rest}");
        }
    }
}
