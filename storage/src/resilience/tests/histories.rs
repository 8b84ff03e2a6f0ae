//! Random histories of breakers, emitted as each kind of evidence, come back within the uncertainty they state.
//!
//! One store holds many histories, a breaker each; what the relations say of it is compared with what was. The same
//! again after sealing, which keeps only the marks among the samples. Failures name the seed.

use std::collections::BTreeMap;

use super::fixture::{Log, Point, Span, append, logs, metrics, open, rows, spans};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
/// Long ago: the histories' instances are stale, their transitions are not.
const START: u64 = 1_700_000_000 * SECOND;
const LENGTH_S: f64 = 600.0;
const INTERVAL_S: f64 = 10.0;
const HISTORIES: u64 = 25;

/// SplitMix64: seeded chance.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.next() * (to - from)
    }
}

/// States with the second each began, from closed at 0.
struct History {
    name: String,
    changes: Vec<(f64, &'static str)>,
}

impl History {
    /// Open states of any length: some shorter than an export interval, some longer.
    fn random(name: String, chance: &mut Chance) -> Self {
        let (mut at, mut state) = (0.0, "closed");
        let mut changes = vec![(0.0, "closed")];
        loop {
            at += match state {
                "closed" => chance.between(2.0, 90.0),
                "open" => chance.between(0.3, 25.0),
                _ => chance.between(0.05, 3.0),
            };
            if at >= LENGTH_S {
                return Self { name, changes };
            }
            state = match state {
                "closed" => "open",
                "open" => "half_open",
                _ if chance.next() < 0.3 => "open",
                _ => "closed",
            };
            changes.push((at, state));
        }
    }

    fn transitions(&self) -> impl Iterator<Item = (f64, &'static str, &'static str)> {
        self.changes
            .windows(2)
            .map(|pair| (pair[1].0, pair[0].1, pair[1].1))
    }

    fn state_at(&self, second: f64) -> &'static str {
        self.changes
            .iter()
            .rev()
            .find(|(at, _)| *at <= second)
            .map_or("closed", |(_, state)| state)
    }

    /// Seconds spent in a state until then.
    fn spent(&self, state: &str, until: f64) -> f64 {
        let ends = self.changes.iter().skip(1).map(|(at, _)| *at);
        self.changes
            .iter()
            .zip(ends.chain([f64::MAX]))
            .filter(|((_, held), _)| *held == state)
            .map(|((from, _), to)| (to.min(until) - from).max(0.0))
            .sum()
    }

    /// Times a state was entered until then.
    fn entered(&self, state: &str, until: f64) -> usize {
        self.changes
            .iter()
            .skip(1)
            .filter(|(at, entered)| *entered == state && *at <= until)
            .count()
    }

    /// Calls refused until then, ten a second while open.
    fn refused(&self, until: f64) -> f64 {
        (self.spent("open", until) * 10.0).floor()
    }
}

fn nanos(second: f64) -> u64 {
    START + (second * 1e9).round() as u64
}

const STATES: [&str; 3] = ["closed", "open", "half_open"];

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
fn emit(store: &Store, kind: &str, histories: &[History]) {
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
            let seconds: Vec<f64> = (0..3_000)
                .map(|at| f64::from(at) * LENGTH_S / 3_000.0)
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
struct Found {
    from: String,
    to: String,
    lo: f64,
    hi: f64,
}

fn found(store: &Store, kind: &str) -> BTreeMap<String, Vec<Found>> {
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
const SLACK_S: f64 = 1e-5;

fn is_within(history: &History, row: &Found) -> bool {
    history
        .transitions()
        .any(|(at, _, to)| to == row.to && row.lo - SLACK_S <= at && at <= row.hi + SLACK_S)
}

fn check(store: &Store, kind: &str, histories: &[History], seed: u64) {
    let all = found(store, kind);
    for history in histories {
        let none = Vec::new();
        let rows = all.get(&history.name).unwrap_or(&none);
        let tell = || {
            let shown: Vec<String> = rows
                .iter()
                .map(|row| format!("{}>{} {}..{}", row.from, row.to, row.lo, row.hi))
                .collect();
            format!(
                "{kind}, seed {seed}, {}\n was {:?}\n found {shown:#?}",
                history.name, history.changes
            )
        };
        for row in rows {
            assert!(row.lo <= row.hi + SLACK_S, "{}", tell());
            assert!(
                is_within(history, row),
                "{}>{} in {}..{} never was: {}",
                row.from,
                row.to,
                row.lo,
                row.hi,
                tell()
            );
        }
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
                    let hit = rows.iter().any(|row| {
                        row.to == "open" && row.lo - SLACK_S <= at && at <= row.hi + SLACK_S
                    });
                    assert!(
                        hit || !shows
                            || (was_open && kind == "rejected")
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
            _ => assert!(
                openings > 0 || real.iter().all(|at| *at > LENGTH_S - 1.0),
                "{}",
                tell()
            ),
        }
    }
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
    let seed = 20_261_121;
    let mut chance = Chance(seed);
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let kinds = ["event", "span", "time", "entered", "rejected", "gauge"];
    let mut histories: BTreeMap<&str, Vec<History>> = BTreeMap::new();
    for kind in kinds {
        let of_kind: Vec<History> = (0..HISTORIES)
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
