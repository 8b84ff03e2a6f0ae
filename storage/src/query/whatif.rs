//! What a breaker would have done under other settings: rows of the store, replayed by the SDK's state machine.

use std::collections::BTreeMap;
use std::time::Duration;

use duckdb::{Connection, params};
use serde_json::{Map, Value};
use tripline_sdk::{BreakerConfig, State};

use super::breakers::breaker;
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{
    Baseline, BreakerDetail, COVERAGE_MIN, CallCoverage, Outcome, Proposal, Scope, WhatIf,
    WhatIfQuery,
};
use crate::resilience::whatif::history::{Call, Change, Ended, History};
use crate::resilience::whatif::replay::{Replayed, replay};
use crate::resilience::whatif::{foreign, search, settings};

mod calls;
#[cfg(test)]
mod tests;

const CALLS: &str = include_str!("whatif/calls.sql");
const EDGE_CALLS: &str = include_str!("whatif/edge_calls.sql");
/// The SDK's origin.
const OURS: &str = "tripline-sdk";
/// A foreign trip this near to a replayed one is the same.
const NEAR_NS: i64 = 10_000_000_000;
/// A run of failures that a success follows is over when it is this old.
const RUN_NS: i64 = 60_000_000_000;
/// A search over more calls would keep people waiting.
const SEARCH_CALLS_MAX: usize = 50_000;

/// What would have been; `None` when no such breaker is known.
///
/// # Errors
/// [`QueryError::Invalid`] for settings that cannot be read or cannot work.
pub fn what_if(session: &Session<'_>, query: &WhatIfQuery) -> Result<Option<WhatIf>, QueryError> {
    let Some(detail) = breaker(session, &query.breaker_id)? else {
        return Ok(None);
    };
    let is_ours = detail.breaker.origin == OURS;
    let Settings {
        recorded,
        source,
        is_reported,
    } = recorded_settings(&detail);
    let base = settings::read(&recorded).map_err(|error| refused(&error))?;
    let Recorded {
        histories,
        found,
        of_edge,
    } = histories(session, &detail, query)?;
    let coverage = coverage(found);
    let mut answer = WhatIf {
        breaker_id: query.breaker_id.clone(),
        service_name: detail.breaker.service_name.clone(),
        name: detail.breaker.name.clone(),
        key: detail.breaker.key.clone(),
        origin: detail.breaker.origin.clone(),
        range: Some(query.range),
        calls: histories
            .iter()
            .map(|history| history.calls.len() as u64)
            .sum(),
        truncated: found.calls > query.calls_max,
        refused: too_few(&coverage, found),
        limits: limits(&detail, is_reported, (&histories, of_edge), &coverage),
        coverage,
        instances: u32::try_from(histories.len()).unwrap_or(u32::MAX),
        settings: texts(&recorded),
        settings_source: source,
        happened: happened(&histories),
        ..WhatIf::default()
    };
    if answer.refused.is_some() {
        return Ok(Some(answer));
    }
    let replayed = run(&base, &histories, Times::Recorded)?;
    answer.baseline = baseline(&detail, &histories, &replayed, is_ours);
    answer.recorded = outcome(&replayed);
    if !query.edits.is_empty() {
        let mut edited = recorded.clone();
        for (name, value) in &query.edits {
            edited.insert(name.clone(), Value::String(value.clone()));
        }
        let config = settings::read(&edited).map_err(|error| refused(&error))?;
        let times = if config.open == base.open {
            Times::Recorded
        } else {
            Times::Nominal
        };
        answer.edited = Some(outcome(&run(&config, &histories, times)?));
    }
    if query.propose && answer.calls as usize <= SEARCH_CALLS_MAX {
        let before = settings::write(&base);
        answer.proposals = search::pareto(&base, &histories)
            .into_iter()
            .map(|(config, _, runs)| Proposal {
                edits: differences(&before, &settings::write(&config)),
                outcome: outcome(&runs),
            })
            .collect();
    } else if query.propose {
        answer.limits.push(format!(
            "No settings are proposed for more than {SEARCH_CALLS_MAX} calls: narrow the range."
        ));
    }
    Ok(Some(answer))
}

fn refused(error: &settings::SettingsError) -> QueryError {
    tracing::debug!(%error, "settings refused");
    QueryError::Settings(error.to_string())
}

/// What the stored calls stand for.
fn coverage(found: calls::Found) -> CallCoverage {
    let stored = found.taken as f64;
    let is_sampled = found.weight > stored;
    CallCoverage {
        basis: match (is_sampled, found.is_unknown) {
            (true, _) => "sampled",
            (false, true) => "unknown",
            (false, false) => "all",
        }
        .to_owned(),
        share: if is_sampled {
            stored / found.weight
        } else {
            1.0
        },
        estimated_calls: found.weight.max(stored),
    }
}

/// Why too little is stored to replay it, if it is.
fn too_few(coverage: &CallCoverage, found: calls::Found) -> Option<String> {
    (coverage.share < COVERAGE_MIN).then(|| {
        format!(
            "About {:.0} % of this breaker's calls are stored ({} of about {:.0}; the others were not sampled). Under {:.0} % \
             nothing is replayed: windows that much emptier than they were say nothing about what would have tripped.",
            coverage.share * 100.0,
            found.taken,
            coverage.estimated_calls,
            COVERAGE_MIN * 100.0
        )
    })
}

/// Settings to replay under.
struct Settings {
    recorded: Map<String, Value>,
    /// Where they are from.
    source: String,
    /// The breaker told them itself.
    is_reported: bool,
}

/// The settings in force, and where they are from.
fn recorded_settings(detail: &BreakerDetail) -> Settings {
    let newest = detail
        .configs
        .iter()
        .max_by_key(|config| config.valid_from_unix_nano);
    let known = newest.and_then(|config| {
        let Ok(Value::Object(map)) = serde_json::from_str(&config.config) else {
            return None;
        };
        settings::read(&map)
            .is_ok()
            .then(|| (map, config.source.clone()))
    });
    if let Some((recorded, source)) = known {
        return Settings {
            recorded,
            source,
            is_reported: true,
        };
    }
    let (recorded, source) = match foreign::library(&detail.breaker.origin) {
        Some(library) => (library.defaults, format!("defaults of {}", library.origin)),
        None => (
            settings::write(&BreakerConfig::new()),
            "defaults of the SDK; its own are not reported".to_owned(),
        ),
    };
    Settings {
        recorded,
        source,
        is_reported: false,
    }
}

fn texts(settings: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    settings
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn differences(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> BTreeMap<String, String> {
    texts(after)
        .into_iter()
        .filter(|(name, value)| texts(before).get(name) != Some(value))
        .collect()
}

/// What was recorded of a breaker.
struct Recorded {
    /// One an instance, in the order of their ids.
    histories: Vec<History>,
    /// What was read for them.
    found: calls::Found,
    /// The calls are all of its owner to its callee: it writes on none.
    of_edge: bool,
}

fn histories(
    session: &Session<'_>,
    detail: &BreakerDetail,
    query: &WhatIfQuery,
) -> Result<Recorded, QueryError> {
    let breaker = &detail.breaker;
    let calls = session.set().calls_sql(&calls::CALL_KEYS, |segment| {
        segment.may_hold_time(query.range.from_unix_nano, query.range.to_unix_nano)
    });
    let filled = |sql: &str| sql.replace("{calls}", &calls);
    session.run_concluded(|conn| {
        let mut by_instance: BTreeMap<String, History> = BTreeMap::new();
        let mut read = calls::read(
            conn,
            &filled(CALLS),
            query,
            detail,
            &breaker.name,
            &mut by_instance,
        )?;
        let callee = breaker
            .peer_service
            .as_ref()
            .or(breaker.peer_address.as_ref());
        let mut of_edge = false;
        if read.calls == 0
            && let Some(callee) = callee
        {
            read = calls::read(
                conn,
                &filled(EDGE_CALLS),
                query,
                detail,
                &names_of(conn, detail, callee)?,
                &mut by_instance,
            )?;
            of_edge = read.calls > 0;
        }
        read_changes(conn, query, &mut by_instance)?;
        for (instance, history) in &mut by_instance {
            let begun = detail
                .configs
                .iter()
                .filter(|config| {
                    config.service_instance_id.as_deref().unwrap_or_default() == instance
                })
                .map(|config| config.valid_from_unix_nano)
                .min();
            let first = history
                .calls
                .first()
                .map_or(query.range.from_unix_nano, |call| call.start);
            history.origin = begun.unwrap_or(first).min(first);
        }
        by_instance.retain(|_, history| !history.calls.is_empty());
        Ok(Recorded {
            histories: by_instance.into_values().collect(),
            found: read,
            of_edge,
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

/// Its changes of state; a restart of a closed one is none.
fn read_changes(
    conn: &Connection,
    query: &WhatIfQuery,
    into: &mut BTreeMap<String, History>,
) -> Result<(), QueryError> {
    let mut statement = conn.ask(
        "SELECT coalesce(service_instance_id, ''), epoch_ns(\"time\"), epoch_ns(time_lo), coalesce(from_state, ''), to_state, reason, \
         open_for_ms FROM breaker_transitions WHERE breaker_id = ? AND \"time\" >= make_timestamp_ns(?) \
         AND \"time\" < make_timestamp_ns(?) AND coalesce(from_state, 'closed') IS DISTINCT FROM to_state \
         ORDER BY \"time\", generation",
    )?;
    let mut rows = statement.query(params![
        query.breaker_id,
        query.range.from_unix_nano,
        query.range.to_unix_nano
    ])?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(1)?;
        into.entry(row.get(0)?).or_default().changes.push(Change {
            at,
            lo: row.get::<_, Option<i64>>(2)?.unwrap_or(at),
            from: row.get(3)?,
            to: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            reason: row.get(5)?,
            open_for_ms: row.get(6)?,
        });
    }
    Ok(())
}

/// Where open times come from.
#[derive(Clone, Copy)]
enum Times {
    /// From the recorded openings, jitter and all.
    Recorded,
    /// From the settings, without jitter.
    Nominal,
}

fn run(
    config: &BreakerConfig,
    histories: &[History],
    times: Times,
) -> Result<Vec<Replayed>, QueryError> {
    histories
        .iter()
        .map(|history| {
            let open_times: Vec<Duration> = match times {
                Times::Recorded => history.open_times(),
                Times::Nominal => Vec::new(),
            };
            replay(config, history, &open_times).map_err(|error| refused(&error))
        })
        .collect()
}

fn mean(times: &[u64]) -> Option<u64> {
    let count = u64::try_from(times.len()).ok().filter(|count| *count > 0)?;
    Some(times.iter().sum::<u64>() / count)
}

fn outcome(runs: &[Replayed]) -> Outcome {
    let sum = |of: fn(&Replayed) -> u64| runs.iter().map(of).sum::<u64>();
    let detect: Vec<u64> = runs.iter().flat_map(|run| run.detect_ns.clone()).collect();
    let recover: Vec<u64> = runs.iter().flat_map(|run| run.recover_ns.clone()).collect();
    Outcome {
        trips: runs.iter().map(|run| run.trips() as u64).sum(),
        admitted: sum(|run| run.admitted),
        rejected: sum(|run| run.rejected_good + run.avoided_failures + run.rejected_other),
        rejected_good: sum(|run| run.rejected_good),
        avoided_failures: sum(|run| run.avoided_failures),
        admitted_unknown: sum(|run| run.admitted_unknown),
        detect_ns: mean(&detect),
        recover_ns: mean(&recover),
        open_ns: sum(|run| run.open_ns),
    }
}

/// What the records say by themselves.
fn happened(histories: &[History]) -> Outcome {
    let mut sum = Outcome::default();
    let (mut detect, mut recover) = (Vec::new(), Vec::new());
    for history in histories {
        times(history, &mut detect, &mut recover);
        let rejected = history
            .calls
            .iter()
            .filter(|call| call.ended == Ended::Rejected)
            .count() as u64;
        sum.rejected += rejected;
        sum.admitted += history.calls.len() as u64 - rejected;
        let mut since: Option<i64> = None;
        for change in &history.changes {
            sum.trips += u64::from(change.is_trip());
            match change.to.as_str() {
                "open" => {
                    since.get_or_insert(change.at);
                }
                "closed" => {
                    let length = since.take().map_or(0, |since| change.at - since);
                    sum.open_ns += u64::try_from(length).unwrap_or(0);
                }
                _ => {}
            }
        }
    }
    sum.detect_ns = mean(&detect);
    sum.recover_ns = mean(&recover);
    sum
}

/// How long each trip took from the first failure of its run, and each closing from the first success since; the run of
/// failures before a call that succeeded is over when that is a minute old, as in the replay.
fn times(history: &History, detect: &mut Vec<u64>, recover: &mut Vec<u64>) {
    let mut calls: Vec<&Call> = history.calls.iter().collect();
    calls.sort_by_key(|call| call.end());
    let mut calls = calls.into_iter().peekable();
    let (mut first_failure, mut first_success): (Option<i64>, Option<i64>) = (None, None);
    let mut is_closed = true;
    for change in &history.changes {
        while let Some(call) = calls.next_if(|call| call.end() <= change.at) {
            let end = call.end();
            match call.ended {
                Ended::Failure => {
                    first_failure.get_or_insert(end);
                    first_success = None;
                }
                Ended::Success => {
                    first_success.get_or_insert(end);
                    let is_over = |first: &i64| is_closed && end - first > RUN_NS;
                    first_failure = first_failure.filter(|first| !is_over(first));
                }
                _ => {}
            }
        }
        let since = |first: Option<i64>| {
            let first = first.unwrap_or(change.at);
            u64::try_from(change.at - first).unwrap_or(0)
        };
        if change.is_trip() {
            detect.push(since(first_failure.take()));
            first_success = None;
        } else if change.to == "closed" {
            recover.push(since(first_success.take()));
            first_failure = None;
        }
        is_closed = change.to == "closed";
    }
}

fn baseline(
    detail: &BreakerDetail,
    histories: &[History],
    replayed: &[Replayed],
    is_ours: bool,
) -> Baseline {
    let mut found = Baseline {
        exact: is_ours,
        ..Baseline::default()
    };
    for (history, run) in histories.iter().zip(replayed) {
        let exactly = history.changes.len() == run.changes.len()
            && history.changes.iter().zip(&run.changes).all(
                |(recorded, (at, from, to, reason))| {
                    recorded.at == *at
                        && recorded.from == from.as_str()
                        && recorded.to == to.as_str()
                        && recorded.reason.as_deref() == Some(reason.as_str())
                },
            );
        found.exact &= exactly;
        let mut trips: Vec<i64> = run
            .changes
            .iter()
            .filter(|(_, from, to, _)| *from == State::Closed && *to == State::Open)
            .map(|(at, ..)| *at)
            .collect();
        for recorded in history.changes.iter().filter(|change| change.is_trip()) {
            found.trips += 1;
            let is_it = |at: &i64| *at >= recorded.lo - NEAR_NS && *at <= recorded.at + NEAR_NS;
            if let Some(same) = trips.iter().position(is_it) {
                trips.swap_remove(same);
                found.reproduced += 1;
            }
        }
        found.extra += u32::try_from(trips.len()).unwrap_or(u32::MAX);
    }
    let extra = match found.extra {
        0 => String::new(),
        extra => format!(", and {extra} that did not happen"),
    };
    found.sentence = format!(
        "reproduces {} of {} recorded trips{extra}{}",
        found.reproduced,
        found.trips,
        if found.exact {
            ", every transition to the nanosecond"
        } else {
            ""
        }
    );
    if !found.exact {
        found.differs = match foreign::library(&detail.breaker.origin) {
            Some(library) => library.differs.iter().map(|rule| (*rule).to_owned()).collect(),
            None if is_ours => vec![
                "A span is not always the breaker's call: work before or after it in the same span moves its times.".to_owned(),
                "Calls whose spans were not stored (sampling, retention) are missing from the window.".to_owned(),
            ],
            None => vec!["The rules of this library are not known.".to_owned()],
        };
    }
    found
}

fn limits(
    detail: &BreakerDetail,
    is_reported: bool,
    recorded: (&[History], bool),
    coverage: &CallCoverage,
) -> Vec<String> {
    let (histories, of_edge) = recorded;
    let mut limits = vec![
        "A call that was refused has no outcome: where other settings would let it through, what would have become of it is not known.".to_owned(),
        "The callee is taken as it was: less load might have let it recover sooner, more might not have.".to_owned(),
        "Edited open times are replayed without jitter.".to_owned(),
    ];
    let breaker = &detail.breaker;
    if of_edge {
        let callee = breaker
            .peer_service
            .as_ref()
            .or(breaker.peer_address.as_ref());
        let callee = callee.map_or("its callee", String::as_str);
        let known = match breaker.peer_evidence.as_deref() {
            Some("address") => ", which is inferred from its address",
            Some("trace") => ", which is inferred from its traces",
            Some("user_rule") => ", as a rule of the configuration says",
            Some("name") => ", which is inferred from its name",
            Some("edge") => ", which is inferred: nobody else is called",
            _ => "",
        };
        limits.push(format!(
            "The breaker writes on no call: all calls of {} to {callee} are taken for its own{known}.",
            breaker.service_name
        ));
    }
    match coverage.basis.as_str() {
        "sampled" => limits.push(format!(
            "About {:.0} % of the calls are stored: windows are that much emptier than they were.",
            coverage.share * 100.0
        )),
        "unknown" => limits.push(
            "The spans do not say whether others were left out (sampling): if so, windows were fuller than they are here."
                .to_owned(),
        ),
        _ => {}
    }
    if !is_reported {
        limits.push(
            "The breaker does not report its settings: defaults stand for them, and one that was told others did otherwise."
                .to_owned(),
        );
    }
    if breaker.origin != OURS {
        limits.push("Only the SDK's breakers are reproduced exactly; others by the rules they share with it.".to_owned());
    }
    let has_rejected = histories
        .iter()
        .flat_map(|h| &h.calls)
        .any(|call| call.ended == Ended::Rejected);
    if !has_rejected {
        limits.push(
            "No refused call is recorded: time spent open looks like time without calls."
                .to_owned(),
        );
    }
    limits
}
