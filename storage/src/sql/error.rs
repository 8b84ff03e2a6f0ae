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

    /// The same with the lines of the statement as its author counts them: so many of ours stood above it.
    #[must_use]
    pub(super) fn below(self, lines: usize) -> Self {
        match self {
            Self::Invalid { message } => Self::Invalid {
                message: renumbered(&message, lines),
            },
            other => other,
        }
    }
}

/// A message of DuckDB's whose `LINE 3: SELECT …` is `lines` less. The mark under the line keeps its place.
fn renumbered(message: &str, lines: usize) -> String {
    const LINE: &str = "\nLINE ";
    let parts = message.rsplit_once(LINE).and_then(|(before, rest)| {
        let (number, source) = rest.split_once(": ")?;
        Some((before, number, number.parse::<usize>().ok()?, source))
    });
    let Some((before, digits, number, source)) = parts else {
        return message.to_owned();
    };
    let own = number.saturating_sub(lines).max(1).to_string();
    let shorter = " ".repeat(digits.len() - own.len());
    let source = match source.split_once('\n') {
        Some((source, mark)) => {
            let mark = mark.strip_prefix(&shorter).unwrap_or(mark);
            format!("{source}\n{mark}")
        }
        None => source.to_owned(),
    };
    format!("{before}{LINE}{own}: {source}")
}

/// What to write instead, where DuckDB 2.0.0 makes no text of a map whose keys differ only in case, or where what takes
/// JSON was given a VARIANT.
fn hinted(message: &str) -> String {
    if message.contains("Malformed JSON at byte") {
        return format!(
            "{message}\n\nAn attribute is a VARIANT: `->`, json_extract(), json_each() and their like read it as JSON, \
             attributes::JSON->'key'"
        );
    }
    if !message.contains("duplicate name") || !message.contains("in struct") {
        return message.to_owned();
    }
    format!(
        "{message}\n\nA map whose keys differ only in case is stored and has no text form. Read it as JSON, \
         attributes.\"key\"::JSON->>'$', and SUMMARIZE columns by name"
    )
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
                message: hinted(message),
            },
            _ => Self::Failed { source: error },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_statement_alone() {
        let said = "Binder Error: no such column!\n\nLINE 3: SELECT b\n               ^";
        let own = "Binder Error: no such column!\n\nLINE 1: SELECT b\n               ^";
        assert_eq!(renumbered(said, 2), own);
        // A digit less: the mark moves with the line.
        let said = "no!\n\nLINE 10: b\n         ^";
        assert_eq!(renumbered(said, 1), "no!\n\nLINE 9: b\n        ^");
        for other in ["Out of Range Error: 5", "x\nLINE many: y", "x\nLINE 7"] {
            assert_eq!(renumbered(other, 2), other);
        }
    }
}
