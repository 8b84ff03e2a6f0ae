//! One service's stock OpenTelemetry pipeline: traces, logs and metrics over OTLP/gRPC.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

/// How often metrics are exported.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// The providers of one service.
pub(super) struct Pipeline {
    pub(super) traces: SdkTracerProvider,
    pub(super) logs: SdkLoggerProvider,
    pub(super) metrics: SdkMeterProvider,
}

impl Pipeline {
    /// Builds the pipeline of `service`, exporting to the OTLP/gRPC address `endpoint` (`host:port`).
    pub(super) fn new(
        service: &'static str,
        version: &'static str,
        endpoint: &str,
    ) -> anyhow::Result<Self> {
        let url = format!("http://{endpoint}");
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attributes([
                KeyValue::new("service.namespace", "shop"),
                KeyValue::new("service.version", version),
                KeyValue::new("service.instance.id", format!("{service}-1")),
                KeyValue::new("deployment.environment.name", "demo"),
            ])
            .build();
        let spans = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(&url)
            .build()?;
        let records = LogExporter::builder()
            .with_tonic()
            .with_endpoint(&url)
            .build()?;
        let points = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(&url)
            .build()?;
        Ok(Self {
            traces: SdkTracerProvider::builder()
                .with_batch_exporter(spans)
                .with_resource(resource.clone())
                .build(),
            logs: SdkLoggerProvider::builder()
                .with_batch_exporter(records)
                .with_resource(resource.clone())
                .build(),
            metrics: SdkMeterProvider::builder()
                .with_reader(
                    PeriodicReader::builder(points)
                        .with_interval(METRICS_EVERY)
                        .build(),
                )
                .with_resource(resource)
                .build(),
        })
    }
}
