//! One handler a page: ask, then render. A question that fails is shown as what it is.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use tripline_storage::analysis::without_sidecars;
use tripline_storage::model::{
    BreakersQuery, DifferencesQuery, HeatmapQuery, ScopeFilter, Selection, ServiceOrder,
    ServicesQuery, TimeRange, TraceDetail, TraceQuery,
};
use tripline_storage::query::{self, how};
use tripline_web::pages as views;
use tripline_web::parts::{Complaint, Frame};
use tripline_web::range::WEEK;

use super::by_id::{has_range, show_range, time_of_traces};
use super::request::PageRequest;
use super::senders::senders;
use super::{page, problem_page};
use crate::api::AppState;
use crate::api::params::hex_id;
use crate::api::problem::Problem;
use crate::receive::Transport;

/// Services named in a page's list at most.
pub(super) const SERVICES_MAX: usize = 1_000;

pub(super) fn range_of(frame: &Frame) -> TimeRange {
    let (from, to) = frame.bounds();
    let nanos = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    TimeRange {
        from_unix_nano: nanos(from),
        to_unix_nano: nanos(to),
    }
}

/// The same time last week, if the page compares with it.
pub(super) fn last_week_of(frame: &Frame) -> Option<TimeRange> {
    frame.compares().then(|| week_before(range_of(frame)))
}

/// The same time a week before.
pub(super) fn week_before(range: TimeRange) -> TimeRange {
    range.earlier_by(i64::try_from(WEEK).unwrap_or(i64::MAX))
}

/// The scope in the URL.
pub(super) fn scope_of(frame: &Frame) -> ScopeFilter {
    let value = |name: &str| frame.param(name).map(str::to_owned);
    ScopeFilter {
        environment: value("environment"),
        service_namespace: value("service_namespace"),
        cluster: value("cluster"),
    }
}

pub(super) fn services_of(frame: &Frame) -> ServicesQuery {
    ServicesQuery {
        range: range_of(frame),
        scope: scope_of(frame),
        order: ServiceOrder::Name,
        limit: SERVICES_MAX,
    }
}

/// Every breaker of the scope in the URL.
pub(super) fn breakers_of(frame: &Frame) -> BreakersQuery {
    BreakersQuery {
        scope: scope_of(frame),
        limit: SERVICES_MAX,
        ..BreakersQuery::default()
    }
}

/// Renders what was answered, or the problem.
pub(super) fn show<T>(
    frame: &Frame,
    title: &str,
    answer: Result<T, Problem>,
    body: impl FnOnce(&T, &Frame) -> views::View,
) -> Response {
    match answer {
        Ok(data) => page(frame, StatusCode::OK, title, |frame| body(&data, frame)),
        Err(problem) => problem_page(frame, &problem),
    }
}

/// `/`.
pub(super) async fn overview(State(state): State<AppState>, request: PageRequest) -> Response {
    let PageRequest { frame, params } = request;
    let order = match params.service_order() {
        Ok(order) => order.unwrap_or(ServiceOrder::Impact),
        Err(problem) => return problem_page(&frame, &problem),
    };
    let question = ServicesQuery {
        order,
        ..services_of(&frame)
    };
    let of_last_week = last_week_of(&frame).map(|range| ServicesQuery {
        range,
        ..question.clone()
    });
    let of_incidents = super::incidents::question(&frame, 20);
    let of_breakers = breakers_of(&frame);
    let answer = state
        .ask(move |session| {
            let seconds = query::covered(session, question.range)?.seconds();
            let how = views::OverviewHow {
                services: how::services(&question, None, seconds),
                requests: how::requests(&question, None, seconds),
                movers: how::movers(&question),
            };
            Ok((
                how,
                query::live_counts(session)?,
                query::services(session, &question)?,
                of_last_week
                    .map(|question| query::services(session, &question))
                    .transpose()?,
                query::incidents(session, &of_incidents)?,
                query::coverage(session, question.range, &question.scope)?,
                query::near_misses(session, question.range, &question.scope)?,
                query::pulses(session, &question)?,
                query::breakers(session, &of_breakers)?.items,
            ))
        })
        .await
        .map(
            |(
                how,
                counts,
                services,
                last_week,
                incidents,
                coverage,
                near_misses,
                pulses,
                breakers,
            )| {
                views::Overview {
                    how,
                    counts,
                    services,
                    last_week: last_week.map(|page| page.items),
                    pulses,
                    breakers,
                    doors: doors(&state),
                    heard: heard(&state),
                    incidents,
                    coverage,
                    near_misses,
                    otlp_grpc: state
                        .addresses
                        .otlp_grpc
                        .clone()
                        .unwrap_or_else(|| "not served".to_owned()),
                    otlp_http: state
                        .addresses
                        .otlp_http
                        .clone()
                        .unwrap_or_else(|| "not served".to_owned()),
                }
            },
        );
    show(&frame, "Overview", answer, views::overview)
}

/// When each service was last heard, as far as is known by now.
fn heard(state: &AppState) -> Vec<views::LastHeard> {
    let senders = senders(state);
    let heard = senders.heard.iter().map(|service| views::LastHeard {
        scope: service.scope.clone(),
        service_name: service.service_name.clone(),
        newest_ns: service.newest_ns,
    });
    heard.collect()
}

/// What was sent to each receiver.
fn doors(state: &AppState) -> Vec<views::Door> {
    [
        (Transport::Grpc, "OTLP/gRPC"),
        (Transport::Http, "OTLP/HTTP"),
    ]
    .into_iter()
    .map(|(transport, name)| {
        let door = state.receiver.counters().door(transport);
        views::Door {
            name,
            accepted: door.accepted,
            refused: door.refused,
            last_reason: door.last_reason,
        }
    })
    .collect()
}

/// What is wrong with a question, for the page that asked it.
pub(super) fn complaint_of(problem: &Problem) -> Complaint {
    let at = problem
        .members
        .get("filter")
        .and_then(|text| text.as_str())
        .zip(
            problem
                .members
                .get("column")
                .and_then(serde_json::Value::as_u64),
        );
    Complaint {
        detail: problem.detail.clone(),
        at: at.map(|(text, column)| (text.to_owned(), usize::try_from(column).unwrap_or(1))),
    }
}

/// A trace id alone, whatever box it was pasted into.
pub(super) fn pasted_trace(frame: &Frame) -> Option<Response> {
    let text = ["q", "text", "name"]
        .iter()
        .find_map(|name| frame.param(name))?;
    let id = hex_id("q", text.trim().trim_matches('"'), 32).ok()?;
    Some(Redirect::to(&frame.link(&format!("/traces/{id}"), &[])).into_response())
}

/// Steps of time in a heatmap.
pub(super) const HEATMAP_COLUMNS: u32 = 72;

/// `/traces`.
pub(super) async fn traces(State(state): State<AppState>, request: PageRequest) -> Response {
    let PageRequest { mut frame, params } = request;
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let selection = frame.param("box").and_then(views::box_of);
    let question = match params.traces() {
        Ok(question) => question,
        Err(problem) => {
            let data = views::TracesPage {
                complaint: Some(complaint_of(&problem)),
                ..views::TracesPage::default()
            };
            return page(&frame, problem.status, "Traces", |frame| {
                views::traces(&data, frame)
            });
        }
    };
    let of_services = services_of(&frame);
    let is_timeless = !has_range(&frame) && question.names_an_id();
    let answer = state
        .ask(move |session| {
            let shown = if is_timeless {
                time_of_traces(session, &question)?
            } else {
                None
            };
            let question = TraceQuery {
                range: shown.or(question.range),
                ..question
            };
            let asked = HeatmapQuery {
                spans: question.clone(),
                columns: HEATMAP_COLUMNS,
            };
            let how_durations = how::heatmap(&asked)?;
            let heatmap = query::heatmap(session, &asked)?;
            let selected = selection
                .map(|selection| {
                    let asked = DifferencesQuery {
                        spans: question.clone(),
                        selection,
                    };
                    query::differences(session, &asked).map(|found| (selection, found))
                })
                .transpose()?;
            let listed = inside(question, selection);
            let mut found = query::traces(session, &listed)?;
            if found.truncated && found.total.is_none() {
                found.total = query::trace_count(session, &listed)?;
            }
            let services = query::service_names(session, &of_services.scope)?;
            let page = views::TracesPage {
                found,
                services,
                heatmap,
                selected,
                complaint: None,
                order: listed.order,
                how: views::TracesHow {
                    durations: how_durations,
                    traces: how::traces(&listed)?,
                },
            };
            Ok((page, shown))
        })
        .await;
    let answer = answer.map(|(page, shown)| {
        if let Some(range) = shown {
            show_range(&mut frame, range);
        }
        page
    });
    show(&frame, "Traces", answer, views::traces)
}

/// The same question, of the spans in the box alone.
fn inside(question: TraceQuery, selection: Option<Selection>) -> TraceQuery {
    let Some(selection) = selection else {
        return question;
    };
    let shortest = question.duration_min_ns.unwrap_or(0).max(selection.min_ns);
    let longest = question
        .duration_max_ns
        .unwrap_or(i64::MAX)
        .min(selection.max_ns - 1);
    TraceQuery {
        range: Some(selection.range()),
        duration_min_ns: Some(shortest),
        duration_max_ns: Some(longest),
        ..question
    }
}

/// `/traces/{id}`.
pub(super) async fn trace(
    State(state): State<AppState>,
    Path(trace_id): Path<String>,
    request: PageRequest,
) -> Response {
    let frame = request.frame;
    let id = match hex_id("trace id", &trace_id, 32) {
        Ok(id) => id,
        Err(problem) => return problem_page(&frame, &problem),
    };
    let other = frame
        .param("with")
        .map(|text| hex_id("with", text.trim(), 32));
    let hides_sidecars = frame.hides_sidecars();
    let title = format!("Trace {}", &id[..8]);
    let missing = format!("No trace {id} is stored. It may have expired, or never arrived.");
    let answer = state
        .ask(move |session| {
            let Some(trace) = query::trace(session, &id)? else {
                return Ok(None);
            };
            let other = match other {
                None => None,
                Some(Err(problem)) => Some(Err(problem.detail)),
                Some(Ok(other)) => Some(
                    query::trace(session, &other)?
                        .ok_or_else(|| format!("no trace {other} is stored")),
                ),
            };
            let proxies = trace.spans.iter().filter(|span| span.sidecar).count() as u64;
            let trace = if hides_sidecars {
                TraceDetail {
                    spans: without_sidecars(trace.spans),
                    ..trace
                }
            } else {
                trace
            };
            Ok(Some(views::TracePage {
                trace,
                other,
                proxies,
            }))
        })
        .await
        .and_then(|found| found.ok_or_else(|| Problem::not_found(missing)));
    show(&frame, &title, answer, views::trace)
}
/// `/find`: a trace id leads to its trace, any other text to the service of that name.
pub(super) async fn find(request: PageRequest) -> Redirect {
    let frame = request.frame;
    let text = frame.param("q").unwrap_or_default().trim();
    let target = match hex_id("q", text, 32) {
        Ok(id) => frame.link(&format!("/traces/{id}"), &[]),
        Err(_) if text.is_empty() => frame.link("/traces", &[]),
        Err(_) => frame.link("/traces", &[("service", text)]),
    };
    Redirect::to(&target)
}

/// Any other address.
pub(super) async fn nothing_here(request: PageRequest) -> Response {
    let detail = format!("There is no page at {}", request.frame.path);
    problem_page(&request.frame, &Problem::not_found(detail))
}
