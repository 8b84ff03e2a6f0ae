//! Breakers: what recognising them adds to ingest, and how long the questions about them take.

use anyhow::{Result, bail, ensure};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::Value;
use tripline_collector::decode::{Decoded, Logs, Metrics, Signal as _, Traces};
use tripline_storage::ingest::Rows;
use tripline_storage::resilience::Recognisers;

use super::floors::cpu;
use super::ingest::{micros, now, send_spans};
use super::queries::measure;
use super::server::Server;
use super::shapes::{self, int, mix, resource, text};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
/// Lanes of the timeline.
const BREAKERS: u64 = 200;
/// Each opens so often in 24 hours.
const TRIPS: u64 = 48;
/// Requests are measured over so many batches a signal.
const BATCHES: u64 = 400;

/// CPU an item that recognition takes on a thread of its own, beside what the server takes to acknowledge it.
pub async fn recognition() -> Result<()> {
    let quiet = [
        ("TRIPLINE_STORE__HOT_ROWS_MAX", "100000000"),
        ("TRIPLINE_STORE__HOT_BYTES_MAX", "64GiB"),
        ("TRIPLINE_STORE__HOT_AGE_MAX", "1h"),
    ];
    for signal in ["spans", "log lines", "number points"] {
        let items = BATCHES
            * if signal == "number points" {
                500
            } else {
                shapes::BATCH
            };
        let server = Server::start(&quiet)?;
        let before = server.cpu()?;
        match signal {
            "spans" => send_spans(&server.grpc(), 0..BATCHES, 1, |_| now()).await?,
            "log lines" => {
                let mut client = LogsServiceClient::connect(server.grpc()).await?;
                for batch in 0..BATCHES {
                    client.export(shapes::logs(batch, now())).await?;
                }
            }
            _ => {
                let mut client = MetricsServiceClient::connect(server.grpc()).await?;
                let start = now() - BATCHES * 10 * SECOND;
                for collection in 0..BATCHES {
                    client.export(shapes::points(collection, start)).await?;
                }
            }
        }
        let acknowledged = micros(server.cpu()? - before, items);
        drop(server);
        let decoded: Vec<Decoded> = (0..BATCHES)
            .map(|batch| match signal {
                "spans" => Traces::from_protobuf(&shapes::spans(batch, now()).encode_to_vec(), 0),
                "log lines" => Logs::from_protobuf(&shapes::logs(batch, now()).encode_to_vec(), 0),
                _ => Metrics::from_protobuf(&shapes::points(batch, now()).encode_to_vec(), 0),
            })
            .collect::<Result<_, _>>()?;
        let recognised = micros(recognise(decoded)?, items);
        println!(
            "recognition: {signal}: {recognised:.3} µs each, {:.1} % of the {acknowledged:.2} µs to acknowledge",
            recognised / acknowledged * 100.0
        );
    }
    Ok(())
}

fn recognise(decoded: Vec<Decoded>) -> Result<std::time::Duration> {
    let shipped = Recognisers::shipped();
    let mut took = std::time::Duration::ZERO;
    for Decoded { batch, .. } in decoded {
        let (resources, scopes) = (&batch.resources, &batch.scopes);
        let (began, evidence) = match batch.rows {
            Rows::Spans(rows) => {
                let rows = rows.finish();
                (cpu()?, shipped.in_spans(resources, scopes, &rows))
            }
            Rows::Logs(rows) => {
                let rows = rows.finish();
                (cpu()?, shipped.in_logs(resources, scopes, &rows))
            }
            Rows::Metrics(rows) => {
                let rows = rows.finish();
                (cpu()?, shipped.in_metrics(resources, scopes, &rows))
            }
        };
        took += cpu()? - began;
        ensure!(evidence.is_empty(), "these say nothing of breakers");
    }
    Ok(took)
}

/// Swimlanes, what-if and blast radius.
pub async fn questions(scale: f64) -> Result<()> {
    let server = Server::start(&[])?;
    let end = now() / SECOND * SECOND;
    trips(&server, end).await?;
    let calls = ((1_000_000.0 * scale) as u64).max(10_000);
    recorded_calls(&server, end, calls).await?;
    let batches = ((10_000_000.0 * scale) as u64 / shapes::BATCH).max(10);
    let began = end - HOUR;
    send_spans(&server.grpc(), 0..batches, 4, move |batch| {
        began + batch * (HOUR / batches)
    })
    .await?;
    server.settle().await?;
    println!(
        "breakers: {BREAKERS} breakers with {TRIPS} trips each in 24 h, {calls} recorded calls of one, {} spans in an hour",
        batches * shapes::BATCH
    );
    let often = |path: String| vec![path; 20];
    measure(
        &server,
        "swimlanes, 24 h",
        &often("/breakers?from=now-24h".to_owned()),
    )
    .await?;
    let what_if = "/api/v1/whatif?service=caller&name=callee&from=now-1h&to=now";
    let answer: Value = serde_json::from_str(&server.get(what_if).await?)?;
    println!(
        "  what-if replays {} calls, truncated: {}",
        answer["calls"], answer["truncated"]
    );
    measure(&server, "what-if", &often(what_if.to_owned())).await?;
    let edited = format!("{what_if}&failure_ratio_threshold=0.3");
    measure(&server, "what-if, edited", &often(edited)).await?;
    let page: Value = serde_json::from_str(&server.get("/api/v1/incidents?from=now-1h").await?)?;
    let Some(id) = page["items"][0]["incident_id"].as_str() else {
        bail!("no incident in the last hour: {page}");
    };
    measure(
        &server,
        "incidents, an hour",
        &often("/api/v1/incidents?from=now-1h".to_owned()),
    )
    .await?;
    measure(
        &server,
        "an incident with its blast radius",
        &often(format!("/api/v1/incidents/{id}")),
    )
    .await?;
    println!("  peak memory {} MiB", server.peak_memory()? >> 20);
    Ok(())
}

/// A breaker of each service for each of ten others, opening every half hour for ten seconds.
async fn trips(server: &Server, end: u64) -> Result<()> {
    let mut client = LogsServiceClient::connect(server.grpc()).await?;
    for trip in 0..TRIPS {
        let of_service = |service: u64| {
            let log_records = (0..BREAKERS / shapes::SERVICES)
                .flat_map(|peer| {
                    let callee = (service + 1 + peer) % shapes::SERVICES;
                    let at =
                        end - (TRIPS - trip) * HOUR / 2 + mix(service * 64 + peer) % (600 * SECOND);
                    let change = move |n: u64, from: &str, to: &str, later: u64| LogRecord {
                        time_unix_nano: at + later * SECOND,
                        event_name: "circuit_breaker.state_changed".into(),
                        attributes: vec![
                            text("circuit_breaker.name", format!("service-{callee:02}")),
                            text("circuit_breaker.from_state", from.into()),
                            text("circuit_breaker.to_state", to.into()),
                            text("circuit_breaker.reason", "failure_rate".into()),
                            int("circuit_breaker.generation", trip * 3 + n),
                            text("service.peer.name", format!("service-{callee:02}")),
                        ],
                        ..LogRecord::default()
                    };
                    [
                        change(1, "closed", "open", 0),
                        change(2, "open", "half_open", 10),
                        change(3, "half_open", "closed", 11),
                    ]
                })
                .collect();
            ResourceLogs {
                resource: resource(service),
                scope_logs: vec![ScopeLogs {
                    log_records,
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }
        };
        let resource_logs = (0..shapes::SERVICES).map(of_service).collect();
        client
            .export(ExportLogsServiceRequest { resource_logs })
            .await?;
    }
    Ok(())
}

/// One breaker's calls over an hour, as the SDK writes them, and its settings.
async fn recorded_calls(server: &Server, end: u64, calls: u64) -> Result<()> {
    let whose = || {
        let mut whose = resource(0).unwrap_or_default();
        whose.attributes[0] = text("service.name", "caller".into());
        Some(whose)
    };
    let settings = LogRecord {
        time_unix_nano: end - HOUR,
        event_name: "circuit_breaker.configured".into(),
        attributes: vec![
            text("circuit_breaker.name", "callee".into()),
            text("circuit_breaker.config_hash", "1".into()),
            int("circuit_breaker.minimum_calls", 100),
        ],
        ..LogRecord::default()
    };
    let resource_logs = vec![ResourceLogs {
        resource: whose(),
        scope_logs: vec![ScopeLogs {
            log_records: vec![settings],
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    }];
    LogsServiceClient::connect(server.grpc())
        .await?
        .export(ExportLogsServiceRequest { resource_logs })
        .await?;
    let mut client = TraceServiceClient::connect(server.grpc()).await?;
    for first in (0..calls).step_by(2_000) {
        let spans = (first..(first + 2_000).min(calls))
            .map(|number| {
                let start = end - HOUR + number * (HOUR / calls);
                let failed = mix(number).is_multiple_of(40);
                Span {
                    trace_id: [mix(number ^ 0x77), mix(number)]
                        .map(u64::to_be_bytes)
                        .concat(),
                    span_id: (number + 1).to_be_bytes().to_vec(),
                    name: "charge".into(),
                    kind: 1,
                    start_time_unix_nano: start,
                    end_time_unix_nano: start + 5_000_000,
                    status: failed.then(|| Status {
                        code: 2,
                        message: String::new(),
                    }),
                    attributes: vec![
                        text("circuit_breaker.name", "callee".into()),
                        text(
                            "circuit_breaker.outcome",
                            if failed { "failure" } else { "success" }.into(),
                        ),
                    ],
                    ..Span::default()
                }
            })
            .collect();
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: whose(),
                scope_spans: vec![ScopeSpans {
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        while let Err(status) = client.export(request.clone()).await {
            ensure!(status.code() == tonic::Code::Unavailable, "{status}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    Ok(())
}
