//! The overview: services, breakers and incidents, and what was sent to each receiver.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::model::{ServiceOrder, ServicesQuery};
use tripline_storage::query::{self, how};
use tripline_web::pages as views;

use super::answer::{problem_page, show};
use super::questions::{breakers_of, last_week_of, services_of};
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::senders::senders;
use crate::receive::Transport;

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
    let doors = doors(&state);
    let heard = heard(&state);
    let bound =
        |address: &Option<String>| address.clone().unwrap_or_else(|| "not served".to_owned());
    let otlp_grpc = bound(&state.addresses.otlp_grpc);
    let otlp_http = bound(&state.addresses.otlp_http);
    let answer = state
        .ask(move |session| {
            let seconds = query::covered(session, question.range)?.seconds();
            Ok(views::Overview {
                how: views::OverviewHow {
                    services: how::services(&question, None, seconds),
                    requests: how::requests(&question, None, seconds),
                    movers: how::movers(&question),
                },
                counts: query::live_counts(session)?,
                services: query::services(session, &question)?,
                last_week: of_last_week
                    .map(|question| query::services(session, &question))
                    .transpose()?
                    .map(|page| page.items),
                incidents: query::incidents(session, &of_incidents)?,
                coverage: query::coverage(session, question.range, &question.scope)?,
                near_misses: query::near_misses(session, question.range, &question.scope)?,
                pulses: query::pulses(session, &question)?,
                breakers: query::breakers(session, &of_breakers)?.items,
                doors,
                heard,
                otlp_grpc,
                otlp_http,
            })
        })
        .await;
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
