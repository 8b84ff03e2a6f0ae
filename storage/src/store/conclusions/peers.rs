//! Whom breakers guard, where their own telemetry does not say it: looked up in the calls of their owners.
//!
//! Who calls whom is kept with every sealed segment; who answers to a name or at an address is read off some recent
//! calls; what goes out under a breaker's own spans, off some of their traces. [`crate::resilience::peer`] weighs it.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::{Connection, params};

use super::super::leases::SegmentSet;
use super::{Look, joined, plain};
use crate::ask::{Ask as _, NONE, scope};
use crate::model::Scope;
use crate::resilience::peer::{self, Calls, Guard, Near, Node, Peer, PeerRule};
use crate::resilience::views;
use crate::segment::Segment;

const OUTGOING: &str = include_str!("outgoing.sql");
const RELATED: &str = include_str!("related.sql");
/// Spans among which recent calls are looked for, about.
const SPANS_MAX: u64 = 500_000;
/// Calls whose addresses are read.
const EXAMPLES_MAX: usize = 512;
/// A breaker's own spans that are looked at: the latest of each, and of all. Enough of each for a majority.
const OWN_SPANS: (usize, usize) = (64, 2_048);
/// Names of callees that are remembered.
const NAMES_MAX: usize = 10_000;

/// Attributes that name the callee's address, each with that of its port.
const ADDRESSES: [(&str, &str); 5] = [
    ("server.address", "server.port"),
    ("network.peer.address", "network.peer.port"),
    ("net.peer.name", "net.peer.port"),
    ("net.peer.ip", "net.peer.port"),
    ("net.sock.peer.addr", "net.sock.peer.port"),
];
const ADDRESS_KEYS: [&str; 10] = [
    "server.address",
    "server.port",
    "network.peer.address",
    "network.peer.port",
    "net.peer.name",
    "net.peer.port",
    "net.peer.ip",
    "net.sock.peer.addr",
    "net.sock.peer.port",
    // Envoy's word.
    "upstream_address",
];

/// What was found of whom breakers guard.
#[derive(Debug, Default)]
pub(crate) struct Known {
    look: Option<Look>,
    /// Breakers that were asked about.
    asked: BTreeSet<String>,
    peers: BTreeMap<String, Peer>,
    names: Names,
    /// Callees under each breaker's own spans.
    under: BTreeMap<String, BTreeSet<String>>,
}

/// Which names and addresses callers have for callees of another name: caller, name, callee.
pub(super) type Names = BTreeSet<(Node, String, String)>;

impl Known {
    pub(super) fn names(&self) -> &Names {
        &self.names
    }
}

/// Fills in the callees of the breakers of `schema`; whether every one has one.
pub(super) fn resolve(
    set: &SegmentSet,
    conn: &Connection,
    schema: &str,
    known: &mut Known,
    look: Look,
    rules: &[PeerRule],
) -> duckdb::Result<bool> {
    let guards = guards(conn, schema)?;
    let ids: BTreeSet<String> = guards
        .iter()
        .map(|guard| guard.breaker_id.clone())
        .collect();
    let is_due = known.look.is_none_or(|last| last.is_worth_another(look));
    if is_due || !ids.is_subset(&known.asked) {
        find(set, conn, &guards, known, rules)?;
        known.look = Some(look);
        known.asked = ids;
    }
    write(conn, schema, &guards, known)?;
    let is_known = |guard: &Guard| known.peers.contains_key(&guard.breaker_id);
    Ok(guards.iter().all(is_known))
}

fn guards(conn: &Connection, schema: &str) -> duckdb::Result<Vec<Guard>> {
    let sql = format!(
        "SELECT breaker_id, any_value(environment), any_value(service_namespace), any_value(cluster), \
         any_value(service_name), any_value(name), any_value(\"key\"), any_value(pattern), mode(peer_service), \
         mode(peer_address), mode(peer_evidence) FROM {schema}.known GROUP BY breaker_id ORDER BY breaker_id"
    );
    let mut question = conn.ask(&sql)?;
    let rows = question.query_map(NONE, |row| {
        let text = |at: usize| {
            row.get::<_, Option<String>>(at)
                .map(Option::unwrap_or_default)
        };
        Ok(Guard {
            breaker_id: row.get(0)?,
            owner: (scope(row, 1)?, text(4)?),
            name: text(5)?,
            key: row.get(6)?,
            pattern: text(7)?,
            peer_service: row.get(8)?,
            peer_address: row.get(9)?,
            peer_evidence: row.get(10)?,
        })
    })?;
    rows.collect()
}

/// Looks at the calls of by now.
fn find(
    set: &SegmentSet,
    conn: &Connection,
    guards: &[Guard],
    known: &mut Known,
    rules: &[PeerRule],
) -> duckdb::Result<()> {
    let owners: BTreeSet<&str> = guards.iter().map(|guard| guard.owner.1.as_str()).collect();
    let recent = recent(set);
    let outgoing = outgoing(set, conn, &owners, &recent)?;
    let mut calls = Calls::default();
    for sender in set.senders(conn)? {
        if let Some(service) = sender.service_name {
            calls.add_service(sender.scope.environment, service);
        }
    }
    add_answers(&outgoing, &known.names, &mut calls);
    for call in &outgoing {
        calls.add_call(&call.caller, &call.called);
    }
    for segment in set.segments().iter().filter(|segment| !segment.is_text()) {
        for (caller, called) in segment.callees(conn)?.iter() {
            if owners.contains(caller.1.as_str()) {
                calls.add_call(caller, called);
            }
        }
    }
    if guards.iter().any(peer::has_address) {
        add_addresses(set, conn, &outgoing, &recent, &mut calls)?;
    }
    let (mut near, under) = related(set, conn, guards)?;
    for guard in guards {
        let near = near.remove(&guard.breaker_id).unwrap_or_default();
        match peer::peer(guard, &calls, &near, rules) {
            Some(peer) => {
                known.peers.insert(guard.breaker_id.clone(), peer);
            }
            // What calls told may have expired with them; of several callees none is the only one.
            None if known
                .peers
                .get(&guard.breaker_id)
                .is_some_and(|old| old.evidence == "edge") =>
            {
                known.peers.remove(&guard.breaker_id);
            }
            None => {}
        }
    }
    known.under = under;
    let names = calls.names().take(NAMES_MAX);
    known.names = names
        .map(|(caller, called, callee)| (caller.clone(), called.to_owned(), callee.to_owned()))
        .collect();
    Ok(())
}

/// Who answers to which name: what was known before, and over it what calls tell by now.
fn add_answers(outgoing: &[Outgoing], names: &Names, calls: &mut Calls) {
    let fresh: Vec<(&Node, &str, &str)> = answers(outgoing).collect();
    let now: BTreeMap<&str, &str> = fresh
        .iter()
        .map(|(_, called, callee)| (*called, *callee))
        .collect();
    for (caller, called, callee) in names {
        // An address goes from one pod to another: what somebody sees there now is what it is.
        let is_other = peer::is_address(called)
            && now
                .get(called.as_str())
                .is_some_and(|other| *other != callee.as_str());
        if !is_other {
            calls.add_answer(caller, called, callee);
        }
    }
    for (caller, called, callee) in fresh {
        calls.add_answer(caller, called, callee);
    }
}

/// The newest segments with spans, up to about [`SPANS_MAX`] of them.
fn recent(set: &SegmentSet) -> BTreeSet<u64> {
    let mut left = SPANS_MAX;
    let mut ids = BTreeSet::new();
    for segment in set.segments().iter().rev() {
        if !segment.may_have("spans") {
            continue;
        }
        let spans = segment.known_rows().map_or(0, |[spans, ..]| spans);
        if spans > left && !ids.is_empty() {
            break;
        }
        left = left.saturating_sub(spans);
        ids.insert(segment.id);
    }
    ids
}

/// A call that went out.
struct Outgoing {
    caller: Node,
    /// What the caller has for a name of the callee.
    called: String,
    span_id: String,
    /// The service that answered.
    callee: Option<String>,
}

/// Some recent calls of each service to each name it calls.
fn outgoing(
    set: &SegmentSet,
    conn: &Connection,
    owners: &BTreeSet<&str>,
    recent: &BTreeSet<u64>,
) -> duckdb::Result<Vec<Outgoing>> {
    if recent.is_empty() {
        return Ok(Vec::new());
    }
    let calls = set.calls_sql(&[], |segment| recent.contains(&segment.id));
    let owners: Vec<String> = owners.iter().map(|owner| plain(owner)).collect();
    let mut question = conn.ask(&OUTGOING.replace("{calls}", &calls))?;
    let rows = question.query_map(params![owners.join("\u{1e}")], |row| {
        Ok(Outgoing {
            caller: (scope(row, 0)?, row.get(3)?),
            called: row.get(4)?,
            span_id: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
            callee: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// Who answered most of the calls to a name.
fn answers(outgoing: &[Outgoing]) -> impl Iterator<Item = (&Node, &str, &str)> {
    let mut votes: BTreeMap<(&Node, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for call in outgoing {
        if let Some(callee) = &call.callee {
            let of = votes
                .entry((&call.caller, call.called.as_str()))
                .or_default();
            *of.entry(callee).or_default() += 1;
        }
    }
    votes.into_iter().filter_map(|((caller, called), of)| {
        let (callee, _) = of.into_iter().max_by_key(|(_, votes)| *votes)?;
        Some((caller, called, callee))
    })
}

/// Addresses of the callees of some calls, as their attributes say.
fn add_addresses(
    set: &SegmentSet,
    conn: &Connection,
    outgoing: &[Outgoing],
    recent: &BTreeSet<u64>,
    calls: &mut Calls,
) -> duckdb::Result<()> {
    let callees: BTreeMap<&str, String> = outgoing
        .iter()
        .rev()
        .take(EXAMPLES_MAX)
        .map(|call| {
            let callee = calls.callee(&call.caller, &call.called);
            (call.span_id.as_str(), callee.to_owned())
        })
        .filter(|(_, callee)| !peer::is_address(callee))
        .collect();
    if callees.is_empty() {
        return Ok(());
    }
    let columns = ADDRESS_KEYS.map(|key| format!("\"{key}\"")).join(", ");
    let sql = format!(
        "SELECT span_id, {columns} FROM ({}) WHERE kind IN ('client', 'producer') AND span_id IN ({})",
        set.calls_sql(&ADDRESS_KEYS, |segment| recent.contains(&segment.id)),
        vec!["?"; callees.len()].join(", "),
    );
    let mut question = conn.ask(&sql)?;
    let mut rows = question.query(callees.keys())?;
    while let Some(row) = rows.next()? {
        let span_id: String = row.get(0)?;
        let Some(callee) = callees.get(span_id.as_str()) else {
            continue;
        };
        let text = |key: &str| -> duckdb::Result<Option<String>> {
            match ADDRESS_KEYS.iter().position(|known| *known == key) {
                Some(at) => row.get(at + 1),
                None => Ok(None),
            }
        };
        if let Some(address) = text("upstream_address")? {
            calls.add_address(&address, callee);
        }
        for (host, port) in ADDRESSES {
            let Some(host) = text(host)? else { continue };
            let host = if host.contains(':') {
                format!("[{host}]")
            } else {
                host
            };
            match text(port)? {
                Some(port) => calls.add_address(&format!("{host}:{port}"), callee),
                None => calls.add_address(&host, callee),
            }
        }
    }
    Ok(())
}

/// Of each breaker the callees of calls near its own spans, and those of calls under them where the span is its own.
type Related = (
    BTreeMap<String, Vec<Near>>,
    BTreeMap<String, BTreeSet<String>>,
);

fn related(set: &SegmentSet, conn: &Connection, guards: &[Guard]) -> duckdb::Result<Related> {
    let mut found = Related::default();
    let open: Vec<&str> = guards
        .iter()
        .filter(|guard| peer::is_open(guard))
        .map(|guard| guard.breaker_id.as_str())
        .collect();
    if open.is_empty() {
        return Ok(found);
    }
    let (each, all) = OWN_SPANS;
    let mut question = conn.ask(&views::spans_of(&set.evidence(), each, all))?;
    let owners: BTreeMap<&str, &str> = guards
        .iter()
        .map(|guard| (guard.breaker_id.as_str(), guard.owner.1.as_str()))
        .collect();
    let own: Vec<[String; 4]> = question
        .query_map(params![open.join("\u{1e}")], |row| {
            let breaker_id: String = row.get(0)?;
            let owner = plain(owners.get(breaker_id.as_str()).copied().unwrap_or_default());
            Ok([breaker_id, row.get(1)?, row.get(2)?, owner])
        })?
        .collect::<duckdb::Result<_>>()?;
    let is_there = |segment: &Segment| {
        let mut ids = own.iter().map(|[_, trace_id, _, _]| trace_id);
        segment.may_have("spans") && ids.any(|trace_id| segment.may_hold_trace(trace_id))
    };
    if !set.segments().iter().any(|segment| is_there(segment)) {
        return Ok(found);
    }
    let sql = RELATED.replace("{calls}", &set.calls_sql(&[], is_there));
    let mut question = conn.ask(&sql)?;
    let mut rows = question.query(params![joined(own.iter().cloned())])?;
    while let Some(row) = rows.next()? {
        let breaker_id: String = row.get(0)?;
        let near = Near {
            callee: row.get(3)?,
            rank: row.get(1)?,
            calls: row.get(4)?,
        };
        if row.get(2)? {
            let under = found.1.entry(breaker_id.clone()).or_default();
            under.insert(near.callee.clone());
        }
        found.0.entry(breaker_id).or_default().push(near);
    }
    Ok(found)
}

/// Tables of names and of callees under breakers' spans; the callees in the relations.
fn write(conn: &Connection, schema: &str, guards: &[Guard], known: &Known) -> duckdb::Result<()> {
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let names = known
        .names
        .iter()
        .map(|((scope, service), called, callee)| {
            let Scope {
                environment,
                service_namespace,
                cluster,
            } = scope;
            [
                word(environment),
                word(service_namespace),
                word(cluster),
                service.clone(),
                called.clone(),
                callee.clone(),
            ]
        });
    insert(conn, &format!("{schema}.callee_names"), &joined(names), 6)?;
    let under = known
        .under
        .iter()
        .flat_map(|(id, callees)| callees.iter().map(|callee| [id.clone(), callee.clone()]));
    let table = format!("{schema}.callees_under_breakers");
    insert(conn, &table, &joined(under), 2)?;
    let news = guards.iter().filter_map(|guard| {
        let Peer { service, evidence } = known.peers.get(&guard.breaker_id)?;
        // What was reported since is better than what was found before.
        let is_new = peer::is_open(guard) && guard.peer_service.as_ref() != Some(service);
        is_new.then(|| [guard.breaker_id.clone(), service.clone(), evidence.clone()])
    });
    let news = joined(news);
    if news.is_empty() {
        return Ok(());
    }
    let found = "(SELECT part[1] AS breaker_id, part[2] AS service, part[3] AS evidence FROM \
         (SELECT string_split(unnest(string_split(?, chr(30))), chr(31)) AS part))";
    // What was reported for a name and is an address stays as the address.
    conn.execute(
        &format!(
            "UPDATE {schema}.known AS k SET peer_service = f.service, peer_evidence = f.evidence, \
             peer_address = coalesce(k.peer_address, k.peer_service) FROM {found} f WHERE k.breaker_id = f.breaker_id"
        ),
        params![news],
    )?;
    for table in ["breaker_transitions", "spells"] {
        conn.execute(
            &format!(
                "UPDATE {schema}.{table} AS t SET peer_service = f.service FROM {found} f \
                 WHERE t.breaker_id = f.breaker_id"
            ),
            params![news],
        )?;
    }
    Ok(())
}

/// Rows of a text as [`joined`] joins them; an empty field is NULL.
fn insert(conn: &Connection, table: &str, rows: &str, fields: usize) -> duckdb::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns: Vec<String> = (1..=fields)
        .map(|at| format!("nullif(part[{at}], '')"))
        .collect();
    let sql = format!(
        "INSERT INTO {table} SELECT {} FROM \
         (SELECT string_split(unnest(string_split(?, chr(30))), chr(31)) AS part)",
        columns.join(", ")
    );
    conn.execute(&sql, params![rows])?;
    Ok(())
}
