//! One segment: a DuckDB file that holds everything needed to read it.
//!
//! A *hot* segment is appended to by the writer and keeps attribute maps as text; a *sealed* one is sorted,
//! keeps them as VARIANT and never changes again. Both have the tables of [`tables`]. What a segment
//! says about itself is its [`meta`]; what it looks like to a query is written by [`views`].

pub(crate) mod bloom;
mod dictionary;
pub(crate) mod files;
pub(crate) mod hot;
pub(crate) mod meta;
pub(crate) mod migrate;
pub(crate) mod tables;
pub(crate) mod views;

use std::path::PathBuf;
use std::sync::Arc;

use crate::store::Retirement;

pub(crate) use bloom::TraceFilter;
pub(crate) use meta::Meta;

/// Where a segment is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentState {
    /// The writer appends to it, or will next.
    Hot,
    /// Full; waiting for the sealer.
    Rotated,
    /// Sorted and immutable.
    Sealed,
}

/// A schema with every sealed table and no rows: gives relations their columns when no segment does.
pub(crate) const EMPTY_SCHEMA: &str = "memory.nothing";

/// One attached segment of a set. Immutable but for what the writer appends to a hot one.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its number; never used twice.
    pub id: u64,
    /// Where it is in its life.
    pub state: SegmentState,
    pub(crate) attachment: Arc<Attachment>,
    pub(crate) meta: Meta,
    pub(crate) traces: Option<Arc<TraceFilter>>,
}

impl Segment {
    /// The name it is attached under.
    pub fn alias(&self) -> &str {
        &self.attachment.alias
    }

    /// The qualified schema its tables are in, ready for SQL text.
    pub fn schema(&self) -> String {
        format!("\"{}\".main", self.attachment.alias)
    }

    /// Whether there may be evidence of breakers in it: `false` is certain.
    pub(crate) fn may_have_evidence(&self) -> bool {
        self.is_text() || self.meta.evidence != Some(0)
    }

    /// It as the views of breakers see it.
    pub(crate) fn evidence(&self) -> crate::resilience::views::Part {
        crate::resilience::views::Part {
            schema: self.schema(),
            is_hot: self.is_text(),
        }
    }

    /// Whether the attribute maps are text.
    pub fn is_text(&self) -> bool {
        self.state != SegmentState::Sealed
    }

    /// Whether only roll-ups and breaker history are left of it.
    pub fn is_history(&self) -> bool {
        self.meta.is_history
    }

    /// Whether it has rows of telemetry to show: a history has those of pinned traces alone, or none.
    pub(crate) fn has_rows(&self) -> bool {
        !self.meta.is_history || self.meta.rows() > 0
    }

    /// Rows of all signals; 0 for a hot one, which does not count.
    pub fn rows(&self) -> u64 {
        self.meta.rows()
    }

    /// Whether spans of the trace may be in it: `false` is certain.
    pub fn may_hold_trace(&self, trace_id: &str) -> bool {
        self.traces
            .as_ref()
            .is_none_or(|traces| traces.may_hold(trace_id))
    }

    /// Whether events of these times (nanoseconds since the epoch, both inclusive) may be in its main
    /// tables. Outliers live apart and are always searched.
    pub fn may_hold_time(&self, from: i64, to: i64) -> bool {
        if self.is_text() || self.meta.outliers > 0 {
            return true;
        }
        self.meta
            .event_range
            .is_some_and(|(first, last)| first <= to && from <= last)
    }
}

/// An attached file. When nobody holds it any more the janitor detaches it and, if its rows are elsewhere
/// or expired, unlinks it.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub id: u64,
    pub alias: String,
    pub path: PathBuf,
    pub retirement: Retirement,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let (alias, path) = (
            std::mem::take(&mut self.alias),
            std::mem::take(&mut self.path),
        );
        self.retirement.retire_segment(self.id, alias, path);
    }
}
