//! Metrics: data points to columns.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use tripline_storage::ingest::Rows;

use super::envelope::Envelope;
use super::points::MetricEncoder;
use super::response::{partial_success_json, rejected_i64};
use super::{Decoded, Malformed, Signal, json};

/// The signal of data points.
#[derive(Debug, Clone, Copy)]
pub struct Metrics;

impl Signal for Metrics {
    type Request = ExportMetricsServiceRequest;
    type Response = ExportMetricsServiceResponse;

    const NAME: &'static str = "metrics";
    const ITEMS: &'static str = "data points";

    fn decode_json(body: &[u8]) -> Result<Self::Request, Malformed> {
        json::decode(body, json::metrics_request)
    }

    fn encode_json(request: &Self::Request) -> String {
        json::metrics_text(request)
    }

    fn columns(request: Self::Request, _arrival_unix_nano: u64) -> Decoded {
        let mut envelope = Envelope::default();
        let mut encoder = MetricEncoder::default();
        for resource_metrics in &request.resource_metrics {
            let resource = envelope.resource(
                resource_metrics.resource.as_ref(),
                &resource_metrics.schema_url,
            );
            for scope_metrics in &resource_metrics.scope_metrics {
                let scope = envelope.scope(scope_metrics.scope.as_ref(), &scope_metrics.schema_url);
                for metric in &scope_metrics.metrics {
                    encoder.push(resource.index, scope, metric, &mut envelope.drops);
                }
            }
        }
        let (batch, dropped) = envelope.into_batch(Rows::Metrics(encoder.columns));
        Decoded { batch, dropped }
    }

    fn response(rejected: u64, message: String) -> Self::Response {
        let partial_success =
            (rejected > 0 || !message.is_empty()).then(|| ExportMetricsPartialSuccess {
                rejected_data_points: rejected_i64(rejected),
                error_message: message,
            });
        ExportMetricsServiceResponse { partial_success }
    }

    fn response_json(rejected: u64, message: &str) -> String {
        partial_success_json("rejectedDataPoints", rejected, message)
    }
}
