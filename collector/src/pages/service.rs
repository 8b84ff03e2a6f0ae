//! `/services/{name}`.

use axum::extract::{Path, State};
use axum::response::Response;
use tripline_storage::model::{
    BreakersQuery, InstancesQuery, LogQuery, Page, ServiceQuery, ServicesQuery, TimeRange,
    TraceQuery,
};
use tripline_storage::query::{self, QueryError, Session};
use tripline_web::pages as views;

use super::handlers::{SERVICES_MAX, last_week_of, range_of, scope_of, services_of, show};
use super::request::PageRequest;
use crate::api::AppState;

/// Instances of a service on its page.
const INSTANCES_MAX: usize = 100;

/// Its newest warnings and errors on its page.
const LOGS_MAX: usize = 10;
/// The smallest severity of these: WARN.
const SEVERITY_MIN: i32 = 13;

/// `/services/{name}`.
pub(super) async fn one(
    State(state): State<AppState>,
    Path(name): Path<String>,
    request: PageRequest,
) -> Response {
    let mut frame = request.frame;
    let range = range_of(&frame);
    let of_services = services_of(&frame);
    let of_graph = super::graph::question(&frame, Some(name.clone()));
    let of_failed = TraceQuery {
        range: Some(range_of(&frame)),
        scope: scope_of(&frame),
        service: Some(name.clone()),
        status: Some("error".to_owned()),
        limit: 20,
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
    let of_detail = ServiceQuery {
        service: name.clone(),
        range: range_of(&frame),
        scope: scope_of(&frame),
        steps: 120,
    };
    let of_instances = InstancesQuery {
        service: name.clone(),
        range,
        scope: scope_of(&frame),
        limit: INSTANCES_MAX,
    };
    let last_week = last_week_of(&frame);
    let title = name.clone();
    let of_breakers = BreakersQuery {
        limit: SERVICES_MAX,
        ..BreakersQuery::default()
    };
    let answer = state
        .ask(move |session| {
            let mut services = query::services(session, &of_services)?;
            services
                .items
                .retain(|service| service.service_name == name);
            let covered = query::covered(session, range)?;
            let last_week = last_week
                .map(|range| service_then(session, range, &of_services, &of_detail))
                .transpose()?;
            let slow = services
                .items
                .iter()
                .filter_map(|service| service.latency.p99_ns)
                .reduce(f64::max);
            let slow = match slow {
                Some(shortest) => {
                    let asked = TraceQuery {
                        status: None,
                        kind: Some("server".to_owned()),
                        duration_min_ns: Some(shortest as i64),
                        ..of_failed.clone()
                    };
                    query::traces(session, &asked)?
                }
                None => Page::default(),
            };
            let page = views::ServicePage {
                summaries: services.items,
                graph: query::graph(session, &of_graph)?,
                breakers: query::breakers(session, &of_breakers)?.items,
                failed: query::traces(session, &of_failed)?,
                slow,
                logs: query::logs(session, &of_logs)?,
                detail: query::service(session, &of_detail)?,
                instances: query::instances(session, &of_instances)?,
                last_week,
                name,
            };
            Ok((page, covered))
        })
        .await;
    let answer = answer.map(|(page, covered)| {
        frame.covered_seconds = Some(covered.seconds());
        page
    });
    show(&frame, &title, answer, views::service)
}

/// The service as it was in another range.
fn service_then(
    session: &Session<'_>,
    range: TimeRange,
    of_services: &ServicesQuery,
    of_detail: &ServiceQuery,
) -> Result<views::ServiceThen, QueryError> {
    let of_services = ServicesQuery {
        range,
        ..of_services.clone()
    };
    let of_detail = ServiceQuery {
        range,
        ..of_detail.clone()
    };
    let mut services = query::services(session, &of_services)?.items;
    services.retain(|service| service.service_name == of_detail.service);
    Ok(views::ServiceThen {
        summaries: services,
        points: query::red_points(session, &of_detail)?,
    })
}
