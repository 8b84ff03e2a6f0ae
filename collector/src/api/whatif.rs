//! What-if: `GET /whatif?service=…&name=…` with edited settings as parameters, `POST /whatif` with them as JSON.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tripline_storage::model::{BreakersQuery, COVERAGE_MIN, WhatIf, WhatIfQuery};
use tripline_storage::query;
use tripline_storage::resilience::whatif::settings::NAMES;

use super::AppState;
use super::endpoints::Answer;
use super::params::Params;
use super::problem::Problem;

/// Calls replayed at most.
const CALLS_MAX: usize = 1_000_000;

/// A breaker, a range and settings, as `POST` takes them; where the address names the breaker, the body does not.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    propose: bool,
}

/// Parameters of every question, besides the settings.
const PLAIN: [&str; 6] = [
    "from",
    "to",
    "propose",
    "environment",
    "service_namespace",
    "cluster",
];

/// Refuses parameters that are none.
fn known(params: &Params, more: &[&str]) -> Result<(), Problem> {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    params.only(&[PLAIN.as_slice(), more, &names].concat())
}

/// `GET /whatif`.
pub async fn get(State(state): State<AppState>, params: Params) -> Answer<WhatIf> {
    known(&params, &["service", "name", "key"])?;
    let (Some(service), Some(name)) = (params.get("service"), params.get("name")) else {
        return Err(Problem::parameter(
            "service",
            "`service` and `name` say which breaker",
        ));
    };
    let named = BreakersQuery {
        service: Some(service.to_owned()),
        name: Some(name.to_owned()),
        key: params.get("key").map(str::to_owned),
        ..params.breakers()?
    };
    let found = ask(&state, named, &params, edits(&params)).await?;
    answered(found).map(Json)
}

/// `GET /breakers/{service}/{name}[/{key}]/whatif`.
pub(super) async fn of_breaker(
    state: &AppState,
    named: BreakersQuery,
    params: &Params,
) -> Answer<WhatIf> {
    known(params, &[])?;
    let found = ask(state, named, params, edits(params)).await?;
    answered(found).map(Json)
}

/// `POST /whatif`; the scope is in the address.
pub async fn post(
    State(state): State<AppState>,
    params: Params,
    Json(body): Json<Body>,
) -> Answer<WhatIf> {
    params.only(&["environment", "service_namespace", "cluster"])?;
    let (Some(service), Some(name)) = (body.service.clone(), body.name.clone()) else {
        return Err(Problem::parameter(
            "service",
            "`service` and `name` say which breaker",
        ));
    };
    let named = BreakersQuery {
        service: Some(service),
        name: Some(name),
        key: body.key.clone(),
        ..params.breakers()?
    };
    ask_of_body(&state, named, body).await
}

/// `POST /breakers/{service}/{name}[/{key}]/whatif`.
pub(super) async fn post_of_breaker(
    state: &AppState,
    named: BreakersQuery,
    body: Body,
) -> Answer<WhatIf> {
    if body.service.is_some() || body.name.is_some() || body.key.is_some() {
        return Err(Problem::parameter(
            "body",
            "the address says which breaker; leave service, name and key out",
        ));
    }
    ask_of_body(state, named, body).await
}

async fn ask_of_body(state: &AppState, named: BreakersQuery, body: Body) -> Answer<WhatIf> {
    let mut pairs = Vec::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            pairs.push((name.to_owned(), value));
        }
    };
    put("from", body.from);
    put("to", body.to);
    put("propose", body.propose.then(|| "true".to_owned()));
    let params = Params {
        pairs,
        when: state.when(),
    };
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let edits = body
        .settings
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect();
    let found = ask(state, named, &params, edits).await?;
    answered(found).map(Json)
}

/// What was replayed, or the problem that too little is stored for it.
fn answered(found: WhatIf) -> Result<WhatIf, Problem> {
    let Some(why) = &found.refused else {
        return Ok(found);
    };
    let problem = Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "coverage",
        "Too few of the calls are stored",
        why.as_str(),
    );
    Err(problem
        .with("coverage", found.coverage.share)
        .with("coverage_min", COVERAGE_MIN)
        .with("calls", found.calls)
        .with("estimated_calls", found.coverage.estimated_calls))
}

/// Settings among the parameters.
pub(crate) fn edits(params: &Params) -> BTreeMap<String, String> {
    NAMES
        .iter()
        .filter_map(|(name, _)| Some(((*name).to_owned(), params.get(name)?.to_owned())))
        .collect()
}

/// Replays the breaker of that name.
///
/// # Errors
/// There is none, or the settings cannot be used.
pub(crate) async fn ask(
    state: &AppState,
    named: BreakersQuery,
    params: &Params,
    edits: BTreeMap<String, String>,
) -> Result<WhatIf, Problem> {
    let named = BreakersQuery { limit: 1, ..named };
    let name = named.name.as_deref().unwrap_or_default();
    let address = match named.key.as_deref() {
        Some(key) if !key.is_empty() => format!("{name}/{key}"),
        _ => name.to_owned(),
    };
    let missing = format!(
        "no breaker {address} of {} is known",
        named.service.as_deref().unwrap_or_default()
    );
    let range = params.range()?;
    let propose = params.flag("propose")?;
    let found = state
        .ask(move |session| {
            let Some(breaker) = query::breakers(session, &named)?.items.into_iter().next() else {
                return Ok(None);
            };
            query::what_if(
                session,
                &WhatIfQuery {
                    breaker_id: breaker.breaker_id,
                    range,
                    edits,
                    propose,
                    calls_max: CALLS_MAX,
                },
            )
        })
        .await?;
    found.ok_or_else(|| Problem::not_found(missing))
}
