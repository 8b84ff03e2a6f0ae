//! What a hot segment holds, known without asking the engine: the writer says so as it appends.
//!
//! Questions leave out what cannot add to their answer, because planning a relation over a file costs more than
//! reading the few that matter. What may be in the file is told before a commit ([`Live::expect`]), what is in it
//! after ([`Live::add`]): whoever was told that a batch is stored finds it.

use std::sync::Mutex;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampNanosecondType;

use super::ahead::Ahead;
use super::bloom::SharedTraceFilter;
use super::grown::Grown;
use super::hops::HotHops;
use super::hot::Prepared;
use super::kept::Sender;
use super::meta::SIGNALS;
pub(crate) use super::meta::Times;
use super::origins::Origins;
use super::sent::HotSent;
use crate::ingest::PreparedRows;
use crate::sync::locked;

/// What one hot segment holds. Its maker, the writer and all readers share it.
#[derive(Debug)]
pub(crate) struct Live {
    signals: [Signal; SIGNALS],
    has_exemplars: AtomicBool,
    has_evidence: AtomicBool,
    /// Committed batches with evidence.
    evidence: AtomicU64,
    traces: SharedTraceFilter,
    /// What was rolled up of it by now.
    pub(super) ahead: Ahead,
    pub(super) hops: HotHops,
    pub(super) sent: Grown<HotSent>,
    /// Committed resources.
    resources: AtomicU64,
    pub(super) senders: Grown<Vec<Sender>>,
    /// Resources and scopes that somebody asked for.
    pub(super) origins: Mutex<Origins>,
}

#[derive(Debug, Default)]
struct Signal {
    is_expected: AtomicBool,
    rows: AtomicU64,
    times: Mutex<Times>,
}

impl Live {
    /// Of a segment without rows that is rotated at about `rows_max`.
    pub(crate) fn new(rows_max: usize) -> Self {
        Self {
            signals: Default::default(),
            has_exemplars: AtomicBool::new(false),
            has_evidence: AtomicBool::new(false),
            evidence: AtomicU64::new(0),
            traces: SharedTraceFilter::with_capacity(rows_max),
            ahead: Ahead::default(),
            hops: HotHops::default(),
            sent: Grown::default(),
            resources: AtomicU64::new(0),
            senders: Grown::default(),
            origins: Mutex::default(),
        }
    }

    /// A batch is about to be committed.
    pub(crate) fn expect(&self, batch: &Prepared) {
        let (signal, tables) = tables(batch);
        if tables.iter().any(|table| table.num_rows() > 0) {
            self.signals[signal].is_expected.store(true, Relaxed);
        }
        if batch.evidence.is_some() {
            self.has_evidence.store(true, Relaxed);
        }
        match &batch.rows {
            PreparedRows::Spans(rows) | PreparedRows::Logs(rows) => self.expect_traces(rows),
            PreparedRows::Metrics(rows) => {
                if rows.exemplars.num_rows() > 0 {
                    self.has_exemplars.store(true, Relaxed);
                    self.expect_traces(&rows.exemplars);
                }
            }
        }
    }

    fn expect_traces(&self, rows: &RecordBatch) {
        let Some(ids) = rows.column_by_name("trace_id") else {
            return;
        };
        let mut last = "";
        for id in ids.as_string::<i32>().iter().flatten() {
            // Spans of a trace come together.
            if id != last {
                self.traces.insert(id);
                last = id;
            }
        }
    }

    /// A batch was committed.
    pub(crate) fn add(&self, batch: &Prepared) {
        let (signal, tables) = tables(batch);
        let signal = &self.signals[signal];
        for table in tables {
            signal.rows.fetch_add(table.num_rows() as u64, Relaxed);
            let mut times = locked(&signal.times);
            *times = wider(*times, event_times(table));
        }
        if batch.evidence.is_some() {
            self.evidence.fetch_add(1, Release);
        }
    }

    /// So many resources are committed.
    pub(crate) fn set_resources(&self, committed: u32) {
        self.resources.store(committed.into(), Release);
    }

    /// Committed resources: at least those of all batches that were told to be stored.
    pub(super) fn resources(&self) -> u64 {
        self.resources.load(Acquire)
    }

    /// How many batches with evidence of breakers were committed: it changes with every one of them.
    pub(crate) fn evidence(&self) -> u64 {
        self.evidence.load(Acquire)
    }

    /// Committed rows of a signal.
    pub(crate) fn rows(&self, signal: usize) -> u64 {
        self.signals[signal].rows.load(Relaxed)
    }

    /// Event times of the committed rows of a signal.
    pub(crate) fn times(&self, signal: usize) -> Times {
        *locked(&self.signals[signal].times)
    }

    /// Whether a signal has rows: `false` is certain.
    pub(crate) fn may_have(&self, signal: usize) -> bool {
        self.signals[signal].is_expected.load(Relaxed)
    }

    /// Whether there are exemplars: `false` is certain.
    pub(crate) fn may_have_exemplars(&self) -> bool {
        self.has_exemplars.load(Relaxed)
    }

    /// Whether there is evidence of breakers: `false` is certain.
    pub(crate) fn may_have_evidence(&self) -> bool {
        self.has_evidence.load(Relaxed)
    }

    /// Whether rows name this trace: `false` is certain.
    pub(crate) fn may_hold_trace(&self, trace_id: &str) -> bool {
        self.traces.may_hold(trace_id)
    }
}

/// The range that covers both.
pub(crate) fn wider(one: Times, other: Times) -> Times {
    match (one, other) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (known, None) | (None, known) => known,
    }
}

/// The signal of a batch, and its tables of points or rows.
fn tables(batch: &Prepared) -> (usize, Vec<&RecordBatch>) {
    match &batch.rows {
        PreparedRows::Spans(rows) => (0, vec![rows]),
        PreparedRows::Logs(rows) => (1, vec![rows]),
        PreparedRows::Metrics(rows) => (2, vec![&rows.numbers, &rows.histograms]),
    }
}

fn event_times(table: &RecordBatch) -> Times {
    let column = ["time", "start_time"]
        .iter()
        .find_map(|name| table.column_by_name(name))?;
    let times = column.as_primitive_opt::<TimestampNanosecondType>()?;
    if times.null_count() == times.len() {
        return None;
    }
    min(times).zip(max(times))
}
