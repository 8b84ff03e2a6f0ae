//! Random histories as other libraries tell them, through restarts and exports that never came, come back within the
//! uncertainty they state, hot and sealed.
//!
//! | told by | as |
//! |---|---|
//! | resilience4j | Micrometer's gauge by state, with dots; with underscores and its counter of refused calls |
//! | gobreaker | what people log in `OnStateChange`, in three wordings |
//! | Hystrix | its gauge of one number, which is 1 in half-open too |
//! | opossum | counters of events since the export before |
//!
//! A restart leaves a breaker closed and tells nobody. Counters since the export before say how often and not in which
//! order, so opossum's histories change at most once an export, and restart while nothing changes.

use std::collections::BTreeMap;

use super::fixture::{Log, Point, append, logs, metrics, open};
use super::histories::{
    Chance, Found, History, INTERVAL_S, LENGTH_S, SLACK_S, STATES, found, length, nanos, next,
    nothing_is_made_up, told,
};
use crate::store::Store;

const SEEDS: [u64; 3] = [20_261_122, 11, 4_242];
const HISTORIES: u64 = 8;
const DOTTED: &str = "resilience4j-dotted";
const PROMETHEUS: &str = "resilience4j-prometheus";
pub(super) const GOBREAKER: &str = "gobreaker";
const HYSTRIX: &str = "hystrix";
const OPOSSUM: &str = "opossum";

impl History {
    /// Two restarts, which leave it closed, and a time in which no export came.
    fn disturbed(name: String, chance: &mut Chance) -> Self {
        let restarts = vec![chance.between(60.0, 300.0), chance.between(320.0, 560.0)];
        let silent = chance.between(100.0, 500.0);
        let silences = vec![(silent, silent + chance.between(15.0, 45.0))];
        let (mut at, mut state, mut restarted) = (0.0, "closed", 0);
        let mut changes = vec![(0.0, "closed")];
        loop {
            let until = at + length(state, chance);
            if let Some(restart) = restarts.get(restarted).filter(|at| until >= **at) {
                restarted += 1;
                at = *restart;
                if state != "closed" {
                    state = "closed";
                    changes.push((at, state));
                }
                continue;
            }
            at = until;
            if at >= LENGTH_S {
                return Self {
                    name,
                    changes,
                    restarts,
                    silences,
                };
            }
            state = next(state, chance);
            changes.push((at, state));
        }
    }

    /// At most one change in two exports; a restart long after it closed, and one export that comes with the next.
    fn calm(name: String, chance: &mut Chance) -> Self {
        let missed = chance.between(2.0, 58.0).floor() * INTERVAL_S;
        let (mut at, mut state) = (0.0, "closed");
        let mut changes = vec![(0.0, "closed")];
        let mut restarts = Vec::new();
        loop {
            if state == "closed" && at > 200.0 && restarts.is_empty() {
                restarts.push(at + 12.0);
            }
            at += match state {
                "closed" => chance.between(25.0, 90.0),
                "open" => chance.between(22.0, 60.0),
                _ => chance.between(21.0, 30.0),
            };
            if at >= LENGTH_S {
                return Self {
                    name,
                    changes,
                    restarts,
                    silences: vec![(missed, missed + 1.0)],
                };
            }
            state = next(state, chance);
            changes.push((at, state));
        }
    }

    /// Changes that the breaker itself made.
    fn reported(&self) -> Vec<(f64, &'static str, &'static str)> {
        self.transitions()
            .filter(|(at, ..)| !self.restarts.contains(at))
            .collect()
    }

    /// When the process that runs then began.
    fn started(&self, at: f64) -> f64 {
        let before = self.restarts.iter().filter(|restart| **restart <= at);
        before.copied().fold(0.0, f64::max)
    }

    /// Calls refused by the process that runs then.
    fn refused_since_start(&self, until: f64) -> f64 {
        let open = self.spent("open", until) - self.spent("open", self.started(until));
        (open * 10.0).floor()
    }

    /// The exports that came.
    fn exports(&self) -> Vec<f64> {
        (0..=(LENGTH_S / INTERVAL_S) as u32)
            .map(|at| f64::from(at) * INTERVAL_S)
            .filter(|at| {
                let is_in = |(from, to): &(f64, f64)| (*from..*to).contains(at);
                !self.silences.iter().any(is_in)
            })
            .collect()
    }
}

/// A gauge a state, 1 for the one that holds.
fn one_hot(history: &History, metric: &'static str) -> Vec<Point<'static>> {
    let point = |at: f64, state: &str| {
        let holds = f64::from(u8::from(history.state_at(at) == state));
        let attributes = format!(r#"{{"name":"{}","state":"{state}"}}"#, history.name);
        (metric, "gauge", attributes, nanos(at), holds)
    };
    let exports = history.exports().into_iter();
    exports
        .flat_map(|at| STATES.map(|state| point(at, state)))
        .collect()
}

fn refusals(history: &History) -> Vec<Point<'static>> {
    let attributes = format!(r#"{{"kind":"not_permitted","name":"{}"}}"#, history.name);
    let exports = history.exports().into_iter();
    exports
        .map(|at| {
            let metric = "resilience4j_circuitbreaker_not_permitted_calls_total";
            let refused = history.refused_since_start(at);
            (metric, "sum", attributes.clone(), nanos(at), refused)
        })
        .collect()
}

fn hystrix(history: &History) -> Vec<Point<'static>> {
    let attributes = format!(r#"{{"group":"shop","key":"{}"}}"#, history.name);
    let exports = history.exports().into_iter();
    exports
        .map(|at| {
            let is_open = f64::from(u8::from(history.state_at(at) != "closed"));
            let metric = "hystrix.circuit.breaker.open";
            (metric, "gauge", attributes.clone(), nanos(at), is_open)
        })
        .collect()
}

fn opossum(history: &History) -> Vec<Point<'static>> {
    let mut points = Vec::new();
    let mut before = 0.0;
    for at in history.exports() {
        let from = history.started(at).max(before);
        let entered =
            |state: &str| (history.entered(state, at) - history.entered(state, from)) as f64;
        let open = history.spent("open", at) - history.spent("open", from);
        let events = [
            ("open", entered("open")),
            ("close", entered("closed")),
            ("halfOpen", entered("half_open")),
            ("reject", history.refused(at) - history.refused(from)),
            ("success", (at - from - open).floor().max(0.0)),
            ("failure", 0.0),
        ];
        points.extend(events.map(|(event, count)| {
            let attributes = format!(r#"{{"event":"{event}","name":"{}"}}"#, history.name);
            ("shop_circuit_total", "delta", attributes, nanos(at), count)
        }));
        before = at;
    }
    points
}

/// What a service logs of each change, in one of three wordings.
pub(super) fn log_lines(store: &Store, history: &History) {
    let word = |state: &'static str| {
        if state == "half_open" {
            "half-open"
        } else {
            state
        }
    };
    let name = &history.name;
    let texts: Vec<(u64, String, String)> = history
        .reported()
        .into_iter()
        .enumerate()
        .map(|(number, (second, from, to))| {
            let (from, to) = (word(from), word(to));
            let none = "{}".to_owned();
            let (body, attributes) = match number % 3 {
                0 => (
                    "circuit breaker state changed".to_owned(),
                    format!(r#"{{"from":"{from}","name":"{name}","to":"{to}"}}"#),
                ),
                1 => (
                    format!("Circuit breaker '{name}' changed from '{from}' to '{to}'"),
                    none,
                ),
                _ => (format!("circuit breaker {name}: {from} -> {to}"), none),
            };
            (nanos(second), body, attributes)
        })
        .collect();
    let records: Vec<Log<'_>> = texts
        .iter()
        .map(|(time, body, attributes)| Log {
            time: *time,
            body: Some(body),
            attributes,
            ..Log::default()
        })
        .collect();
    append(store, logs(GOBREAKER, "pod", &records));
}

/// Emits a history under the service named after who tells it.
fn emit(store: &Store, kind: &str, history: &History) {
    let points = match kind {
        DOTTED => one_hot(history, "resilience4j.circuitbreaker.state"),
        PROMETHEUS => [
            one_hot(history, "resilience4j_circuitbreaker_state"),
            refusals(history),
        ]
        .concat(),
        HYSTRIX => hystrix(history),
        OPOSSUM => opossum(history),
        _ => return log_lines(store, history),
    };
    append(store, metrics(kind, "pod", &points));
}

/// At each export that came, the newest change says what the gauge said.
fn gauge_is_followed(kind: &str, seed: u64, history: &History, rows: &[Found]) {
    for at in history.exports() {
        let said = rows.iter().rev().find(|row| row.hi <= at + SLACK_S);
        let said = said.map_or("closed", |row| row.to.as_str());
        let was = match history.state_at(at) {
            "half_open" if kind == HYSTRIX => "open",
            state => state,
        };
        assert_eq!(said, was, "at {at}: {}", told(kind, seed, history, rows));
    }
}

/// However short, an opening between two exports is found where refused calls were counted and the count survived.
fn refusals_show(kind: &str, seed: u64, history: &History, rows: &[Found]) {
    for pair in history.exports().windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let is_lost = history.started(to) > from || history.state_at(from) != "closed";
        if is_lost || history.refused_since_start(to) <= history.refused_since_start(from) {
            continue;
        }
        let hit = rows
            .iter()
            .any(|row| row.to == "open" && row.hi >= from - SLACK_S && row.lo <= to + SLACK_S);
        assert!(hit, "{from}..{to}: {}", told(kind, seed, history, rows));
    }
}

/// What was logged is found at its nanosecond. One within a second of its like is taken for the same report (R7).
fn logged_is_found(kind: &str, seed: u64, history: &History, rows: &[Found]) {
    let logged = history.reported();
    let is_same = |row: &Found, (at, from, to): &(f64, &str, &str)| {
        row.lo == row.hi && (row.hi - at).abs() < SLACK_S && row.from == *from && row.to == *to
    };
    for row in rows {
        let is_one = logged.iter().any(|change| is_same(row, change));
        assert!(is_one, "{}: {}", row.hi, told(kind, seed, history, rows));
    }
    for change in &logged {
        let is_found = rows.iter().any(|row| is_same(row, change));
        let is_like = |(at, from, to): &(f64, &str, &str)| {
            (*from, *to) == (change.1, change.2) && change.0 > *at && change.0 - at <= 1.0
        };
        assert!(
            is_found || logged.iter().any(is_like),
            "{change:?} lost: {}",
            told(kind, seed, history, rows)
        );
    }
}

/// Every counted change is found once, at the export that brought it.
fn counted_is_found(kind: &str, seed: u64, history: &History, rows: &[Found]) {
    let real: Vec<(f64, &str, &str)> = history.transitions().collect();
    let tell = || told(kind, seed, history, rows);
    assert_eq!(rows.len(), real.len(), "{}", tell());
    for (at, _, to) in real {
        let is_its = |row: &Found| {
            let late = row.hi - at;
            row.to == to && row.lo - SLACK_S <= at && (-SLACK_S..=2.0 * INTERVAL_S).contains(&late)
        };
        assert!(rows.iter().any(is_its), "{at} lost: {}", tell());
    }
}

fn check(store: &Store, kind: &str, histories: &[History], seed: u64) {
    let all = found(store, kind);
    for history in histories {
        let none = Vec::new();
        let rows = all.get(&history.name).unwrap_or(&none);
        nothing_is_made_up(kind, seed, history, rows);
        match kind {
            GOBREAKER => logged_is_found(kind, seed, history, rows),
            OPOSSUM => counted_is_found(kind, seed, history, rows),
            _ => gauge_is_followed(kind, seed, history, rows),
        }
        if kind == PROMETHEUS {
            refusals_show(kind, seed, history, rows);
        }
    }
}

#[test]
fn foreign_histories_with_restarts_and_gaps_come_back_within_the_stated_uncertainty() {
    for seed in SEEDS {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let mut histories: BTreeMap<&str, Vec<History>> = BTreeMap::new();
        let mut chance = Chance(seed);
        for kind in [DOTTED, PROMETHEUS, GOBREAKER, HYSTRIX] {
            let of_kind = (0..HISTORIES)
                .map(|at| History::disturbed(format!("h{at}"), &mut chance))
                .collect();
            histories.insert(kind, of_kind);
        }
        let mut chance = Chance(seed);
        let calm = (0..HISTORIES).map(|at| History::calm(format!("h{at}"), &mut chance));
        histories.insert(OPOSSUM, calm.collect());
        for (kind, histories) in &histories {
            for history in histories {
                emit(&store, kind, history);
            }
        }
        for _ in ["hot", "sealed"] {
            for (kind, histories) in &histories {
                check(&store, kind, histories, seed);
            }
            store.seal_now().expect("sealed");
        }
    }
}
