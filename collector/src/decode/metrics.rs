//! Metrics: data points to columns.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use tripline_storage::ingest::{Batch, MetricColumns, Rows};

use super::response::{partial_success_json, rejected_i64};
use super::{Decoded, Drops, Malformed, Signal};

/// The signal of data points.
#[derive(Debug, Clone, Copy)]
pub struct Metrics;

impl Signal for Metrics {
    type Request = ExportMetricsServiceRequest;
    type Response = ExportMetricsServiceResponse;

    const NAME: &'static str = "metrics";
    const ITEMS: &'static str = "data points";

    fn decode_json(_body: &[u8]) -> Result<Self::Request, Malformed> {
        Err(Malformed::new("", "JSON is not landed yet"))
    }

    fn into_batch(_request: Self::Request, _arrival_unix_nano: u64) -> Decoded {
        let rows = Rows::Metrics(MetricColumns::default());
        Decoded {
            batch: Batch {
                resources: Vec::new(),
                scopes: Vec::new(),
                rows,
                bytes: 0,
            },
            dropped: Drops::default(),
        }
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
