//! An instrument whose spans and metrics are kept to be looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tripline_sdk::instrument::Instrument;

pub(super) struct Bench {
    pub(super) spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
    pub(super) instrument: Instrument,
}

pub(super) fn bench() -> Bench {
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();
    let metrics = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(metrics.clone())
        .build();
    let instrument = Instrument::new(tracers.tracer("test"), &meters.meter("test"));
    Bench {
        spans,
        metrics,
        meters,
        instrument,
    }
}

impl Bench {
    /// The finished spans of a kind; waits for one.
    async fn finished(&self, kind: SpanKind) -> Vec<SpanData> {
        for _ in 0..500 {
            let spans = self.spans.get_finished_spans().unwrap();
            let of_kind: Vec<_> = spans
                .into_iter()
                .filter(|span| span.span_kind == kind)
                .collect();
            if !of_kind.is_empty() {
                return of_kind;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no span of kind {kind:?} ended");
    }

    pub(super) async fn only(&self, kind: SpanKind) -> SpanData {
        let mut spans = self.finished(kind).await;
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }

    pub(super) fn metric_names(&self) -> Vec<String> {
        self.meters.force_flush().unwrap();
        let collected = self.metrics.get_finished_metrics().unwrap();
        let scopes = collected.iter().flat_map(ResourceMetrics::scope_metrics);
        scopes
            .flat_map(|scope| scope.metrics().map(|metric| metric.name().to_owned()))
            .collect()
    }
}

pub(super) fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let pairs = span.attributes.iter();
    pairs
        .map(|pair| (pair.key.to_string(), pair.value.to_string()))
        .collect()
}

pub(super) fn has(span: &SpanData, expected: &[(&str, &str)]) {
    let found = attributes(span);
    for (key, value) in expected {
        assert_eq!(
            found.get(*key).map(String::as_str),
            Some(*value),
            "{key} of {found:?}"
        );
    }
}
