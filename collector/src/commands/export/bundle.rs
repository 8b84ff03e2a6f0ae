//! `tripline export --incident`: one directory with everything about an incident, for another copy of the binary.
//!
//! | file | holds |
//! |---|---|
//! | `traces.parquet`, `logs.parquet`, `metrics.parquet` | the raw rows of the range, as `tripline import` takes them |
//! | `incident.json` | the incidents with evidence, error classes, changes, who is hurt, recovery |
//! | `graph.json`, `breakers.json`, `transitions.json` | the call graph, breakers, and their changes of state |
//! | `top_traces.json` | the traces that stand for the error classes |
//! | `queries.json` | the SQL behind the numbers |
//! | `manifest.json` | format, range, ids, rows; written last: without it a directory is no bundle |
//!
//! A running server is asked over its API, a data directory at rest is opened here.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tripline_storage::export::{Relation, TimeRange, query_text};
use tripline_storage::model;
use tripline_storage::query::{self, Session};
use tripline_storage::sql::{Format, Request};
use tripline_storage::store::{Store, lock_holder};

use super::instant::Instant;
use crate::commands::{print_line, sql};
use crate::config::Config;

/// Version of the layout.
pub(in crate::commands) const FORMAT: u64 = 1;
/// Name of the file that makes a directory a bundle.
pub(in crate::commands) const MANIFEST: &str = "manifest.json";
/// Raw rows are kept from so long before an incident, and to so long after it.
const BEFORE_NS: u64 = 600_000_000_000;
const AFTER_NS: u64 = 300_000_000_000;
/// Rows of a signal at most.
const ROWS_MAX: u64 = 1_000_000;

const QUERIES: [(&str, &str); 4] = [
    (
        "trips",
        "SELECT time, service_name, name, key, reason, failure_rate, window_calls, trace_id FROM breaker_transitions WHERE to_state = 'open' ORDER BY time",
    ),
    (
        "red",
        "SELECT bucket_start, service_name, name, sum(calls) AS calls, sum(errors) AS errors FROM red GROUP BY ALL ORDER BY ALL",
    ),
    (
        "edges",
        "SELECT bucket_start, caller, callee, sum(calls) AS calls, sum(errors) AS errors FROM service_edges GROUP BY ALL ORDER BY ALL",
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
        if let Some((from, to)) = text.split_once("..") {
            let (from, to): (Instant, Instant) = (from.parse()?, to.parse()?);
            if from.unix_nano >= to.unix_nano {
                return Err("the range is empty: say from..to");
            }
            return Ok(Self::Range(from.unix_nano, to.unix_nano));
        }
        let is_id = text
            .split_once('-')
            .is_some_and(|(ns, id)| ns.len() > 12 && ns.parse::<u64>().is_ok() && id.len() == 16);
        if is_id {
            return Ok(Self::One(text.to_owned()));
        }
        let at: Instant = text.parse()?;
        Ok(Self::One(at.unix_nano.to_string()))
    }
}

/// Writes the bundle; the directory appears under its name when it is whole.
pub(super) fn write(config: &Config, asked: &Asked, dir: &Path) -> anyhow::Result<()> {
    ensure!(!dir.exists(), "{} is there already", dir.display());
    let partial = partial(dir)?;
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)
        .with_context(|| format!("cannot make the directory {}", partial.display()))?;
    let told = Told::gather(config, asked)?;
    for (name, value) in &told.files {
        put(&partial, name, value)?;
    }
    let mut rows = serde_json::Map::new();
    for (name, relation) in [
        ("traces", Relation::Spans),
        ("logs", Relation::Logs),
        ("metrics", Relation::MetricPoints),
    ] {
        let file = partial.join(format!("{name}.parquet"));
        let range = TimeRange {
            from_unix_nano: Some(told.from),
            to_unix_nano: Some(told.to),
        };
        parquet(config, &query_text(relation, range), &file)
            .with_context(|| format!("cannot write {name}.parquet"))?;
        rows.insert(name.to_owned(), json!(fs::metadata(&file)?.len()));
    }
    let manifest = json!({"format": FORMAT, "version": env!("CARGO_PKG_VERSION"), "from_unix_nano": told.from.to_string(),
        "to_unix_nano": told.to.to_string(), "incidents": told.ids, "bytes": rows});
    put(&partial, MANIFEST, &manifest)?;
    fs::rename(&partial, dir)?;
    print_line(&json!({"event": "exported", "bundle": dir, "incidents": told.ids}).to_string());
    Ok(())
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

fn parquet(config: &Config, query: &str, file: &Path) -> anyhow::Result<()> {
    let mut out = fs::File::create(file)?;
    let request = Request {
        query: query.to_owned(),
        limit: Some(ROWS_MAX),
        timeout: Some(Duration::from_secs(60)),
        format: Format::Parquet,
    };
    sql::ask(config, request, &mut out)?;
    out.sync_all()?;
    Ok(())
}

/// The JSON files, and what the raw rows are limited to.
struct Told {
    from: u64,
    to: u64,
    ids: Vec<String>,
    files: Vec<(&'static str, Value)>,
}

impl Told {
    fn gather(config: &Config, asked: &Asked) -> anyhow::Result<Self> {
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
            return Self::assemble(asked, &mut |question| question.over_http(address, token));
        }
        let store = Store::open(config.store.to_reading_config(data_dir.clone()))
            .with_context(|| format!("cannot open the data directory {}", data_dir.display()))?;
        let store = Arc::new(store);
        let outcome = store
            .reader()
            .map_err(anyhow::Error::from)
            .and_then(|reader| {
                let session = Session::new(&reader);
                Self::assemble(asked, &mut |question| question.here(&session))
            });
        store.close(Duration::from_secs(10));
        outcome
    }

    fn assemble(
        asked: &Asked,
        ask: &mut dyn FnMut(Question) -> anyhow::Result<Value>,
    ) -> anyhow::Result<Self> {
        let mut incidents = Vec::new();
        let (from, to) = match asked {
            Asked::One(address) => {
                let found = ask(Question::Incident(address.clone()))?;
                let start = number(&found["incident"]["start_unix_nano"])
                    .context("an incident without a start")?;
                let end = number(&found["incident"]["end_unix_nano"])
                    .unwrap_or_else(crate::api::params::now_ns);
                incidents.push(found);
                (
                    start.saturating_sub(BEFORE_NS),
                    end.saturating_add(AFTER_NS),
                )
            }
            Asked::Range(from, to) => {
                let page = ask(Question::Incidents(*from, *to))?;
                for incident in page["items"].as_array().into_iter().flatten() {
                    let id = incident["incident_id"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned();
                    incidents.push(ask(Question::Incident(id))?);
                }
                (*from, *to)
            }
        };
        let ids = incidents
            .iter()
            .filter_map(|found| found["incident"]["incident_id"].as_str().map(str::to_owned))
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
        let breakers = ask(Question::Breakers)?;
        let queries: serde_json::Map<String, Value> = QUERIES
            .iter()
            .map(|(name, text)| ((*name).to_owned(), json!(text)))
            .collect();
        Ok(Self {
            from,
            to,
            ids,
            files: vec![
                ("incident.json", Value::Array(incidents)),
                ("graph.json", graph),
                ("breakers.json", breakers),
                ("transitions.json", Value::Array(transitions)),
                ("top_traces.json", Value::Array(traces)),
                ("queries.json", Value::Object(queries)),
            ],
        })
    }
}

/// An integer that may be text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// What a bundle asks, of a server or of a store.
enum Question {
    Incident(String),
    Incidents(u64, u64),
    Graph(u64, u64),
    Breakers,
    Trace(String),
}

impl Question {
    fn over_http(self, address: &str, token: Option<&str>) -> anyhow::Result<Value> {
        let path = match self {
            Self::Incident(address) => format!("/api/v1/incidents/{address}"),
            Self::Incidents(from, to) => {
                format!("/api/v1/incidents?from={from}&to={to}&limit=1000")
            }
            Self::Graph(from, to) => format!("/api/v1/graph?from={from}&to={to}&limit=2000"),
            Self::Breakers => "/api/v1/breakers?limit=10000".to_owned(),
            Self::Trace(id) => format!("/api/v1/traces/{id}"),
        };
        let (status, body) = sql::client::get(address, token, &path)?;
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

    fn here(self, session: &Session<'_>) -> anyhow::Result<Value> {
        let now = i64::try_from(crate::api::params::now_ns()).unwrap_or(i64::MAX);
        let range = |from: u64, to: u64| model::TimeRange {
            from_unix_nano: i64::try_from(from).unwrap_or(i64::MAX),
            to_unix_nano: i64::try_from(to).unwrap_or(i64::MAX),
        };
        Ok(match self {
            Self::Incident(address) => {
                let found = query::incident(session, &address, None, now)?;
                serde_json::to_value(
                    found.with_context(|| format!("no incident is known at {address}"))?,
                )?
            }
            Self::Incidents(from, to) => serde_json::to_value(query::incidents(
                session,
                &model::IncidentsQuery {
                    range: range(from, to),
                    scope: Default::default(),
                    service: None,
                    limit: 1_000,
                    now_unix_nano: now,
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
        assert!(asked("2027-01-15..2027-01-14").is_err());
        assert!(asked("lately").is_err());
    }
}
