//! The ways in which calls through an incident's breakers failed, with a trace for each.
//!
//! A class is the call's `error.type`, else its gRPC or HTTP status, else its status message. The trace that stands for
//! it is the one that tripped the breaker, else one the breaker named as contributing, else a similar one; the span is
//! the deepest failing one of that trace. A refused call failed, too, but never went out: it is no way in which calls
//! failed ([`super::refused_spans`]).

use std::collections::{BTreeMap, BTreeSet};

use duckdb::params;

use super::sample::Sample;
use super::{QueryError, SECOND, Session, calls_sql, plain, refused_by, scope_text};
use crate::ask::Ask;
use crate::model::{Clue, ErrorClass, Incident, IncidentBreaker, Root, TimeRange};
use crate::resilience::BREAKER_KEYS;

const CAUSES: &str = include_str!("causes.sql");
/// Attributes that name a class.
const CLASS_KEYS: [&str; 5] = [
    "error.type",
    "rpc.grpc.status_code",
    "rpc.response.status_code",
    "http.response.status_code",
    "http.status_code",
];
/// Failed spans of the chosen traces.
const FAILED: &str = "SELECT trace_id, span_id, parent_span_id, service_name, status_code = 'error', duration_ns \
     FROM ({calls}) WHERE trace_id IN (SELECT unnest(string_split(?, ',')))";
/// Looked at before a trip, if its window is not known to be longer.
const BEFORE_NS: i64 = 60 * SECOND;
const AFTER_NS: i64 = 2 * SECOND;
const CLASSES_MAX: usize = 24;

/// Classes of every breaker, the most frequent first.
pub(super) fn error_classes(
    session: &Session<'_>,
    incident: &Incident,
) -> Result<Vec<ErrorClass>, QueryError> {
    let range = around_trips(&incident.breakers);
    let keys = [&CLASS_KEYS[..], &BREAKER_KEYS].concat();
    let sql = CAUSES.replace("{calls}", &calls_sql(session, range, &keys));
    let members = members(&incident.breakers);
    let mut classes: BTreeMap<(String, String), ErrorClass> = BTreeMap::new();
    let (failed, refused) = session.run_concluded(|conn| {
        let mut statement = conn.ask(&sql)?;
        let failed = statement
            .query_map(
                params![range.from_unix_nano, range.to_unix_nano, members],
                |row| {
                    let found = ErrorClass {
                        breaker_id: row.get(0)?,
                        class: row.get(1)?,
                        count: 0,
                        trace_id: row.get(2)?,
                        span_id: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                        span_service: String::new(),
                        label: String::new(),
                    };
                    Ok((found, row.get::<_, bool>(5)?))
                },
            )?
            .collect::<Result<Vec<_>, _>>()?;
        let refused = match failed.iter().all(|(_, is_told)| *is_told) {
            true => BTreeSet::new(),
            false => refused_by(session, conn, &incident.breakers, range, Sample::ALL)?.own(),
        };
        Ok((failed, refused))
    })?;
    for (mut found, is_told) in failed {
        if !is_told && refused.contains(&(found.trace_id.clone(), found.span_id.clone())) {
            continue;
        }
        let label = label(&incident.breakers, &found.breaker_id, &found.trace_id);
        label.clone_into(&mut found.label);
        let class = (found.breaker_id.clone(), found.class.clone());
        let known = classes.entry(class).or_insert_with(|| found.clone());
        if rank(label) < rank(&known.label) {
            *known = ErrorClass {
                count: known.count,
                ..found
            };
        }
        known.count += 1;
    }
    let mut classes: Vec<ErrorClass> = classes.into_values().collect();
    classes.sort_by(|a, b| {
        (b.count, rank(&a.label), &a.breaker_id, &a.class).cmp(&(
            a.count,
            rank(&b.label),
            &b.breaker_id,
            &b.class,
        ))
    });
    classes.truncate(CLASSES_MAX);
    point_at_deepest(session, &mut classes)?;
    Ok(classes)
}

/// Traces around the trip of the root's breaker in which its callee, and not only its caller, failed.
pub(super) fn clue(
    session: &Session<'_>,
    breakers: &[IncidentBreaker],
    root: &Root,
) -> Result<Option<Clue>, QueryError> {
    let Some(breaker) = breakers.iter().find(|b| b.breaker_id == root.breaker_id) else {
        return Ok(None);
    };
    let range = around_trips(std::slice::from_ref(breaker));
    let sql = format!(
        "WITH failed AS (SELECT trace_id, bool_or(service_name = $3 AND concat_ws(chr(31), coalesce(environment, ''), coalesce(service_namespace, ''), coalesce(cluster, '')) = $5) AS owner, bool_or(service_name = $4 OR peer = $4) AS root \
         FROM ({}) WHERE status_code = 'error' AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2) \
         AND (service_name IN ($3, $4) OR peer = $4) GROUP BY trace_id) \
         SELECT count(*)::UBIGINT, count(*) FILTER (root)::UBIGINT FROM failed WHERE owner",
        calls_sql(session, range, &[])
    );
    session.run(|conn| {
        let (all, with): (u64, u64) = conn.ask_row(
            &sql,
            params![
                range.from_unix_nano,
                range.to_unix_nano,
                breaker.service_name,
                root.service,
                scope_text(&breaker.scope)
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok((all > 0).then(|| Clue {
            kind: "shared_traces".to_owned(),
            sentence: format!(
                "{with} of {all} traces in which {} failed before the trip show {} failing.",
                breaker.service_name, root.service
            ),
            value: Some(with as f64 / all as f64),
        }))
    })
}

fn around_trips(breakers: &[IncidentBreaker]) -> TimeRange {
    let times = || breakers.iter().map(|b| b.trip.time_unix_nano);
    let lo = breakers.iter().map(|b| b.trip.time_lo_unix_nano).min();
    TimeRange {
        from_unix_nano: lo.unwrap_or(0) - BEFORE_NS,
        to_unix_nano: times().max().unwrap_or(0) + AFTER_NS,
    }
}

/// Owner, callee, name, key, id and scope of each, as the SQL splits them.
pub(super) fn members(breakers: &[IncidentBreaker]) -> String {
    let texts: Vec<String> = breakers
        .iter()
        .map(|b| {
            [
                b.service_name.as_str(),
                b.peer.as_deref().unwrap_or_default(),
                &b.name,
                b.key.as_deref().unwrap_or_default(),
                &b.breaker_id,
            ]
            .map(plain)
            .into_iter()
            .chain([scope_text(&b.scope)])
            .collect::<Vec<_>>()
            .join("\u{1f}")
        })
        .collect();
    texts.join("\u{1e}")
}

fn label(breakers: &[IncidentBreaker], id: &str, trace_id: &str) -> &'static str {
    let Some(breaker) = breakers.iter().find(|b| b.breaker_id == id) else {
        return "similar";
    };
    let trip = &breaker.trip;
    if trip.trace_id.as_deref() == Some(trace_id) {
        "tripped it"
    } else if trip.contributing_trace_ids.iter().any(|id| id == trace_id) {
        "contributed"
    } else {
        "similar"
    }
}

fn rank(label: &str) -> u8 {
    match label {
        "tripped it" => 0,
        "contributed" => 1,
        _ => 2,
    }
}

/// Points each class at the deepest failing span of its trace; where none failed, the span stays.
fn point_at_deepest(session: &Session<'_>, classes: &mut [ErrorClass]) -> Result<(), QueryError> {
    let mut ids: Vec<&str> = classes
        .iter()
        .map(|class| class.trace_id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(());
    }
    let calls = session.set().calls_sql(&[], |segment| {
        ids.iter().any(|id| segment.may_hold_trace(id))
    });
    let sql = FAILED.replace("{calls}", &calls);
    let ids = ids.join(",");
    session.run(|conn| {
        let mut traces: BTreeMap<String, Vec<SpanOf>> = BTreeMap::new();
        let mut statement = conn.ask(&sql)?;
        let mut rows = statement.query(params![ids])?;
        while let Some(row) = rows.next()? {
            let spans = traces.entry(row.get(0)?).or_default();
            spans.push(SpanOf {
                id: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                parent: row.get(2)?,
                service: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                failed: row.get::<_, Option<bool>>(4)?.unwrap_or(false),
            });
        }
        for class in classes {
            let Some(spans) = traces.get(&class.trace_id) else {
                continue;
            };
            let chosen = deepest(spans, &class.span_id)
                .or_else(|| spans.iter().find(|span| span.id == class.span_id));
            if let Some(span) = chosen {
                class.span_id.clone_from(&span.id);
                class.span_service.clone_from(&span.service);
            }
        }
        Ok(())
    })
}

struct SpanOf {
    id: String,
    parent: Option<String>,
    service: String,
    failed: bool,
}

/// The deepest failing span below `from`, else of the whole trace.
fn deepest<'a>(spans: &'a [SpanOf], from: &str) -> Option<&'a SpanOf> {
    let parents: BTreeMap<&str, Option<&str>> = spans
        .iter()
        .map(|span| (span.id.as_str(), span.parent.as_deref()))
        .collect();
    let path = |span: &SpanOf| {
        let (mut depth, mut is_below, mut at) = (0, span.id == from, span.parent.as_deref());
        while let Some(id) = at {
            is_below |= id == from;
            depth += 1;
            if depth > spans.len() {
                break;
            }
            at = parents.get(id).copied().flatten();
        }
        (is_below, depth)
    };
    spans
        .iter()
        .filter(|span| span.failed)
        .max_by_key(|span| path(span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BreakerTransition;

    #[test]
    fn a_trace_tripped_the_breaker_or_contributed_or_is_similar() {
        let breaker = |id: &str, tripping: Option<&str>, contributing: &[&str]| IncidentBreaker {
            breaker_id: id.to_owned(),
            trip: BreakerTransition {
                trace_id: tripping.map(str::to_owned),
                contributing_trace_ids: contributing.iter().map(|id| (*id).to_owned()).collect(),
                ..BreakerTransition::default()
            },
            ..IncidentBreaker::default()
        };
        let breakers = [
            // Its own trip is among those that contributed.
            breaker("a", Some("t1"), &["t1", "t2"]),
            breaker("b", None, &["t3"]),
        ];
        for (id, trace_id, expected) in [
            ("a", "t1", "tripped it"),
            ("a", "t2", "contributed"),
            ("a", "t3", "similar"),
            ("b", "t3", "contributed"),
            ("b", "t1", "similar"),
            ("b", "", "similar"),
            ("nobody's", "t1", "similar"),
        ] {
            assert_eq!(label(&breakers, id, trace_id), expected, "{id} {trace_id}");
        }
    }

    #[test]
    fn the_nearer_a_trace_is_to_the_trip_the_rather_it_stands_for_its_class() {
        let mut labels = ["similar", "tripped it", "contributed"];
        labels.sort_by_key(|label| rank(label));
        assert_eq!(labels, ["tripped it", "contributed", "similar"]);
    }
}
