//! What is stored of a breaker: its calls, its changes of state and what it was told, as the lives that are replayed.
//!
//! Calls before the range are read as far as they can matter to the state it began in, an hour at most.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use duckdb::{Connection, params};
use serde_json::{Map, Value};
use tripline_sdk::{BreakerConfig, WindowConfig};

use super::super::breakers::counted_guards;
use super::super::refused_spans::RefusedSpans;
use super::super::sample::Sample;
use super::super::{QueryError, Session};
use super::calls::{self, Found, Lone, Refusals, Wanted};
use super::{OURS, refused};
use crate::ask::Ask as _;
use crate::model::{Breaker, BreakerDetail, Scope, TimeRange, WhatIfQuery};
use crate::resilience::Recognisers;
use crate::resilience::whatif::history::Change;
use crate::resilience::whatif::lives::{Asked, Life, lives};
use crate::resilience::whatif::record::{Record, Report};
use crate::resilience::whatif::settings;

const CALLS: &str = include_str!("calls.sql");
const EDGE_CALLS: &str = include_str!("edge_calls.sql");
const CHANGES: &str = include_str!("changes.sql");
const TOLD: &str = include_str!("told.sql");
/// No call that began longer before the range is read, nanoseconds.
const REACH_NS: i64 = 3_600_000_000_000;
/// A call that counts in a window began so much before it at most, nanoseconds.
const LONG_CALL_NS: i64 = 60_000_000_000;
/// A span began so much before its call at most, as `calls.sql` has it, nanoseconds.
const LEAD_NS: i64 = 60_000_000_000;
/// Calls before the range that are read at most.
const BEFORE_MAX: usize = 200_000;

/// What was recorded of a breaker.
pub(super) struct Stored {
    /// In the order of instances and times.
    pub lives: Vec<Life>,
    /// What was read of the calls that are asked for.
    pub found: Found,
    pub whose: Whose,
    pub settings: Settings,
}

/// Which calls are taken for those of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those that it wrote on.
    Marked,
    /// All of its owner to its callee: it writes on none.
    OfEdge,
    /// All of its owner to its callee: it writes on those that it refused, and only on them.
    OfEdgeBesideRefused,
}

/// The settings that edits and proposals start from: the newest of the range.
pub(super) struct Settings {
    /// As they were told.
    pub shown: Map<String, Value>,
    pub base: BreakerConfig,
    /// Where they are from.
    pub source: String,
    /// The breaker told them itself.
    pub is_reported: bool,
    /// Names it told that mean nothing here.
    pub strange: BTreeSet<String>,
}

/// Settings as one instance told them, unread.
struct Line {
    at: i64,
    hash: String,
    config: String,
    source: String,
}

/// Reads it.
pub(super) fn read(
    session: &Session<'_>,
    detail: &BreakerDetail,
    query: &WhatIfQuery,
) -> Result<Stored, QueryError> {
    let breaker = &detail.breaker;
    let (from, until) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let question = |sql: &str, range: TimeRange| {
        let from = range.from_unix_nano.saturating_sub(LEAD_NS);
        let to = range.to_unix_nano.saturating_add(LEAD_NS);
        let set = session.set();
        let keys = calls::call_keys();
        let calls = set.calls_sql(&keys, |segment| segment.may_hold_time(from, to));
        calls::with_keys(sql).replace("{calls}", &calls)
    };
    session.run_concluded(|conn| {
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        let sql = question(CALLS, query.range);
        let none = Refusals::default();
        let own = Wanted {
            sql: &sql,
            breaker,
            name: &breaker.name,
            refusals: &none,
            range: query.range,
            calls_max: query.calls_max,
        };
        let mut found = calls::read(conn, &own, &mut records)?;
        let is_marked = found.calls > 0;
        // One that is open all the time writes only on calls that it refused, too; then nobody is called.
        let is_whole = is_marked && (found.refused < found.taken || breaker.origin == OURS);
        let callee = breaker
            .peer_service
            .as_ref()
            .or(breaker.peer_address.as_ref());
        let mut callees = None;
        if !is_whole && let Some(callee) = callee {
            let names = names_of(conn, detail, callee)?;
            let of_edge = Wanted {
                sql: &question(EDGE_CALLS, query.range),
                name: &names,
                refusals: &refusals(session, conn, breaker, query.range)?,
                ..own
            };
            let mut on_edge = BTreeMap::new();
            let all = calls::read(conn, &of_edge, &mut on_edge)?;
            let is_more = all.refused > 0 && all.refused < all.taken;
            if is_more || !is_marked && all.calls > 0 {
                (records, found, callees) = (on_edge, all, Some(names));
            }
        }
        read_changes(conn, query, &mut records)?;
        let mut lines = lines(conn, query)?;
        let mut settings = newest(detail, &lines, until)?;
        for (instance, record) in &mut records {
            record.instance.clone_from(instance);
            let told = lines.remove(instance).unwrap_or_default();
            record.reports = reports(&told, &mut settings.strange);
        }
        let mut read_from = needed_from(query, &settings.base, &records);
        if read_from < from {
            let range = TimeRange {
                from_unix_nano: read_from,
                to_unix_nano: from,
            };
            let (sql, refusals) = if callees.is_some() {
                (EDGE_CALLS, refusals(session, conn, breaker, range)?)
            } else {
                (CALLS, Refusals::default())
            };
            let before = Wanted {
                sql: &question(sql, range),
                name: callees.as_deref().unwrap_or(&breaker.name),
                refusals: &refusals,
                range,
                calls_max: BEFORE_MAX,
                ..own
            };
            read_from = calls::read_before(conn, &before, &mut records)?;
        }
        let asked = Asked {
            from,
            until,
            read_from,
            fallback: settings.base,
        };
        let all = records.into_values();
        Ok(Stored {
            lives: all.flat_map(|record| lives(record, &asked)).collect(),
            found,
            whose: match (callees.is_some(), is_marked) {
                (false, _) => Whose::Marked,
                (true, false) => Whose::OfEdge,
                (true, true) => Whose::OfEdgeBesideRefused,
            },
            settings,
        })
    })
}

/// The callee's name and the names and addresses its caller has for it, joined by `chr(31)`.
fn names_of(conn: &Connection, detail: &BreakerDetail, callee: &str) -> Result<String, QueryError> {
    let mut statement = conn.ask(
        "SELECT called FROM callee_names WHERE service_name = ? AND callee = ? \
         AND environment IS NOT DISTINCT FROM ? AND service_namespace IS NOT DISTINCT FROM ? \
         AND cluster IS NOT DISTINCT FROM ? ORDER BY called",
    )?;
    let breaker = &detail.breaker;
    let Scope {
        environment,
        service_namespace,
        cluster,
    } = &breaker.scope;
    let values = params![
        breaker.service_name,
        callee,
        environment,
        service_namespace,
        cluster
    ];
    let mut names = vec![callee.to_owned()];
    for name in statement.query_map(values, |row| row.get(0))? {
        names.push(name?);
    }
    Ok(names.join("\u{1f}"))
}

/// Refused calls that spans of the breaker's owner tell by its library's error or by an outcome. The caller's own span fails
/// with it where it was begun first; nobody was called then. Else a span around it does, which is no call of the edge.
fn refusals(
    session: &Session<'_>,
    conn: &Connection,
    breaker: &Breaker,
    range: TimeRange,
) -> Result<Refusals, QueryError> {
    let set = session.set();
    let owners = BTreeSet::from([breaker.service_name.clone()]);
    let told = RefusedSpans::of(set, conn, range, &owners, Sample::ALL)?;
    if told.found.is_empty() {
        return Ok(Refusals::default());
    }
    let of_its_kind = told
        .found
        .iter()
        .filter(|sample| sample.subject.pattern == breaker.pattern);
    let on_calls = of_its_kind
        .filter_map(|sample| sample.span_id.as_deref())
        .map(calls::span_id_of)
        .collect();
    let guards = counted_guards(set, conn, range)?;
    let is_in_range = |at: i64| at >= range.from_unix_nano && at < range.to_unix_nano;
    let lone = told
        .lone(&guards, &breaker.breaker_id)
        .into_iter()
        .filter(|lone| is_in_range(lone.sample.time_unix_nano))
        .map(|lone| Lone {
            instance: lone
                .sample
                .subject
                .service_instance_id
                .clone()
                .unwrap_or_default(),
            at: lone.sample.time_unix_nano,
            span_id: calls::span_id_of(lone.sample.span_id.as_deref().unwrap_or_default()),
            weight: lone.weight,
        })
        .collect();
    Ok(Refusals { on_calls, lone })
}

/// Changes of state of the instances whose calls are known.
fn read_changes(
    conn: &Connection,
    query: &WhatIfQuery,
    into: &mut BTreeMap<String, Record>,
) -> Result<(), QueryError> {
    let mut statement = conn.ask(CHANGES)?;
    let mut rows = statement.query(params![
        query.breaker_id,
        query.range.from_unix_nano,
        query.range.to_unix_nano
    ])?;
    while let Some(row) = rows.next()? {
        let instance: String = row.get(0)?;
        let Some(record) = into.get_mut(&instance) else {
            continue;
        };
        let at: i64 = row.get(1)?;
        record.changes.push(Change {
            at,
            lo: row.get::<_, Option<i64>>(2)?.unwrap_or(at),
            from: row.get(3)?,
            to: row.get(4)?,
            reason: row.get(5)?,
            open_for_ms: row.get(6)?,
            generation: row.get(7)?,
        });
    }
    Ok(())
}

/// What each instance told, in order.
fn lines(
    conn: &Connection,
    query: &WhatIfQuery,
) -> Result<BTreeMap<String, Vec<Line>>, QueryError> {
    let mut statement = conn.ask(TOLD)?;
    let mut rows = statement.query(params![query.breaker_id, query.range.from_unix_nano])?;
    let mut lines: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| {
            row.get::<_, Option<String>>(at)
                .map(Option::unwrap_or_default)
        };
        let line = Line {
            at: row.get(1)?,
            hash: text(2)?,
            config: text(3)?,
            source: text(4)?,
        };
        lines.entry(row.get(0)?).or_default().push(line);
    }
    Ok(lines)
}

/// Those of them that can be read.
fn reports(lines: &[Line], strange: &mut BTreeSet<String>) -> Vec<Report> {
    let report = |line: &Line| {
        let (_, config) = line.read(strange)?;
        Some(Report {
            at: line.at,
            config,
            hash: line.hash.clone(),
        })
    };
    lines.iter().filter_map(report).collect()
}

impl Line {
    fn read(&self, strange: &mut BTreeSet<String>) -> Option<(Map<String, Value>, BreakerConfig)> {
        let Ok(Value::Object(told)) = serde_json::from_str(&self.config) else {
            return None;
        };
        let (known, new) = settings::known(told);
        let config = settings::read(&known).ok()?;
        strange.extend(new);
        Some((known, config))
    }
}

/// The newest that any instance told until `to`, else the first it told after, else the defaults of its library.
fn newest(
    detail: &BreakerDetail,
    lines: &BTreeMap<String, Vec<Line>>,
    to: i64,
) -> Result<Settings, QueryError> {
    let mut all: Vec<&Line> = lines.values().flatten().collect();
    all.sort_by_key(|line| (line.at >= to, line.at.abs_diff(to)));
    let mut strange = BTreeSet::new();
    let told = all
        .into_iter()
        .find_map(|line| Some((line, line.read(&mut strange)?)));
    if let Some((line, (shown, base))) = told {
        return Ok(Settings {
            shown,
            base,
            source: line.source.clone(),
            is_reported: true,
            strange,
        });
    }
    let origin = &detail.breaker.origin;
    let (shown, source) = match Recognisers::shipped().replay_rules(origin) {
        Some(rules) => (rules.defaults.clone(), format!("defaults of {origin}")),
        None => (
            settings::write(&BreakerConfig::new()),
            "defaults of the SDK; its own are not reported".to_owned(),
        ),
    };
    let base = settings::read(&shown).map_err(|error| refused(&error))?;
    Ok(Settings {
        shown,
        base,
        source,
        is_reported: false,
        strange,
    })
}

/// From when on calls can matter to the states in which the range begins; its own beginning, if none before does.
fn needed_from(
    query: &WhatIfQuery,
    base: &BreakerConfig,
    records: &BTreeMap<String, Record>,
) -> i64 {
    let from = query.range.from_unix_nano;
    let edited = settings::edited(base, &query.edits).ok();
    let told = records.values().flat_map(|record| &record.reports);
    let reach = told
        .map(|report| &report.config)
        .chain(&edited)
        .chain([base])
        .map(reach)
        .max();
    let earliest = from.saturating_sub(reach.unwrap_or(0));
    let needed = records.values().map(|record| {
        let mut before = record.changes.iter().rev();
        let last = before.find(|change| change.at < from && !change.is_restart());
        match last.map(|last| (last.to.as_str(), last.at)) {
            // Neither has a window.
            Some(("open" | "forced_open", _)) => from,
            Some((_, at)) => at.clamp(earliest, from),
            None => earliest,
        }
    });
    needed.min().unwrap_or(from)
}

/// How far back calls can matter to a closed breaker.
fn reach(config: &BreakerConfig) -> i64 {
    match config.window {
        // Twice: a longer one may be proposed.
        WindowConfig::Time { length, .. } if config.consecutive_failures.is_none() => nanos(length)
            .saturating_mul(2)
            .saturating_add(LONG_CALL_NS)
            .min(REACH_NS),
        WindowConfig::Time { .. } | WindowConfig::Count { .. } => REACH_NS,
    }
}

fn nanos(length: Duration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}
