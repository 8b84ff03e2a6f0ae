//! What one breaker does in a range: windows against limits, calls by outcome, half-open states with their probes.

use std::collections::BTreeSet;

use duckdb::{Connection, params};
use serde_json::Value;

use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{
    Breaker, BreakerActivity, BreakerWindow, ChangedSetting, OutcomeCalls, Probe, SettingsChange,
    TimeRange, Trial, WindowLimits,
};

const WINDOWS: &str = include_str!("activity/windows.sql");
const OUTCOMES: &str = include_str!("activity/outcomes.sql");
const TRIALS: &str = include_str!("activity/trials.sql");
const SETTINGS: &str = include_str!("activity/settings.sql");
const PROBES: &str = include_str!("activity/probes.sql");
/// A counter is exported once a minute or oftener.
pub(super) const COUNTED_BEFORE_NS: i64 = 120_000_000_000;
/// The call that turns a breaker half open began before it did.
const PROBE_BEFORE_NS: i64 = 1_000_000_000;
const PROBE_KEYS: [&str; 4] = [
    "circuit_breaker.name",
    "circuit_breaker.key",
    "circuit_breaker.state",
    "circuit_breaker.outcome",
];

/// The work of a breaker in a range.
pub fn activity(
    session: &Session<'_>,
    breaker: &Breaker,
    range: TimeRange,
) -> Result<BreakerActivity, QueryError> {
    session.run_concluded(|conn| {
        let id = breaker.breaker_id.as_str();
        let (mut trials, total_trials) = trials(conn, id, range)?;
        probes(session, conn, breaker, &mut trials, range)?;
        Ok(BreakerActivity {
            windows: windows(conn, id, range)?,
            calls: outcomes(conn, id, range)?,
            trials,
            total_trials,
            settings: settings(conn, id, range)?,
        })
    })
}

fn windows(
    conn: &Connection,
    id: &str,
    range: TimeRange,
) -> Result<Vec<BreakerWindow>, QueryError> {
    let mut question = conn.ask(WINDOWS)?;
    let rows = question.query_map(params![id, range.to_unix_nano], |row| {
        let reported = limits(row.get::<_, Option<String>>(6)?.as_deref());
        Ok(BreakerWindow {
            service_instance_id: row.get(0)?,
            time_unix_nano: row.get(1)?,
            failure_rate: row.get(2)?,
            slow_rate: row.get(3)?,
            window_calls: row.get(4)?,
            next_probe_unix_nano: row.get(5)?,
            limits: WindowLimits {
                failure_rate: reported.failure_rate.or(row.get(7)?),
                slow_rate: reported.slow_rate.or(row.get(8)?),
                ..reported
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What settings say of the limits; a flat object or one with nested ones, with the SDK's names.
fn limits(config: Option<&str>) -> WindowLimits {
    let Some(Value::Object(config)) = config.and_then(|text| serde_json::from_str(text).ok())
    else {
        return WindowLimits::default();
    };
    let number = |name: &str| config.get(name).and_then(Value::as_f64);
    WindowLimits {
        failure_rate: number("failure_ratio_threshold"),
        slow_rate: number("slow_ratio_threshold"),
        minimum_calls: number("minimum_calls").map(|calls| calls as u32),
    }
}

fn outcomes(conn: &Connection, id: &str, range: TimeRange) -> Result<OutcomeCalls, QueryError> {
    let mut question = conn.ask(OUTCOMES)?;
    let before = range.from_unix_nano.saturating_sub(COUNTED_BEFORE_NS);
    let rows = question.query_map(
        params![id, range.from_unix_nano, range.to_unix_nano, before],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)),
    )?;
    let mut calls = OutcomeCalls::default();
    for row in rows {
        let (outcome, count) = row?;
        let place = match outcome.as_str() {
            "ok" => &mut calls.ok,
            "failed" => &mut calls.failed,
            "slow" => &mut calls.slow,
            "ignored" => &mut calls.ignored,
            "rejected" => &mut calls.rejected,
            _ => &mut calls.cancelled,
        };
        *place = Some(count);
    }
    Ok(calls)
}

fn trials(conn: &Connection, id: &str, range: TimeRange) -> Result<(Vec<Trial>, u64), QueryError> {
    let mut question = conn.ask(TRIALS)?;
    let mut rows = question.query(params![id, range.from_unix_nano, range.to_unix_nano])?;
    let (mut trials, mut total) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        trials.push(Trial {
            service_instance_id: row.get(0)?,
            from_unix_nano: row.get(1)?,
            to_unix_nano: row.get(2)?,
            ended_in: row.get(3)?,
            probes: Vec::new(),
        });
        total = row.get(4)?;
    }
    Ok((trials, total))
}

/// Gives each half-open state the spans of its probes.
fn probes(
    session: &Session<'_>,
    conn: &Connection,
    breaker: &Breaker,
    trials: &mut [Trial],
    range: TimeRange,
) -> Result<(), QueryError> {
    let Some(first) = trials.iter().map(|trial| trial.from_unix_nano).min() else {
        return Ok(());
    };
    let from = first.saturating_sub(PROBE_BEFORE_NS);
    let calls = session.set().calls_sql(&PROBE_KEYS, |segment| {
        segment.may_hold_time(from, range.to_unix_nano)
    });
    let mut question = conn.ask(&PROBES.replace("{calls}", &calls))?;
    let mut rows = question.query(params![
        breaker.service_name,
        breaker.name,
        breaker.key.as_deref().unwrap_or_default(),
        from,
        range.to_unix_nano
    ])?;
    while let Some(row) = rows.next()? {
        let instance: Option<String> = row.get(0)?;
        let probe = Probe {
            time_unix_nano: row.get(1)?,
            outcome: row.get(2)?,
            trace_id: row.get(3)?,
            span_id: row.get(4)?,
            duration_ns: row.get(5)?,
        };
        // Newest first: the first that had begun by then.
        let of = trials.iter_mut().find(|trial| {
            trial.service_instance_id == instance
                && trial.from_unix_nano.saturating_sub(PROBE_BEFORE_NS) <= probe.time_unix_nano
        });
        if let Some(trial) = of {
            trial.probes.push(probe);
        }
    }
    Ok(())
}

fn settings(
    conn: &Connection,
    id: &str,
    range: TimeRange,
) -> Result<Vec<SettingsChange>, QueryError> {
    let mut question = conn.ask(SETTINGS)?;
    let rows = question.query_map(params![id, range.to_unix_nano], |row| {
        let (after, before): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
        Ok(SettingsChange {
            service_instance_id: row.get(0)?,
            time_unix_nano: row.get(1)?,
            config_hash: row.get(2)?,
            is_first: before.is_none(),
            changed: before.map_or_else(Vec::new, |before| {
                changed(&before, after.as_deref().unwrap_or_default())
            }),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What differs between two JSON objects, by name.
fn changed(before: &str, after: &str) -> Vec<ChangedSetting> {
    let object = |text: &str| -> serde_json::Map<String, Value> {
        serde_json::from_str(text).unwrap_or_default()
    };
    let (before, after) = (object(before), object(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| ChangedSetting {
            name: name.clone(),
            before: before.get(name).map(Value::to_string),
            after: after.get(name).map(Value::to_string),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_settings_names_what_differs() {
        let text = |setting: &ChangedSetting| {
            let value = |value: &Option<String>| value.clone().unwrap_or_default();
            format!(
                "{} {}>{}",
                setting.name,
                value(&setting.before),
                value(&setting.after)
            )
        };
        let found = changed(r#"{"a":1,"b":"x","c":true}"#, r#"{"a":2,"b":"x","d":[]}"#);
        let found: Vec<String> = found.iter().map(text).collect();
        assert_eq!(found, ["a 1>2", "c true>", "d >[]"]);
    }

    #[test]
    fn limits_are_what_was_reported_and_never_a_default() {
        let some = limits(Some(
            r#"{"minimum_calls":10,"failure_ratio_threshold":0.5,"window.kind":"count"}"#,
        ));
        assert_eq!(
            (some.failure_rate, some.slow_rate, some.minimum_calls),
            (Some(0.5), None, Some(10))
        );
        for nothing in [
            None,
            Some(""),
            Some("[]"),
            Some(r#"{"minimum_calls":"ten"}"#),
        ] {
            assert_eq!(limits(nothing), WindowLimits::default());
        }
    }
}
