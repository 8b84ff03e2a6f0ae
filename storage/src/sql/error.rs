//! What can go wrong with a statement, by what its author does about it.

use std::time::Duration;

use super::guard::Refusal;

/// Why a statement has no (complete) answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// It may not run here.
    #[error("{reason}")]
    Refused {
        /// What is not allowed.
        reason: String,
        /// Where it stands, in bytes.
        position: Option<usize>,
    },
    /// It is not SQL.
    #[error("{message}")]
    Syntax {
        /// What the parser said.
        message: String,
        /// Where it stopped, in bytes.
        position: Option<usize>,
    },
    /// It is SQL, but names what is not there, mixes types, or fails on a value.
    #[error("{message}")]
    Invalid {
        /// What DuckDB said.
        message: String,
    },
    /// It ran longer than allowed.
    #[error("the query was stopped after {} ms", limit.as_millis())]
    Deadline {
        /// The bound.
        limit: Duration,
    },
    /// It needed more memory or temporary disk than there is for queries.
    #[error("the query was stopped because {what}")]
    Memory {
        /// Which bound it reached.
        what: String,
    },
    /// Too many statements run already; a retry may pass.
    #[error("{running} queries are running, which is the limit")]
    Busy {
        /// How many run.
        running: usize,
        /// When a retry is likely to pass.
        retry_after: Duration,
    },
    /// The result has a type the format cannot hold.
    #[error("{message}")]
    Unsupported {
        /// Which, and what to do.
        message: String,
    },
    /// A file turned out to be damaged and was set aside; the rest answers the next time.
    #[error(
        "a damaged file was set aside; ask again: the rest answers. The status page names the file, which stays on disk"
    )]
    Damaged,
    /// Whoever asked is gone.
    #[error("the reader of the result is gone")]
    Gone,
    /// The engine failed; nothing the author can do.
    #[error("the query failed inside the engine")]
    Failed {
        /// What DuckDB said, for the log.
        #[source]
        source: duckdb::Error,
    },
}

impl SqlError {
    /// Tells the store what the engine failed with: [`Self::Damaged`] if that took a file out of the set.
    #[must_use]
    pub fn reported(self, store: &crate::store::Store) -> Self {
        match self {
            Self::Failed { source } if store.report(&source) => Self::Damaged,
            other => other,
        }
    }
}

impl From<Refusal> for SqlError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused { reason, position } => Self::Refused { reason, position },
            Refusal::Syntax { message, position } => Self::Syntax { message, position },
        }
    }
}

impl From<duckdb::Error> for SqlError {
    /// By the kind DuckDB writes before its message.
    fn from(error: duckdb::Error) -> Self {
        let duckdb::Error::DuckDBFailure(_, Some(message)) = &error else {
            return Self::Failed { source: error };
        };
        let kind = message.split(':').next().unwrap_or_default();
        match kind.trim_end_matches(" Error") {
            "Out of Memory" => Self::Memory {
                what: "it needs more memory than queries have".to_owned(),
            },
            "Parser" => Self::Syntax {
                message: message.clone(),
                position: None,
            },
            "Binder"
            | "Catalog"
            | "Conversion"
            | "Invalid Input"
            | "Invalid"
            | "Out of Range"
            | "Not implemented"
            | "Mismatch Type"
            | "Divide by Zero"
            | "Invalid type"
            | "Decimal"
            | "Object Size"
            | "Sequence"
            | "Invalid Configuration"
            | "Syntax"
            | "Constraint"
            | "Permission"
            | "Missing Extension"
            | "Optimizer"
            | "Parameter Not Resolved"
            | "Parameter Not Allowed" => Self::Invalid {
                message: message.clone(),
            },
            _ => Self::Failed { source: error },
        }
    }
}
