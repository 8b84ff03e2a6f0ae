//! What-if: `GET /whatif?service=…&name=…` with edited settings as parameters, `POST /whatif` with them as JSON.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tripline_storage::model::{BreakersQuery, WhatIf, WhatIfQuery};
use tripline_storage::query;
use tripline_storage::resilience::whatif::settings::NAMES;

use super::AppState;
use super::endpoints::Answer;
use super::params::Params;
use super::problem::Problem;

/// Calls replayed at most.
const CALLS_MAX: usize = 1_000_000;

/// A breaker, a range and settings, as `POST` takes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    service: String,
    name: String,
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

/// `GET /whatif`.
pub async fn get(State(state): State<AppState>, params: Params) -> Answer<WhatIf> {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    let plain = [
        "service",
        "name",
        "key",
        "from",
        "to",
        "propose",
        "environment",
        "service_namespace",
        "cluster",
    ];
    params.only(&[plain.as_slice(), &names].concat())?;
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
    ask(&state, named, &params, edits(&params)).await.map(Json)
}

/// `POST /whatif`.
pub async fn post(State(state): State<AppState>, Json(body): Json<Body>) -> Answer<WhatIf> {
    let mut pairs = Vec::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            pairs.push((name.to_owned(), value));
        }
    };
    put("from", body.from);
    put("to", body.to);
    put("propose", body.propose.then(|| "true".to_owned()));
    let params = Params(pairs);
    let named = BreakersQuery {
        service: Some(body.service),
        name: Some(body.name),
        key: body.key,
        ..BreakersQuery::default()
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
    ask(&state, named, &params, edits).await.map(Json)
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
    let missing = format!(
        "no breaker {} of {} is known",
        named.name.as_deref().unwrap_or_default(),
        named.service.as_deref().unwrap_or_default()
    );
    let range = params.range()?;
    let propose = params.get("propose").is_some();
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
