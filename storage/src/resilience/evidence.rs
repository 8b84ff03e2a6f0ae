//! Evidence of breakers as rows, and the Arrow columns they are appended as.
//!
//! A row says who it is about ([`Subject`]), when, and what was seen; nothing is concluded here. Conclusions
//! (states, inferred transitions, staleness) are the views', so that late and duplicate evidence is
//! weighed again with everything else.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};

use crate::ingest::{ResourceRow, identity};

/// Everything recognised in one batch.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Evidence {
    /// Reported changes of state.
    pub transitions: Vec<TransitionRow>,
    /// What was seen of a breaker at a time.
    pub samples: Vec<SampleRow>,
    /// Reported settings.
    pub configs: Vec<ConfigRow>,
}

impl Evidence {
    /// Whether nothing was recognised.
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty() && self.samples.is_empty() && self.configs.is_empty()
    }
}

/// Whose breaker it is: a logical breaker and the instance that reported.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The recogniser that knew it.
    pub origin: String,
    /// `breaker`, `ejection`, `concurrency_cap`, `throttle`, `rate_limit`, `bulkhead`, `retry_budget`; and what has no
    /// states but counts: `retry`, `timeout`, `fallback`, `hedge`.
    pub pattern: String,
    /// The service that owns it.
    pub service_name: Option<String>,
    /// Its namespace.
    pub service_namespace: Option<String>,
    /// Its instance.
    pub service_instance_id: Option<String>,
    /// Its version.
    pub service_version: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
    /// Its cluster.
    pub cluster: Option<String>,
    /// Name of the breaker.
    pub name: String,
    /// Which of a keyed family.
    pub key: Option<String>,
    /// Service behind it.
    pub peer_service: Option<String>,
    /// Address behind it.
    pub peer_address: Option<String>,
    /// How that is known.
    pub peer_evidence: Option<&'static str>,
}

impl Subject {
    /// A breaker of the service that sent `resource`.
    pub fn of(resource: &ResourceRow, origin: &str, pattern: &str, name: String) -> Self {
        Self {
            origin: origin.to_owned(),
            pattern: pattern.to_owned(),
            service_name: resource.service_name.clone(),
            service_namespace: resource.service_namespace.clone(),
            service_instance_id: resource.service_instance_id.clone(),
            service_version: resource.service_version.clone(),
            environment: resource.environment.clone(),
            cluster: resource.cluster.clone(),
            name,
            ..Self::default()
        }
    }

    /// The public `breaker_id`: equal for every instance of a logical breaker, whoever reported it.
    pub fn breaker_id(&self) -> String {
        let id = identity(&(
            &self.environment,
            &self.service_namespace,
            &self.cluster,
            &self.service_name,
            &self.pattern,
            &self.name,
            &self.key,
        ));
        format!("{id:016x}")
    }
}

/// A reported change of state, at the moment it was.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct TransitionRow {
    /// Whose.
    pub subject: Subject,
    /// Nanoseconds since the epoch.
    pub time_unix_nano: i64,
    /// Number of the new state, if the breaker counts.
    pub generation: Option<u64>,
    /// Canonical state before.
    pub from_state: Option<&'static str>,
    /// Canonical state after.
    pub to_state: &'static str,
    /// The reporter's own word for it.
    pub raw_state: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Failed share of the window, 0 to 1.
    pub failure_rate: Option<f64>,
    /// Slow share of the window, 0 to 1.
    pub slow_rate: Option<f64>,
    /// Calls in the window.
    pub window_calls: Option<u32>,
    /// The threshold that was crossed.
    pub threshold: Option<f64>,
    /// For how long it means to stay open, milliseconds.
    pub open_for_ms: Option<u32>,
    /// How many times in a row it opened.
    pub attempt: Option<u32>,
    /// 32 hex digits.
    pub trace_id: Option<String>,
    /// 16 hex digits.
    pub span_id: Option<String>,
    /// `exact` or `harvested`.
    pub trace_evidence: Option<&'static str>,
    /// Trace ids joined by commas.
    pub contributing_trace_ids: Option<String>,
    /// `event`, `log` or `span`.
    pub evidence: &'static str,
    /// 0 to 100.
    pub confidence: u32,
    /// Names the settings in force.
    pub config_hash: Option<String>,
}

/// What was seen of one instance's breaker at one time; counters are as reported.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct SampleRow {
    /// Whose.
    pub subject: Subject,
    /// Nanoseconds since the epoch.
    pub time_unix_nano: i64,
    /// Canonical state; `unknown` when the encoding is not known.
    pub state: Option<&'static str>,
    /// What was reported, where it says more than `state`; `metric=number` for a number of unknown meaning.
    pub raw_state: Option<String>,
    /// 0 to 1; absent below the minimum of calls.
    pub failure_rate: Option<f64>,
    /// 0 to 1; absent below the minimum of calls.
    pub slow_rate: Option<f64>,
    /// Calls in the window.
    pub window_calls: Option<u32>,
    /// Calls that succeeded.
    pub ok: Option<u64>,
    /// Calls that failed.
    pub failed: Option<u64>,
    /// Calls that were slow (these are in `ok` or `failed` too).
    pub slow: Option<u64>,
    /// Calls that count neither way.
    pub ignored: Option<u64>,
    /// Calls that were refused.
    pub rejected: Option<u64>,
    /// Calls that were given up.
    pub cancelled: Option<u64>,
    /// Calls running.
    pub in_flight: Option<u32>,
    /// Permits left.
    pub permits_left: Option<i32>,
    /// Hosts of the cluster that are ejected; of several clusters under one name these are of the worst.
    pub hosts_ejected: Option<u32>,
    /// Hosts of that cluster that get calls.
    pub hosts_healthy: Option<u32>,
    /// Hosts of that cluster in all.
    pub hosts_total: Option<u32>,
    /// Nanoseconds in closed, open, half-open.
    pub ns_in_state: [Option<u64>; 3],
    /// Times closed, open, half-open was entered.
    pub entered: [Option<u64>; 3],
    /// When the counters of entries began at nothing, or their process was there without them; nanoseconds since the
    /// epoch.
    pub counted_since: Option<i64>,
    /// The counters are of the time since the sample before, not since a start.
    pub is_delta: bool,
    /// A trace in which it was seen.
    pub trace_id: Option<String>,
    /// The span of that trace.
    pub span_id: Option<String>,
    /// `metric` or `span`.
    pub evidence: &'static str,
    /// 0 to 100.
    pub confidence: u32,
}

/// Settings an instance reported.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct ConfigRow {
    /// Whose.
    pub subject: Subject,
    /// Nanoseconds since the epoch.
    pub valid_from_unix_nano: i64,
    /// Hash of the settings, theirs or ours.
    pub config_hash: String,
    /// JSON object.
    pub config: String,
    /// `event`, `metric` or `log`.
    pub source: &'static str,
}

/// Columns of the three tables of `segment/breakers.sql`, in their order.
#[derive(Debug)]
pub(crate) struct EvidenceBatches {
    pub transitions: RecordBatch,
    pub samples: RecordBatch,
    pub configs: RecordBatch,
}

impl EvidenceBatches {
    /// The columns of `evidence`; `None` when there is none.
    pub(crate) fn of(evidence: &Evidence) -> Option<Self> {
        (!evidence.is_empty()).then(|| Self {
            transitions: transitions(&evidence.transitions),
            samples: samples(&evidence.samples),
            configs: configs(&evidence.configs),
        })
    }

    /// Table names with their rows.
    pub(crate) fn tables(&self) -> [(&'static str, &RecordBatch); 3] {
        [
            ("breaker_transitions", &self.transitions),
            ("breaker_samples", &self.samples),
            ("breaker_config", &self.configs),
        ]
    }
}

type Named = (&'static str, ArrayRef);

fn subjects<T>(rows: &[T], of: impl Fn(&T) -> &Subject) -> Vec<Named> {
    let subjects: Vec<&Subject> = rows.iter().map(of).collect();
    let text = |field: fn(&Subject) -> Option<&str>| -> ArrayRef {
        Arc::new(
            subjects
                .iter()
                .map(|subject| field(subject))
                .collect::<StringArray>(),
        )
    };
    let ids: StringArray = subjects
        .iter()
        .map(|subject| Some(subject.breaker_id()))
        .collect();
    vec![
        ("breaker_id", Arc::new(ids)),
        ("origin", text(|s| Some(&s.origin))),
        ("pattern", text(|s| Some(&s.pattern))),
        ("service_name", text(|s| s.service_name.as_deref())),
        (
            "service_namespace",
            text(|s| s.service_namespace.as_deref()),
        ),
        (
            "service_instance_id",
            text(|s| s.service_instance_id.as_deref()),
        ),
        ("service_version", text(|s| s.service_version.as_deref())),
        ("environment", text(|s| s.environment.as_deref())),
        ("cluster", text(|s| s.cluster.as_deref())),
        ("name", text(|s| Some(&s.name))),
        ("key", text(|s| s.key.as_deref())),
        ("peer_service", text(|s| s.peer_service.as_deref())),
        ("peer_address", text(|s| s.peer_address.as_deref())),
        ("peer_evidence", text(|s| s.peer_evidence)),
    ]
}

fn texts<T>(rows: &[T], of: impl Fn(&T) -> Option<&str>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<StringArray>())
}

fn times<T>(rows: &[T], of: impl Fn(&T) -> i64) -> ArrayRef {
    Arc::new(
        rows.iter()
            .map(|row| Some(of(row)))
            .collect::<TimestampNanosecondArray>(),
    )
}

fn u64s<T>(rows: &[T], of: impl Fn(&T) -> Option<u64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<UInt64Array>())
}

fn u32s<T>(rows: &[T], of: impl Fn(&T) -> Option<u32>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<UInt32Array>())
}

fn f64s<T>(rows: &[T], of: impl Fn(&T) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(of).collect::<Float64Array>())
}

fn transitions(rows: &[TransitionRow]) -> RecordBatch {
    let mut columns = subjects(rows, |row| &row.subject);
    columns.extend([
        ("time", times(rows, |r| r.time_unix_nano)),
        ("generation", u64s(rows, |r| r.generation)),
        ("from_state", texts(rows, |r| r.from_state)),
        ("to_state", texts(rows, |r| Some(r.to_state))),
        ("raw_state", texts(rows, |r| r.raw_state.as_deref())),
        ("reason", texts(rows, |r| r.reason.as_deref())),
        ("failure_rate", f64s(rows, |r| r.failure_rate)),
        ("slow_rate", f64s(rows, |r| r.slow_rate)),
        ("window_calls", u32s(rows, |r| r.window_calls)),
        ("threshold", f64s(rows, |r| r.threshold)),
        ("open_for_ms", u32s(rows, |r| r.open_for_ms)),
        ("attempt", u32s(rows, |r| r.attempt)),
        ("trace_id", texts(rows, |r| r.trace_id.as_deref())),
        ("span_id", texts(rows, |r| r.span_id.as_deref())),
        ("trace_evidence", texts(rows, |r| r.trace_evidence)),
        (
            "contributing_trace_ids",
            texts(rows, |r| r.contributing_trace_ids.as_deref()),
        ),
        ("evidence", texts(rows, |r| Some(r.evidence))),
        ("confidence", u32s(rows, |r| Some(r.confidence))),
        ("config_hash", texts(rows, |r| r.config_hash.as_deref())),
    ]);
    record_batch(columns)
}

fn samples(rows: &[SampleRow]) -> RecordBatch {
    let permits: Int32Array = rows.iter().map(|row| row.permits_left).collect();
    let counted_since: Int64Array = rows.iter().map(|row| row.counted_since).collect();
    let deltas: BooleanArray = rows.iter().map(|row| Some(row.is_delta)).collect();
    let mut columns = subjects(rows, |row| &row.subject);
    columns.extend([
        ("time", times(rows, |r| r.time_unix_nano)),
        ("state", texts(rows, |r| r.state)),
        ("raw_state", texts(rows, |r| r.raw_state.as_deref())),
        ("failure_rate", f64s(rows, |r| r.failure_rate)),
        ("slow_rate", f64s(rows, |r| r.slow_rate)),
        ("window_calls", u32s(rows, |r| r.window_calls)),
        ("ok", u64s(rows, |r| r.ok)),
        ("failed", u64s(rows, |r| r.failed)),
        ("slow", u64s(rows, |r| r.slow)),
        ("ignored", u64s(rows, |r| r.ignored)),
        ("rejected", u64s(rows, |r| r.rejected)),
        ("cancelled", u64s(rows, |r| r.cancelled)),
        ("in_flight", u32s(rows, |r| r.in_flight)),
        ("permits_left", Arc::new(permits) as ArrayRef),
        ("ns_closed", u64s(rows, |r| r.ns_in_state[0])),
        ("ns_open", u64s(rows, |r| r.ns_in_state[1])),
        ("ns_half_open", u64s(rows, |r| r.ns_in_state[2])),
        ("entered_closed", u64s(rows, |r| r.entered[0])),
        ("entered_open", u64s(rows, |r| r.entered[1])),
        ("entered_half_open", u64s(rows, |r| r.entered[2])),
        ("is_delta", Arc::new(deltas) as ArrayRef),
        ("trace_id", texts(rows, |r| r.trace_id.as_deref())),
        ("span_id", texts(rows, |r| r.span_id.as_deref())),
        ("evidence", texts(rows, |r| Some(r.evidence))),
        ("confidence", u32s(rows, |r| Some(r.confidence))),
        ("hosts_ejected", u32s(rows, |r| r.hosts_ejected)),
        ("hosts_healthy", u32s(rows, |r| r.hosts_healthy)),
        ("hosts_total", u32s(rows, |r| r.hosts_total)),
        ("counted_since", Arc::new(counted_since) as ArrayRef),
    ]);
    record_batch(columns)
}

fn configs(rows: &[ConfigRow]) -> RecordBatch {
    let mut columns = subjects(rows, |row| &row.subject);
    columns.extend([
        ("valid_from", times(rows, |r| r.valid_from_unix_nano)),
        ("config_hash", texts(rows, |r| Some(&r.config_hash))),
        ("config", texts(rows, |r| Some(&r.config))),
        ("source", texts(rows, |r| Some(r.source))),
    ]);
    record_batch(columns)
}

fn record_batch(columns: Vec<Named>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("one value a row in every column")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_these_columns_in_this_order() {
        let conn = duckdb::Connection::open_in_memory().expect("an engine");
        conn.execute_batch(&crate::segment::tables::BREAKER_TABLES.replace("{schema}", "main"))
            .expect("the tables");
        let batches = EvidenceBatches {
            transitions: transitions(&[]),
            samples: samples(&[]),
            configs: configs(&[]),
        };
        for (table, batch) in batches.tables() {
            let mut statement = conn
                .prepare("SELECT column_name FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index")
                .expect("a statement");
            let declared: Vec<String> = statement
                .query_map([table], |row| row.get(0))
                .expect("columns")
                .collect::<Result<_, _>>()
                .expect("names");
            let built: Vec<String> = batch
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            assert_eq!(declared, built, "{table}");
        }
    }

    #[test]
    fn instances_and_origins_share_a_breaker_but_scopes_and_keys_do_not() {
        let one = Subject {
            service_name: Some("cart".to_owned()),
            name: "payment".to_owned(),
            ..Subject::default()
        };
        let same = Subject {
            origin: "other".to_owned(),
            service_instance_id: Some("pod-2".to_owned()),
            service_version: Some("2".to_owned()),
            peer_service: Some("payment".to_owned()),
            ..one.clone()
        };
        assert_eq!(one.breaker_id(), same.breaker_id());
        for other in [
            Subject {
                environment: Some("prod".to_owned()),
                ..one.clone()
            },
            Subject {
                key: Some("eu".to_owned()),
                ..one.clone()
            },
            Subject {
                pattern: "bulkhead".to_owned(),
                ..one.clone()
            },
        ] {
            assert_ne!(one.breaker_id(), other.breaker_id());
        }
    }
}
