//! Telemetry shaped like a real shop's: 20 services, 14 attributes a span, 8 spans a trace.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// Services of the shop.
pub const SERVICES: u64 = 20;
/// Spans a request.
pub const BATCH: u64 = 512;

/// splitmix64: numbers that look random and are the same every time.
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An attribute.
pub fn text(key: &str, value: String) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value)),
        }),
        ..KeyValue::default()
    }
}

/// An attribute.
pub fn int(key: &str, value: u64) -> KeyValue {
    let value = Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX));
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// The resource of a service.
pub fn resource(service: u64) -> Option<Resource> {
    let attributes = vec![
        text("service.name", format!("service-{service:02}")),
        text("service.namespace", "shop".into()),
        text("service.version", "1.4.2".into()),
        text("service.instance.id", format!("service-{service:02}-7c9f")),
        text("telemetry.sdk.language", "java".into()),
    ];
    Some(Resource {
        attributes,
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "io.opentelemetry.tomcat-10.0".into(),
        version: "2.9.0".into(),
        ..InstrumentationScope::default()
    })
}

/// The id of the trace a span number belongs to.
pub fn trace_id(number: u64) -> [u8; 16] {
    let trace = number / 8;
    (u128::from(mix(trace)) << 64 | u128::from(mix(trace ^ 0xabcd_ef01))).to_be_bytes()
}

/// Span `number`: even ones serve, odd ones call; a parent is the span before it in its trace.
pub fn span(number: u64, start_unix_nano: u64) -> Span {
    let dice = mix(number);
    let route = dice % 40;
    let failed = dice.is_multiple_of(50);
    let status = if failed { 500 } else { 200 };
    let duration = 200_000 + (dice >> 20) % 80_000_000;
    Span {
        trace_id: trace_id(number).to_vec(),
        span_id: mix(number ^ 0x5555).to_be_bytes().to_vec(),
        parent_span_id: if number.is_multiple_of(8) {
            Vec::new()
        } else {
            mix((number - 1) ^ 0x5555).to_be_bytes().to_vec()
        },
        flags: 0x101,
        name: format!("GET /api/v1/items/{route}"),
        kind: if number.is_multiple_of(2) { 2 } else { 3 },
        start_time_unix_nano: start_unix_nano,
        end_time_unix_nano: start_unix_nano + duration,
        status: failed.then(|| Status {
            code: 2,
            message: "internal error".into(),
        }),
        attributes: vec![
            text("http.request.method", "GET".into()),
            text("http.route", format!("/api/v1/items/{route}")),
            int("http.response.status_code", status),
            text("url.path", format!("/api/v1/items/{}", dice % 10_000)),
            text("url.scheme", "http".into()),
            text(
                "server.address",
                format!("service-{:02}.shop.svc", (number / 2 + 1) % SERVICES),
            ),
            int("server.port", 8080),
            text(
                "client.address",
                format!("10.0.{}.{}", dice % 250, (dice >> 8) % 250),
            ),
            text("user_agent.original", format!("okhttp/4.9.{}", dice % 5)),
            text("network.protocol.version", "1.1".into()),
            int("thread.id", dice % 64),
            text("thread.name", format!("http-nio-8080-exec-{}", dice % 64)),
            text("user.id", format!("u{}", (dice >> 16) % 100_000)),
            int("retry", dice % 3),
        ],
        ..Span::default()
    }
}

/// The same spans in one trace, `0707…`: those that were roots lie under span `root`.
pub fn in_one_trace(
    mut request: ExportTraceServiceRequest,
    root: u64,
) -> ExportTraceServiceRequest {
    let root = mix(root ^ 0x5555).to_be_bytes().to_vec();
    let scopes = request.resource_spans.iter_mut();
    for span in scopes
        .flat_map(|resource| &mut resource.scope_spans)
        .flat_map(|scope| &mut scope.spans)
    {
        span.trace_id = vec![7; 16];
        if span.parent_span_id.is_empty() && span.span_id != root {
            span.parent_span_id.clone_from(&root);
        }
    }
    request
}

/// A batch of [`BATCH`] spans of one service. Neighbouring batches are neighbours of one another's traces.
pub fn spans(batch: u64, start_unix_nano: u64) -> ExportTraceServiceRequest {
    let first = batch * BATCH;
    let mut by_service: Vec<Vec<Span>> = (0..SERVICES).map(|_| Vec::new()).collect();
    for number in first..first + BATCH {
        let service = usize::try_from((number / 2) % SERVICES).unwrap_or(0);
        by_service[service].push(span(number, start_unix_nano + (number - first) * 20_000));
    }
    let resource_spans = by_service
        .into_iter()
        .enumerate()
        .map(|(service, spans)| ResourceSpans {
            resource: resource(service as u64),
            scope_spans: vec![ScopeSpans {
                scope: scope(),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        })
        .collect();
    ExportTraceServiceRequest { resource_spans }
}

/// A batch of [`BATCH`] log lines of about 120 characters with 6 attributes.
pub fn logs(batch: u64, start_unix_nano: u64) -> ExportLogsServiceRequest {
    let log_records = (batch * BATCH..(batch + 1) * BATCH)
        .map(|number| {
            let dice = mix(number);
            let body = format!(
                "order {} of customer u{} accepted in {} ms by worker {} after {} attempts; stock left in warehouse {} is {}",
                dice % 1_000_000, (dice >> 16) % 100_000, dice % 900, dice % 64, dice % 3, dice % 12, dice % 5_000
            );
            LogRecord {
                time_unix_nano: start_unix_nano + (number % BATCH) * 20_000,
                observed_time_unix_nano: start_unix_nano + (number % BATCH) * 20_000 + 500,
                severity_number: 9,
                severity_text: "INFO".into(),
                body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
                trace_id: trace_id(number).to_vec(),
                span_id: mix(number ^ 0x5555).to_be_bytes().to_vec(),
                attributes: vec![
                    text("logger.name", "shop.orders.OrderService".into()),
                    text("thread.name", format!("http-nio-8080-exec-{}", dice % 64)),
                    text("user.id", format!("u{}", (dice >> 16) % 100_000)),
                    int("order.items", dice % 9),
                    text("code.function.name", "placeOrder".into()),
                    int("code.line.number", 120 + dice % 5),
                ],
                ..LogRecord::default()
            }
        })
        .collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(batch % SERVICES),
            scope_logs: vec![ScopeLogs {
                scope: scope(),
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

/// One collection of 500 counters by one service: the same streams every time, 10 s apart.
pub fn points(collection: u64, start_unix_nano: u64) -> ExportMetricsServiceRequest {
    let metrics = (0..50)
        .map(|metric| Metric {
            name: format!("shop.counter.{metric:02}"),
            unit: "{request}".into(),
            data: Some(metric::Data::Sum(Sum {
                aggregation_temporality: AggregationTemporality::Cumulative as i32,
                is_monotonic: true,
                data_points: (0..10)
                    .map(|series| NumberDataPoint {
                        attributes: vec![
                            text("http.route", format!("/api/v1/items/{series}")),
                            int("http.response.status_code", 200),
                        ],
                        start_time_unix_nano: start_unix_nano - 1_000_000_000_000,
                        time_unix_nano: start_unix_nano + collection * 10_000_000_000,
                        value: Some(number_data_point::Value::AsInt(
                            i64::try_from(
                                collection * (20 + mix(metric * 10 + series) % 50)
                                    + mix(collection ^ series) % 7,
                            )
                            .unwrap_or(0),
                        )),
                        ..NumberDataPoint::default()
                    })
                    .collect(),
            })),
            ..Metric::default()
        })
        .collect();
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(collection % SERVICES),
            scope_metrics: vec![ScopeMetrics {
                scope: scope(),
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}
