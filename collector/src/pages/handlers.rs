//! One handler a page: ask, then render. A question that fails is shown as what it is.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tripline_storage::analysis::without_sidecars;
use tripline_storage::model::{
    BreakersQuery, DifferencesQuery, HeatmapQuery, LogQuery, LogRecord, Page, ScopeFilter,
    Selection, ServiceOrder, ServicesQuery, TimeRange, TraceDetail, TraceQuery,
};
use tripline_storage::query::{self, QueryError, Session, how};
use tripline_web::pages as views;
use tripline_web::parts::{Complaint, Frame, segment};
use tripline_web::range::WEEK;

use super::by_id::{has_range, show_range, time_of_logs, time_of_traces};
use super::request::{PageRequest, bare_frame};
use super::{page, problem_page};
use crate::api::AppState;
use crate::api::guard::{TOKEN_COOKIE, is_same};
use crate::api::params::hex_id;
use crate::api::problem::Problem;
use crate::api::sql;
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
fn complaint_of(problem: &Problem) -> Complaint {
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
fn pasted_trace(frame: &Frame) -> Option<Response> {
    let text = ["q", "text", "name"]
        .iter()
        .find_map(|name| frame.param(name))?;
    let id = hex_id("q", text.trim().trim_matches('"'), 32).ok()?;
    Some(Redirect::to(&frame.link(&format!("/traces/{id}"), &[])).into_response())
}

/// Steps of time in a heatmap.
const HEATMAP_COLUMNS: u32 = 72;

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

/// Steps of time in the histogram of logs.
const LOG_STEPS: u32 = 90;

/// Records around one at most; where more lie in the usual distance, a nearer one is taken.
const AROUND_MAX: usize = 1_000;
/// Distances tried, nanoseconds: the usual one first.
const AROUND_TRIED: [u64; 4] = [views::AROUND_NS, 500_000_000, 50_000_000, 5_000_000];

/// The records just before and after a moment.
fn around(
    session: &Session<'_>,
    question: &LogQuery,
    time_ns: u64,
) -> Result<(Page<LogRecord>, views::Around), QueryError> {
    let nanos = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    let mut asked = LogQuery {
        limit: AROUND_MAX,
        cursor: None,
        ..question.clone()
    };
    let mut half_ns = views::AROUND_NS;
    let mut found = Page::default();
    for tried in AROUND_TRIED {
        half_ns = tried;
        asked.range = Some(TimeRange {
            from_unix_nano: nanos(time_ns.saturating_sub(half_ns)),
            // The end is not included.
            to_unix_nano: nanos(time_ns.saturating_add(half_ns + 1)),
        });
        found = query::logs(session, &asked)?;
        if !found.truncated {
            break;
        }
    }
    // What is older is reached by leaving this view.
    found.next = None;
    Ok((found, views::Around { time_ns, half_ns }))
}

/// `/logs`.
pub(super) async fn logs(State(state): State<AppState>, request: PageRequest) -> Response {
    let PageRequest { mut frame, params } = request;
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let question = params.logs();
    let wants_patterns = frame.param("view") == Some("patterns");
    let moment: Option<u64> = frame.param("around").and_then(|text| text.parse().ok());
    match question {
        Ok(question) => {
            let is_timeless = !has_range(&frame) && question.names_an_id();
            let answer = state
                .ask(move |session| {
                    let shown = if is_timeless {
                        time_of_logs(session, &question)?
                    } else {
                        None
                    };
                    let question = LogQuery {
                        range: shown.or(question.range),
                        ..question
                    };
                    let page = logs_page(session, &question, wants_patterns, moment)?;
                    Ok((page, shown))
                })
                .await;
            let answer = answer.map(|(page, shown)| {
                if let Some(range) = shown {
                    show_range(&mut frame, range);
                }
                page
            });
            show(&frame, "Logs", answer, views::logs)
        }
        Err(problem) => {
            let data = views::LogsPage {
                complaint: Some(complaint_of(&problem)),
                ..views::LogsPage::default()
            };
            page(&frame, problem.status, "Logs", |frame| {
                views::logs(&data, frame)
            })
        }
    }
}

/// The records, those around a moment, or their patterns; and how many there are over time.
fn logs_page(
    session: &Session<'_>,
    question: &LogQuery,
    wants_patterns: bool,
    moment: Option<u64>,
) -> Result<views::LogsPage, QueryError> {
    let histogram = query::log_histogram(session, question, LOG_STEPS)?;
    let (mut patterns, mut beside) = (None, None);
    let found = match moment {
        _ if wants_patterns => {
            patterns = Some(query::log_patterns(session, question)?);
            Page::default()
        }
        Some(time_ns) => {
            let (found, around) = around(session, question, time_ns)?;
            beside = Some(around);
            found
        }
        // The histogram has them all.
        None => Page {
            total: Some(histogram.records()),
            ..query::logs(session, question)?
        },
    };
    Ok(views::LogsPage {
        found,
        patterns,
        around: beside,
        complaint: None,
        how: views::LogsHow {
            histogram: how::log_histogram(question, LOG_STEPS)?,
            records: how::log_records(question)?,
        },
        histogram,
    })
}

/// Streams or groups on the page.
const METRIC_LINES_MAX: usize = 20;

/// `/explore`.
pub(super) async fn explore(State(state): State<AppState>, request: PageRequest) -> Response {
    let PageRequest { frame, params } = request;
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let name = frame.param("metric").map(str::to_owned);
    let questions = params.metrics().and_then(|list| {
        let points = name
            .as_deref()
            .map(|name| params.metric(name))
            .transpose()?;
        Ok((list, points))
    });
    let (mut of_list, of_points) = match questions {
        Ok(questions) => questions,
        Err(problem) => {
            let data = views::Explore {
                complaint: Some(complaint_of(&problem)),
                ..views::Explore::default()
            };
            return page(&frame, problem.status, "Metrics", |frame| {
                views::explore(&data, frame)
            });
        }
    };
    of_list.limit = 2_000;
    let wants_heatmap = frame.param("view") == Some("heatmap");
    let answer = state
        .ask(move |session| {
            let metrics = query::metrics(session, &of_list)?;
            let mut how = views::ExploreHow {
                metrics: how::metrics(&of_list),
                points: String::new(),
            };
            let (mut points, mut heatmap) = (None, None);
            if let Some(mut question) = of_points {
                question.series_max = METRIC_LINES_MAX;
                how.points = how::metric_points(&question);
                points = Some(query::metric_points(session, &question)?);
                if wants_heatmap {
                    let found = query::metric_heatmap(session, &question, HEATMAP_COLUMNS)?;
                    heatmap = Some(found);
                }
            }
            Ok(views::Explore {
                metrics,
                chosen: name.zip(points),
                heatmap,
                complaint: None,
                how,
            })
        })
        .await;
    show(&frame, "Metrics", answer, views::explore)
}

/// `/sql`.
pub(super) async fn sql_page(State(state): State<AppState>, request: PageRequest) -> Response {
    let frame = request.frame;
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let query = frame.param("q").unwrap_or_default().to_owned();
    let outcome = match query.trim() {
        "" => None,
        _ => Some(sql_outcome(
            sql::document(&state, &query, SQL_ROWS_MAX).await,
        )),
    };
    let relations = sql::relations();
    let data = views::SqlPage {
        query,
        outcome,
        relations,
        limits: sql_limits(&state),
    };
    page(&frame, StatusCode::OK, "SQL", |frame| {
        views::sql(&data, frame)
    })
}

/// Rows of an answer on the page; the API gives more.
const SQL_ROWS_MAX: u64 = 500;

/// The bounds of a query, as they are configured.
fn sql_limits(state: &AppState) -> views::SqlLimits {
    let limits = sql::limits(&state.config.sql);
    let nanos = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    views::SqlLimits {
        timeout_ns: nanos(limits.timeout_default.min(limits.timeout_max)),
        timeout_max_ns: nanos(limits.timeout_max),
        rows_shown: SQL_ROWS_MAX.min(limits.rows_max),
        rows_file: limits.rows_default,
        rows_max: limits.rows_max,
        bytes_max: limits.bytes_max,
        memory_bytes_max: limits.memory_bytes_max,
        concurrent_max: limits.concurrent_max as u64,
    }
}

fn sql_outcome(answer: Result<serde_json::Value, Problem>) -> views::SqlOutcome {
    let document = match answer {
        Ok(document) => document,
        Err(problem) => {
            return views::SqlOutcome::Failed {
                title: problem.title.to_owned(),
                detail: problem.detail,
            };
        }
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    views::SqlOutcome::Table(views::SqlTable {
        columns: list(&document["columns"])
            .iter()
            .map(|column| {
                (
                    text(&column["name"]).unwrap_or_default(),
                    text(&column["type"]).unwrap_or_default(),
                )
            })
            .collect(),
        rows: list(&document["rows"])
            .iter()
            .map(|row| list(row).iter().map(text).collect())
            .collect(),
        truncated: document["truncated"] == true,
        elapsed_ms: document["elapsed_ms"].as_u64().unwrap_or_default(),
    })
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

/// What the login form sends.
#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
    #[serde(default)]
    next: String,
}

/// `POST /login`: the token into a cookie that scripts cannot read.
pub(super) async fn login(State(state): State<AppState>, Form(login): Form<Login>) -> Response {
    let next = if login.next.starts_with('/')
        && !login.next.starts_with("//")
        && !login.next.contains('\\')
    {
        login.next
    } else {
        "/".to_owned()
    };
    let is_right = state
        .config
        .ui
        .token
        .as_deref()
        .is_none_or(|token| is_same(&login.token, token));
    let cookie = format!(
        "{TOKEN_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000",
        segment(&login.token)
    );
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) if is_right => {
            ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response()
        }
        _ => page(&bare_frame(), StatusCode::UNAUTHORIZED, "Token", |_| {
            views::login(&next, Some("That is not the token of this server."))
        }),
    }
}

/// Any other address.
pub(super) async fn nothing_here(request: PageRequest) -> Response {
    let detail = format!("There is no page at {}", request.frame.path);
    problem_page(&request.frame, &Problem::not_found(detail))
}
