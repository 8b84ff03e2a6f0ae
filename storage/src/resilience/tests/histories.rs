//! Random histories of breakers, emitted as each kind of evidence, come back within the uncertainty they state.
//!
//! One store holds many histories, a breaker each; what the relations say of it is compared with what was. The same
//! again after sealing, which keeps only the marks among the samples. Failures name the seed. Here they are told in our
//! own names and without disturbance; [`super::foreign_histories`] has those of other libraries.

use std::collections::BTreeMap;

use super::fixture::{Log, Point, Span, append, logs, metrics, open, rows, spans};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
/// Long ago: the histories' instances are stale, their transitions are not.
const START: u64 = 1_700_000_000 * SECOND;
pub(super) const LENGTH_S: f64 = 600.0;
pub(super) const INTERVAL_S: f64 = 10.0;
/// Between two calls.
const CALL_S: f64 = 0.2;
/// Seeds, and histories of each kind.
const RUNS: [(u64, u64); 3] = [(20_261_121, 25), (7, 10), (1_234_567, 10)];

/// SplitMix64: seeded chance.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.next() * (to - from)
    }
}

/// States with the second each began, from closed at 0.
pub(super) struct History {
    pub(super) name: String,
    pub(super) changes: Vec<(f64, &'static str)>,
    /// Seconds at which the process began anew.
    pub(super) restarts: Vec<f64>,
    /// Times in which no export came.
    pub(super) silences: Vec<(f64, f64)>,
}

impl History {
    /// Open states of any length: some shorter than an export interval, some longer.
    fn random(name: String, chance: &mut Chance) -> Self {
        let (mut at, mut state) = (0.0, "closed");
        let mut changes = vec![(0.0, "closed")];
        loop {
            at += length(state, chance);
            if at >= LENGTH_S {
                return Self {
                    name,
                    changes,
                    restarts: Vec::new(),
                    silences: Vec::new(),
                };
            }
            state = next(state, chance);
            changes.push((at, state));
        }
    }

    pub(super) fn transitions(&self) -> impl Iterator<Item = (f64, &'static str, &'static str)> {
        self.changes
            .windows(2)
            .map(|pair| (pair[1].0, pair[0].1, pair[1].1))
    }

    pub(super) fn state_at(&self, second: f64) -> &'static str {
        self.changes
            .iter()
            .rev()
            .find(|(at, _)| *at <= second)
            .map_or("closed", |(_, state)| state)
    }

    /// Seconds spent in a state until then.
    pub(super) fn spent(&self, state: &str, until: f64) -> f64 {
        let ends = self.changes.iter().skip(1).map(|(at, _)| *at);
        self.changes
            .iter()
            .zip(ends.chain([f64::MAX]))
            .filter(|((_, held), _)| *held == state)
            .map(|((from, _), to)| (to.min(until) - from).max(0.0))
            .sum()
    }

    /// Times a state was entered until then.
    pub(super) fn entered(&self, state: &str, until: f64) -> usize {
        self.changes
            .iter()
            .skip(1)
            .filter(|(at, entered)| *entered == state && *at <= until)
            .count()
    }

    /// Calls refused until then, ten a second while open.
    pub(super) fn refused(&self, until: f64) -> f64 {
        (self.spent("open", until) * 10.0).floor()
    }
}

/// Seconds a state lasts.
pub(super) fn length(state: &str, chance: &mut Chance) -> f64 {
    match state {
        "closed" => chance.between(2.0, 90.0),
        "open" => chance.between(0.3, 25.0),
        _ => chance.between(0.05, 3.0),
    }
}

/// The state after it.
pub(super) fn next(state: &str, chance: &mut Chance) -> &'static str {
    match state {
        "closed" => "open",
        "open" => "half_open",
        _ if chance.next() < 0.3 => "open",
        _ => "closed",
    }
}

pub(super) fn nanos(second: f64) -> u64 {
    START + (second * 1e9).round() as u64
}

pub(super) const STATES: [&str; 3] = ["closed", "open", "half_open"];

/// Kinds of evidence, but for lines of logs: those are of other libraries.
pub(super) const KINDS: [&str; 6] = ["event", "span", "time", "entered", "rejected", "gauge"];

fn name_of(history: &History) -> String {
    format!(r#""circuit_breaker.name":"{}""#, history.name)
}

fn exports() -> impl Iterator<Item = f64> {
    (0..=(LENGTH_S / INTERVAL_S) as u32).map(|at| f64::from(at) * INTERVAL_S)
}

fn gauge(history: &History) -> Vec<Point<'static>> {
    let point = |at: f64, state: &str| {
        let holds = f64::from(u8::from(history.state_at(at) == state));
        let attributes = format!(
            r#"{{{},"circuit_breaker.state":"{state}"}}"#,
            name_of(history)
        );
        (
            "circuit_breaker.state",
            "gauge",
            attributes,
            nanos(at),
            holds,
        )
    };
    exports()
        .flat_map(|at| STATES.map(|state| point(at, state)))
        .collect()
}

fn time_in_state(history: &History) -> Vec<Point<'static>> {
    let point = |at: f64, state: &str| {
        let attributes = format!(
            r#"{{{},"circuit_breaker.state":"{state}"}}"#,
            name_of(history)
        );
        let seconds = history.spent(state, at);
        (
            "circuit_breaker.time_in_state",
            "sum",
            attributes,
            nanos(at),
            seconds,
        )
    };
    exports()
        .flat_map(|at| STATES.map(|state| point(at, state)))
        .collect()
}

fn transition_counters(history: &History) -> Vec<Point<'static>> {
    let point = |at: f64, state: &str| {
        let attributes = format!(
            r#"{{{},"circuit_breaker.to_state":"{state}"}}"#,
            name_of(history)
        );
        let count = history.entered(state, at) as f64;
        (
            "circuit_breaker.transitions",
            "sum",
            attributes,
            nanos(at),
            count,
        )
    };
    exports()
        .flat_map(|at| STATES.map(|state| point(at, state)))
        .collect()
}

fn rejection_counters(history: &History) -> Vec<Point<'static>> {
    let attributes = format!(
        r#"{{{},"circuit_breaker.outcome":"rejected"}}"#,
        name_of(history)
    );
    exports()
        .map(|at| {
            let name = "circuit_breaker.calls";
            (
                name,
                "sum",
                attributes.clone(),
                nanos(at),
                history.refused(at),
            )
        })
        .collect()
}

/// Emits every history as one kind of evidence, under the service named after it.
pub(super) fn emit(store: &Store, kind: &str, histories: &[History]) {
    for history in histories {
        let points: Vec<Point<'static>> = match kind {
            "gauge" => gauge(history),
            "time" => [gauge(history), time_in_state(history)].concat(),
            "entered" => transition_counters(history),
            "rejected" => [gauge(history), rejection_counters(history)].concat(),
            _ => Vec::new(),
        };
        if !points.is_empty() {
            append(store, metrics(kind, "pod", &points));
            continue;
        }
        if kind == "event" {
            let texts: Vec<(u64, String)> = history
                .transitions()
                .enumerate()
                .map(|(at, (second, from, to))| {
                    let generation = at + 2;
                    (
                        nanos(second),
                        format!(
                            r#"{{{},"circuit_breaker.from_state":"{from}","circuit_breaker.to_state":"{to}","circuit_breaker.generation":{generation}}}"#,
                            name_of(history)
                        ),
                    )
                })
                .collect();
            let records: Vec<Log<'_>> = texts
                .iter()
                .map(|(time, attributes)| Log {
                    time: *time,
                    event: "circuit_breaker.state_changed",
                    attributes,
                    ..Log::default()
                })
                .collect();
            append(store, logs(kind, "pod", &records));
        } else {
            let seconds: Vec<f64> = (0..(LENGTH_S / CALL_S) as u32)
                .map(|at| f64::from(at) * CALL_S)
                .collect();
            let texts: Vec<String> = seconds
                .iter()
                .map(|second| {
                    let state = history.state_at(*second);
                    let outcome = if state == "open" { "rejected" } else { "success" };
                    format!(
                        r#"{{{},"circuit_breaker.state":"{state}","circuit_breaker.outcome":"{outcome}"}}"#,
                        name_of(history)
                    )
                })
                .collect();
            let calls: Vec<Span<'_>> = seconds
                .iter()
                .zip(&texts)
                .map(|(second, attributes)| Span {
                    time: nanos(*second),
                    attributes,
                    number: 1,
                    ..Span::default()
                })
                .collect();
            append(store, spans(kind, "pod", &calls));
        }
    }
}

/// A row of `breaker_transitions`, times in seconds of the history.
pub(super) struct Found {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) lo: f64,
    pub(super) hi: f64,
}

/// Those of a service, by breaker.
pub(super) fn found(store: &Store, kind: &str) -> BTreeMap<String, Vec<Found>> {
    let sql = format!(
        "SELECT name, from_state, to_state, time_lo_unix_nano::BIGINT - {START}, time_unix_nano::BIGINT - {START}
         FROM breaker_transitions WHERE service_name = '{kind}' ORDER BY name, time"
    );
    let mut all: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for row in rows(store, &sql) {
        let words: Vec<&str> = row.split(' ').collect();
        let second = |word: &str| word.parse::<f64>().expect("nanoseconds") / 1e9;
        all.entry(words[0].to_owned()).or_default().push(Found {
            from: words[1].to_owned(),
            to: words[2].to_owned(),
            lo: second(words[3]),
            hi: second(words[4]),
        });
    }
    all
}

/// Rounding of seconds in counters to nanoseconds and back.
pub(super) const SLACK_S: f64 = 1e-5;

/// Whether the change that was found may have been at that second.
pub(super) fn is_then(row: &Found, at: f64) -> bool {
    row.lo - SLACK_S <= at && at <= row.hi + SLACK_S
}

pub(super) fn is_within(history: &History, row: &Found) -> bool {
    // A restart is a transition too (R4): whatever it was before, it is closed then.
    let mut restarts = history.restarts.iter();
    history
        .transitions()
        .any(|(at, _, to)| to == row.to && is_then(row, at))
        || row.to == "closed" && restarts.any(|at| is_then(row, *at))
}

fn check(store: &Store, kind: &str, histories: &[History], seed: u64) {
    let all = found(store, kind);
    for history in histories {
        let none = Vec::new();
        let rows = all.get(&history.name).unwrap_or(&none);
        let tell = || told(kind, seed, history, rows);
        nothing_is_made_up(kind, seed, history, rows);
        // The uncertainty that each kind of evidence may have.
        let widest = match kind {
            "event" => 0.0,
            "span" => CALL_S,
            _ => INTERVAL_S,
        };
        let is_narrow = |row: &Found| row.hi - row.lo <= widest + 2.0 * SLACK_S;
        assert!(rows.iter().all(is_narrow), "{}", tell());
        let openings = rows.iter().filter(|row| row.to == "open").count();
        let real: Vec<f64> = history
            .transitions()
            .filter(|(_, _, to)| *to == "open")
            .map(|(at, _, _)| at)
            .collect();
        let last_export = LENGTH_S;
        match kind {
            "event" => {
                let exact: Vec<(f64, &str, &str)> = history.transitions().collect();
                let same = exact.len() == rows.len()
                    && exact.iter().zip(rows).all(|(was, row)| {
                        was.1 == row.from
                            && was.2 == row.to
                            && (was.0 - row.hi).abs() < SLACK_S
                            && row.lo == row.hi
                    });
                assert!(same, "{}", tell());
            }
            // Counted: none is lost and none is made up.
            "entered" => assert_eq!(
                openings,
                real.iter().filter(|at| **at <= last_export).count(),
                "{}",
                tell()
            ),
            // Aliasing: however short, a trip between two exports is found.
            "time" | "rejected" => {
                let trips = history
                    .transitions()
                    .filter(|(_, from, to)| *from == "closed" && *to == "open");
                for at in trips.map(|(at, _, _)| at) {
                    let (from, to) = (
                        (at / INTERVAL_S).floor() * INTERVAL_S,
                        (at / INTERVAL_S).ceil() * INTERVAL_S,
                    );
                    let shows = kind == "time" || history.refused(to) > history.refused(from);
                    let was_open = history.state_at(from) != "closed";
                    // Once around after it had closed: time in each state cannot tell the two closings apart.
                    let went_round = was_open && history.state_at(to) == "closed";
                    let hit = rows.iter().any(|row| row.to == "open" && is_then(row, at));
                    assert!(
                        hit || !shows
                            || (was_open && kind == "rejected")
                            || (went_round && kind == "time")
                            || several(history, from, to),
                        "{at} lost: {}",
                        tell()
                    );
                }
            }
            // A gauge sees what holds at an export.
            "gauge" => {
                for at in exports() {
                    let said = rows.iter().rev().find(|row| row.hi <= at + SLACK_S);
                    let said = said.map_or("closed", |row| row.to.as_str());
                    assert_eq!(said, history.state_at(at), "at {at}: {}", tell());
                }
            }
            // An opening that a call met after one that met another state lies between these two.
            "span" => {
                let met = real.iter().filter(|at| {
                    let before = (*at / CALL_S).floor() * CALL_S;
                    history.state_at(before) != "open" && before + CALL_S < LENGTH_S - CALL_S
                });
                for at in met {
                    let is_it = |row: &Found| row.to == "open" && is_then(row, *at);
                    assert!(rows.iter().any(is_it), "{at} lost: {}", tell());
                }
            }
            other => panic!("{other} is no kind of evidence"),
        }
    }
}

/// Every change found was one, within the time it says.
pub(super) fn nothing_is_made_up(kind: &str, seed: u64, history: &History, rows: &[Found]) {
    for row in rows {
        assert!(
            row.lo <= row.hi + SLACK_S && is_within(history, row),
            "{}>{} in {}..{} never was: {}",
            row.from,
            row.to,
            row.lo,
            row.hi,
            told(kind, seed, history, rows)
        );
    }
}

/// What was and what was found, for whoever reads a failure.
pub(super) fn told(kind: &str, seed: u64, history: &History, rows: &[Found]) -> String {
    let shown: Vec<String> = rows
        .iter()
        .map(|row| format!("{}>{} {}..{}", row.from, row.to, row.lo, row.hi))
        .collect();
    format!(
        "{kind}, seed {seed}, {}\n was {:?}\n restarts {:?}, silences {:?}\n found {shown:#?}",
        history.name, history.changes, history.restarts, history.silences
    )
}

/// More than one opening in an interval: time in each state cannot tell them apart.
fn several(history: &History, from: f64, to: f64) -> bool {
    let openings = history
        .transitions()
        .filter(|(at, _, state)| *state == "open" && from < *at && *at <= to);
    openings.count() > 1
}

#[test]
fn histories_come_back_within_the_stated_uncertainty() {
    for (seed, count) in RUNS {
        come_back(seed, count);
    }
}

fn come_back(seed: u64, count: u64) {
    let mut chance = Chance(seed);
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let mut histories: BTreeMap<&str, Vec<History>> = BTreeMap::new();
    for kind in KINDS {
        let of_kind: Vec<History> = (0..count)
            .map(|at| History::random(format!("h{at}"), &mut chance))
            .collect();
        emit(&store, kind, &of_kind);
        histories.insert(kind, of_kind);
    }
    for (kind, histories) in &histories {
        check(&store, kind, histories, seed);
    }
    store.seal_now().expect("sealed");
    for (kind, histories) in &histories {
        check(&store, kind, histories, seed);
    }
}
