//! The overview: services, breakers and incidents, and what was sent to each receiver.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use tripline_storage::model::{ServiceOrder, ServicesQuery};
use tripline_storage::query::{self, how};
use tripline_web::pages as views;

use super::answer::{problem_page, show};
use super::questions::{breakers_of, last_week_of, services_of};
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::host::{host_of, name_of};
use crate::api::senders::senders;
use crate::receive::{AuthConfig, CredentialConfig, ListenConfig, Transport};

/// `/`.
pub(super) async fn overview(
    State(state): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
    request: PageRequest,
) -> Response {
    let PageRequest { mut frame, params } = request;
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
    let receivers = receivers(&state, host_of(&uri, &headers).map(name_of));
    let answer = state
        .ask(move |session| {
            let seconds = query::covered(session, question.range)?.seconds();
            let page = views::Overview {
                how: views::OverviewHow {
                    services: how::services(&question, None, seconds),
                    requests: how::requests(&question, None, seconds),
                    movers: how::movers(&question),
                    stored: how::stored(&question),
                    senders: how::stored_services(&question),
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
                receivers,
            };
            Ok((page, seconds))
        })
        .await;
    let answer = answer.map(|(page, seconds)| {
        frame.covered_seconds = Some(seconds);
        page
    });
    show(&frame, "Overview", answer, views::overview)
}

/// When each service was last heard, as far as is known by now.
pub(super) fn heard(state: &AppState) -> Vec<views::LastHeard> {
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

/// Where telemetry is received, for who sends it and asked for the page by this host.
fn receivers(state: &AppState, asked_host: Option<&str>) -> views::Receivers {
    let config = &state.config.receive;
    let receiver = |address: &Option<String>, listen: &ListenConfig| {
        Some(views::Receiver {
            address: address.clone()?,
            is_encrypted: listen.tls.is_some(),
        })
    };
    let [traces_path, ..] = config.http.paths();
    views::Receivers {
        grpc: receiver(&state.addresses.otlp_grpc, &config.grpc.listen),
        http: receiver(&state.addresses.otlp_http, &config.http.listen),
        traces_path,
        credential: credential(&config.auth),
        asked_host: asked_host.map(str::to_owned),
    }
}

/// A credential that lets traces in, without its secret. None is needed where none is configured.
fn credential(auth: &AuthConfig) -> Option<views::Credential> {
    let is_for_traces = |one: &&CredentialConfig| {
        one.signals.is_empty() || one.signals.iter().any(|signal| signal == "traces")
    };
    let all = &auth.credentials;
    let one = all.iter().find(is_for_traces).or_else(|| all.first())?;
    let (header, value) = match one {
        CredentialConfig {
            header: Some(name), ..
        } => (name.as_str(), "YOUR_SECRET"),
        CredentialConfig {
            username: Some(_), ..
        } => ("authorization", "Basic BASE64_OF_USER_AND_PASSWORD"),
        _ => ("authorization", "Bearer YOUR_TOKEN"),
    };
    Some(views::Credential {
        header: header.to_owned(),
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_by_its_place_and_never_by_itself() {
        let told = |toml: &str| {
            let auth: AuthConfig = toml::from_str(toml).expect("settings");
            credential(&auth).map(|found| format!("{}: {}", found.header, found.value))
        };
        assert_eq!(told(""), None);
        for (one, said) in [
            ("bearer = 'sesame'", "authorization: Bearer YOUR_TOKEN"),
            (
                "username = 'u', password = 'sesame'",
                "authorization: Basic BASE64_OF_USER_AND_PASSWORD",
            ),
            ("header = 'X-Key', value = 'sesame'", "X-Key: YOUR_SECRET"),
        ] {
            let told = told(&format!("credentials = [{{ {one} }}]"));
            assert_eq!(told.as_deref(), Some(said));
        }
        // The one that lets traces in, whatever stands before it.
        let two =
            "credentials = [{ bearer = 'a', signals = ['logs'] }, { header = 'k', value = 'b' }]";
        assert_eq!(told(two).as_deref(), Some("k: YOUR_SECRET"));
    }
}
