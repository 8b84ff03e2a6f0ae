//! Logs: log records to columns.

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use tripline_storage::ingest::{Batch, LogColumns, Rows};

use super::response::{partial_success_json, rejected_i64};
use super::{Decoded, Drops, Malformed, Signal};

/// The signal of log records.
#[derive(Debug, Clone, Copy)]
pub struct Logs;

impl Signal for Logs {
    type Request = ExportLogsServiceRequest;
    type Response = ExportLogsServiceResponse;

    const NAME: &'static str = "logs";
    const ITEMS: &'static str = "log records";

    fn decode_json(_body: &[u8]) -> Result<Self::Request, Malformed> {
        Err(Malformed::new("", "JSON is not landed yet"))
    }

    fn into_batch(_request: Self::Request, _arrival_unix_nano: u64) -> Decoded {
        let rows = Rows::Logs(LogColumns::default());
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
            (rejected > 0 || !message.is_empty()).then(|| ExportLogsPartialSuccess {
                rejected_log_records: rejected_i64(rejected),
                error_message: message,
            });
        ExportLogsServiceResponse { partial_success }
    }

    fn response_json(rejected: u64, message: &str) -> String {
        partial_success_json("rejectedLogRecords", rejected, message)
    }
}
