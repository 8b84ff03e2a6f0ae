//! What a pipeline sends, as a collector receives it over real sockets.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod wire;

use std::process::Command;
use std::time::Duration;

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tripline_sdk::setup::{Pipeline, Protocol};
use tripline_sdk::telemetry::names;
use tripline_sdk::{BreakerConfig, CircuitBreaker, OpenTime, Outcome, State};
use wire::Collector;

fn orders(collector: &Collector, protocol: Protocol) -> Pipeline {
    Pipeline::builder()
        .service("orders")
        .version("1.4.2")
        .instance("orders-1")
        .environment("test")
        .endpoint(collector.endpoint(protocol), protocol)
        .metrics_every(Duration::from_secs(3600))
        .build()
        .unwrap()
}

fn everything_arrives_over(protocol: Protocol) {
    let collector = Collector::start();
    let pipeline = orders(&collector, protocol);
    let span = pipeline.tracer().start("place order");
    let context = Context::new().with_span(span);
    let trace_id = context.span().span_context().trace_id().to_bytes().to_vec();
    {
        let _attached = context.clone().attach();
        tracing::dispatcher::with_default(&pipeline.dispatch(), || {
            tracing::warn!(order = 7, "out of stock");
        });
    }
    pipeline
        .meter()
        .u64_counter("shop.orders")
        .build()
        .add(1, &[KeyValue::new("ok", true)]);
    context.span().end();
    drop((context, pipeline)); // flushes

    let spans = collector.spans();
    let span = spans
        .iter()
        .find(|span| span.span.name == "place order")
        .unwrap();
    assert_eq!(span.span.trace_id, trace_id);
    assert_eq!(
        span.span.flags & 0x300,
        0x100,
        "the parent is known not to be remote"
    );
    for (key, value) in [
        ("service.name", "orders"),
        ("service.version", "1.4.2"),
        ("service.instance.id", "orders-1"),
        ("deployment.environment.name", "test"),
        ("telemetry.sdk.language", "rust"),
    ] {
        assert_eq!(span.resource(key).as_deref(), Some(value), "{key}");
    }
    let logs = collector.logs();
    let log = logs.iter().find(|log| log.severity_text == "WARN").unwrap();
    assert_eq!(
        log.trace_id, trace_id,
        "a log line belongs to the trace it was written in"
    );
    let body = log.body.clone().unwrap().value;
    assert_eq!(body, Some(Value::StringValue("out of stock".into())));
    assert!(collector.metric_names().contains(&"shop.orders".to_owned()));
}

#[test]
fn traces_logs_and_metrics_arrive_over_grpc() {
    everything_arrives_over(Protocol::Grpc);
}

#[test]
fn traces_logs_and_metrics_arrive_over_http() {
    everything_arrives_over(Protocol::Http);
}

#[test]
fn a_transition_is_sent_at_once_and_time_alone_moves_a_breaker_on() {
    let collector = Collector::start();
    let pipeline = orders(&collector, Protocol::Grpc);
    let config = BreakerConfig::new()
        .only_consecutive(1)
        .open(OpenTime::fixed(Duration::from_millis(100)));
    let breaker = CircuitBreaker::builder("payment", config)
        .listen(pipeline.telemetry())
        .build()
        .unwrap();
    breaker.acquire().unwrap().finish(Outcome::Failure);
    // The metrics' interval is an hour, the logs' a second: only the flush brings them in time,
    // and only the timer makes the second transition, for nobody calls.
    let arrived = |to: &str| {
        collector.logs().iter().any(|log| {
            log.event_name == names::EVENT_STATE_CHANGED
                && wire::text(&log.attributes, names::BREAKER_TO_STATE).as_deref() == Some(to)
        })
    };
    wire::until("open", || arrived("open"));
    wire::until("half-open", || arrived("half_open"));
    wire::until("the state as a metric", || {
        collector
            .metric_names()
            .contains(&names::BREAKER_STATE.to_owned())
    });
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn a_rejected_call_without_a_span_gets_one_from_the_services_own_tracer() {
    let collector = Collector::start();
    let pipeline = orders(&collector, Protocol::Grpc);
    let config = BreakerConfig::new().only_consecutive(1);
    let breaker = CircuitBreaker::builder("payment", config)
        .listen(pipeline.telemetry())
        .build()
        .unwrap();
    breaker.acquire().unwrap().finish(Outcome::Failure);
    assert!(breaker.acquire().is_err());
    drop(pipeline);
    assert!(
        collector
            .spans()
            .iter()
            .any(|span| span.span.name == names::SPAN_REJECTED)
    );
}

#[test]
fn an_endpoint_that_does_not_answer_delays_nobody() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let pipeline = Pipeline::builder()
        .endpoint(
            format!("http://{}", nobody.local_addr().unwrap()),
            Protocol::Grpc,
        )
        .build()
        .unwrap();
    let started = std::time::Instant::now();
    for _ in 0..10_000 {
        pipeline.tracer().start("into the void");
    }
    assert!(started.elapsed() < Duration::from_secs(5));
    let _ = pipeline.shutdown(Duration::from_millis(100));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_variable_nobody_understands_is_refused_by_name() {
    let output = child("unusable", &[("OTEL_TRACES_EXPORTER", "zipkin")]);
    assert!(output.contains(r#"OTEL_TRACES_EXPORTER is "zipkin", which is none of otlp, none"#));
    let output = child(
        "unusable",
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")],
    );
    assert!(output.contains("carrier-pigeon"), "{output}");
}

#[test]
fn init_honours_the_environment() {
    if played() {
        return;
    }
    let collector = Collector::start();
    let endpoint = collector.endpoint(Protocol::Grpc);
    let output = child(
        "service",
        &[
            ("OTEL_SERVICE_NAME", "from-the-environment"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=staging,team=blue",
            ),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue"),
        ],
    );
    let spans = collector.spans();
    let span = spans.iter().find(|span| span.span.name == "work").unwrap();
    assert_eq!(
        span.resource("service.name").as_deref(),
        Some("from-the-environment")
    );
    assert_eq!(
        span.resource("deployment.environment.name").as_deref(),
        Some("staging")
    );
    assert_eq!(span.resource("team").as_deref(), Some("blue"));
    assert_eq!(span.header("x-team").as_deref(), Some("blue"));
    let line = output
        .lines()
        .find(|line| line.contains("working"))
        .unwrap();
    let line: serde_json::Value =
        serde_json::from_str(line.get(line.find('{').unwrap()..).unwrap()).unwrap();
    assert_eq!(line["service.name"], "from-the-environment");
    assert_eq!(line["trace_id"], wire::hex(&span.span.trace_id));
    assert_eq!(line["span_id"], wire::hex(&span.span.span_id));
    assert_eq!(line["level"], "INFO");
    let logs = collector.logs();
    assert!(
        logs.iter()
            .any(|log| log.trace_id == span.span.trace_id && log.span_id == span.span.span_id)
    );
}

#[test]
fn signals_and_everything_can_be_turned_off() {
    let collector = Collector::start();
    let endpoint = collector.endpoint(Protocol::Http);
    let target = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    child("service", &[target, ("OTEL_TRACES_EXPORTER", "none")]);
    assert!(collector.spans().is_empty() && !collector.logs().is_empty());

    let silent = Collector::start();
    let endpoint = silent.endpoint(Protocol::Http);
    let target = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    child("service", &[target, ("OTEL_SDK_DISABLED", "true")]);
    assert!(silent.spans().is_empty() && silent.logs().is_empty());
    assert!(silent.metric_names().is_empty());

    let unsampled = Collector::start();
    let endpoint = unsampled.endpoint(Protocol::Http);
    let target = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    child("service", &[target, ("OTEL_TRACES_SAMPLER", "always_off")]);
    assert!(unsampled.spans().is_empty() && !unsampled.logs().is_empty());
}

/// Tells a process of its own what to do.
const ROLE: &str = "TRIPLINE_ROLE";

/// The test a process enters to play its part: [`played`] comes first in it.
const ENTRANCE: &str = "init_honours_the_environment";

/// Plays a part, if this process was started for one.
fn played() -> bool {
    let Ok(role) = std::env::var(ROLE) else {
        return false;
    };
    match role.as_str() {
        "service" => {
            let telemetry = tripline_sdk::init().unwrap();
            tracing::info_span!("work").in_scope(|| tracing::info!("working"));
            telemetry.shutdown(Duration::from_secs(5)).unwrap();
        }
        "unusable" => println!("{}", tripline_sdk::init().unwrap_err()),
        other => panic!("there is no part {other}"),
    }
    true
}

/// Plays a part in a process of its own, with its own environment.
fn child(role: &str, environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", ENTRANCE, "--nocapture"])
        .env(ROLE, role)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
