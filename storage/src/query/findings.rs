//! What deserves a look before or during an incident, each from one query over stored telemetry.
//!
//! | kind | says |
//! |---|---|
//! | `retry_amplification` | attempts for each call of an edge |
//! | `timeout_inversion` | callees that work on after their caller gave up |
//! | `settings_drift` | instances of one breaker under different settings |
//! | `half_open_herd` | instances of one breaker that probe in the same second |
//! | `several_peers` | breakers that guard more than one callee |
//! | `shared_instance` | processes that report as one instance, whose counters cannot be told apart |
//! | `no_breaker` | edges with failures that no breaker guards |
//!
//! All kinds are one list: the strongest of each kind, in the order of this table, then the second of each, and so on.
//! Wherever it is cut, every kind has its say, and its pages follow each other.

#[cfg(test)]
mod tests;

use duckdb::{Connection, params};

use super::graph::graph_as_counted;
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Finding, FindingsQuery, GraphQuery, NodeKind, Page};
use crate::segment::Segment;

const RETRIES: &str = include_str!("findings/retries.sql");
const OUTLIVED: &str = include_str!("findings/outlived.sql");
const DRIFT: &str = include_str!("findings/drift.sql");
const HERD: &str = include_str!("findings/herd.sql");
const SEVERAL: &str = include_str!("findings/several.sql");
const SHARED: &str = include_str!("findings/shared.sql");
/// Whose scope counts: who calls, or who owns the breaker.
const IN_SCOPE: &str = "($4::VARCHAR IS NULL OR environment = $4) \
    AND ($5::VARCHAR IS NULL OR service_namespace = $5) AND ($6::VARCHAR IS NULL OR cluster = $6)";
/// The services asked for, where $3 is not empty.
const ASKED: &str = "(SELECT unnest(string_split($3, chr(31))))";
/// Failures of an edge without a breaker that are worth one: so many, and such a share.
const UNGUARDED_ERRORS_MIN: u64 = 5;
const UNGUARDED_SHARE_MIN: f64 = 0.05;

/// One row of a kind's query.
struct Row {
    service: String,
    subject: String,
    breaker_id: Option<String>,
    value: f64,
    more: [u64; 2],
    /// Names, of a kind that has some.
    names: String,
}

/// What a row of one kind says.
type Sentence = fn(&Row) -> String;

/// Findings of every kind: the strongest of each first, then the second of each; `total` counts all of them.
pub fn findings(session: &Session<'_>, query: &FindingsQuery) -> Result<Page<Finding>, QueryError> {
    let (set, range) = (session.set(), query.range);
    let may_have =
        |segment: &Segment| segment.may_hold_time(range.from_unix_nano, range.to_unix_nano);
    let calls = set.calls_sql(&["http.request.resend_count"], may_have);
    let grpc = set.grpc_attempts_sql(may_have);
    let kinds: [(&str, &str, Sentence); 6] = [
        ("retry_amplification", RETRIES, retries),
        ("timeout_inversion", OUTLIVED, outlived),
        ("settings_drift", DRIFT, drift),
        ("half_open_herd", HERD, herd),
        ("several_peers", SEVERAL, several),
        ("shared_instance", SHARED, shared),
    ];
    let mut found: Vec<Vec<Ranked>> = Vec::new();
    for (kind, sql, sentence) in kinds {
        // They ask for evidence, and for what was concluded from it.
        let asks_evidence = matches!(kind, "several_peers" | "shared_instance");
        if asks_evidence && !session.set().may_have_breakers() {
            continue;
        }
        let sql = sql
            .replace("{in_scope}", IN_SCOPE)
            .replace("{asked}", ASKED)
            .replace("{calls}", &calls)
            .replace("{grpc}", &grpc);
        let rows = session.run_concluded(|conn| read(conn, &sql, query))?;
        let of_kind = rows.into_iter().map(|row| Ranked {
            strength: row.value,
            finding: Finding {
                kind: kind.to_owned(),
                sentence: sentence(&row),
                service: row.service,
                subject: row.subject,
                breaker_id: row.breaker_id,
                value: row.value,
            },
        });
        found.push(of_kind.collect());
    }
    found.push(unguarded(session, query)?);
    Ok(one_list(found, query.limit))
}

/// A finding, and how strong it is among those of its kind.
struct Ranked {
    strength: f64,
    finding: Finding,
}

/// The first `limit` of all kinds: the strongest of each, then the second of each.
fn one_list(kinds: Vec<Vec<Ranked>>, limit: usize) -> Page<Finding> {
    let mut all = Vec::new();
    for (kind, mut of_kind) in kinds.into_iter().enumerate() {
        of_kind.sort_by(|a, b| {
            let (left, right) = (&a.finding, &b.finding);
            b.strength
                .total_cmp(&a.strength)
                .then_with(|| left.service.cmp(&right.service))
                .then_with(|| left.subject.cmp(&right.subject))
                .then_with(|| left.breaker_id.cmp(&right.breaker_id))
        });
        let ranked = of_kind.into_iter().enumerate();
        all.extend(ranked.map(|(rank, ranked)| ((rank, kind), ranked.finding)));
    }
    all.sort_by_key(|(order, _)| *order);
    let findings = all.into_iter().map(|(_, finding)| finding);
    Page::cut(findings.collect(), limit)
}

fn read(conn: &Connection, sql: &str, query: &FindingsQuery) -> Result<Vec<Row>, QueryError> {
    let mut statement = conn.ask(sql)?;
    let services = query.services.join("\u{1f}");
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let scope = &query.scope;
    let rows = statement.query_map(
        params![
            from,
            to,
            services,
            scope.environment,
            scope.service_namespace,
            scope.cluster
        ],
        |row| {
            Ok(Row {
                service: row.get::<_, Option<String>>(0)?.unwrap_or_default(),
                subject: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                breaker_id: row.get(2)?,
                value: row.get::<_, Option<f64>>(3)?.unwrap_or_default(),
                more: [
                    row.get::<_, Option<u64>>(4)?.unwrap_or_default(),
                    row.get::<_, Option<u64>>(5)?.unwrap_or_default(),
                ],
                // Most kinds have no such column.
                names: row.get(6).unwrap_or_default(),
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn retries(row: &Row) -> String {
    format!(
        "{} → {}: {:.2} attempts a call ({} of {} are retries).",
        row.service, row.subject, row.value, row.more[1], row.more[0]
    )
}

fn outlived(row: &Row) -> String {
    format!(
        "{} gave up on {:.0} calls that {} was still working on, for {} ms more: its timeout is shorter than theirs.",
        row.service,
        row.value,
        row.subject,
        row.more[1] / 1_000_000
    )
}

fn drift(row: &Row) -> String {
    format!(
        "The {} instances of breaker {} of {} run under {:.0} different settings.",
        row.more[0], row.subject, row.service, row.value
    )
}

fn herd(row: &Row) -> String {
    format!(
        "{:.0} of {} instances of breaker {} of {} probed within one second: spread the open time (jitter).",
        row.value, row.more[0], row.subject, row.service
    )
}

fn several(row: &Row) -> String {
    format!(
        "Breaker {} of {} guards {:.0} callees ({}): when one fails, calls to all of them are refused.",
        row.subject, row.service, row.value, row.names
    )
}

fn shared(row: &Row) -> String {
    let id = match row.subject.as_str() {
        "" => "without a service.instance.id".to_owned(),
        id => format!("as one instance ({id})"),
    };
    format!(
        "Several processes of {} report {id}: counters fell and came back {:.0} times in four minutes, and nothing \
         can be counted between them. Each needs a service.instance.id of its own.",
        row.service, row.value
    )
}

/// Edges with failures and no breaker, by the share that failed.
fn unguarded(session: &Session<'_>, query: &FindingsQuery) -> Result<Vec<Ranked>, QueryError> {
    let graph = graph_as_counted(
        session,
        &GraphQuery {
            range: query.range,
            scope: query.scope.clone(),
            service: None,
            // The busiest are not the worst.
            edges_max: usize::MAX,
        },
    )?;
    let mut found = Vec::new();
    for edge in &graph.edges {
        let (caller, callee) = (&graph.nodes[edge.caller], &graph.nodes[edge.callee]);
        let is_asked = query.services.is_empty()
            || [&caller.name, &callee.name]
                .iter()
                .any(|name| query.services.contains(name));
        let counts = edge.counts();
        let (share, failed) = (counts.share(), counts.failed().round());
        let is_bad = edge.errors >= UNGUARDED_ERRORS_MIN && share >= UNGUARDED_SHARE_MIN;
        if !is_asked || !is_bad || edge.is_async || !edge.breakers.is_empty() {
            continue;
        }
        if caller.inferred || caller.kind != NodeKind::Service {
            continue;
        }
        let finding = Finding {
            kind: "no_breaker".to_owned(),
            service: caller.name.clone(),
            subject: callee.name.clone(),
            breaker_id: None,
            sentence: format!(
                "{} → {}: {} of {} calls failed and no breaker is known on this edge.",
                caller.name,
                callee.name,
                failed,
                counts.all().round()
            ),
            value: failed,
        };
        found.push(Ranked {
            strength: share,
            finding,
        });
    }
    Ok(found)
}
