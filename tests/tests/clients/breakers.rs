//! A breaker of another library in its own service: driven into open and back, and every change found by SQL at its
//! time, with the call that caused it, and the failed calls around it. No library here says why it changed.

use std::cell::RefCell;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::recording;
use super::service::{Protocol, Service, exactly};
use crate::harness::{Tripline, now};
use crate::pages::says;

/// How often the clients export metrics.
pub const EXPORT: Duration = Duration::from_secs(1);
/// How late a busy machine may send or take a point.
const LATE: Duration = Duration::from_millis(1_500);
/// Failed calls after which every library here has opened.
const FAILURES_MAX: usize = 50;

/// A breaker as a client service has it: it opens at the third failure of four calls.
pub struct Guarded {
    /// Last segment of the address: `/guarded/{route}`.
    pub route: &'static str,
    /// The breaker's name.
    pub breaker: &'static str,
    /// The recogniser that must have read it.
    pub origin: &'static str,
    /// What a refused call says.
    pub refusal: &'static str,
    /// Longer than it stays open.
    pub open_for: Duration,
    /// What tells of it.
    pub evidence: Evidence,
    /// The library, as the lock file (named from `tests/clients`) has it.
    pub library: &'static str,
    /// See `library`.
    pub lock: &'static str,
    /// It is recorded as `recorded_{fixture}.json`.
    pub fixture: &'static str,
}

/// What a library's changes are known by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A log record at the time of the change; with the trace of the call that caused it, or without.
    Event { is_traced: bool },
    /// Gauges, counters and spans: a change lies within one export interval.
    Metric,
}

/// When something was done: not before, not after, nanoseconds.
type Window = (u64, u64);

/// What was done with a breaker.
pub struct Driven {
    /// From before the first call until everything was found.
    pub whole: Window,
    /// Traces of all its calls.
    pub traces: Vec<String>,
    /// Of these the failed ones; the last one tripped it.
    pub failing: Vec<String>,
    opened: Window,
    closed: Window,
    rejected: i64,
}

/// Drives the breakers of one service, one after the other, and looks their stories up.
pub async fn check(command: Command, protocol: Protocol, all: &[Guarded]) -> Result<()> {
    let server = Tripline::start().await?;
    let service = Service::start(command, &server, protocol)?;
    let mut stories = Vec::new();
    for guarded in all {
        let driven = check_one(&server, &service, guarded)
            .await
            .with_context(|| format!("{} of {}", guarded.breaker, guarded.origin))?;
        stories.push((guarded, driven));
    }
    service.stop()?;
    if recording::is_asked() {
        let (_, remains) = server.stop()?;
        recording::write(&remains.data_dir, &stories)?;
    }
    Ok(())
}

async fn check_one(server: &Tripline, service: &Service, guarded: &Guarded) -> Result<Driven> {
    let driven = drive(server, service, guarded).await?;
    changes(server, guarded, &driven).await?;
    let name = guarded.breaker;
    let state = format!(
        "SELECT count(*) FROM breakers WHERE name = '{name}' AND service_name = 'shop' AND state = 'closed' AND instances = 1"
    );
    exactly(server, &state, 1).await?;
    // The refused calls are seen as such, the failing ones lead to their traces.
    let refused = format!(
        "SELECT count(DISTINCT trace_id) FROM spans WHERE status_code = 'error' AND service_name = 'shop' \
         AND start_time >= make_timestamp_ns({}) AND events::VARCHAR LIKE '%{}%'",
        driven.opened.0, guarded.refusal
    );
    exactly(server, &refused, driven.rejected).await?;
    for trace in &driven.failing {
        let found = format!(
            "SELECT count(DISTINCT trace_id) FROM spans WHERE trace_id = '{trace}' AND status_code = 'error'"
        );
        exactly(server, &found, 1).await?;
    }
    if guarded.evidence == Evidence::Metric {
        counted(server, guarded, &driven).await?;
    }
    let incidents = server.get("/api/v1/incidents").await?;
    let items = incidents["items"].as_array().context("incidents")?;
    // Breakers before the same callee may share one.
    let is_its = |incident: &&Value| {
        let members = incident["breakers"].as_array();
        members.is_some_and(|members| members.iter().any(|member| member["name"] == name))
    };
    let incident = items.iter().find(is_its);
    ensure!(
        incident.is_some_and(|incident| incident["state"] == "recovered"),
        "{incidents}"
    );
    Ok(Driven {
        whole: (driven.whole.0, now()),
        ..driven
    })
}

async fn drive(server: &Tripline, service: &Service, guarded: &Guarded) -> Result<Driven> {
    let traces = RefCell::new(Vec::new());
    let call = async |fails: bool| -> Result<(String, String)> {
        let suffix = if fails { "?fail=1" } else { "" };
        let path = format!("/guarded/{}{suffix}", guarded.route);
        let (status, body) = service.get(server, &path).await?;
        ensure!(status == 200, "{path} answered {status}: {body}");
        let body: Value = serde_json::from_str(&body)?;
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        traces.borrow_mut().push(text("trace_id"));
        Ok((text("outcome"), text("trace_id")))
    };
    let started = now();
    ensure!(call(false).await?.0 == "success", "the first call");
    if guarded.evidence == Evidence::Metric {
        // Closed is seen before anything happens.
        tokio::time::sleep(2 * EXPORT).await;
    }
    let mut failing = Vec::new();
    let before_trip = now();
    loop {
        ensure!(failing.len() < FAILURES_MAX, "it does not open");
        let (outcome, trace) = call(true).await?;
        if outcome == "rejected" {
            break;
        }
        ensure!(outcome == "failure", "{outcome}");
        failing.push(trace);
        // Hystrix looks at its window every 50 ms.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after_trip = now();
    let mut rejected = 1;
    for _ in 0..4 {
        ensure!(call(false).await?.0 == "rejected", "open means refusing");
        rejected += 1;
    }
    tokio::time::sleep(guarded.open_for).await;
    // opossum lets a probe through by itself; the others when asked.
    let before_close = now();
    ensure!(call(false).await?.0 == "success", "the probe");
    Ok(Driven {
        whole: (started, now()),
        traces: traces.take(),
        failing,
        opened: (before_trip, after_trip),
        closed: (before_close, now()),
        rejected,
    })
}

async fn changes(server: &Tripline, guarded: &Guarded, driven: &Driven) -> Result<()> {
    let name = guarded.breaker;
    let of = |condition: &str| {
        format!(
            "SELECT coalesce(from_state, '?') || '>' || to_state, time_unix_nano::VARCHAR, time_lo_unix_nano::VARCHAR, \
             origin, trace_id, trace_evidence, reason FROM breaker_transitions WHERE name = '{name}' AND service_name = 'shop' {condition} \
             ORDER BY time_unix_nano"
        )
    };
    let closing = of("AND to_state = 'closed' AND from_state IN ('open', 'half_open')");
    server
        .wait_for(&format!("SELECT count(*) FROM ({closing})"), 1)
        .await?;
    let rows = server.sql(&of("")).await?;
    let word = |row: &[Value], at: usize| row[at].as_str().unwrap_or_default().to_owned();
    let steps: Vec<String> = rows.iter().map(|row| word(row, 0)).collect();
    let is_event = matches!(guarded.evidence, Evidence::Event { .. });
    let is_story = steps == ["closed>open", "open>half_open", "half_open>closed"];
    // Between two exports a probe may come and go unseen.
    ensure!(
        is_story || !is_event && steps == ["closed>open", "open>closed"],
        "{rows:?}"
    );
    ensure!(
        rows.iter().all(|row| word(row, 3) == guarded.origin),
        "{rows:?}"
    );
    let last = rows.len() - 1;
    for (row, (from, to)) in [(&rows[0], driven.opened), (&rows[last], driven.closed)] {
        let hi: u64 = word(row, 1).parse().context("a time")?;
        let lo: u64 = word(row, 2).parse().context("a time")?;
        if is_event {
            // An event is exact: the change lies between the calls that caused it.
            ensure!(hi == lo, "reported, not inferred: {row:?}");
            ensure!((from..=to).contains(&hi), "{hi} not within {from} to {to}");
        } else {
            let slack = u64::try_from((EXPORT + LATE).as_nanos())?;
            ensure!(lo <= to && hi >= from, "{lo}..{hi} misses {from}..{to}");
            ensure!(hi <= to + slack, "{hi} is long after {to}");
            ensure!(hi - lo <= slack, "{lo}..{hi} is wider than an export");
        }
    }
    let tripping = driven.failing.last().context("failed calls")?;
    let probe = driven.traces.last().context("calls")?;
    for row in &rows {
        let (step, trace, basis) = (word(row, 0), word(row, 4), word(row, 5));
        if guarded.evidence == (Evidence::Event { is_traced: true }) {
            let caused = if step == "closed>open" {
                tripping
            } else {
                probe
            };
            ensure!(
                trace == *caused && basis == "harvested",
                "{row:?} is not {caused}"
            );
        } else if !trace.is_empty() {
            // Nobody says which call it was: one of this story is found, and said to be a guess.
            let is_its = driven.traces[1..].contains(&trace);
            ensure!(is_its && basis == "inferred", "{row:?}");
        }
        // None of these libraries says why, and nothing is made up.
        ensure!(row[6].is_null(), "{row:?}");
    }
    Ok(())
}

/// To the last call, the library's own counters say what was done with the breaker, and so does its page of the window from
/// before the first call to after the last.
async fn counted(server: &Tripline, guarded: &Guarded, driven: &Driven) -> Result<()> {
    let name = guarded.breaker;
    let failed = i64::try_from(driven.failing.len())?;
    for (column, done) in [("failed", failed), ("rejected", driven.rejected)] {
        let largest = format!(
            "SELECT coalesce(max({column}), 0)::BIGINT FROM breaker_samples \
             WHERE name = '{name}' AND service_name = 'shop' AND pattern = 'breaker' AND evidence = 'metric'"
        );
        let found = server.wait_for(&largest, done).await?;
        ensure!(found == done, "{column}: {found} counted, {done} done");
    }
    let said = [
        format!("class=\"outcome\">{failed} failed<"),
        format!("class=\"outcome\">{} refused<", driven.rejected),
    ];
    let page = format!("/breakers/shop/{name}?from={}&to={}", driven.whole.0, now());
    says(server, &page, &[&said[0], &said[1]]).await?;
    Ok(())
}

/// Lines that say something, without their indentation.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_the_readme_shows_is_what_the_tests_run() -> Result<()> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("../README.md"))?;
    let (_, section) = readme
        .split_once("## Point your stack at Tripline")
        .context("the section")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let java = "java/src/main/java/dev/tripline/shop";
    let sources = [
        "../../sdk/examples/plain_call.rs".to_owned(),
        "rust/main.rs".to_owned(),
        "go/breakers.go".to_owned(),
        "python/service.py".to_owned(),
        "node/breakers.js".to_owned(),
        format!("{java}/Resilience4j.java"),
        format!("{java}/Hystrix.java"),
        format!("{java}/Sentinel.java"),
    ]
    .map(|file| std::fs::read_to_string(root.join("clients").join(file)));
    let sources: Vec<Vec<String>> = sources
        .into_iter()
        .map(|text| text.map(|text| lines(&text)))
        .collect::<Result<_, _>>()?;
    let mut shown = 0;
    for block in section.split("```").skip(1).step_by(2) {
        let (_, code) = block.split_once('\n').context("a block")?;
        let code = lines(code);
        let is_run = |source: &Vec<String>| source.windows(code.len()).any(|part| part == code);
        ensure!(sources.iter().any(is_run), "no test runs {code:#?}");
        shown += 1;
    }
    ensure!(shown == sources.len(), "{shown} blocks of code");
    Ok(())
}
