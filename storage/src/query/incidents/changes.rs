//! What changed near an incident: versions, breaker settings, feature flags, and events that say a change happened.
//!
//! A change event is a log record named `tripline.change` with the attributes `change.kind` (`deploy`, `flag`,
//! `config`), `change.service` and `change.description`; without the last its body is shown.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::params;

use super::links::Node;
use super::versions::{Versions, versions};
use super::{QueryError, SECOND, Session, end, nodes_text, scope_text};
use crate::ask::Ask;
use crate::model::{ChangeEvent, Incident, Scope, TimeRange};
use crate::query::changes::flags;

const CHANGES: &str = include_str!("changes.sql");
/// Looked at before and after the first trip.
const AROUND_NS: i64 = 30 * 60 * SECOND;
/// Changes of flags that are listed, those nearest to the first trip.
const SWITCHES_MAX: usize = 50;

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
    let mut changes = told(session, around, range)?;
    changes.extend(switched(session, around, range)?);
    // What had run before is no change: as much time again is looked at.
    let longer = TimeRange {
        from_unix_nano: range.from_unix_nano - AROUND_NS,
        ..range
    };
    let versions = versions(session, around.nodes, longer)?;
    changes.extend(
        versions
            .iter()
            .flat_map(|of| of.appeared(range.from_unix_nano)),
    );
    changes.sort_by(|a, b| {
        (a.time_unix_nano, &a.service, &a.description).cmp(&(
            b.time_unix_nano,
            &b.service,
            &b.description,
        ))
    });
    let silent: BTreeSet<&str> = versions.iter().filter_map(Versions::silent).collect();
    Ok((changes, silent.into_iter().map(str::to_owned).collect()))
}

/// Flags that began to give one of its services another variant.
fn switched(
    session: &Session<'_>,
    around: &Around<'_>,
    range: TimeRange,
) -> Result<Vec<ChangeEvent>, QueryError> {
    let start = around.incident.start_unix_nano;
    let mut switches = flags::switches(session, range)?;
    switches.retain(|switch| {
        let node = (switch.scope.clone(), switch.service.clone());
        around.nodes.contains(&node)
    });
    switches.sort_by_key(|switch| switch.at.abs_diff(start));
    let told = |switch: flags::Switch, description: String| ChangeEvent {
        time_unix_nano: switch.at,
        kind: "flag".to_owned(),
        service: switch.service,
        description,
    };
    let rest = switches.split_off(switches.len().min(SWITCHES_MAX));
    let count = rest.len();
    let first_left_out = rest.into_iter().next().map(|switch| {
        let description = format!("{count} changes of flags further away are not listed");
        told(switch, description)
    });
    let listed = switches.into_iter().map(|switch| {
        let what = switch.what.clone();
        told(switch, what)
    });
    Ok(listed.chain(first_left_out).collect())
}

/// Events of a range, and settings that a breaker reported after others.
fn told(
    session: &Session<'_>,
    around: &Around<'_>,
    range: TimeRange,
) -> Result<Vec<ChangeEvent>, QueryError> {
    let logs = session
        .set()
        .relation_sql("logs", |segment| {
            segment.may_hold_time(range.from_unix_nano, range.to_unix_nano)
        })
        .expect("logs is a relation");
    let sql = CHANGES.replace("{logs}", &logs);
    let nodes = nodes_text(around.nodes);
    let scopes: Vec<String> = around
        .scopes
        .iter()
        .map(|scope| scope_text(scope))
        .collect();
    let scopes = scopes.join("\u{1e}");
    session.run_over(&["breaker_config"], |conn| {
        let mut settings: BTreeMap<String, String> = BTreeMap::new();
        let mut changes = Vec::new();
        let mut statement = conn.ask(&sql)?;
        let asked = params![range.from_unix_nano, range.to_unix_nano, nodes, scopes];
        let mut rows = statement.query(asked)?;
        while let Some(row) = rows.next()? {
            let (kind, service): (String, String) = (row.get(0)?, row.get(1)?);
            let what = row.get::<_, Option<String>>(2)?.unwrap_or_default();
            let Some(ns) = row.get::<_, Option<i64>>(3)? else {
                continue;
            };
            if kind != "settings" {
                changes.push(ChangeEvent {
                    time_unix_nano: ns,
                    kind,
                    service,
                    description: what,
                });
                continue;
            }
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
        Ok(changes)
    })
}
