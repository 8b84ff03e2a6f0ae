//! `/services/{name}`.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::model::{
    InstancesQuery, LogQuery, Page, ServiceQuery, ServiceSummary, ServicesQuery, TimeRange,
    TraceQuery, TraceSummary,
};
use tripline_storage::query::{self, QueryError, Session, how};
use tripline_web::address::name_in;
use tripline_web::frame::Frame;
use tripline_web::pages as views;

use super::answer::show;
use super::path::PagePath;
use super::questions::{breakers_of, last_week_of, range_of, scope_of, services_of};
use super::request::PageRequest;
use crate::api::AppState;

/// Instances of a service on its page.
const INSTANCES_MAX: usize = 100;
/// Failed traces on it.
const FAILURES_MAX: usize = 20;
/// Spans of a service up to which its failed traces are counted: among many that takes longer than all else.
const COUNTED_SPANS_MAX: u64 = 50_000;
/// Scopes that are shown over time; the same name in another scope is another service.
const SCOPES_MAX: usize = 6;

/// What is asked of a service.
struct Asked {
    services: ServicesQuery,
    /// Of each scope; the scope itself is filled in.
    detail: ServiceQuery,
    last_week: Option<TimeRange>,
}

impl Asked {
    fn of(name: &str, frame: &Frame) -> Self {
        Self {
            services: services_of(frame),
            detail: ServiceQuery {
                service: name.to_owned(),
                range: range_of(frame),
                scope: scope_of(frame),
                own: None,
                steps: 120,
            },
            last_week: last_week_of(frame),
        }
    }

    /// It in a range, once a scope it lives in.
    fn summaries(
        &self,
        session: &Session<'_>,
        range: TimeRange,
    ) -> Result<Vec<ServiceSummary>, QueryError> {
        let question = ServicesQuery {
            range,
            ..self.services.clone()
        };
        let mut found = query::services(session, &question)?.items;
        found.retain(|service| service.service_name == self.detail.service);
        Ok(found)
    }

    /// The busiest scopes over time.
    fn parts(
        &self,
        session: &Session<'_>,
        summaries: &[ServiceSummary],
        seconds: f64,
    ) -> Result<Vec<views::ServicePart>, QueryError> {
        let mut drawn: Vec<&ServiceSummary> = summaries
            .iter()
            .filter(|summary| summary.spans > 0)
            .collect();
        drawn.sort_by_key(|summary| {
            std::cmp::Reverse((summary.proxy_of.is_none(), summary.counted().0))
        });
        drawn
            .into_iter()
            .take(SCOPES_MAX)
            .map(|summary| self.part(session, summary, seconds))
            .collect()
    }

    /// One scope over time.
    fn part(
        &self,
        session: &Session<'_>,
        summary: &ServiceSummary,
        seconds: f64,
    ) -> Result<views::ServicePart, QueryError> {
        let question = ServiceQuery {
            own: Some(summary.scope.clone()),
            ..self.detail.clone()
        };
        let of_last_week = self.last_week.map(|range| ServiceQuery {
            range,
            ..question.clone()
        });
        Ok(views::ServicePart {
            scope: summary.scope.clone(),
            detail: query::service(session, &question)?,
            then: of_last_week
                .map(|question| query::red_points(session, &question))
                .transpose()?,
            how: views::PartHow {
                over_time: how::over_time(&question),
                operations: how::operations(&question, seconds),
                versions: how::versions(&question, seconds),
            },
        })
    }
}

/// Its newest warnings and errors on its page.
const LOGS_MAX: usize = 10;
/// The smallest severity of these: WARN.
const SEVERITY_MIN: i32 = 13;

/// `/services/{name}`.
pub(super) async fn one(
    State(state): State<AppState>,
    PagePath(name): PagePath<String>,
    request: PageRequest,
) -> Response {
    let mut frame = request.frame;
    let name = name_in(&name).to_owned();
    let range = range_of(&frame);
    let asked = Asked::of(&name, &frame);
    let of_graph = super::graph::question(&frame, Some(name.clone()));
    let of_failed = TraceQuery {
        range: Some(range),
        scope: scope_of(&frame),
        service: Some(name.clone()),
        status: Some("error".to_owned()),
        limit: FAILURES_MAX,
        ..TraceQuery::default()
    };
    let of_logs = LogQuery {
        range: Some(range),
        scope: scope_of(&frame),
        service: Some(name.clone()),
        severity_min: Some(SEVERITY_MIN),
        limit: LOGS_MAX,
        ..LogQuery::default()
    };
    let of_instances = InstancesQuery {
        service: name.clone(),
        range,
        scope: scope_of(&frame),
        limit: INSTANCES_MAX,
    };
    let title = name.clone();
    let of_breakers = breakers_of(&frame);
    let mut heard = super::overview::heard(&state);
    heard.retain(|one| one.service_name == name);
    let answer = state
        .ask(move |session| {
            let covered = query::covered(session, range)?;
            let seconds = covered.seconds();
            let summaries = asked.summaries(session, range)?;
            let last_week = asked
                .last_week
                .map(|range| asked.summaries(session, range))
                .transpose()?;
            // While spans come, the graph takes as long as all else.
            let ((graph, slow), (parts, failed, breakers, logs, instances)) = session.both(
                |session| {
                    Ok((
                        query::graph(session, &of_graph)?,
                        slow_traces(session, &of_failed, &summaries)?,
                    ))
                },
                |session| {
                    Ok((
                        asked.parts(session, &summaries, seconds)?,
                        failed_traces(session, &of_failed, &summaries)?,
                        query::breakers(session, &of_breakers)?.items,
                        query::logs(session, &of_logs)?,
                        query::instances(session, &of_instances)?,
                    ))
                },
            )?;
            let seen = match summaries.is_empty() {
                true => query::coverage(session, range, &asked.services.scope)?.items,
                false => Vec::new(),
            };
            let page = views::ServicePage {
                parts,
                seen,
                summaries,
                graph,
                breakers,
                failed,
                slow,
                logs,
                instances,
                heard,
                last_week,
                how: views::ServiceHow {
                    figures: how::services(&asked.services, Some(name.as_str()), seconds),
                    requests: how::requests(&asked.services, Some(name.as_str()), seconds),
                    instances: how::instances(&of_instances, seconds),
                    neighbours: how::edges(&of_graph, seconds),
                    failures: how::traces(&of_failed)?,
                    logs: how::log_records(&of_logs)?,
                },
                name,
            };
            Ok((page, covered))
        })
        .await;
    let answer = answer.map(|(page, covered)| {
        frame.covered_seconds = Some(covered.seconds());
        frame.markdown = Some(views::service_markdown(&page, &frame));
        page
    });
    show(&frame, &title, answer, views::service)
}

/// Its newest failed traces, and how many there are if that is soon told.
fn failed_traces(
    session: &Session<'_>,
    of_failed: &TraceQuery,
    summaries: &[ServiceSummary],
) -> Result<Page<TraceSummary>, QueryError> {
    let mut failed = query::traces(session, of_failed)?;
    let spans: u64 = summaries.iter().map(|summary| summary.spans).sum();
    if failed.truncated && spans <= COUNTED_SPANS_MAX {
        failed.total = query::trace_count(session, of_failed)?;
    }
    Ok(failed)
}

/// The newest of its calls that took longer than 99 of 100 do.
fn slow_traces(
    session: &Session<'_>,
    of_failed: &TraceQuery,
    summaries: &[ServiceSummary],
) -> Result<Page<TraceSummary>, QueryError> {
    let slow = summaries
        .iter()
        .filter_map(|service| service.latency.p99_ns)
        .reduce(f64::max);
    let Some(shortest) = slow else {
        return Ok(Page::default());
    };
    let asked = TraceQuery {
        status: None,
        kind: Some("server".to_owned()),
        // Where most calls take no time, those that do are the slow ones.
        duration_min_ns: Some((shortest as i64).max(1)),
        ..of_failed.clone()
    };
    query::traces(session, &asked)
}
