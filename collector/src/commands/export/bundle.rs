//! `tripline export --incident`: one directory with everything about an incident, for another copy of the binary.
//!
//! | file | holds |
//! |---|---|
//! | `traces.parquet`, `logs.parquet`, `metrics.parquet` | the raw rows of the range, as `tripline import` takes them |
//! | `incident.json` | the incidents with evidence, error classes, changes, who is hurt, recovery |
//! | `graph.json`, `breakers.json`, `transitions.json` | the call graph, breakers, and their changes of state |
//! | `top_traces.json` | the traces that stand for the error classes |
//! | `queries.json` | the SQL behind the numbers |
//! | `learned-states` | what people said numbers of breakers mean, if they did |
//! | `peers.json` | whom breakers guard as the configuration says it, in force when it was written |
//! | `settings.jsonl` | settings of the breakers told before the range, as the events that told them |
//! | `manifest.json` | format, range, ids, rows; written last: without it a directory is no bundle |
//!
//! A running server is asked over its API, a data directory at rest is opened here. The end of the range is what counts
//! as now in every file and in the opened bundle: for an incident that goes on, the moment of the export.

mod empty_range;
mod settings;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tripline_storage::export::{Relation, TimeRange, incident_text, parquet_count};
use tripline_storage::learned::LEARNED_FILE;
use tripline_storage::model;
use tripline_storage::query::{self, Session};
use tripline_storage::sql::{Format, Request};
use tripline_storage::store::{Store, lock_holder};

use crate::api::when::{When, now_ns};
use crate::commands::{print_line, sql};
use crate::config::Config;

/// Version of the layout.
pub(in crate::commands) const FORMAT: u64 = 1;
/// Name of the file that makes a directory a bundle.
pub(in crate::commands) const MANIFEST: &str = "manifest.json";
/// Raw rows are kept from so long before an incident, and to so long after it: pages tell the five minutes after it in whole
/// buckets of ten seconds, which begin with the next one, and a call that began in the last of them ends somewhat later.
const BEFORE_NS: u64 = 600_000_000_000;
const AFTER_NS: u64 = 330_000_000_000;
/// What tells of a change is kept from so long before that: changes are looked for half an hour before a trip.
const EARLIER_NS: u64 = 1_200_000_000_000;
/// Counts of what goes on reach this far beyond now, so that its last second is whole.
const SECOND_NS: u64 = 1_000_000_000;
/// Longest time of one of the questions, unless another one is asked for.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// Rows of a signal at most.
const ROWS_MAX: u64 = 1_000_000;
/// What people said numbers mean; not named like telemetry, so that nobody imports it.
pub(in crate::commands) const BUNDLED_LEARNED: &str = "learned-states";

/// What the configuration says of whom breakers guard.
pub(in crate::commands) const PEERS: &str = "peers.json";

const QUERIES: [(&str, &str); 4] = [
    (
        "trips",
        "SELECT time, service_name, name, key, reason, failure_rate, window_calls, trace_id FROM breaker_transitions WHERE to_state = 'open' ORDER BY time",
    ),
    (
        "red",
        "SELECT bucket_start, service_name, name, sum(calls) AS calls, sum(errors) AS errors, sum(weight) AS weight, sum(error_weight) AS error_weight FROM red GROUP BY ALL ORDER BY ALL",
    ),
    (
        "edges",
        "SELECT bucket_start, caller, callee, sum(calls) AS calls, sum(errors) AS errors, sum(weight) AS weight, sum(error_weight) AS error_weight FROM service_edges GROUP BY ALL ORDER BY ALL",
    ),
    (
        "failed spans",
        "SELECT start_time, trace_id, service_name, name, status_message FROM spans WHERE status_code = 'error' ORDER BY start_time",
    ),
];

/// What was asked for: an incident's id, a time in one, or `from..to`.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// The incident of this id or nearest to this time.
    One(String),
    /// Every incident of a range.
    Range(u64, u64),
}

impl std::str::FromStr for Asked {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NO_TIME: &str =
            "not an incident: say its id, a time (2026-11-21T04:00:00Z, now-5m) or from..to";
        let when = When::of(None);
        if let Some((from, to)) = text.split_once("..") {
            let (from, to) = (
                when.moment(from).ok_or(NO_TIME)?,
                when.moment(to).ok_or(NO_TIME)?,
            );
            if from >= to {
                return Err("the range is empty: say from..to");
            }
            return Ok(Self::Range(from, to));
        }
        let is_id = text
            .split_once('-')
            .is_some_and(|(ns, id)| ns.len() > 12 && ns.parse::<u64>().is_ok() && id.len() == 16);
        if is_id {
            return Ok(Self::One(text.to_owned()));
        }
        let at = when.moment(text).ok_or(NO_TIME)?;
        Ok(Self::One(at.to_string()))
    }
}

/// Writes the bundle; the directory appears under its name when it is whole, and of one that fails nothing stays.
pub(super) fn write(
    config: &Config,
    asked: &Asked,
    dir: &Path,
    timeout: Duration,
) -> anyhow::Result<()> {
    ensure!(!dir.exists(), "{} is there already", dir.display());
    let told = Told::gather(config, asked, timeout)?;
    if told.ids.is_empty() {
        empty_range::refuse(config, told.from, told.to, timeout)?;
    }
    let partial = partial(dir)?;
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)
        .with_context(|| format!("cannot make the directory {}", partial.display()))?;
    let filled = fill(config, &told, &partial, timeout).and_then(|rows| {
        fs::rename(&partial, dir)?;
        Ok(rows)
    });
    if filled.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    let rows = filled?;
    let exported = json!({"event": "exported", "bundle": dir, "incidents": told.ids, "rows": rows});
    print_line(&exported.to_string());
    Ok(())
}

/// Writes the files of the bundle; the rows of each signal that were stored, and that are in it.
fn fill(
    config: &Config,
    told: &Told,
    partial: &Path,
    timeout: Duration,
) -> anyhow::Result<serde_json::Map<String, Value>> {
    for (name, value) in &told.files {
        put(partial, name, value)?;
    }
    // What people said numbers mean, under a name that is no telemetry.
    let learned = config.data_dir.join(LEARNED_FILE);
    if learned.is_file() {
        fs::copy(&learned, partial.join(BUNDLED_LEARNED))?;
    }
    let earlier = told.from.saturating_sub(EARLIER_NS);
    settings::write(config, told, earlier, partial, timeout)
        .context("cannot write the settings")?;
    let (mut bytes, mut rows) = (serde_json::Map::new(), serde_json::Map::new());
    for (name, relation) in [
        ("traces", Relation::Spans),
        ("logs", Relation::Logs),
        ("metrics", Relation::MetricPoints),
    ] {
        let file = partial.join(format!("{name}.parquet"));
        let range = TimeRange {
            from_unix_nano: Some(told.from),
            to_unix_nano: Some(told.to.saturating_add(SECOND_NS)),
        };
        let query = incident_text(relation, range, earlier);
        let stored =
            count(config, &query, timeout).with_context(|| format!("cannot count {name}"))?;
        parquet(config, &query, &file, timeout)
            .with_context(|| format!("cannot write {name}.parquet"))?;
        let kept = parquet_count(&file)?;
        if kept < stored {
            eprintln!("tripline: {}", cut(name, kept, stored));
        }
        bytes.insert(name.to_owned(), json!(fs::metadata(&file)?.len()));
        rows.insert(name.to_owned(), json!({"kept": kept, "stored": stored}));
    }
    let manifest = json!({"format": FORMAT, "version": env!("CARGO_PKG_VERSION"), "from_unix_nano": told.from.to_string(),
        "to_unix_nano": told.to.to_string(), "incidents": told.ids, "bytes": bytes, "rows": rows});
    put(partial, MANIFEST, &manifest)?;
    Ok(rows)
}

/// What a bundle says that has not every row of a signal.
pub(in crate::commands) fn cut(signal: &str, kept: u64, stored: u64) -> String {
    format!(
        "Only {kept} of {stored} rows of {signal} are in the bundle: export a shorter range for all of them."
    )
}

fn count(config: &Config, query: &str, timeout: Duration) -> anyhow::Result<u64> {
    let query = format!("SELECT count(*) AS n FROM ({query})");
    let rows = sql::rows(config, &query, Some(timeout))?;
    let counted = rows.first().and_then(|row| number(row.get("n")?));
    counted.context("a count has one number")
}

fn partial(dir: &Path) -> anyhow::Result<PathBuf> {
    let name = dir.file_name().context("the directory has no name")?;
    Ok(dir.with_file_name(format!("{}.partial", name.to_string_lossy())))
}

fn put(dir: &Path, name: &str, value: &Value) -> anyhow::Result<()> {
    let mut file = fs::File::create(dir.join(name))?;
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(())
}

fn parquet(config: &Config, query: &str, file: &Path, timeout: Duration) -> anyhow::Result<()> {
    let mut out = fs::File::create(file)?;
    let request = Request {
        query: query.to_owned(),
        limit: Some(ROWS_MAX),
        timeout: Some(timeout),
        format: Format::Parquet,
    };
    sql::ask(config, request, &mut out)?;
    out.sync_all()?;
    Ok(())
}

/// The JSON files, and what the raw rows are limited to.
struct Told {
    from: u64,
    /// What counts as now.
    to: u64,
    ids: Vec<String>,
    /// Ids of the breakers of all incidents.
    breakers: std::collections::BTreeSet<String>,
    files: Vec<(&'static str, Value)>,
}

impl Told {
    fn gather(config: &Config, asked: &Asked, timeout: Duration) -> anyhow::Result<Self> {
        let data_dir = &config.data_dir;
        ensure!(
            data_dir.is_dir(),
            "there is no data directory {}",
            data_dir.display()
        );
        if let Some(holder) = lock_holder(data_dir)? {
            let addresses: Value = serde_json::from_str(&holder.addresses).unwrap_or_default();
            let address = addresses["http"]
                .as_str()
                .context("the process that holds the data directory serves no API (yet)")?;
            let token = config.ui.token.as_deref();
            return Self::assemble(asked, &mut |question| {
                question.over_http(address, token, timeout)
            });
        }
        let store = Store::open(config.reading_config())
            .with_context(|| format!("cannot open the data directory {}", data_dir.display()))?;
        let store = Arc::new(store);
        let outcome = store
            .reader()
            .map_err(anyhow::Error::from)
            .and_then(|reader| {
                let session = Session::new(&reader);
                Self::assemble(asked, &mut |question| question.here(&session, config))
            });
        store.close(Duration::from_secs(10));
        outcome
    }

    fn assemble(
        asked: &Asked,
        ask: &mut dyn FnMut(Question) -> anyhow::Result<Value>,
    ) -> anyhow::Result<Self> {
        let now = now_ns();
        let (mut from, mut to, mut listed) = match asked {
            Asked::One(address) => {
                let found = ask(Question::Incident(address.clone(), now))?;
                (u64::MAX, 0, vec![found["incident"].clone()])
            }
            Asked::Range(from, to) => {
                let page = ask(Question::Incidents(*from, *to, now))?;
                let items = page["items"].as_array().cloned();
                (*from, *to, items.unwrap_or_default())
            }
        };
        // Each incident whole, whatever of it the range touches.
        for incident in &listed {
            let start =
                number(&incident["start_unix_nano"]).context("an incident without a start")?;
            let end = number(&incident["end_unix_nano"]);
            from = from.min(start.saturating_sub(BEFORE_NS));
            to = to.max(end.map_or(now, |end| end.saturating_add(AFTER_NS)));
        }
        let to = to.min(now);
        ensure!(from < to, "that time has not come yet");
        listed.sort_by_key(|incident| number(&incident["start_unix_nano"]));
        let ids: Vec<String> = listed
            .iter()
            .filter_map(|incident| incident["incident_id"].as_str().map(str::to_owned))
            .collect();
        let incidents = ids
            .iter()
            .map(|id| ask(Question::Incident(id.clone(), to)))
            .collect::<anyhow::Result<Vec<Value>>>()?;
        let breakers = listed
            .iter()
            .flat_map(|incident| incident["breakers"].as_array().into_iter().flatten())
            .filter_map(|breaker| breaker["breaker_id"].as_str().map(str::to_owned))
            .collect();
        let mut traces = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for class in incidents
            .iter()
            .flat_map(|found| found["error_classes"].as_array().into_iter().flatten())
        {
            let id = class["trace_id"].as_str().unwrap_or_default().to_owned();
            if seen.insert(id.clone()) {
                traces.push(ask(Question::Trace(id))?);
            }
        }
        let transitions: Vec<Value> = incidents
            .iter()
            .flat_map(|found| found["transitions"].as_array().cloned().unwrap_or_default())
            .collect();
        let graph = ask(Question::Graph(from, to))?;
        let states = ask(Question::Breakers)?;
        let rules = ask(Question::PeerRules)?;
        let queries: serde_json::Map<String, Value> = QUERIES
            .iter()
            .map(|(name, text)| ((*name).to_owned(), json!(text)))
            .collect();
        Ok(Self {
            from,
            to,
            ids,
            breakers,
            files: vec![
                ("incident.json", Value::Array(incidents)),
                ("graph.json", graph),
                ("breakers.json", states),
                (PEERS, rules["items"].clone()),
                ("transitions.json", Value::Array(transitions)),
                ("top_traces.json", Value::Array(traces)),
                ("queries.json", Value::Object(queries)),
            ],
        })
    }
}

/// An integer that may be text.
pub(in crate::commands) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// What a bundle asks, of a server or of a store.
enum Question {
    /// By its address, as of a moment.
    Incident(String, u64),
    /// Of a range, as of a moment.
    Incidents(u64, u64, u64),
    Graph(u64, u64),
    Breakers,
    PeerRules,
    Trace(String),
}

impl Question {
    fn over_http(
        self,
        address: &str,
        token: Option<&str>,
        timeout: Duration,
    ) -> anyhow::Result<Value> {
        let path = match self {
            Self::Incident(address, as_of) => format!("/api/v1/incidents/{address}?as_of={as_of}"),
            Self::Incidents(from, to, as_of) => {
                format!("/api/v1/incidents?from={from}&to={to}&as_of={as_of}&limit=1000")
            }
            Self::Graph(from, to) => format!("/api/v1/graph?from={from}&to={to}&limit=2000"),
            Self::Breakers => "/api/v1/breakers?limit=10000".to_owned(),
            // Those of the server that concluded by them, whatever this command was configured with.
            Self::PeerRules => "/api/v1/breakers/peers".to_owned(),
            Self::Trace(id) => format!("/api/v1/traces/{id}"),
        };
        let (status, body) = sql::client::get(address, token, &path, timeout)?;
        let value: Value =
            serde_json::from_slice(&body).with_context(|| format!("{path} answered {status}"))?;
        if status != 200 {
            bail!(
                "{path}: {}",
                value["detail"].as_str().unwrap_or("the server refused")
            );
        }
        Ok(value)
    }

    fn here(self, session: &Session<'_>, config: &Config) -> anyhow::Result<Value> {
        let signed = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        let range = |from: u64, to: u64| model::TimeRange {
            from_unix_nano: signed(from),
            to_unix_nano: signed(to),
        };
        Ok(match self {
            Self::Incident(address, as_of) => {
                let found = query::incident(session, &address, None, signed(as_of))?;
                serde_json::to_value(
                    found.with_context(|| format!("no incident is known at {address}"))?,
                )?
            }
            Self::Incidents(from, to, as_of) => serde_json::to_value(query::incidents(
                session,
                &model::IncidentsQuery {
                    range: range(from, to),
                    scope: Default::default(),
                    service: None,
                    limit: 1_000,
                    now_unix_nano: signed(as_of),
                },
            )?)?,
            Self::Graph(from, to) => serde_json::to_value(query::graph(
                session,
                &model::GraphQuery {
                    range: range(from, to),
                    scope: Default::default(),
                    service: None,
                    edges_max: 2_000,
                },
            )?)?,
            Self::Breakers => {
                let all = model::BreakersQuery {
                    limit: 10_000,
                    ..Default::default()
                };
                serde_json::to_value(query::breakers(session, &all)?)?
            }
            Self::PeerRules => json!({"items": config.resilience.peer}),
            Self::Trace(id) => serde_json::to_value(query::trace(session, &id)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_asked_for_by_id_time_or_range() {
        let asked = |text: &str| text.parse::<Asked>();
        assert!(
            matches!(asked("1800000206000000000-00112233445566aa"), Ok(Asked::One(id)) if id.contains('-'))
        );
        assert!(
            matches!(asked("2027-01-15T08:00:00Z"), Ok(Asked::One(at)) if at == "1800000000000000000")
        );
        assert!(matches!(
            asked("2027-01-15T08:00:00Z..2027-01-15T09:00:00Z"),
            Ok(Asked::Range(from, to)) if to - from == 3_600_000_000_000
        ));
        assert!(matches!(
            asked("now-1h..now"),
            Ok(Asked::Range(from, to)) if to - from == 3_600_000_000_000
        ));
        assert!(asked("2027-01-15..2027-01-14").is_err());
        assert!(asked("lately").is_err());
    }
}
