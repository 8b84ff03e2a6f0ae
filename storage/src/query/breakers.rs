//! Circuit breakers: the list, one of them, their transitions, and which edge of the graph each guards.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::types::Value;
use duckdb::{Connection, Row, params};

use super::conditions::Conditions;
use super::{QueryError, Session, refused_spans};
pub(super) use crate::ask::scope;
use crate::ask::{Ask, NONE};
use crate::model::{
    Breaker, BreakerConfig, BreakerDetail, BreakerInstance, BreakerTransition, BreakersQuery,
    EdgeBreaker, EjectedHosts, Page, Scope, TimeRange, TransitionsQuery, TripTrace,
};
use crate::store::SegmentSet;

const BREAKERS: &str = include_str!("breakers.sql");
const BREAKERS_AT: &str = include_str!("breakers_at.sql");
const TRANSITIONS: &str = include_str!("transitions.sql");
const REFUSED: &str = include_str!("refused.sql");
const UNCOUNTED: &str = include_str!("uncounted.sql");
/// A counter is exported once a minute or oftener.
const COUNTED_BEFORE_NS: i64 = 120_000_000_000;
const AT_A_TIME: &str = include_str!("edge_breakers.sql");
const EJECTED_HOSTS: &str = include_str!("ejected_hosts.sql");
/// The pattern of outlier detection: its fraction is of hosts, not of instances.
const EJECTION: &str = "ejection";
/// Who counted hosts longer ago says nothing of a time.
const HOSTS_COUNTED_BEFORE_NS: i64 = 600_000_000_000;

/// The breakers, those that refuse first.
pub fn breakers(session: &Session<'_>, query: &BreakersQuery) -> Result<Page<Breaker>, QueryError> {
    let conditions = conditions(query);
    if !session.set().may_have_breakers() {
        return Ok(Page::whole(Vec::new()));
    }
    let mut all = session.run_concluded(|conn| list(conn, &conditions, query.at_unix_nano))?;
    if query.name.is_some() {
        // A retry, a timeout or a bulkhead beside a breaker often has its name; and so has each host of an ejection.
        let is_asked = query.key.is_some();
        all.sort_by_key(|found| {
            let is_host = found.pattern == EJECTION && found.key.is_some();
            (found.pattern != "breaker", is_host && !is_asked)
        });
    }
    Ok(Page::cut(all, query.limit))
}

/// Of the rows of `breakers` that are asked for.
pub(super) fn conditions(query: &BreakersQuery) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    conditions.text("service_name = ?", query.service.as_ref());
    conditions.text("name = ?", query.name.as_ref());
    conditions.text("coalesce(\"key\", '') = ?", query.key.as_ref());
    conditions.text("state = ?", query.state.as_ref());
    conditions
}

/// One breaker by its id, with instances and latest settings; `None` when there is none.
pub fn breaker(
    session: &Session<'_>,
    breaker_id: &str,
) -> Result<Option<BreakerDetail>, QueryError> {
    let mut conditions = Conditions::default();
    conditions.add("breaker_id = ?", [Value::Text(breaker_id.to_owned())]);
    session.run_concluded(|conn| {
        let Some(breaker) = list(conn, &conditions, None)?.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some(BreakerDetail {
            instances: instances(conn, breaker_id)?,
            configs: configs(conn, breaker_id)?,
            breaker,
        }))
    })
}

/// Transitions, newest first.
pub fn transitions(
    session: &Session<'_>,
    query: &TransitionsQuery,
) -> Result<Page<BreakerTransition>, QueryError> {
    let conditions = of_transitions(query);
    let mut items =
        session.run_concluded(|conn| read_transitions(conn, &conditions, query.limit + 1))?;
    let truncated = items.len() > query.limit;
    items.truncate(query.limit);
    let total = (!truncated).then_some(items.len() as u64);
    Ok(Page {
        truncated,
        items,
        total,
        next: None,
    })
}

/// Of the rows of `breaker_transitions` that are asked for.
pub(super) fn of_transitions(query: &TransitionsQuery) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.text("breaker_id = ?", query.breaker_id.as_ref());
    conditions.scope(&query.scope);
    conditions.text("service_name = ?", query.service.as_ref());
    if let Some(range) = query.range {
        conditions.add(
            "\"time\" >= make_timestamp_ns(?) AND \"time\" < make_timestamp_ns(?)",
            [
                Value::BigInt(range.from_unix_nano),
                Value::BigInt(range.to_unix_nano),
            ],
        );
    }
    conditions
}

/// Transitions that a trace caused, oldest first.
pub(super) fn of_trace(
    session: &Session<'_>,
    conn: &Connection,
    trace_id: &str,
) -> Result<Vec<BreakerTransition>, QueryError> {
    if !session.set().may_have_breakers() {
        return Ok(Vec::new());
    }
    let of_trace = || {
        let mut conditions = Conditions::default();
        conditions.add("trace_id = ?", [Value::Text(trace_id.to_owned())]);
        conditions
    };
    let mut found = Vec::new();
    if session.is_concluded()? {
        found = read_transitions(conn, &of_trace(), 1_000)?;
    } else {
        // Concluding transitions reads the whole history of a breaker: only of those that know this trace.
        let sql = session.set().breakers_of_trace_sql();
        let mut statement = conn.ask(&sql)?;
        let ids: Vec<String> = statement
            .query_map(params![trace_id, trace_id], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if !ids.is_empty() {
            session.provide(&["breaker_transitions"])?;
        }
        for id in ids {
            let mut conditions = of_trace();
            conditions.add("breaker_id = ?", [Value::Text(id)]);
            found.append(&mut read_transitions(conn, &conditions, 1_000)?);
        }
        found.append(&mut inferred(session, conn, trace_id)?);
    }
    found.sort_by_key(|transition| transition.time_unix_nano);
    Ok(found)
}

/// Transitions that a trace is inferred to have caused, which the public relation does not say.
fn inferred(
    session: &Session<'_>,
    conn: &Connection,
    trace_id: &str,
) -> Result<Vec<BreakerTransition>, QueryError> {
    let mut found = Vec::new();
    for trip in session.set().inferred_from(trace_id) {
        session.provide(&["breaker_transitions"])?;
        let mut conditions = Conditions::default();
        conditions.add(
            "breaker_id = ? AND coalesce(service_instance_id, '') = ? AND time_unix_nano = ? AND to_state = 'open' \
             AND (trace_id IS NULL OR trace_evidence = 'inferred' AND trace_id <> ?)",
            [
                Value::Text(trip.breaker_id),
                Value::Text(trip.instance),
                Value::BigInt(trip.time_unix_nano),
                Value::Text(trace_id.to_owned()),
            ],
        );
        let changes = read_transitions(conn, &conditions, 1)?;
        found.extend(changes.into_iter().map(|change| BreakerTransition {
            trace_id: Some(trace_id.to_owned()),
            span_id: trip.span_id.clone(),
            trace_evidence: Some("inferred".to_owned()),
            contributing_trace_ids: trip.contributing_trace_ids.clone(),
            ..change
        }));
    }
    Ok(found)
}

/// What SQL has after FROM for breakers by now, or as they were at a time.
pub(super) fn relation(at: Option<i64>) -> String {
    let Some(at) = at else {
        return "breakers".to_owned();
    };
    let hosts_since = at.saturating_sub(HOSTS_COUNTED_BEFORE_NS);
    let rows = BREAKERS_AT
        .replace("{at}", &at.to_string())
        .replace("{hosts_since}", &hosts_since.to_string());
    format!("(\n{rows})")
}

/// Breakers by now, or as they were at a time, each with its latest trip until then.
fn list(
    conn: &Connection,
    conditions: &Conditions,
    at: Option<i64>,
) -> Result<Vec<Breaker>, QueryError> {
    let until = at.map_or_else(String::new, |at| {
        format!(" AND \"time\" <= make_timestamp_ns({at})")
    });
    let sql = BREAKERS
        .replace("{breakers}", &relation(at))
        .replace("{until}", &until)
        .replace("{where}", &conditions.filter_clause());
    let mut statement = conn.ask(&sql)?;
    let rows = statement.query_map(conditions.values(), |row| {
        Ok(Breaker {
            breaker_id: row.get(0)?,
            scope: scope(row, 1)?,
            service_name: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            name: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
            key: row.get(6)?,
            pattern: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
            origin: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
            service_version: row.get(9)?,
            peer_service: row.get(10)?,
            peer_address: row.get(11)?,
            peer_evidence: row.get(12)?,
            state: row.get(13)?,
            instances: row.get(14)?,
            instances_open: row.get(15)?,
            since_unix_nano: row.get(16)?,
            since_exact: row.get(17)?,
            evidence: row.get(18)?,
            confidence: row.get(19)?,
            last_seen_unix_nano: row.get(20)?,
            last_trip: trip(row)?,
            hosts: None,
        })
    })?;
    let mut found: Vec<Breaker> = rows.collect::<Result<_, _>>()?;
    if found.iter().any(|breaker| breaker.pattern == EJECTION) {
        add_hosts(conn, &mut found, at)?;
    }
    Ok(found)
}

/// The hosts of the ejections among these breakers.
fn add_hosts(conn: &Connection, found: &mut [Breaker], at: Option<i64>) -> Result<(), QueryError> {
    let mut statement = conn.ask(&EJECTED_HOSTS.replace("{breakers}", &relation(at)))?;
    let rows = statement.query_map(NONE, |row| {
        let text = |at: usize| {
            row.get::<_, Option<String>>(at)
                .map(Option::unwrap_or_default)
        };
        let named = text(8)?;
        let hosts = EjectedHosts {
            ejected: row.get(5)?,
            healthy: row.get(6)?,
            total: row.get(7)?,
            named: named
                .split('\u{1f}')
                .filter(|host| !host.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        Ok(((scope(row, 0)?, text(3)?, text(4)?), hosts))
    })?;
    let known: BTreeMap<(Scope, String, String), EjectedHosts> = rows.collect::<Result<_, _>>()?;
    for breaker in found.iter_mut().filter(|found| found.pattern == EJECTION) {
        let family = (
            breaker.scope.clone(),
            breaker.service_name.clone(),
            breaker.name.clone(),
        );
        breaker.hosts = known.get(&family).cloned();
    }
    Ok(())
}

fn trip(row: &Row<'_>) -> duckdb::Result<Option<TripTrace>> {
    let Some(trace_id) = row.get(21)? else {
        return Ok(None);
    };
    Ok(Some(TripTrace {
        trace_id,
        span_id: row.get(22)?,
        trace_evidence: row.get(23)?,
        time_unix_nano: row.get(24)?,
    }))
}

fn instances(conn: &Connection, breaker_id: &str) -> Result<Vec<BreakerInstance>, QueryError> {
    let mut statement = conn.ask(
        "SELECT service_instance_id, service_version, state, last_state, epoch_ns(since), since_exact, generation, \
         evidence, confidence, epoch_ns(last_seen), hosts_ejected, hosts_total \
         FROM breaker_instances WHERE breaker_id = ? \
         ORDER BY state = 'stale', state NOT IN ('open', 'forced_open'), state <> 'half_open', service_instance_id",
    )?;
    let rows = statement.query_map(params![breaker_id], |row| {
        Ok(BreakerInstance {
            service_instance_id: row.get(0)?,
            service_version: row.get(1)?,
            state: row.get(2)?,
            last_state: row.get(3)?,
            since_unix_nano: row.get(4)?,
            since_exact: row.get(5)?,
            generation: row.get(6)?,
            evidence: row.get(7)?,
            confidence: row.get(8)?,
            last_seen_unix_nano: row.get(9)?,
            hosts_ejected: row.get(10)?,
            hosts_total: row.get(11)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn configs(conn: &Connection, breaker_id: &str) -> Result<Vec<BreakerConfig>, QueryError> {
    let mut statement = conn.ask(
        "SELECT DISTINCT ON (service_instance_id) service_instance_id, epoch_ns(valid_from), config_hash, \
         config::VARCHAR, source FROM breaker_config WHERE breaker_id = ? AND valid_from IS NOT NULL \
         ORDER BY service_instance_id, valid_from DESC",
    )?;
    let rows = statement.query_map(params![breaker_id], |row| {
        Ok(BreakerConfig {
            service_instance_id: row.get(0)?,
            valid_from_unix_nano: row.get(1)?,
            config_hash: row.get(2)?,
            config: row.get(3)?,
            source: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn read_transitions(
    conn: &Connection,
    conditions: &Conditions,
    limit: usize,
) -> Result<Vec<BreakerTransition>, QueryError> {
    let sql = TRANSITIONS.replace("{where}", &conditions.filter_clause());
    let mut statement = conn.ask(&format!("{sql} LIMIT {limit}"))?;
    let rows = statement.query_map(conditions.values(), |row| {
        let text = |at: usize| {
            row.get::<_, Option<String>>(at)
                .map(Option::unwrap_or_default)
        };
        let contributing = text(21)?;
        Ok(BreakerTransition {
            time_unix_nano: row.get(0)?,
            time_lo_unix_nano: row.get(1)?,
            breaker_id: row.get(2)?,
            scope: scope(row, 3)?,
            service_name: text(6)?,
            service_instance_id: row.get(7)?,
            name: text(8)?,
            key: row.get(9)?,
            from_state: row.get(10)?,
            to_state: text(11)?,
            reason: row.get(12)?,
            failure_rate: row.get(13)?,
            slow_rate: row.get(14)?,
            window_calls: row.get(15)?,
            threshold: row.get(16)?,
            open_for_ms: row.get(17)?,
            trace_id: row.get(18)?,
            span_id: row.get(19)?,
            trace_evidence: row.get(20)?,
            contributing_trace_ids: contributing
                .split(',')
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
                .collect(),
            evidence: text(22)?,
            confidence: row.get(23)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A breaker with what is known of the callee it guards.
pub(super) struct Guard {
    pub scope: Scope,
    pub service: String,
    peer_service: Option<String>,
    peer_address: Option<String>,
    peer_evidence: Option<String>,
    pub breaker: EdgeBreaker,
}

/// Whether there is evidence of any breaker.
pub(super) fn has_any(set: &SegmentSet, conn: &Connection) -> Result<bool, QueryError> {
    let is_possible = set.may_have_breakers();
    Ok(is_possible && conn.ask_row(&set.has_breakers_sql(), NONE, |row| row.get(0))?)
}

/// All breakers as they were at the end of a range, with the calls they refused in it: by their counters, else by spans.
pub(super) fn guards(
    set: &SegmentSet,
    conn: &Connection,
    range: TimeRange,
) -> Result<Vec<Guard>, QueryError> {
    let mut guards = counted_guards(set, conn, range)?;
    if !guards.is_empty() {
        refused_spans::count(set, conn, range, &mut guards, &uncounted(conn, range)?)?;
    }
    Ok(guards)
}

/// The same, with the calls that they counted as refused themselves.
pub(super) fn counted_guards(
    set: &SegmentSet,
    conn: &Connection,
    range: TimeRange,
) -> Result<Vec<Guard>, QueryError> {
    if !has_any(set, conn)? {
        return Ok(Vec::new());
    }
    let refused = refused(conn, range)?;
    let mut statement = conn.ask(AT_A_TIME)?;
    let counted_since = range.to_unix_nano.saturating_sub(HOSTS_COUNTED_BEFORE_NS);
    let rows = statement.query_map(params![range.to_unix_nano, counted_since], |row| {
        let id: String = row.get(0)?;
        Ok(Guard {
            scope: scope(row, 1)?,
            service: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            peer_service: row.get(7)?,
            peer_address: row.get(8)?,
            peer_evidence: row.get(9)?,
            breaker: EdgeBreaker {
                name: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                key: row.get(6)?,
                pattern: row.get::<_, Option<String>>(13)?.unwrap_or_default(),
                state: row.get(10)?,
                instances: row.get(11)?,
                instances_open: row.get(12)?,
                peer_evidence: String::new(),
                rejected: refused.get(&id).copied(),
                rejected_basis: refused.contains_key(&id).then(|| "counter".to_owned()),
                rejected_as_failed: 0,
                hosts_ejected: row.get(14)?,
                hosts_total: row.get(15)?,
                breaker_id: id,
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Breakers that may have refused calls within a range and count none.
fn uncounted(conn: &Connection, range: TimeRange) -> Result<BTreeSet<String>, QueryError> {
    let mut statement = conn.ask(UNCOUNTED)?;
    let around = range.widened(COUNTED_BEFORE_NS);
    let (from, to) = (range.from_unix_nano, range.to_unix_nano);
    let (before, after) = (around.from_unix_nano, around.to_unix_nano);
    let rows = statement.query_map(params![from, to, before, after], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Calls refused within a range, by breaker, of those that count them.
pub(super) fn refused(
    conn: &Connection,
    range: TimeRange,
) -> Result<BTreeMap<String, u64>, QueryError> {
    let mut statement = conn.ask(REFUSED)?;
    let before = range.from_unix_nano.saturating_sub(COUNTED_BEFORE_NS);
    let rows = statement.query_map(
        params![range.from_unix_nano, range.to_unix_nano, before],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl Guard {
    /// Whether it guards calls to this callee.
    pub(super) fn guards_calls_to(&self, callee: &str) -> bool {
        [&self.peer_service, &self.peer_address]
            .into_iter()
            .any(|peer| peer.as_deref() == Some(callee))
    }

    /// The breaker, if it guards calls to this callee.
    pub(super) fn on_edge_to(&self, callee: &str) -> Option<EdgeBreaker> {
        let evidence = self.peer_evidence.as_deref().unwrap_or("reported");
        self.guards_calls_to(callee).then(|| EdgeBreaker {
            peer_evidence: evidence.to_owned(),
            ..self.breaker.clone()
        })
    }
}
