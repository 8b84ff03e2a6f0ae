//! The duties of an OTLP client, against a peer that follows a script: the ids are those of the
//! checklist in CONFORMANCE.md.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod peer;

use std::time::{Duration, Instant, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use peer::{GrpcPeer, HttpPeer, Reply};
use prost::Message;
use tonic::Code;
use tripline_sdk::setup::{Pipeline, Protocol};
use tripline_sdk::telemetry::names;
use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};

fn pipeline(endpoint: &str, protocol: Protocol) -> Pipeline {
    Pipeline::builder()
        .service("orders")
        .endpoint(endpoint, protocol)
        .metrics_every(Duration::from_secs(3600))
        .build()
        .unwrap()
}

/// Sends one span, and answers whether that succeeded.
fn send_a_span(pipeline: &Pipeline) -> bool {
    drop(pipeline.tracer().start("work"));
    pipeline.traces().force_flush().is_ok()
}

/// Sends one span to an HTTP peer with this script; the peer, and whether it succeeded.
fn over_http(script: Vec<Reply>) -> (HttpPeer, bool) {
    let peer = HttpPeer::start(script);
    let sent = send_a_span(&pipeline(&peer.endpoint(), Protocol::Http));
    (peer, sent)
}

fn over_grpc(script: Vec<tonic::Status>) -> (GrpcPeer, bool) {
    let peer = GrpcPeer::start(script);
    let sent = send_a_span(&pipeline(&peer.endpoint(), Protocol::Grpc));
    (peer, sent)
}

#[test]
fn k01_k07_http_codes_are_retried_or_not_as_the_specification_says() {
    for code in [429, 502, 503, 504] {
        let (peer, sent) = over_http(vec![Reply::status(code), Reply::status(code)]);
        assert!(sent, "{code}");
        let requests = peer.requests_to("/v1/traces");
        assert_eq!(requests.len(), 3, "{code}");
        let waits: Vec<_> = requests.windows(2).map(|r| r[1].at - r[0].at).collect();
        assert!(waits[0] >= Duration::from_millis(100), "{code}: {waits:?}");
        assert!(waits[1] >= Duration::from_millis(200), "{code}: {waits:?}");
        assert!(
            requests
                .iter()
                .all(|request| request.body == requests[0].body),
            "the same request again"
        );
    }
    for code in [400, 401, 403, 404, 405, 413, 415, 500, 501] {
        let (peer, sent) = over_http(vec![Reply::status(code)]);
        assert!(!sent, "{code}");
        assert_eq!(peer.requests_to("/v1/traces").len(), 1, "{code}");
    }
}

#[test]
fn k01_k07_grpc_codes_are_retried_or_not_as_the_specification_says() {
    for code in [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unavailable,
        Code::DataLoss,
    ] {
        let (peer, sent) = over_grpc(vec![tonic::Status::new(code, "later")]);
        assert!(sent, "{code:?}");
        assert_eq!(peer.traces(), 2, "{code:?}");
    }
    for code in [
        Code::Unknown,
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Unimplemented,
        Code::Internal,
        Code::Unauthenticated,
    ] {
        let (peer, sent) = over_grpc(vec![tonic::Status::new(code, "no")]);
        assert!(!sent, "{code:?}");
        assert_eq!(peer.traces(), 1, "{code:?}");
    }
}

#[test]
fn k01_retry_after_in_seconds_or_as_a_date_overrides_the_backoff() {
    let wait = |value: &str| {
        let reply = Reply::status(503).header("retry-after", value);
        let (peer, sent) = over_http(vec![reply]);
        assert!(sent, "{value}");
        let requests = peer.requests_to("/v1/traces");
        assert_eq!(requests.len(), 2, "{value}");
        requests[1].at - requests[0].at
    };
    assert!(wait("1") >= Duration::from_secs(1));
    // Whole seconds from now: one of them may be nearly over.
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    assert!(wait(&date) >= Duration::from_secs(1));
    let garbage = wait("soon");
    assert!(garbage >= Duration::from_millis(100) && garbage < Duration::from_secs(5));
}

#[test]
fn k01_retry_info_overrides_the_backoff_and_makes_exhaustion_retryable() {
    for code in [Code::Unavailable, Code::ResourceExhausted] {
        let status = peer::with_retry_info(code, Duration::from_millis(900));
        let (peer, sent) = over_grpc(vec![status]);
        assert!(sent, "{code:?}");
        let at = peer.trace_times();
        assert_eq!(at.len(), 2, "{code:?}");
        assert!(at[1] - at[0] >= Duration::from_millis(900), "{code:?}");
    }
    let (peer, sent) = over_grpc(vec![peer::with_retry_info(
        Code::Unavailable,
        Duration::ZERO,
    )]);
    assert!(sent && peer.traces() == 2);
}

#[test]
fn k01_a_cut_connection_is_retried() {
    let (peer, sent) = over_http(vec![Reply::Cut]);
    assert!(sent);
    assert!(peer.requests_to("/v1/traces").len() >= 2);
}

#[test]
fn k02_a_partial_success_is_never_retried() {
    let (peer, sent) = over_http(vec![Reply::ok(peer::partial_traces())]);
    assert!(sent);
    assert_eq!(peer.requests_to("/v1/traces").len(), 1);
    let peer = GrpcPeer::start(Vec::new());
    peer.answer_partially();
    assert!(send_a_span(&pipeline(&peer.endpoint(), Protocol::Grpc)));
    assert_eq!(peer.traces(), 1);
}

#[test]
fn k02_what_is_not_taken_is_dropped_and_counted() {
    let peer = HttpPeer::start(vec![Reply::status(400)]);
    let pipeline = pipeline(&peer.endpoint(), Protocol::Http);
    assert!(!send_a_span(&pipeline), "refused");
    assert!(send_a_span(&pipeline) && send_a_span(&pipeline));
    let exported = pipeline.exported();
    assert_eq!((exported.spans, exported.spans_lost), (2, 1));
    pipeline.metrics().force_flush().unwrap();
    let sent = peer.requests_to("/v1/metrics").remove(0);
    let request = ExportMetricsServiceRequest::decode(&sent.body[..]).unwrap();
    let metrics = request.resource_metrics[0]
        .scope_metrics
        .iter()
        .flat_map(|scope| &scope.metrics);
    let mut spans = metrics.filter(|metric| metric.name == "otel.sdk.exporter.span.exported");
    let Some(Data::Sum(sum)) = spans.next().and_then(|metric| metric.data.clone()) else {
        panic!("it is counted: {request:?}");
    };
    let mut points: Vec<(usize, _)> = sum
        .data_points
        .iter()
        .map(|point| (point.attributes.len(), point.value))
        .collect();
    points.sort_by_key(|point| point.0);
    let value = |count| Some(number_data_point::Value::AsInt(count));
    assert_eq!(
        points,
        [(0, value(2)), (1, value(1))],
        "one has an error.type"
    );
}

#[test]
fn k03_an_answer_over_four_mebibytes_is_refused_and_not_retried() {
    let (peer, sent) = over_http(vec![Reply::ok(vec![0; 5 << 20])]);
    assert!(!sent);
    assert_eq!(peer.requests_to("/v1/traces").len(), 1);
}

#[test]
fn k03_a_request_over_64_mebibytes_is_not_sent() {
    let peer = HttpPeer::start(Vec::new());
    let pipeline = pipeline(&peer.endpoint(), Protocol::Http);
    let logger = pipeline.logs().logger("big");
    let mut record = logger.create_log_record();
    record.set_body(AnyValue::from("x".repeat(65 << 20)));
    logger.emit(record);
    assert!(
        pipeline.logs().force_flush().is_err(),
        "the loss is reported"
    );
    assert!(peer.requests_to("/v1/logs").is_empty());
    assert_eq!(pipeline.exported().logs_lost, 1, "and counted");
}

#[test]
fn k04_shutdown_waits_for_what_is_under_way_but_not_for_ever() {
    let peer = HttpPeer::start(vec![Reply::Slow(Duration::from_millis(400))]);
    let slow = pipeline(&peer.endpoint(), Protocol::Http);
    drop(slow.tracer().start("work"));
    assert!(slow.shutdown(Duration::from_secs(20)).is_ok());
    assert_eq!(peer.requests_to("/v1/traces").len(), 1);

    let hangs = HttpPeer::start(vec![Reply::Slow(Duration::from_secs(60))]);
    let pipeline = pipeline(&hangs.endpoint(), Protocol::Http);
    drop(pipeline.tracer().start("work"));
    let started = Instant::now();
    assert!(pipeline.shutdown(Duration::from_millis(300)).is_err());
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn k04_as_many_requests_at_a_time_as_asked_for() {
    const ANSWER_TAKES: Duration = Duration::from_secs(2);
    for at_once in [1, 2] {
        let peer = HttpPeer::start(vec![Reply::Slow(ANSWER_TAKES); 2]);
        let pipeline = Pipeline::builder()
            .endpoint(peer.endpoint(), Protocol::Http)
            .metrics_every(Duration::from_secs(3600))
            .concurrent_exports(at_once)
            .build()
            .unwrap();
        for _ in 0..2 {
            send_a_span(&pipeline);
        }
        pipeline.flush();
        assert_eq!(pipeline.exported().spans, 2, "flush waits for all of them");
        let requests = peer.requests_to("/v1/traces");
        assert_eq!(requests.len(), 2);
        let apart = requests[1].at - requests[0].at;
        let waited = apart >= ANSWER_TAKES;
        assert_eq!(waited, at_once == 1, "{at_once} at a time: {apart:?} apart");
    }
}

#[test]
fn k04_no_more_at_a_time_than_asked_for_and_shutdown_waits_for_all() {
    let peer = HttpPeer::start(vec![Reply::Slow(Duration::from_millis(400)); 3]);
    let pipeline = Pipeline::builder()
        .endpoint(peer.endpoint(), Protocol::Http)
        .metrics_every(Duration::from_secs(3600))
        .concurrent_exports(2)
        .build()
        .unwrap();
    for _ in 0..3 {
        send_a_span(&pipeline);
    }
    assert!(pipeline.shutdown(Duration::from_secs(20)).is_ok());
    let times: Vec<Instant> = peer
        .requests_to("/v1/traces")
        .iter()
        .map(|r| r.at)
        .collect();
    assert_eq!(times.len(), 3);
    let third = times[2] - times[0];
    assert!(
        third >= Duration::from_millis(350),
        "{third:?} after the first"
    );
}

#[test]
fn k06_nothing_is_sent_when_there_is_nothing_to_send() {
    let peer = HttpPeer::start(Vec::new());
    let idle = pipeline(&peer.endpoint(), Protocol::Http);
    idle.flush();
    drop(idle);
    assert!(peer.requests_to("/v1/traces").is_empty());
    assert!(peer.requests_to("/v1/logs").is_empty());
}

#[test]
fn k08_connections_are_kept_and_plain_http_1_is_enough() {
    let peer = HttpPeer::start(Vec::new());
    let pipeline = pipeline(&peer.endpoint(), Protocol::Http);
    for _ in 0..5 {
        assert!(send_a_span(&pipeline));
    }
    assert_eq!(peer.requests_to("/v1/traces").len(), 5);
    assert_eq!(peer.connections(), 1);
}

#[test]
fn k09_flags_tell_whether_the_parent_is_remote() {
    let peer = HttpPeer::start(Vec::new());
    let pipeline = pipeline(&peer.endpoint(), Protocol::Http);
    let ids = (TraceId::from(7_u128), SpanId::from(7_u64));
    for remote in [true, false] {
        let parent = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, remote, TraceState::NONE);
        let context = opentelemetry::Context::new().with_remote_span_context(parent);
        drop(pipeline.tracer().start_with_context("work", &context));
    }
    pipeline.traces().force_flush().unwrap();
    let sent = peer.requests_to("/v1/traces").remove(0);
    let request = ExportTraceServiceRequest::decode(&sent.body[..]).unwrap();
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let flags: Vec<_> = spans.iter().map(|span| span.flags).collect();
    assert_eq!(flags, [0x301, 0x101]);
}

#[test]
fn a_server_that_hangs_is_given_up_on_after_the_timeout() {
    let peer = HttpPeer::start(vec![Reply::Slow(Duration::from_secs(60)); 10]);
    let pipeline = pipeline(&peer.endpoint(), Protocol::Http);
    let started = Instant::now();
    assert!(!send_a_span(&pipeline), "ten seconds, by default");
    assert!(started.elapsed() < Duration::from_secs(40));
}

/// Makes one call fail in a sampled span, and another, fine one without any. The breaker is
/// observed for as long as it lives.
fn metrics_with_an_exemplar(pipeline: &Pipeline) -> (CircuitBreaker, (TraceId, SpanId)) {
    let breaker = CircuitBreaker::builder("payment", BreakerConfig::new())
        .listen(pipeline.telemetry())
        .build()
        .unwrap();
    breaker.acquire().unwrap().finish(Outcome::Success);
    let span = pipeline.tracer().start("checkout");
    let context = opentelemetry::Context::new().with_span(span);
    let ids = context.span().span_context().clone();
    {
        let _attached = context.attach();
        breaker.acquire().unwrap().finish(Outcome::Failure);
    }
    pipeline.metrics().force_flush().unwrap();
    (breaker, (ids.trace_id(), ids.span_id()))
}

/// The exemplars of the breaker's calls, by outcome: trace and span.
fn exemplars(request: &ExportMetricsServiceRequest) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let metrics = request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics);
    let calls = metrics.filter(|metric| metric.name == names::BREAKER_CALLS);
    let mut found = Vec::new();
    for metric in calls {
        let Some(Data::Sum(sum)) = &metric.data else {
            panic!("calls are counted: {metric:?}");
        };
        for point in &sum.data_points {
            let outcome = point.attributes.iter().find_map(|pair| {
                let value = pair.value.clone()?.value?;
                (pair.key == names::BREAKER_OUTCOME).then(|| format!("{value:?}"))
            });
            for exemplar in &point.exemplars {
                found.push((
                    outcome.clone().unwrap(),
                    exemplar.trace_id.clone(),
                    exemplar.span_id.clone(),
                ));
            }
        }
    }
    found
}

fn is_the_failure(found: &[(String, Vec<u8>, Vec<u8>)], ids: (TraceId, SpanId)) {
    let [(outcome, trace_id, span_id)] = found else {
        panic!("one exemplar, not {found:?}");
    };
    assert!(outcome.contains("failure"), "{outcome}");
    assert_eq!(trace_id[..], ids.0.to_bytes());
    assert_eq!(span_id[..], ids.1.to_bytes());
}

#[test]
fn metrics_carry_exemplars_of_sampled_traces_over_http_once() {
    // Not lost by a retry, and not sent again after it.
    let peer = HttpPeer::start(vec![Reply::status(503)]);
    let pipeline = pipeline(&peer.endpoint(), Protocol::Http);
    let (_breaker, ids) = metrics_with_an_exemplar(&pipeline);
    pipeline.metrics().force_flush().unwrap();
    let sent: Vec<_> = peer
        .requests_to("/v1/metrics")
        .iter()
        .map(|request| ExportMetricsServiceRequest::decode(&request.body[..]).unwrap())
        .collect();
    assert!(sent.len() >= 3);
    is_the_failure(&exemplars(&sent[0]), ids);
    is_the_failure(&exemplars(&sent[1]), ids);
    assert!(exemplars(&sent[2]).is_empty());
}

/// Every field of a message with its path, lists without their index.
fn fields(value: &serde_json::Value, path: &str, found: &mut Vec<(String, serde_json::Value)>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                fields(value, &format!("{path}.{key}"), found);
            }
        }
        serde_json::Value::Array(list) => {
            for value in list {
                fields(value, path, found);
            }
        }
        value => found.push((path.to_owned(), value.clone())),
    }
}

#[test]
fn k10_json_has_hexadecimal_ids_numbers_for_enums_and_strings_for_64_bits() {
    let peer = HttpPeer::start(Vec::new());
    let pipeline = pipeline(&peer.endpoint(), Protocol::Json);
    let (_breaker, ids) = metrics_with_an_exemplar(&pipeline);
    pipeline.flush();
    let sent = |path: &str| {
        let requests = peer.requests_to(path);
        assert!(!requests.is_empty(), "{path}");
        let mut found = Vec::new();
        for request in requests {
            assert_eq!(request.content_type, "application/json", "{path}");
            fields(
                &serde_json::from_slice(&request.body).unwrap(),
                "",
                &mut found,
            );
        }
        found
    };
    let of = |found: &[(String, serde_json::Value)], name: &str| {
        let ends = format!(".{name}");
        let values = found.iter().filter(|(path, _)| path.ends_with(&ends));
        let values: Vec<_> = values.map(|(_, value)| value.clone()).collect();
        assert!(!values.is_empty(), "no {name} in {found:?}");
        values
    };
    let spans = sent("/v1/traces");
    let hex = |id: &dyn std::fmt::Display| serde_json::Value::String(id.to_string());
    assert!(of(&spans, "spans.traceId").contains(&hex(&ids.0)));
    assert!(of(&spans, "spans.spanId").contains(&hex(&ids.1)));
    assert!(
        of(&spans, "spans.kind")
            .iter()
            .all(serde_json::Value::is_u64)
    );
    let metrics = sent("/v1/metrics");
    assert!(of(&metrics, "exemplars.traceId").contains(&hex(&ids.0)));
    assert!(of(&metrics, "exemplars.spanId").contains(&hex(&ids.1)));
    assert!(
        of(&metrics, "aggregationTemporality")
            .iter()
            .all(serde_json::Value::is_u64)
    );
    assert!(
        of(&metrics, "dataPoints.asInt")
            .iter()
            .all(serde_json::Value::is_string)
    );
    let logs = sent("/v1/logs");
    assert!(
        of(&logs, "severityNumber")
            .iter()
            .all(serde_json::Value::is_u64)
    );
    for found in [&spans, &metrics, &logs] {
        let times = found.iter().filter(|(path, _)| path.ends_with("UnixNano"));
        for (path, time) in times {
            assert!(time.is_string(), "{path}: {time}");
        }
    }
    assert_eq!(pipeline.exported().spans_lost, 0);
}

#[test]
fn metrics_carry_exemplars_of_sampled_traces_over_grpc() {
    let peer = GrpcPeer::start(Vec::new());
    peer.refuse_metrics_once(tonic::Status::unavailable("later"));
    let pipeline = pipeline(&peer.endpoint(), Protocol::Grpc);
    let (_, ids) = metrics_with_an_exemplar(&pipeline);
    let sent = peer.metrics();
    assert_eq!(sent.len(), 1, "refused once, then taken");
    is_the_failure(&exemplars(&sent[0]), ids);
}

#[test]
fn durations_carry_exemplars_one_a_bucket() {
    use tower::{Layer, Service};
    let peer = HttpPeer::start(Vec::new());
    let pipeline = pipeline(&peer.endpoint(), Protocol::Http);
    let mut server = pipeline.instrument().server().layer(tower::service_fn(
        async |_: http::Request<String>| {
            Ok::<_, std::io::Error>(http::Response::new(String::new()))
        },
    ));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for _ in 0..3 {
        let request = http::Request::get("/stock").body(String::new()).unwrap();
        let answer = runtime.block_on(server.call(request)).unwrap();
        drop(answer);
    }
    pipeline.metrics().force_flush().unwrap();
    let sent = peer.requests_to("/v1/metrics").remove(0);
    let request = ExportMetricsServiceRequest::decode(&sent.body[..]).unwrap();
    let mut metrics = request.resource_metrics[0]
        .scope_metrics
        .iter()
        .flat_map(|scope| &scope.metrics);
    let durations = metrics
        .find(|metric| metric.name == names::HTTP_SERVER_DURATION)
        .unwrap();
    let Some(Data::Histogram(histogram)) = &durations.data else {
        panic!("{durations:?}");
    };
    let point = &histogram.data_points[0];
    assert_eq!(point.count, 3);
    let filled = point
        .bucket_counts
        .iter()
        .filter(|count| **count > 0)
        .count();
    assert_eq!(point.exemplars.len(), filled, "one a bucket");
    assert!(point.exemplars.iter().all(|e| e.trace_id.len() == 16));
}

#[test]
fn an_unsampled_trace_makes_no_exemplar() {
    let peer = HttpPeer::start(Vec::new());
    let pipeline = pipeline(&peer.endpoint(), Protocol::Http);
    let breaker = CircuitBreaker::builder("payment", BreakerConfig::new())
        .listen(pipeline.telemetry())
        .build()
        .unwrap();
    let ids = (TraceId::from(7_u128), SpanId::from(7_u64));
    let unsampled = SpanContext::new(ids.0, ids.1, TraceFlags::default(), true, TraceState::NONE);
    let context = opentelemetry::Context::new().with_remote_span_context(unsampled);
    {
        let _attached = context.attach();
        breaker.acquire().unwrap().finish(Outcome::Failure);
    }
    pipeline
        .meter()
        .u64_counter("orders")
        .build()
        .add(1, &[KeyValue::new("ok", true)]);
    pipeline.metrics().force_flush().unwrap();
    let sent = peer.requests_to("/v1/metrics").remove(0);
    let request = ExportMetricsServiceRequest::decode(&sent.body[..]).unwrap();
    assert!(exemplars(&request).is_empty());
}
