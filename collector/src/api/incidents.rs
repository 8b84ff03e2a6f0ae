//! Incidents (`/incidents`, one by its id or by a time in it) and findings (`/findings`).

use axum::Json;
use axum::extract::{Path, State};
use tripline_storage::model::{Finding, Incident, IncidentDetail, Page};
use tripline_storage::query;

use super::AppState;
use super::endpoints::{Answer, known};
use super::paging::Paging;
use super::params::Params;
use super::problem::Problem;
use super::when::When;

/// `GET /incidents`.
pub async fn list(State(state): State<AppState>, params: Params) -> Answer<Page<Incident>> {
    known(&params, &["service", "cursor", "as_of"])?;
    let mut question = params.incidents()?;
    let paging = Paging::of(&params, &mut question.limit)?;
    let found = state
        .ask(move |session| query::incidents(session, &question))
        .await?;
    Ok(Json(paging.cut(found)))
}

/// `GET /incidents/{id}`.
pub async fn by_id(
    State(state): State<AppState>,
    Path(id): Path<String>,
    params: Params,
) -> Answer<IncidentDetail> {
    params.only(&["as_of"])?;
    find(&state, &id, None, params.as_of()?).await.map(Json)
}

/// One incident as of a moment (nanoseconds since 1970); with a breaker, the nearest that breaker is part of.
///
/// # Errors
/// The address is none, or nothing is there.
pub(crate) async fn find(
    state: &AppState,
    id: &str,
    breaker_id: Option<String>,
    as_of: i64,
) -> Result<IncidentDetail, Problem> {
    let address = address(id, state.when())?;
    let missing = format!("no incident is known at {id}; it may have expired");
    let found = state
        .ask(move |session| query::incident(session, &address, breaker_id.as_deref(), as_of))
        .await?;
    found.ok_or_else(|| Problem::not_found(missing))
}

/// `GET /findings`.
pub async fn findings(State(state): State<AppState>, params: Params) -> Answer<Page<Finding>> {
    known(&params, &["service", "cursor"])?;
    let mut question = params.findings()?;
    let paging = Paging::of(&params, &mut question.limit)?;
    let found = state
        .ask(move |session| query::findings(session, &question))
        .await?;
    Ok(Json(paging.cut(found)))
}

/// An id (`<nanoseconds>-<16 hex>`) as it is; a time, however written, as nanoseconds.
fn address(text: &str, when: When) -> Result<String, Problem> {
    let is_id = text.split_once('-').is_some_and(|(ns, breaker)| {
        let is_number = !ns.is_empty() && ns.bytes().all(|b| b.is_ascii_digit());
        is_number && breaker.len() == 16 && breaker.bytes().all(|b| b.is_ascii_hexdigit())
    });
    if is_id {
        return Ok(text.to_ascii_lowercase());
    }
    when.moment(text)
        .map(|ns| ns.to_string())
        .ok_or_else(|| Problem::parameter("id", "an incident is addressed by its id or by a time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_addressed_by_id_or_by_any_time() {
        let address = |text: &str| super::address(text, When::of(None));
        assert_eq!(
            address("1800000206000000000-00112233445566AA").expect("an id"),
            "1800000206000000000-00112233445566aa"
        );
        assert_eq!(
            address("2027-01-15T08:00:00Z").expect("a time"),
            "1800000000000000000"
        );
        assert_eq!(
            address("1800000000000000000").expect("a time"),
            "1800000000000000000"
        );
        assert!(address("now-5m").is_ok());
        for text in ["", "12-", "yesterday", "1800000206000000000-xx"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
