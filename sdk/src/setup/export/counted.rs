//! Counts what left and what was lost: an exporter drops what it could not send, and says how much.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::logs::Severity;
use opentelemetry::metrics::Meter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// How many spans, log records and metric points were sent, or lost for good.
///
/// ```
/// use tripline_sdk::setup::Exported;
/// let nothing_yet = Exported::default();
/// assert_eq!(nothing_yet.spans_lost, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Spans a collector took.
    pub spans: u64,
    /// Spans no collector took: refused, too big, or the retries were over.
    pub spans_lost: u64,
    /// Log records a collector took.
    pub logs: u64,
    /// Log records no collector took.
    pub logs_lost: u64,
    /// Metric points a collector took.
    pub points: u64,
    /// Metric points no collector took. The next ones carry the counts on.
    pub points_lost: u64,
}

/// The counts of one pipeline. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(in crate::setup) struct Counts(Arc<[Count; 3]>);

#[derive(Debug, Default)]
struct Count {
    sent: AtomicU64,
    failed: AtomicU64,
    timed_out: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Spans,
    Logs,
    Points,
}

/// OpenTelemetry's names for what an exporter counts.
const METRICS: [(&str, &str); 3] = [
    ("otel.sdk.exporter.span.exported", "{span}"),
    ("otel.sdk.exporter.log.exported", "{log_record}"),
    (
        "otel.sdk.exporter.metric_data_point.exported",
        "{data_point}",
    ),
];

impl Counts {
    fn add(&self, kind: Kind, number: usize, result: &OTelSdkResult) {
        let count = &self.0[kind as usize];
        let counter = match result {
            Ok(()) => &count.sent,
            Err(OTelSdkError::Timeout(_)) => &count.timed_out,
            Err(_) => &count.failed,
        };
        counter.fetch_add(number as u64, Ordering::Relaxed);
    }

    pub(in crate::setup) fn read(&self) -> Exported {
        let sent = |kind: Kind| self.0[kind as usize].sent.load(Ordering::Relaxed);
        let lost = |kind: Kind| {
            let count = &self.0[kind as usize];
            count.failed.load(Ordering::Relaxed) + count.timed_out.load(Ordering::Relaxed)
        };
        Exported {
            spans: sent(Kind::Spans),
            spans_lost: lost(Kind::Spans),
            logs: sent(Kind::Logs),
            logs_lost: lost(Kind::Logs),
            points: sent(Kind::Points),
            points_lost: lost(Kind::Points),
        }
    }

    /// Tells them as metrics. What never happened is not told.
    pub(in crate::setup) fn observe(&self, meter: &Meter) {
        for (index, (name, unit)) in METRICS.into_iter().enumerate() {
            let counts = self.clone();
            meter
                .u64_observable_counter(name)
                .with_unit(unit)
                .with_callback(move |counter| {
                    let count = &counts.0[index];
                    for (of, error) in [
                        (&count.sent, None),
                        (&count.failed, Some("_OTHER")),
                        (&count.timed_out, Some("timeout")),
                    ] {
                        let number = of.load(Ordering::Relaxed);
                        let error = error.map(|error| KeyValue::new("error.type", error));
                        if number > 0 {
                            counter.observe(number, error.as_slice());
                        }
                    }
                })
                .build();
        }
    }
}

/// An exporter whose results are counted.
#[derive(Debug)]
pub(in crate::setup) struct Counted<E> {
    pub(super) inner: E,
    pub(super) counts: Counts,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let number = batch.len();
        let result = self.inner.export(batch).await;
        self.counts.add(Kind::Spans, number, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let number = batch.iter().count();
        let result = self.inner.export(batch).await;
        self.counts.add(Kind::Logs, number, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.inner.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Counted<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.inner.export(metrics).await;
        let number = metrics
            .scope_metrics()
            .flat_map(ScopeMetrics::metrics)
            .map(|metric| match metric.data() {
                AggregatedMetrics::F64(data) => points(data),
                AggregatedMetrics::U64(data) => points(data),
                AggregatedMetrics::I64(data) => points(data),
            })
            .sum();
        self.counts.add(Kind::Points, number, &result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

fn points<T>(data: &MetricData<T>) -> usize {
    match data {
        MetricData::Gauge(gauge) => gauge.data_points().count(),
        MetricData::Sum(sum) => sum.data_points().count(),
        MetricData::Histogram(histogram) => histogram.data_points().count(),
        MetricData::ExponentialHistogram(histogram) => histogram.data_points().count(),
    }
}
