//! `/breakers`, and one of them by service, name and key: an address a person can write into an alert.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::model::{
    Breaker, BreakersQuery, EncodingsQuery, LanesQuery, TransitionsQuery,
};
use tripline_storage::query::{self, QueryError, Session, how};
use tripline_web::address::name_in;
use tripline_web::pages as views;

use super::answer::{problem_page, show};
use super::path::PagePath;
use super::questions::{end_of, moment_of, range_of};
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::incidents::find;
use crate::api::problem::Problem;
use crate::api::whatif;

/// Lanes drawn on the list.
const LANES_MAX: usize = 200;
/// Transitions listed on a breaker's page.
const TRANSITIONS_MAX: usize = 200;
/// Breakers of one service and name that are looked through for one of them: of other scopes, keys and patterns.
const NAMESAKES_MAX: usize = 1_000;
/// The range around a time asked for, when the address has none of its own.
const AROUND_NS: u64 = 30 * 60 * 1_000_000_000;

/// `/breakers`.
pub(super) async fn list(State(state): State<AppState>, request: PageRequest) -> Response {
    let PageRequest { frame, params, .. } = request;
    let question = match params.breakers() {
        Ok(question) => BreakersQuery {
            at_unix_nano: end_of(&frame),
            ..question
        },
        Err(problem) => return problem_page(&frame, &problem),
    };
    let of_lanes = LanesQuery {
        range: range_of(&frame),
        scope: question.scope.clone(),
        service: question.service.clone(),
        breaker_id: None,
        limit: LANES_MAX,
    };
    let of_numbers = EncodingsQuery {
        range: of_lanes.range,
        service: question.service.clone(),
    };
    let learned = state.store.learned_states();
    let is_review = frame.param("tab") == Some("review");
    let answer = state
        .ask(move |session| {
            if is_review {
                return Ok(views::BreakersPage {
                    review: Some(query::review(session, &of_lanes)?),
                    how: views::BreakersHow {
                        review: how::breaker_review(&of_lanes),
                        ..views::BreakersHow::default()
                    },
                    ..views::BreakersPage::default()
                });
            }
            Ok(views::BreakersPage {
                breakers: query::breakers(session, &question)?,
                lanes: query::lanes(session, &of_lanes)?,
                encodings: query::encodings(session, &of_numbers, learned)?,
                review: None,
                how: views::BreakersHow {
                    states: how::breaker_states(&question),
                    lanes: how::breaker_lanes(&of_lanes),
                    numbers: how::breaker_numbers(&of_numbers),
                    ..views::BreakersHow::default()
                },
            })
        })
        .await;
    show(&frame, "Breakers", answer, views::breakers)
}

/// `/breakers/{service}/{name}[/{key}]`, with `at` the trip nearest to that time.
pub(super) async fn one(
    State(state): State<AppState>,
    PagePath(path): PagePath<Vec<(String, String)>>,
    request: PageRequest,
) -> Response {
    let PageRequest {
        mut frame, params, ..
    } = request;
    let mut parts = path.into_iter().map(|(_, value)| value);
    let mut named = || name_in(&parts.next().unwrap_or_default()).to_owned();
    let (service, name) = (named(), named());
    let rest = parts.next().unwrap_or_default();
    let (key, is_what_if) = match rest.strip_suffix("whatif") {
        Some("") => ("", true),
        Some(key) if key.ends_with('/') => (key.trim_end_matches('/'), true),
        _ => (rest.as_str(), false),
    };
    let key = (!key.is_empty()).then(|| name_in(key).to_owned());
    if is_what_if {
        return what_if(&state, &frame, &params, service, name, key).await;
    }
    let at = match moment_of(&frame, "at", params.when) {
        Ok(at) => at,
        Err(problem) => return problem_page(&frame, &problem),
    };
    if let Some(at) = at
        && frame.param("from").is_none()
        && frame.param("to").is_none()
    {
        let edge = |ns: u64| ns.to_string();
        let (from, to) = (
            edge(at.saturating_sub(AROUND_NS)),
            edge(
                at.saturating_add(AROUND_NS)
                    .min(frame.now_ns.max(at.saturating_add(1))),
            ),
        );
        if let Ok(range) = tripline_web::range::Range::parse(Some(&from), Some(&to)) {
            frame.range = range;
        }
    }
    let title = format!("{service} · {name}");
    let answer = page(
        &state,
        &frame,
        Named {
            service,
            name,
            key,
            at,
        },
        &params,
    )
    .await;
    show(&frame, &title, answer, views::breaker)
}

/// `/breakers/{service}/{name}[/{key}]/whatif`.
async fn what_if(
    state: &AppState,
    frame: &tripline_web::frame::Frame,
    params: &crate::api::params::Params,
    service: String,
    name: String,
    key: Option<String>,
) -> Response {
    let title = format!("What if · {name}");
    let question = match params.breakers() {
        Ok(question) => question,
        Err(problem) => return problem_page(frame, &problem),
    };
    let named = BreakersQuery {
        service: Some(service),
        name: Some(name),
        key,
        ..question
    };
    let answer = whatif::ask(state, named, params, whatif::edits(params)).await;
    let answer = answer.map_err(|problem| Problem {
        detail: views::what_if_refusal(&problem.detail),
        ..problem
    });
    show(frame, &title, answer, views::what_if)
}

/// A breaker as an address names it.
struct Named {
    service: String,
    name: String,
    key: Option<String>,
    at: Option<u64>,
}

/// A breaker as it stood at a time, if it was known by then.
fn stood_at(
    session: &Session<'_>,
    named: BreakersQuery,
    breaker_id: &str,
    at_unix_nano: i64,
) -> Result<Option<Breaker>, QueryError> {
    let question = BreakersQuery {
        at_unix_nano: Some(at_unix_nano),
        limit: NAMESAKES_MAX,
        ..named
    };
    let found = query::breakers(session, &question)?.items;
    Ok(found
        .into_iter()
        .find(|breaker| breaker.breaker_id == breaker_id))
}

async fn page(
    state: &AppState,
    frame: &tripline_web::frame::Frame,
    named: Named,
    params: &crate::api::params::Params,
) -> Result<views::BreakerPage, Problem> {
    let address = match named.key.as_deref() {
        Some(key) if !key.is_empty() => format!("{}/{key}", named.name),
        _ => named.name.clone(),
    };
    let missing = format!("No breaker {address} of {} is known.", named.service);
    let question = BreakersQuery {
        service: Some(named.service),
        name: Some(named.name),
        key: named.key,
        limit: 1,
        ..params.breakers()?
    };
    let range = range_of(frame);
    let ended = end_of(frame);
    let found = state
        .ask(move |session| {
            let Some(first) = query::breakers(session, &question)?
                .items
                .into_iter()
                .next()
            else {
                return Ok(None);
            };
            let id = first.breaker_id;
            let of_lane = LanesQuery {
                range,
                scope: Default::default(),
                service: None,
                breaker_id: Some(id.clone()),
                limit: 1,
            };
            let of_changes = TransitionsQuery {
                breaker_id: Some(id.clone()),
                range: Some(range),
                limit: TRANSITIONS_MAX,
                ..TransitionsQuery::default()
            };
            let Some(detail) = query::breaker(session, &id)? else {
                return Ok(None);
            };
            let then = match ended {
                Some(end) => stood_at(session, question, &id, end)?,
                None => None,
            };
            Ok(Some(views::BreakerPage {
                then,
                activity: query::activity(session, &detail.breaker, range)?,
                detail,
                lane: query::lanes(session, &of_lane)?.items.into_iter().next(),
                transitions: query::transitions(session, &of_changes)?,
                incident: None,
                at: named.at,
                how: views::BreakerHow {
                    instances: how::breaker_intervals(&of_lane),
                    windows: how::breaker_windows(&id, range),
                    calls: how::breaker_calls(&id, range),
                    transitions: how::breaker_changes(&of_changes),
                    hosts: how::breaker_hosts(&id, range),
                },
            }))
        })
        .await?;
    let mut page = found.ok_or_else(|| Problem::not_found(missing))?;
    // The trip the address asks for, else the newest of the range.
    let newest = || {
        let mut opened = page
            .transitions
            .items
            .iter()
            .filter(|change| change.to_state == "open");
        opened
            .next()
            .map(|change| change.time_unix_nano.to_string())
    };
    let when = named
        .at
        .map(|at| at.to_string())
        .or_else(newest)
        .unwrap_or_else(|| params.when.now().to_string());
    let id = page.detail.breaker.breaker_id.clone();
    page.incident = find(state, &when, Some(id), params.when.now()).await.ok();
    Ok(page)
}
