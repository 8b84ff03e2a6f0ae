//! What a question is asked on.

use std::time::Instant;

use duckdb::Connection;

/// A leased connection with the segments behind its views. Borrowed from the reader that holds the lease.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// Search path set so that the public views resolve.
    pub connection: &'a Connection,
    /// Oldest first.
    pub segments: &'a [SegmentPart],
    /// After it, the question is interrupted and answers [`QueryError::Deadline`].
    pub deadline: Option<Instant>,
}

/// What a segment is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// Hot tables: attributes as text, rows in order of arrival. Also one that is being sealed.
    Hot,
    /// Sealed tables: attributes as VARIANT, spans sorted by trace id, roll-ups beside them.
    Sealed,
    /// Sealed tables of rows whose event time lies far from their arrival; never pruned by time.
    Outliers,
}

/// One attached segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentPart {
    /// Where its tables are, as SQL may say it: `s17.main`. Made by the store, never from outside.
    pub schema: String,
    /// What it is.
    pub kind: SegmentKind,
    /// Earliest event time of any row, if it has one.
    pub event_min_unix_nano: Option<i64>,
    /// Latest event time of any row, if it has one.
    pub event_max_unix_nano: Option<i64>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It took longer than it may.
    #[error("the question took longer than it may")]
    Deadline,
    /// The question itself is wrong: its cursor, a filter.
    #[error("{0}")]
    Invalid(&'static str),
    /// The engine failed.
    #[error("the store could not answer")]
    Engine(#[from] duckdb::Error),
}
