//! Messages: one trace from producer to consumer.

use opentelemetry::trace::{SpanKind, TraceContextExt};
use tripline_sdk::instrument::Destination;

use super::bench::{bench, has};

#[tokio::test]
async fn a_message_carries_its_trace_from_producer_to_consumer() {
    let bench = bench();
    let parcels = Destination {
        system: "kafka",
        name: "parcels",
    };
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    bench.instrument.send(parcels, &mut headers).span().end();
    bench.instrument.process(parcels, &headers).span().end();
    let sent = bench.only(SpanKind::Producer).await;
    let processed = bench.only(SpanKind::Consumer).await;
    assert_eq!(processed.parent_span_id, sent.span_context.span_id());
    assert_eq!(
        processed.links.links[0].span_context.span_id(),
        sent.span_context.span_id()
    );
    assert_eq!(
        (&*sent.name, &*processed.name),
        ("send parcels", "process parcels")
    );
    has(
        &processed,
        &[
            ("messaging.system", "kafka"),
            ("messaging.operation.type", "process"),
        ],
    );
}
