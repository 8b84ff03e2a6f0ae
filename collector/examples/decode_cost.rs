//! CPU cost of decoding, per span: `cargo run -p tripline-collector --example decode_cost`.
//!
//! Spans shaped like real ones: 20 services, 14 attributes, 8 spans a trace, requests of 512.

use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use tripline_collector::decode::{Signal, Traces};
use tripline_storage::ingest::Rows;

type Request = <Traces as Signal>::Request;

const SPANS: usize = 512;
const ROUNDS: usize = 400;

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    let value = Some(AnyValue {
        value: Some(Value::StringValue(value.into())),
    });
    KeyValue {
        key: key.to_owned(),
        value,
        key_strindex: 0,
    }
}

fn int(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue {
        value: Some(Value::IntValue(value)),
    });
    KeyValue {
        key: key.to_owned(),
        value,
        key_strindex: 0,
    }
}

fn span(at: usize) -> Span {
    let id = |seed: usize| (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let start = 1_700_000_000_000_000_000 + at as u64 * 1_000_000;
    Span {
        trace_id: [id(at / 8).to_be_bytes(), id(at / 8 + 7).to_be_bytes()].concat(),
        span_id: id(at + 1_000).to_be_bytes().to_vec(),
        parent_span_id: if at.is_multiple_of(8) {
            vec![]
        } else {
            id(at + 999).to_be_bytes().to_vec()
        },
        name: "GET /api/v1/products/{id}".into(),
        kind: 2 + i32::from(at.is_multiple_of(2)),
        start_time_unix_nano: start,
        end_time_unix_nano: start + 7_654_321,
        attributes: vec![
            text("http.request.method", "GET"),
            text("http.route", "/api/v1/products/{id}"),
            int(
                "http.response.status_code",
                if at.is_multiple_of(50) { 503 } else { 200 },
            ),
            text("url.path", format!("/api/v1/products/{}", id(at) % 10_000)),
            text("url.scheme", "https"),
            text("server.address", "catalog.shop.svc.cluster.local"),
            int("server.port", 8443),
            text("network.protocol.version", "1.1"),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
            text("client.address", format!("10.0.{}.{}", at % 250, at % 31)),
            int("thread.id", (at % 64) as i64),
            text("thread.name", "http-nio-8080-exec-7"),
            text("app.tenant", format!("tenant-{}", at % 40)),
            text("app.request_id", format!("{:016x}", id(at + 5))),
        ],
        flags: 0x101,
        status: Some(Status {
            message: String::new(),
            code: i32::from(at.is_multiple_of(50)) * 2,
        }),
        ..Span::default()
    }
}

fn request(service: usize) -> Request {
    let resource = Resource {
        attributes: vec![
            text("service.name", format!("service-{service}")),
            text("service.version", "1.4.2"),
            text("service.instance.id", format!("pod-{service}")),
            text("deployment.environment.name", "prod"),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: "http".into(),
        version: "1".into(),
        ..Default::default()
    };
    let spans = (0..SPANS).map(|at| span(at + service * SPANS)).collect();
    let scope_spans = vec![ScopeSpans {
        scope: Some(scope),
        spans,
        schema_url: String::new(),
    }];
    let resource_spans = vec![ResourceSpans {
        resource: Some(resource),
        scope_spans,
        schema_url: String::new(),
    }];
    Request { resource_spans }
}

/// CPU time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = stat
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    Duration::from_nanos(nanos)
}

/// The best of several rounds: the machine is shared.
fn per_span(name: &str, mut work: impl FnMut(usize) -> usize) {
    let (mut best, mut kept) = (Duration::MAX, 0_usize);
    for round in 0..ROUNDS {
        let start = cpu();
        kept = kept.wrapping_add(work(round % 20));
        best = best.min(cpu().saturating_sub(start));
    }
    let micros = best.as_secs_f64() * 1e6 / SPANS as f64;
    let line = format!("{name:<44} {micros:6.2} µs/span (kept {kept})\n");
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("stdout");
}

fn main() {
    let requests: Vec<Request> = (0..20).map(request).collect();
    let bodies: Vec<Vec<u8>> = requests.iter().map(prost::Message::encode_to_vec).collect();
    let texts: Vec<String> = requests.iter().map(Traces::encode_json).collect();
    per_span(
        &format!("protobuf to structs ({} B/span)", bodies[0].len() / SPANS),
        |at| {
            Request::decode(bodies[at].as_slice())
                .expect("our own")
                .resource_spans
                .len()
        },
    );
    per_span("protobuf to columns", |at| {
        Traces::from_protobuf(&bodies[at], 0)
            .expect("our own")
            .batch
            .items()
    });
    per_span("protobuf to Arrow", |at| {
        match Traces::from_protobuf(&bodies[at], 0)
            .expect("our own")
            .batch
            .rows
        {
            Rows::Spans(spans) => spans.finish().num_rows(),
            _ => 0,
        }
    });
    per_span(
        &format!("JSON to structs ({} B/span)", texts[0].len() / SPANS),
        |at| {
            Traces::decode_json(texts[at].as_bytes())
                .expect("our own")
                .resource_spans
                .len()
        },
    );
    per_span("JSON to columns", |at| {
        Traces::from_json(texts[at].as_bytes(), 0)
            .expect("our own")
            .batch
            .items()
    });
}
