//! A payments call guarded by tower-resilience, as a service of this ecosystem has it: axum, the stock OpenTelemetry
//! SDK over gRPC, and the breaker's changes logged through `tracing`. Protocol and endpoint come from OTEL_*.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use opentelemetry::trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Value, json};
use tower::util::{BoxCloneSyncService, service_fn};
use tower::{BoxError, Layer as _, ServiceExt as _};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const NAME: &str = "payments";

type Payments = BoxCloneSyncService<bool, (), CircuitBreakerError<BoxError>>;

/// The call behind a breaker that opens at the third failure of four calls.
fn guarded(address: &str) -> Result<Payments, BoxError> {
    let breaker = CircuitBreakerLayer::builder()
        .name(NAME)
        .sliding_window_size(4)
        .minimum_number_of_calls(4)
        .failure_rate_threshold(0.5)
        .wait_duration_in_open(Duration::from_secs(1))
        .permitted_calls_in_half_open(1)
        .on_state_transition(|from, to| {
            tracing::warn!(
                circuit_breaker.name = NAME,
                ?from,
                ?to,
                "Circuit state transition"
            );
        })
        .build()?;
    let url = format!("http://{address}/payments");
    let client = reqwest::Client::new();
    let pay = service_fn(move |fails: bool| {
        let request = client.get(if fails {
            format!("{url}?fail=1")
        } else {
            url.clone()
        });
        async move { Ok::<_, BoxError>(request.send().await?.error_for_status().map(drop)?) }
    });
    Ok(BoxCloneSyncService::new(breaker.layer(pay)))
}

/// One call under a span; what refused or failed it is an error on the span.
async fn pay(
    State(payments): State<Payments>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let tracer = global::tracer("shop");
    let span = tracer
        .span_builder("pay")
        .with_kind(SpanKind::Client)
        .with_attributes([KeyValue::new("circuit_breaker.name", NAME)])
        .start(&tracer);
    let context = Context::current_with_span(span);
    let result = payments
        .oneshot(query.contains_key("fail"))
        .with_context(context.clone())
        .await;
    let span = context.span();
    if let Err(error) = &result {
        span.record_error(error);
        span.set_status(Status::error(error.to_string()));
    }
    span.end();
    let outcome = match result {
        Ok(()) => "success",
        Err(CircuitBreakerError::OpenCircuit) => "rejected",
        Err(CircuitBreakerError::Inner(_)) => "failure",
    };
    let trace_id = span.span_context().trace_id().to_string();
    Json(json!({ "outcome": outcome, "trace_id": trace_id }))
}

async fn payments(
    Query(query): Query<HashMap<String, String>>,
) -> Result<&'static str, StatusCode> {
    if query.contains_key("fail") {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    Ok("paid")
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let resource = Resource::builder().build();
    let traces = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(SpanExporter::builder().with_tonic().build()?)
        .build();
    global::set_tracer_provider(traces.clone());
    let logs = SdkLoggerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(LogExporter::builder().with_tonic().build()?)
        .build();
    tracing_subscriber::registry()
        .with(OpenTelemetryTracingBridge::new(&logs))
        .with(tracing_subscriber::filter::LevelFilter::INFO)
        .init();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let app = Router::new()
        .route("/guarded/payments", get(pay))
        .route("/payments", get(payments))
        .with_state(guarded(&address)?);
    println!("{}", json!({ "listening": address }));
    let asked_to_stop = async {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        term.recv().await;
        Ok::<_, std::io::Error>(())
    };
    tokio::select! {
        served = axum::serve(listener, app).into_future() => served?,
        stopped = asked_to_stop => stopped?,
    }
    traces.shutdown()?;
    logs.shutdown()?;
    Ok(())
}
