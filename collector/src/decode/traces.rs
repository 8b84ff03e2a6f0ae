//! Traces: spans to columns.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tripline_storage::ingest::Rows;

use super::envelope::Envelope;
use super::response::{partial_success_json, rejected_i64};
use super::spans::SpanEncoder;
use super::{Decoded, Malformed, Signal, from_structs, json, wire};

/// The signal of spans.
#[derive(Debug, Clone, Copy)]
pub struct Traces;

impl Signal for Traces {
    type Request = ExportTraceServiceRequest;
    type Response = ExportTraceServiceResponse;

    const NAME: &'static str = "traces";
    const ITEMS: &'static str = "spans";

    fn decode_json(body: &[u8]) -> Result<Self::Request, Malformed> {
        json::decode(body, json::traces_request)
    }

    fn encode_json(request: &Self::Request) -> String {
        json::traces_text(request)
    }

    fn columns(request: Self::Request, _arrival_unix_nano: u64) -> Decoded {
        let mut envelope = Envelope::default();
        let mut encoder = SpanEncoder::default();
        for resource_spans in &request.resource_spans {
            let resource =
                envelope.resource(resource_spans.resource.as_ref(), &resource_spans.schema_url);
            for scope_spans in &resource_spans.scope_spans {
                let scope = envelope.scope(scope_spans.scope.as_ref(), &scope_spans.schema_url);
                for span in &scope_spans.spans {
                    encoder.push(resource, scope, span, &mut envelope.drops);
                }
            }
        }
        let (batch, dropped) = envelope.into_batch(Rows::Spans(encoder.columns));
        Decoded { batch, dropped }
    }

    /// Without the structs where the body is plain, which is nearly always.
    fn from_protobuf(body: &[u8], arrival_unix_nano: u64) -> Result<Decoded, Malformed> {
        match wire::traces(body) {
            Ok(mut decoded) => {
                decoded.batch.bytes = body.len();
                Ok(decoded)
            }
            Err(wire::Unusual) => from_structs::<Self>(body, arrival_unix_nano),
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
