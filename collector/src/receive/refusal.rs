//! Why a request was not taken, and the one table of what each protocol says about it.
//!
//! | refusal | gRPC | HTTP | retryable |
//! |---|---|---|---|
//! | malformed, unknown coding | INVALID_ARGUMENT | 400 | no |
//! | unauthenticated | UNAUTHENTICATED | 401 | no |
//! | forbidden | PERMISSION_DENIED | 403 | no |
//! | signal not served | UNIMPLEMENTED | 404 | no |
//! | not POST | UNIMPLEMENTED | 405 | no |
//! | unknown media type | INVALID_ARGUMENT | 415 | no |
//! | too large | RESOURCE_EXHAUSTED without RetryInfo | 413 | no |
//! | overloaded, unavailable, closing | UNAVAILABLE + RetryInfo | 503 + Retry-After | yes |
//! | deadline | DEADLINE_EXCEEDED | 503 | yes |
//! | internal (a bug of ours) | INTERNAL | 500 | no |
//!
//! The texts are ours and short; what the store or the system said goes to the log, never to the client.

use std::time::Duration;

use ::http::StatusCode;
use tonic::Code;
use tripline_storage::store::AppendError;

use crate::decode::Malformed;

/// Longest message that travels in a header, in bytes.
const MESSAGE_BYTES_MAX: usize = 400;

/// A refusal; nothing of the request was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The payload cannot be read; never send it again.
    #[error("invalid request: {description}")]
    Malformed {
        /// Path of the field, empty when not known.
        field: String,
        /// What is wrong.
        description: String,
    },
    /// The content coding is none of ours.
    #[error(
        "unsupported content-encoding, supported: gzip, zstd, zlib, deflate, snappy, x-snappy-framed, lz4"
    )]
    UnknownCoding,
    /// The content type is none of ours.
    #[error("unsupported content-type, supported: application/json, application/x-protobuf")]
    UnknownMedia,
    /// An encoding of gRPC-web that is none of ours.
    #[error(
        "unsupported content-type, supported of gRPC-web: application/grpc-web, application/grpc-web+proto, \
         application/grpc-web-text, application/grpc-web-text+proto"
    )]
    UnknownWebMedia,
    /// No credentials, or none we know.
    #[error("missing or unknown credentials")]
    Unauthenticated,
    /// Known credentials that may not send this signal.
    #[error("these credentials may not send this signal")]
    Forbidden,
    /// A path or method we do not serve.
    #[error(
        "not served here; paths: /v1/traces, /v1/metrics, /v1/logs unless configured otherwise"
    )]
    NotServed,
    /// Not a POST.
    #[error("405 method not allowed, supported: [POST]")]
    NotPost,
    /// Larger than the limit, before or after decompression.
    #[error(
        "request exceeds the limit of {limit} bytes, before or after decompression; send smaller batches"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// No room now.
    #[error("overloaded, try again later")]
    Overloaded {
        /// When a retry is likely to pass.
        retry_after: Duration,
    },
    /// The store cannot commit now.
    #[error("storage is not available, try again later")]
    Unavailable {
        /// When a retry is likely to pass.
        retry_after: Duration,
    },
    /// This server stops; its successor will take the request.
    #[error("shutting down, try again later")]
    Closing,
    /// The request did not arrive, or could not be committed, in time.
    #[error("the request took too long")]
    Deadline,
    /// A bug of ours.
    #[error("internal error")]
    Internal,
}

impl Refusal {
    /// An unreadable payload; both texts are cut to a bound.
    pub(super) fn malformed(field: &str, description: &str) -> Self {
        Malformed::new(field, description).into()
    }

    /// The table: gRPC code, HTTP status, word for counters.
    pub(super) fn row(&self) -> (Code, StatusCode, &'static str) {
        match self {
            Self::Malformed { .. } => (Code::InvalidArgument, StatusCode::BAD_REQUEST, "malformed"),
            Self::UnknownCoding => (
                Code::InvalidArgument,
                StatusCode::BAD_REQUEST,
                "unknown_coding",
            ),
            Self::UnknownMedia | Self::UnknownWebMedia => (
                Code::InvalidArgument,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unknown_media",
            ),
            Self::Unauthenticated => (
                Code::Unauthenticated,
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
            ),
            Self::Forbidden => (Code::PermissionDenied, StatusCode::FORBIDDEN, "forbidden"),
            Self::NotServed => (Code::Unimplemented, StatusCode::NOT_FOUND, "not_served"),
            Self::NotPost => (
                Code::Unimplemented,
                StatusCode::METHOD_NOT_ALLOWED,
                "not_post",
            ),
            Self::TooLarge { .. } => (
                Code::ResourceExhausted,
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
            ),
            Self::Overloaded { .. } => (
                Code::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
            ),
            Self::Unavailable { .. } => (
                Code::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
            ),
            Self::Closing => (
                Code::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "closing",
            ),
            Self::Deadline => (
                Code::DeadlineExceeded,
                StatusCode::SERVICE_UNAVAILABLE,
                "deadline",
            ),
            Self::Internal => (
                Code::Internal,
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
            ),
        }
    }

    /// Words of all rows, for the counters.
    pub(super) const WORDS: [&'static str; 13] = [
        "malformed",
        "unknown_coding",
        "unknown_media",
        "unauthenticated",
        "forbidden",
        "not_served",
        "not_post",
        "too_large",
        "overloaded",
        "unavailable",
        "closing",
        "deadline",
        "internal",
    ];

    /// When to try again, where we know better than the client.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after } | Self::Unavailable { retry_after } => {
                Some(*retry_after)
            }
            Self::Closing => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// The message for the client.
    pub(super) fn message(&self) -> String {
        let mut text = self.to_string();
        if text.len() > MESSAGE_BYTES_MAX {
            text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
            text.push('…');
        }
        text
    }

    /// Field and description of a bad request, for `google.rpc.BadRequest`.
    pub(super) fn violation(&self) -> Option<(&str, &str)> {
        match self {
            Self::Malformed { field, description } => Some((field, description)),
            _ => None,
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed {
            field: malformed.field,
            description: malformed.description,
        }
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            AppendError::TooLarge { limit, .. } => Self::TooLarge { limit },
            AppendError::Unavailable {
                retry_after,
                source,
            } => {
                tracing::error!(error = %source, "the store could not commit");
                Self::Unavailable { retry_after }
            }
            AppendError::Invalid { reason } => Self::Malformed {
                field: "request".to_owned(),
                description: reason,
            },
            AppendError::Closing => Self::Closing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Refusal> {
        let retry_after = Duration::from_secs(2);
        vec![
            Refusal::malformed("a", "b"),
            Refusal::UnknownCoding,
            Refusal::UnknownMedia,
            Refusal::UnknownWebMedia,
            Refusal::Unauthenticated,
            Refusal::Forbidden,
            Refusal::NotServed,
            Refusal::NotPost,
            Refusal::TooLarge { limit: 1 },
            Refusal::Overloaded { retry_after },
            Refusal::Unavailable { retry_after },
            Refusal::Closing,
            Refusal::Deadline,
            Refusal::Internal,
        ]
    }

    #[test]
    fn e03_e04_e05_both_protocols_agree_on_what_may_be_retried() {
        for refusal in all() {
            let (code, status, word) = refusal.row();
            let grpc_retryable = matches!(
                code,
                Code::Cancelled
                    | Code::DeadlineExceeded
                    | Code::Aborted
                    | Code::OutOfRange
                    | Code::Unavailable
                    | Code::DataLoss
            ) || (code == Code::ResourceExhausted
                && refusal.retry_after().is_some());
            let http_retryable = matches!(status.as_u16(), 429 | 502 | 503 | 504);
            assert_eq!(grpc_retryable, http_retryable, "{refusal:?}");
            assert!(
                refusal.retry_after().is_none() || http_retryable,
                "{refusal:?}"
            );
            assert!(Refusal::WORDS.contains(&word), "{word}");
        }
    }

    #[test]
    fn e06_the_http_status_follows_the_grpc_code() {
        for refusal in all() {
            let (code, status, _) = refusal.row();
            let expected: &[u16] = match code {
                Code::DeadlineExceeded | Code::Unavailable => &[503],
                // 413 is what L02 asks for; without RetryInfo 429 would be a lie.
                Code::ResourceExhausted => &[413],
                Code::InvalidArgument => &[400, 415],
                Code::Unauthenticated => &[401],
                Code::PermissionDenied => &[403],
                Code::Unimplemented => &[404, 405],
                _ => &[500],
            };
            assert!(expected.contains(&status.as_u16()), "{refusal:?} {status}");
        }
    }

    #[test]
    fn e09_messages_are_short() {
        let long = "x".repeat(100_000);
        let refusal = Refusal::malformed(&long, &long);
        assert!(refusal.message().len() < 512);
        assert!(
            refusal
                .violation()
                .is_some_and(|(field, text)| field.len() + text.len() < 1024)
        );
    }
}
