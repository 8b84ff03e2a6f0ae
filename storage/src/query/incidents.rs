//! Incidents: trips that belong together by time and call path, and everything about one of them.
//!
//! Trips become *episodes* (a breaker from its first refusing instance to the last that closed, or fell silent:
//! [`silences`]), episodes that follow each other along calls become incidents ([`links`]), and the likely root is the
//! episode that came first, has nothing open below it and whose callee fails by itself ([`root`]). The list needs
//! transitions and roll-ups only; [`incident`] adds what raw spans, logs and samples say, how calls did before and after
//! ([`courses`]), and the calls as a graph when most refused ([`worst`]).

mod blast;
mod causes;
mod changes;
mod courses;
mod episodes;
mod links;
mod onsets;
mod recovery;
mod root;
mod silences;
#[cfg(test)]
mod tests;
mod versions;
mod windows;
mod worst;

use std::collections::{BTreeMap, BTreeSet};

use duckdb::types::Value;
use duckdb::{Connection, params};

use self::episodes::Episode;
use self::links::{CallPaths, Node};
use super::breakers::read_transitions;
use super::conditions::Conditions;
use super::findings::findings;
use super::refused_spans::RefusedSpans;
use super::sample::Sample;
use super::{QueryError, Session, refused_spans, sample};
use crate::ask::Ask;
use crate::model::{
    EntryPoint, FindingsQuery, Incident, IncidentBreaker, IncidentDetail, IncidentsQuery, Page,
    Scope, TimeRange,
};

const SECOND: i64 = 1_000_000_000;
/// How far back a breaker may have opened that still refuses at the start of a range.
const LOOK_BACK_NS: i64 = 24 * 3600 * SECOND;
/// How long after a moment its incident may have begun (a person rounds, a pager is late).
const LOOK_AHEAD_NS: i64 = 3600 * SECOND;
/// Transitions read at most, newest first.
const TRANSITIONS_MAX: usize = 50_000;

/// Incidents that touch the range, newest first.
pub fn incidents(
    session: &Session<'_>,
    query: &IncidentsQuery,
) -> Result<Page<Incident>, QueryError> {
    let found = find(session, query)?;
    let mut items: Vec<Incident> = found.into_iter().map(|found| found.incident).collect();
    items.sort_by(|a, b| {
        (b.start_unix_nano, &b.incident_id).cmp(&(a.start_unix_nano, &a.incident_id))
    });
    Ok(Page::cut(items, query.limit))
}

/// One incident, by its id or by a time in it (nanoseconds since the epoch): the one whose time it is, else the
/// nearest. With a breaker, only incidents that breaker is part of. `None` when there is none within an hour.
pub fn incident(
    session: &Session<'_>,
    address: &str,
    breaker_id: Option<&str>,
    now_unix_nano: i64,
) -> Result<Option<IncidentDetail>, QueryError> {
    let (time, _) = address.split_once('-').unwrap_or((address, ""));
    let Ok(time) = time.parse::<i64>() else {
        return Err(QueryError::Invalid(
            "an incident is addressed by its id, or by nanoseconds since 1970",
        ));
    };
    let query = IncidentsQuery {
        range: TimeRange {
            from_unix_nano: time.saturating_sub(LOOK_AHEAD_NS),
            to_unix_nano: time
                .saturating_add(LOOK_AHEAD_NS)
                .min(now_unix_nano.max(time).saturating_add(1))
                .min(TimeRange::LAST_UNIX_NANO),
        },
        scope: Default::default(),
        service: None,
        limit: usize::MAX,
        now_unix_nano,
    };
    let mut found = find(session, &query)?;
    found.retain(|found| {
        let mut members = found.incident.breakers.iter();
        breaker_id.is_none_or(|id| members.any(|breaker| breaker.breaker_id == id))
    });
    let distance = |incident: &Incident| {
        if incident.incident_id == address {
            return -1;
        }
        let end = incident.end_unix_nano.unwrap_or(now_unix_nano);
        (incident.start_unix_nano - time).max(time - end).max(0)
    };
    found.sort_by_key(|found| (distance(&found.incident), found.incident.start_unix_nano));
    let Some(found) = found.into_iter().next() else {
        return Ok(None);
    };
    detail(session, found, now_unix_nano).map(Some)
}

/// An incident with the transitions it is made of, oldest first.
struct Found {
    incident: Incident,
    transitions: Vec<crate::model::BreakerTransition>,
    /// Owners, callees and the root, each in its scope: the same name elsewhere is somebody else.
    nodes: BTreeSet<Node>,
}

fn find(session: &Session<'_>, query: &IncidentsQuery) -> Result<Vec<Found>, QueryError> {
    if !session.set().may_have_breakers() {
        return Ok(Vec::new());
    }
    session.run_concluded(|conn| {
        let episodes = episodes::episodes(load(conn, query)?);
        if episodes.is_empty() {
            return Ok(Vec::new());
        }
        let first = episodes.iter().map(|episode| episode.start).min();
        let around = TimeRange {
            from_unix_nano: first.unwrap_or(0) - 300 * SECOND,
            to_unix_nano: query.range.widened(60 * SECOND).to_unix_nano,
        };
        let paths = CallPaths::load(session.set(), conn, around)?;
        let peers = peers(conn, &episodes, &paths)?;
        let groups = links::groups(&episodes, &peers, &paths, query.now_unix_nano);
        let mut found: Vec<Found> = groups
            .into_iter()
            .filter(|group| touches(&episodes, group, query))
            .map(|group| assemble(&episodes, &group, &peers, &paths))
            .filter(|found| is_asked(&found.incident, query))
            .collect();
        let windows = windows::Windows::load(
            session.set(),
            conn,
            found.iter().map(|found| &found.incident),
        )?;
        for (at, found) in found.iter_mut().enumerate() {
            let Some((root, scope)) = root::root(&found.incident, &windows, at) else {
                continue;
            };
            found.nodes.insert((scope, root.service.clone()));
            found.incident.root = Some(root);
        }
        Ok(found)
    })
}

/// Whether an incident of these episodes can be in the range: the days before it may have had thousands.
fn touches(episodes: &[Episode], group: &[usize], query: &IncidentsQuery) -> bool {
    let range = query.range;
    let mut of = group.iter().map(|at| &episodes[*at]);
    of.clone().any(|of| of.start < range.to_unix_nano)
        && of.any(|of| of.end.unwrap_or(query.now_unix_nano).max(of.start) >= range.from_unix_nano)
}

fn is_asked(incident: &Incident, query: &IncidentsQuery) -> bool {
    let end = incident.end_unix_nano.unwrap_or(query.now_unix_nano);
    let touches = incident.start_unix_nano < query.range.to_unix_nano
        && end.max(incident.start_unix_nano) >= query.range.from_unix_nano;
    let is_of_service = query.service.as_ref().is_none_or(|service| {
        incident.breakers.iter().any(|breaker| {
            breaker.service_name == *service || breaker.peer.as_ref() == Some(service)
        })
    });
    touches && is_of_service
}

/// Transitions of breakers proper, and silences of their instances, oldest first.
fn load(
    conn: &Connection,
    query: &IncidentsQuery,
) -> Result<Vec<crate::model::BreakerTransition>, QueryError> {
    let around = TimeRange {
        from_unix_nano: query.range.from_unix_nano.saturating_sub(LOOK_BACK_NS),
        to_unix_nano: query.range.widened(LOOK_AHEAD_NS).to_unix_nano,
    };
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    conditions.add(
        "pattern IN ('breaker', 'ejection') AND \"time\" >= make_timestamp_ns(?) AND \"time\" < make_timestamp_ns(?)",
        [
            Value::BigInt(around.from_unix_nano),
            Value::BigInt(around.to_unix_nano),
        ],
    );
    let mut found = read_transitions(conn, &conditions, TRANSITIONS_MAX)?;
    if found.is_empty() {
        return Ok(found);
    }
    found.reverse();
    found.append(&mut silences::silences(conn, around)?);
    // A silence begins with what was heard last.
    found.sort_by_key(|change| (change.time_unix_nano, change.to_state == silences::STALE));
    Ok(found)
}

/// The callee of each breaker and how it is known.
type Peers = BTreeMap<String, (Node, String)>;

/// Whom each breaker guards, as far as that is concluded.
fn peers(conn: &Connection, episodes: &[Episode], paths: &CallPaths) -> Result<Peers, QueryError> {
    let mut ids: Vec<&str> = episodes
        .iter()
        .map(|e| e.head().breaker_id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut statement = conn.ask(
        "SELECT breaker_id, coalesce(peer_service, peer_address), coalesce(peer_evidence, 'reported') FROM breakers \
         WHERE breaker_id IN (SELECT unnest(string_split(?, ','))) AND coalesce(peer_service, peer_address) IS NOT NULL",
    )?;
    let mut rows = statement.query(params![ids.join(",")])?;
    let mut known: BTreeMap<String, (String, String)> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        known.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
    }
    let mut peers = Peers::new();
    for episode in episodes {
        let head = episode.head();
        let Some((name, evidence)) = known.remove(&head.breaker_id) else {
            continue;
        };
        // The node the owner calls; else one of its own scope, which nobody was seen calling then.
        let callees = paths.callees(&episode.owner());
        let called = callees.into_iter().find(|(_, callee)| *callee == name);
        let node = called
            .cloned()
            .unwrap_or_else(|| (head.scope.clone(), name));
        peers.insert(head.breaker_id.clone(), (node, evidence));
    }
    Ok(peers)
}

fn assemble(episodes: &[Episode], group: &[usize], peers: &Peers, paths: &CallPaths) -> Found {
    let mut breakers: Vec<IncidentBreaker> = Vec::new();
    let mut transitions = Vec::new();
    for &at in group {
        let episode = &episodes[at];
        transitions.extend(episode.transitions.iter().cloned());
        let id = &episode.head().breaker_id;
        match breakers.iter_mut().find(|known| known.breaker_id == *id) {
            Some(known) => episode.add_to(known),
            None => breakers.push(episode.as_member(peers.get(id))),
        }
    }
    breakers.sort_by(|a, b| {
        (a.trip.time_unix_nano, &a.breaker_id).cmp(&(b.trip.time_unix_nano, &b.breaker_id))
    });
    let nodes: Vec<(Node, Option<Node>)> = breakers
        .iter()
        .map(|breaker| {
            let peer = peers.get(&breaker.breaker_id).map(|(node, _)| node.clone());
            ((breaker.scope.clone(), breaker.service_name.clone()), peer)
        })
        .collect();
    for (at, breaker) in breakers.iter_mut().enumerate() {
        let Some(peer) = &nodes[at].1 else { continue };
        breaker.downstream = nodes
            .iter()
            .enumerate()
            .filter(|(other, (owner, _))| *other != at && paths.reaches(peer, owner))
            .map(|(other, _)| other)
            .collect();
    }
    transitions.sort_by_key(|change: &crate::model::BreakerTransition| change.time_unix_nano);
    let start = breakers
        .first()
        .map_or(0, |first| first.trip.time_unix_nano);
    let is_over = breakers.iter().all(|b| b.closed_unix_nano.is_some());
    let is_silent = breakers.iter().any(|b| b.fell_silent);
    let is_open = breakers.iter().any(|b| b.instances_open > 0);
    let incident = Incident {
        incident_id: breakers
            .first()
            .map_or_else(String::new, |first| format!("{start}-{}", first.breaker_id)),
        start_unix_nano: start,
        end_unix_nano: breakers
            .iter()
            .filter_map(|b| b.closed_unix_nano)
            .max()
            .filter(|_| is_over),
        state: if is_over && is_silent {
            "silent"
        } else if is_over {
            "recovered"
        } else if is_open {
            "open"
        } else {
            "probing"
        }
        .to_owned(),
        trips: breakers.iter().map(|b| b.trips).sum(),
        breakers,
        root: None,
    };
    let nodes = nodes
        .into_iter()
        .flat_map(|(owner, peer)| std::iter::once(owner).chain(peer))
        .collect();
    Found {
        incident,
        transitions,
        nodes,
    }
}

fn detail(session: &Session<'_>, found: Found, now: i64) -> Result<IncidentDetail, QueryError> {
    let Found {
        mut incident,
        transitions,
        nodes,
    } = found;
    let services = services(&incident);
    let of_findings = FindingsQuery {
        range: TimeRange {
            from_unix_nano: incident.start_unix_nano - 300 * SECOND,
            to_unix_nano: end(&incident, now) + SECOND,
        },
        scope: only_scope(&nodes),
        services,
        limit: 20,
    };
    let known = &incident;
    // Findings take about as long as all the others together.
    let (others, findings) = session.both(
        |session| {
            let onsets = onsets::onsets(session, known, &nodes)?;
            let error_classes = causes::error_classes(session, known)?;
            let blast = blast::blast_radius(session, known, now, sample::SPANS_MAX)?;
            let recovery = recovery::recovery(session, known, &transitions, &blast, now)?;
            let entries = &blast.entry_points;
            let before_after = courses::before_after(session, known, &nodes, entries, now)?;
            let worst = worst::worst_moment(session, known, &nodes, entries, &recovery.open, now)?;
            let hurt = (blast, recovery, before_after, worst);
            Ok((onsets, error_classes, hurt))
        },
        |session| findings(session, &of_findings),
    )?;
    let (onsets, error_classes, (blast, recovery, before_after, worst)) = others;
    if let Some(root) = &mut incident.root {
        root.evidence.extend(onsets::clue(&onsets, &root.service));
        root.evidence
            .extend(causes::clue(session, &incident.breakers, root)?);
    }
    let entries = blast.entry_points.iter().map(|entry| &entry.scope);
    let scopes: BTreeSet<&Scope> = nodes
        .iter()
        .map(|(scope, _)| scope)
        .chain(entries)
        .collect();
    let around = changes::Around {
        incident: &incident,
        nodes: &nodes,
        scopes,
    };
    let (changes, services_without_version) = changes::changes(session, &around, now)?;
    Ok(IncidentDetail {
        incident,
        onsets,
        error_classes,
        changes,
        services_without_version,
        blast,
        recovery,
        before_after,
        worst,
        transitions,
        findings_total: findings.total.unwrap_or_default(),
        findings: findings.items,
    })
}

/// Owners and callees, each once.
fn services(incident: &Incident) -> Vec<String> {
    let mut services: Vec<String> = incident
        .breakers
        .iter()
        .flat_map(|b| std::iter::once(b.service_name.clone()).chain(b.peer.clone()))
        .chain(incident.root.iter().map(|root| root.service.clone()))
        .collect();
    services.sort();
    services.dedup();
    services
}

/// The scope all of them are in; any, where there are several.
fn only_scope(nodes: &BTreeSet<Node>) -> Scope {
    let mut scopes = nodes.iter().map(|(scope, _)| scope);
    let first = scopes.next().cloned().unwrap_or_default();
    if scopes.all(|scope| *scope == first) {
        first
    } else {
        Scope::default()
    }
}

/// Environment, namespace and cluster as the SQL splits them: those that are not known are empty.
fn scope_text(scope: &Scope) -> String {
    [&scope.environment, &scope.service_namespace, &scope.cluster]
        .map(|part| plain(part.as_deref().unwrap_or_default()))
        .join("\u{1f}")
}

/// Services as the SQL splits them: the name, then its scope.
fn nodes_text(nodes: &BTreeSet<Node>) -> String {
    let texts: Vec<String> = nodes
        .iter()
        .map(|(scope, service)| node_text(scope, service))
        .collect();
    texts.join("\u{1e}")
}

fn node_text(scope: &Scope, service: &str) -> String {
    format!("{}\u{1f}{}", plain(service), scope_text(scope))
}

/// Entry points as the SQL splits them: the service, its operation, then its scope.
fn entries_text<'a>(entries: impl IntoIterator<Item = &'a EntryPoint>) -> String {
    let texts: Vec<String> = entries.into_iter().map(entry_text).collect();
    texts.join("\u{1e}")
}

fn entry_text(entry: &EntryPoint) -> String {
    let (service, name) = (plain(&entry.service), plain(&entry.name));
    format!("{service}\u{1f}{name}\u{1f}{}", scope_text(&entry.scope))
}

/// Text without what parts texts.
fn plain(text: &str) -> String {
    text.replace(['\u{1e}', '\u{1f}'], " ")
}

/// When it ended, or now.
fn end(incident: &Incident, now: i64) -> i64 {
    incident
        .end_unix_nano
        .unwrap_or(now)
        .max(incident.start_unix_nano)
}

/// The calls of segments that may hold these times, with a column for each of these attributes, as SQL.
fn calls_sql(session: &Session<'_>, range: TimeRange, keys: &[&'static str]) -> String {
    session.set().calls_sql(keys, |segment| {
        segment.may_hold_time(range.from_unix_nano, range.to_unix_nano)
    })
}

/// Calls that the services of these breakers refused, and their callees, whose errors come up to them.
fn refused_by(
    session: &Session<'_>,
    conn: &Connection,
    breakers: &[IncidentBreaker],
    range: TimeRange,
    sample: Sample,
) -> Result<RefusedSpans, QueryError> {
    let owners = breakers.iter().map(|b| b.service_name.clone());
    let callees = breakers.iter().filter_map(|b| b.peer.clone());
    let services: BTreeSet<String> = owners.chain(callees).collect();
    RefusedSpans::of(session.set(), conn, range, &services, sample)
}
