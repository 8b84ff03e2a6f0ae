//! What a segment says about itself: the table `meta`, read before anything else in the file.
//!
//! `complete` is written last: a sealed file without it was never finished. `replaces` names the segments
//! whose rows this one holds; they are deleted at start before any view exists.

use std::sync::Arc;

use duckdb::{Connection, params};

use super::bloom::TraceFilter;
use super::keys::{self, Keys};
use super::places::Places;
use super::runs::{self, Runs, TRACED};

/// Version of the segment format this build writes; [`super::migrate`] brings older ones here. 2: breaker evidence in
/// hot segments too; 3: spans that were stored before are marked; 4: marks of breakers know since when they were heard;
/// 5: hosts of ejections; 6: since when entries of states were counted.
pub(crate) const FORMAT: u32 = 6;

/// Signals: spans, logs, points, in this order.
pub(crate) const SIGNALS: usize = 3;

/// First and last event time in nanoseconds.
pub(crate) type Times = Option<(i64, i64)>;

/// How many traces begin with each hexadecimal digit.
pub(crate) type Digits = [u64; 16];

/// A segment's own description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    pub format: u32,
    /// Wall clock (nanoseconds) of the first and last commit in it.
    pub ingest_range: (i64, i64),
    /// Event times of its main tables, if it has rows; outliers do not count.
    pub event_range: Option<(i64, i64)>,
    /// The same of each signal; `None` where nobody looked.
    pub signal_times: Option<[Times; SIGNALS]>,
    pub spans: u64,
    pub logs: u64,
    pub points: u64,
    pub exemplars: u64,
    /// Rows of breaker evidence; `None` where nobody counted.
    pub evidence: Option<u64>,
    /// Attribute keys of its spans and of its log records.
    pub span_keys: Keys,
    pub log_keys: Keys,
    /// Those of the spans of each run; none where nobody told them apart.
    pub run_keys: Vec<Keys>,
    /// The runs its spans and log records lie in.
    pub runs: [Runs; TRACED],
    /// Its traces by the first digit of their id, those of two runs twice; `None` where nobody counted.
    pub trace_digits: Option<Digits>,
    pub quarantined: u64,
    pub outliers: u64,
    /// Only roll-ups and breaker history are left in it.
    pub is_history: bool,
    /// Segments whose rows it holds.
    pub replaces: Vec<u64>,
    pub complete: bool,
}

impl Meta {
    /// Rows of all signals.
    pub(crate) fn rows(&self) -> u64 {
        self.spans + self.logs + self.points
    }

    /// Writes everything but `complete` into `schema`.meta.
    pub(crate) fn write(&self, conn: &Connection, schema: &str) -> duckdb::Result<()> {
        conn.execute_batch(&create(schema))?;
        let range = |range: (i64, i64)| format!("{} {}", range.0, range.1);
        let replaces: Vec<String> = self.replaces.iter().map(u64::to_string).collect();
        let entries = [
            ("format", self.format.to_string()),
            ("ingest_range", range(self.ingest_range)),
            (
                "event_range",
                self.event_range.map(range).unwrap_or_default(),
            ),
            (
                "signal_times",
                self.signal_times.map(signal_times).unwrap_or_default(),
            ),
            ("spans", self.spans.to_string()),
            ("logs", self.logs.to_string()),
            ("points", self.points.to_string()),
            ("exemplars", self.exemplars.to_string()),
            (
                "evidence",
                self.evidence
                    .map(|rows| rows.to_string())
                    .unwrap_or_default(),
            ),
            ("span_keys", self.span_keys.to_text()),
            ("log_keys", self.log_keys.to_text()),
            ("run_keys", keys::runs_to_text(&self.run_keys)),
            (
                "trace_digits",
                self.trace_digits.map(digits).unwrap_or_default(),
            ),
            ("runs", runs::to_text(&self.runs)),
            ("quarantined", self.quarantined.to_string()),
            ("outliers", self.outliers.to_string()),
            ("is_history", self.is_history.to_string()),
            ("replaces", replaces.join(" ")),
        ];
        for (key, value) in entries {
            put(conn, schema, key, &value)?;
        }
        Ok(())
    }

    /// Says that nothing is missing any more.
    pub(crate) fn write_complete(conn: &Connection, schema: &str) -> duckdb::Result<()> {
        put(conn, schema, "complete", "true")
    }

    /// Reads `schema`.meta. Unknown keys are ignored: a newer format may have them.
    pub(crate) fn read(conn: &Connection, schema: &str) -> duckdb::Result<Self> {
        let mut meta = Self::default();
        let mut statement = conn.prepare(&format!(
            "SELECT key, value FROM {schema}.meta WHERE value IS NOT NULL"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (key, value): (String, String) = (row.get(0)?, row.get(1)?);
            meta.set(&key, &value);
        }
        Ok(meta)
    }

    fn set(&mut self, key: &str, value: &str) {
        let number = || value.parse().unwrap_or(0);
        match key {
            "format" => self.format = value.parse().unwrap_or(u32::MAX),
            "ingest_range" => self.ingest_range = pair(value).unwrap_or_default(),
            "event_range" => self.event_range = pair(value),
            "signal_times" => self.signal_times = read_signal_times(value),
            "spans" => self.spans = number(),
            "logs" => self.logs = number(),
            "points" => self.points = number(),
            "exemplars" => self.exemplars = number(),
            "evidence" => self.evidence = value.parse().ok(),
            "span_keys" => self.span_keys = Keys::from_text(value),
            "log_keys" => self.log_keys = Keys::from_text(value),
            "run_keys" => self.run_keys = keys::runs_from_text(value),
            "trace_digits" => self.trace_digits = read_digits(value),
            "runs" => self.runs = runs::from_text(value),
            "quarantined" => self.quarantined = number(),
            "outliers" => self.outliers = number(),
            "is_history" => self.is_history = value == "true",
            "replaces" => {
                self.replaces = value.split(' ').filter_map(|id| id.parse().ok()).collect();
            }
            "complete" => self.complete = value == "true",
            _ => {}
        }
    }
}

/// Stores a binary entry.
fn write_bytes(conn: &Connection, schema: &str, key: &str, bytes: &[u8]) -> duckdb::Result<()> {
    conn.execute(
        &format!("INSERT INTO {schema}.meta (key, bytes) VALUES (?, ?)"),
        params![key, bytes],
    )?;
    Ok(())
}

/// Reads a binary entry, if it is there.
fn read_bytes(conn: &Connection, schema: &str, key: &str) -> duckdb::Result<Option<Vec<u8>>> {
    let sql = format!("SELECT bytes FROM {schema}.meta WHERE key = ? AND bytes IS NOT NULL");
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params![key])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// Stores the traces of a segment: one filter, or those of its runs.
pub(crate) fn write_filters(
    conn: &Connection,
    schema: &str,
    filters: &[Arc<TraceFilter>],
) -> duckdb::Result<()> {
    for (at, filter) in filters.iter().enumerate() {
        let key = filter_key(at, filters.len());
        write_bytes(conn, schema, &key, &filter.to_bytes())?;
    }
    Ok(())
}

/// Reads the traces of a segment; none where a filter is missing.
pub(crate) fn read_filters(
    conn: &Connection,
    schema: &str,
    meta: &Meta,
) -> duckdb::Result<Vec<Arc<TraceFilter>>> {
    let count = runs::filters(&meta.runs);
    let mut filters = Vec::with_capacity(count.min(1 << 10));
    for at in 0..count {
        let bytes = read_bytes(conn, schema, &filter_key(at, count))?;
        let Some(filter) = bytes.and_then(|bytes| TraceFilter::from_bytes(&bytes)) else {
            return Ok(Vec::new());
        };
        filters.push(Arc::new(filter));
    }
    Ok(filters)
}

/// One of several has a name of its own: whoever knows no runs would take the first for that of the whole.
fn filter_key(at: usize, count: usize) -> String {
    if count == 1 {
        "trace_filter".to_owned()
    } else {
        format!("trace_filter_{at}")
    }
}

/// Stores where the spans of a segment lie, if that is known.
pub(crate) fn write_places(conn: &Connection, schema: &str, places: &Places) -> duckdb::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    write_bytes(conn, schema, PLACES, &places.to_bytes())
}

/// Reads where the spans of a segment lie; segments of before 2026-11-23 do not say.
pub(crate) fn read_places(conn: &Connection, schema: &str) -> duckdb::Result<Places> {
    let bytes = read_bytes(conn, schema, PLACES)?;
    Ok(bytes
        .map(|bytes| Places::from_bytes(&bytes))
        .unwrap_or_default())
}

const PLACES: &str = "span_places";

fn create(schema: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {schema}.meta (key VARCHAR, value VARCHAR, bytes BLOB)")
}

fn put(conn: &Connection, schema: &str, key: &str, value: &str) -> duckdb::Result<()> {
    conn.execute(
        &format!("INSERT INTO {schema}.meta (key, value) VALUES (?, ?)"),
        params![key, value],
    )?;
    Ok(())
}

/// `first last` of each signal, `-` for one without rows.
fn signal_times(times: [Times; SIGNALS]) -> String {
    times
        .map(|times| {
            times.map_or_else(|| "-".to_owned(), |(first, last)| format!("{first} {last}"))
        })
        .join(",")
}

fn read_signal_times(text: &str) -> Option<[Times; SIGNALS]> {
    let times: Vec<Times> = text.split(',').map(pair).collect();
    times.try_into().ok()
}

fn digits(digits: Digits) -> String {
    digits.map(|traces| traces.to_string()).join(" ")
}

fn read_digits(text: &str) -> Option<Digits> {
    let digits: Vec<u64> = text
        .split(' ')
        .filter_map(|traces| traces.parse().ok())
        .collect();
    digits.try_into().ok()
}

fn pair(text: &str) -> Option<(i64, i64)> {
    let (first, last) = text.split_once(' ')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}
