//! One segment: a DuckDB file that holds everything needed to read it.
//!
//! A *hot* segment is appended to by the writer and keeps attribute maps as text; a *sealed* one is sorted,
//! keeps them as VARIANT and never changes again. Both have the tables of [`tables`]. What a segment
//! says about itself is its [`meta`]; what it looks like to a query is written by [`views`].

pub(crate) mod ahead;
pub(crate) mod bloom;
mod dictionary;
pub(crate) mod files;
pub(crate) mod grown;
pub(crate) mod having;
pub(crate) mod hops;
pub(crate) mod hot;
pub(crate) mod kept;
pub(crate) mod keys;
pub(crate) mod live;
pub(crate) mod meta;
pub(crate) mod migrate;
pub(crate) mod origins;
pub(crate) mod places;
pub(crate) mod runs;
pub(crate) mod sampled;
pub(crate) mod sent;
pub(crate) mod tables;
pub(crate) mod views;

use std::path::PathBuf;
use std::sync::Arc;

use crate::retirement::Retirement;
use crate::rollup::Part;
use meta::{SIGNALS, Times};

pub(crate) use bloom::TraceFilter;
pub(crate) use kept::{Kept, Sender};
pub(crate) use keys::Keys;
pub(crate) use live::Live;
pub(crate) use meta::Meta;
pub(crate) use places::Places;

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

/// One attached segment of a set. Immutable but for what the writer appends to a hot one.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its number; never used twice.
    pub id: u64,
    /// Where it is in its life.
    pub state: SegmentState,
    pub(crate) attachment: Arc<Attachment>,
    pub(crate) meta: Meta,
    /// Its traces, of each of its runs if it has any; none where they are not known.
    pub(crate) traces: Vec<Arc<TraceFilter>>,
    /// Where its spans lie.
    pub(crate) places: Places,
    /// What the writer says of it, if this process made it.
    pub(crate) live: Option<Arc<Live>>,
    /// What was read of it before.
    pub(crate) kept: Kept,
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
        match &self.live {
            Some(live) => live.may_have_evidence(),
            None => self.may_ever_have_evidence(),
        }
    }

    /// A number that changes with every committed batch of evidence in it.
    pub(crate) fn evidence_seen(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.evidence())
    }

    /// The same for as long as it exists: the writer may still add some.
    pub(crate) fn may_ever_have_evidence(&self) -> bool {
        self.is_text() || self.meta.evidence != Some(0)
    }

    /// Whether a fact relation has rows in it: `false` is certain.
    pub(crate) fn may_have(&self, relation: &str) -> bool {
        match (&self.live, relation) {
            (Some(live), "exemplars") => live.may_have_exemplars(),
            (Some(live), _) => signal_of(relation).is_none_or(|signal| live.may_have(signal)),
            (None, _) => self.may_ever_have(relation),
        }
    }

    /// The same for as long as it exists.
    pub(crate) fn may_ever_have(&self, relation: &str) -> bool {
        self.is_text()
            || match relation {
                "spans" => self.meta.spans > 0,
                "logs" => self.meta.logs > 0,
                "metric_points" => self.meta.points > 0,
                "exemplars" => self.meta.exemplars > 0,
                _ => true,
            }
    }

    /// What is known of the attribute keys of a fact relation's rows in it.
    pub(crate) fn keys(&self, relation: &str) -> Keys {
        match relation {
            "spans" if !self.is_text() => self.meta.span_keys.clone(),
            "logs" if !self.is_text() => self.meta.log_keys.clone(),
            _ => Keys::default(),
        }
    }

    /// The attribute keys of each of its `runs` of spans: those of all, where nobody told them apart.
    pub(crate) fn keys_of_runs(&self, runs: usize) -> Vec<Keys> {
        let apart = &self.meta.run_keys;
        if apart.len() == runs {
            apart.clone()
        } else {
            vec![self.meta.span_keys.clone(); runs]
        }
    }

    /// Rows of each of its runs of spans, and the keys they have; none where nobody told them apart.
    pub(crate) fn keyed_runs(&self) -> Vec<(u64, Keys)> {
        let (runs, apart) = (&self.meta.runs[0], &self.meta.run_keys);
        if runs.len() != apart.len() {
            return Vec::new();
        }
        let rows = runs.iter().map(|run| run.rows);
        rows.zip(apart.iter().cloned()).collect()
    }

    /// Its spans in stretches that differ in which of these keys they have; none where they do not.
    pub(crate) fn stretches(&self, keys: &[&str]) -> Vec<keys::Stretch> {
        keys::stretches(&self.keyed_runs(), keys)
    }

    /// Whether roll-ups of calls are in it, or spans they are made from: `false` is certain.
    pub(crate) fn may_have_calls(&self) -> bool {
        self.is_history() || self.may_have("spans")
    }

    /// Whether roll-ups of buckets between these times (nanoseconds, both inclusive) may be in it: `false` is certain.
    pub(crate) fn may_hold_calls(&self, from: i64, to: i64) -> bool {
        let from = from.saturating_sub(crate::rollup::BUCKET_NS);
        self.may_have_calls() && (self.is_history() || self.may_hold_time(from, to))
    }

    /// The same for as long as it exists.
    pub(crate) fn may_ever_have_calls(&self) -> bool {
        self.is_history() || self.may_ever_have("spans")
    }

    /// It as the views of roll-ups see it.
    pub(crate) fn calls(&self) -> Part {
        Part {
            schema: self.schema(),
            is_text: self.is_text(),
            places: if self.is_text() {
                Vec::new()
            } else {
                views::places(self)
            },
            ..Part::default()
        }
    }

    /// Rows of each signal, if that is known without counting.
    pub(crate) fn known_rows(&self) -> Option<[u64; SIGNALS]> {
        match &self.live {
            Some(live) => Some([live.rows(0), live.rows(1), live.rows(2)]),
            None if self.is_text() => None,
            None => Some([self.meta.spans, self.meta.logs, self.meta.points]),
        }
    }

    /// Event times of a signal, outliers left out, if they are known without looking.
    pub(crate) fn known_times(&self, signal: usize) -> Option<Times> {
        match &self.live {
            Some(live) => Some(live.times(signal)),
            None => self.meta.signal_times.map(|times| times[signal]),
        }
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
        match &self.live {
            Some(live) => live.may_hold_trace(trace_id),
            None => {
                let mut traces = self.traces.iter();
                self.traces.is_empty() || traces.any(|traces| traces.may_hold(trace_id))
            }
        }
    }

    /// Whether events of these times (nanoseconds since the epoch, both inclusive) may be in its main
    /// tables. Outliers live apart and are always searched.
    pub fn may_hold_time(&self, from: i64, to: i64) -> bool {
        if let Some(live) = &self.live {
            return (0..SIGNALS).any(|signal| live.may_have(signal));
        }
        if self.is_text() || self.meta.outliers > 0 {
            return true;
        }
        self.meta
            .event_range
            .is_some_and(|(first, last)| first <= to && from <= last)
    }
}

/// The signal of a fact relation, by its place in [`meta::Meta::signal_times`].
pub(crate) fn signal_of(relation: &str) -> Option<usize> {
    ["spans", "logs", "metric_points"]
        .iter()
        .position(|known| *known == relation)
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
