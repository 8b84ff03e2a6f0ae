//! What changed near an incident: versions, breaker settings, and events that say a change happened.
//!
//! A change event is a log record named `tripline.change` with the attributes `change.kind` (`deploy`, `flag`,
//! `config`), `change.service` and `change.description`; without the last its body is shown.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::params;

use super::links::Node;
use super::{QueryError, SECOND, Session, calls_sql, end, nodes_text, scope_text};
use crate::ask::Ask;
use crate::model::{ChangeEvent, Incident, Scope, TimeRange};

const CHANGES: &str = include_str!("changes.sql");
/// Looked at before and after the first trip.
const AROUND_NS: i64 = 30 * 60 * SECOND;

/// When a version appeared, and which.
type Appeared = (i64, Option<String>);

/// What a change must be near to.
pub(super) struct Around<'a> {
    pub incident: &'a Incident,
    /// Its services: of these versions and settings count.
    pub nodes: &'a BTreeSet<Node>,
    /// Where it is: events told in others are about others.
    pub scopes: BTreeSet<&'a Scope>,
}

/// Changes, oldest first, and the services whose spans report no version.
pub(super) fn changes(
    session: &Session<'_>,
    around: &Around<'_>,
    now: i64,
) -> Result<(Vec<ChangeEvent>, Vec<String>), QueryError> {
    let incident = around.incident;
    let range = TimeRange {
        from_unix_nano: incident.start_unix_nano - AROUND_NS,
        to_unix_nano: (incident.start_unix_nano + AROUND_NS).min(end(incident, now).max(now)) + 1,
    };
    let logs = session
        .set()
        .relation_sql("logs", |segment| {
            segment.may_hold_time(range.from_unix_nano, range.to_unix_nano)
        })
        .expect("logs is a relation");
    let sql = CHANGES
        .replace("{calls}", &calls_sql(session, range, &[]))
        .replace("{logs}", &logs);
    let nodes = nodes_text(around.nodes);
    let scopes: Vec<String> = around
        .scopes
        .iter()
        .map(|scope| scope_text(scope))
        .collect();
    let scopes = scopes.join("\u{1e}");
    session.run_over(&["breaker_config"], |conn| {
        let mut versions: BTreeMap<(String, String), Vec<Appeared>> = BTreeMap::new();
        let mut settings: BTreeMap<String, String> = BTreeMap::new();
        let mut changes = Vec::new();
        let mut statement = conn.ask(&sql)?;
        let asked = params![range.from_unix_nano, range.to_unix_nano, nodes, scopes];
        let mut rows = statement.query(asked)?;
        while let Some(row) = rows.next()? {
            let (kind, service): (String, String) = (row.get(0)?, row.get(1)?);
            let what: Option<String> = row.get(2)?;
            let Some(ns) = row.get::<_, Option<i64>>(3)? else {
                continue;
            };
            match kind.as_str() {
                "version" => {
                    let of = versions.entry((service, row.get(4)?)).or_default();
                    of.push((ns, what));
                }
                "settings" => {
                    let what = what.unwrap_or_default();
                    let (of, hash) = what.rsplit_once('\u{1f}').unwrap_or((&what, ""));
                    let before = settings.insert(of.to_owned(), hash.to_owned());
                    if ns >= range.from_unix_nano && before.is_some_and(|known| known != hash) {
                        let name = of.split('\u{1f}').next().unwrap_or_default();
                        changes.push(ChangeEvent {
                            time_unix_nano: ns,
                            kind,
                            service,
                            description: format!("settings of breaker {name} changed"),
                        });
                    }
                }
                _ => changes.push(ChangeEvent {
                    time_unix_nano: ns,
                    kind,
                    service,
                    description: what.unwrap_or_default(),
                }),
            }
        }
        let silent: BTreeSet<String> = versions
            .iter()
            .filter(|(_, seen)| seen.iter().all(|(_, version)| version.is_none()))
            .map(|((service, _), _)| service.clone())
            .collect();
        for ((service, _), mut seen) in versions {
            seen.sort();
            changes.extend(seen.windows(2).filter_map(|pair| {
                let [(_, before), (ns, after)] = pair else {
                    return None;
                };
                Some(ChangeEvent {
                    time_unix_nano: *ns,
                    kind: "version".to_owned(),
                    service: service.clone(),
                    description: format!(
                        "{} appeared beside {}",
                        after.as_deref().unwrap_or("no version"),
                        before.as_deref().unwrap_or("no version")
                    ),
                })
            }));
        }
        changes.sort_by(|a, b| {
            (a.time_unix_nano, &a.service, &a.description).cmp(&(
                b.time_unix_nano,
                &b.service,
                &b.description,
            ))
        });
        Ok((changes, silent.into_iter().collect()))
    })
}
