//! Traces: spans to columns.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tripline_storage::ingest::{Batch, Rows, SpanColumns};

use super::response::{partial_success_json, rejected_i64};
use super::{Decoded, Drops, Malformed, Signal};

/// The signal of spans.
#[derive(Debug, Clone, Copy)]
pub struct Traces;

impl Signal for Traces {
    type Request = ExportTraceServiceRequest;
    type Response = ExportTraceServiceResponse;

    const NAME: &'static str = "traces";
    const ITEMS: &'static str = "spans";

    fn decode_json(_body: &[u8]) -> Result<Self::Request, Malformed> {
        Err(Malformed::new("", "JSON is not landed yet"))
    }

    fn into_batch(_request: Self::Request, _arrival_unix_nano: u64) -> Decoded {
        let rows = Rows::Spans(SpanColumns::default());
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
            (rejected > 0 || !message.is_empty()).then(|| ExportTracePartialSuccess {
                rejected_spans: rejected_i64(rejected),
                error_message: message,
            });
        ExportTraceServiceResponse { partial_success }
    }

    fn response_json(rejected: u64, message: &str) -> String {
        partial_success_json("rejectedSpans", rejected, message)
    }
}
