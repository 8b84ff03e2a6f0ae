//! The replay against a reference model, and the search against what it promises.

use std::time::Duration;

use tripline_sdk::{BreakerConfig, CloseOn, HalfOpen, Mode, OpenTime, State};

use super::history::{Call, Ended, History};
use super::replay::replay;
use super::{search, settings};

const MS: i64 = 1_000_000;

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Calls one after another; failures come in runs.
fn history(seed: u64, calls: usize) -> History {
    let mut dice = Dice(seed);
    let mut at = 0;
    let mut is_down = false;
    let calls = (0..calls)
        .map(|_| {
            at += (20 + dice.below(30)) as i64 * MS;
            if dice.below(15) == 0 {
                is_down = !is_down;
            }
            let fails = if is_down {
                dice.below(10) < 9
            } else {
                dice.below(10) == 0
            };
            Call {
                start: at,
                duration: 1 + dice.below(10) * MS as u64,
                ended: if fails {
                    Ended::Failure
                } else {
                    Ended::Success
                },
            }
        })
        .collect();
    History {
        origin: 0,
        calls,
        changes: Vec::new(),
    }
}

/// The classic breaker, written anew in the plainest way: so many failures in a row open it for so long, then one
/// call decides. Answers trips, refused good calls, avoided failures.
fn classic(history: &History, in_a_row: u32, open_ms: i64) -> (usize, u64, u64) {
    let (mut trips, mut good, mut avoided) = (0, 0, 0);
    let mut failures = 0;
    let mut open_until: Option<i64> = None;
    for call in &history.calls {
        let failed = call.ended == Ended::Failure;
        if let Some(until) = open_until {
            if call.start < until {
                if failed {
                    avoided += 1;
                } else {
                    good += 1;
                }
                continue;
            }
            // The probe.
            open_until = failed.then(|| call.end() + open_ms * MS);
            failures = 0;
            continue;
        }
        failures = if failed { failures + 1 } else { 0 };
        if failures == in_a_row {
            trips += 1;
            open_until = Some(call.end() + open_ms * MS);
        }
    }
    (trips, good, avoided)
}

fn classic_config(in_a_row: u32, open_ms: u64) -> BreakerConfig {
    BreakerConfig::new()
        .only_consecutive(in_a_row)
        .open(OpenTime::fixed(Duration::from_millis(open_ms)))
        .half_open(HalfOpen {
            permits: 1,
            concurrent: 1,
            close_on: CloseOn::Successes(1),
            ..HalfOpen::default()
        })
}

#[test]
fn edited_settings_do_what_a_reference_model_says() {
    let mut all = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let history = history(seed, 300);
        for (in_a_row, open_ms) in [(2, 100), (3, 400), (5, 1_000)] {
            let expected = classic(&history, in_a_row, open_ms as i64);
            let run = replay(&classic_config(in_a_row, open_ms), &history, &[])
                .expect("settings that work");
            let found = (run.trips(), run.rejected_good, run.avoided_failures);
            assert_eq!(
                found, expected,
                "seed {seed}, {in_a_row} in a row, open {open_ms} ms"
            );
            all.insert(found);
        }
    }
    assert!(all.len() > 100, "the settings make a difference");
}

#[test]
fn what_came_from_outside_happens_again() {
    let mut history = history(7, 50);
    let change = |at: i64, from: &str, to: &str, reason: &str| super::history::Change {
        at,
        lo: at,
        from: from.to_owned(),
        to: to.to_owned(),
        reason: Some(reason.to_owned()),
        open_for_ms: None,
    };
    history.changes = vec![
        change(100 * MS, "closed", "open", "external"),
        change(300 * MS, "open", "closed", "manual"),
    ];
    let calm = BreakerConfig::new().minimum_calls(10_000);
    let run = replay(&calm, &history, &[Duration::from_secs(60)]).expect("settings that work");
    let short: Vec<(i64, State)> = run
        .changes
        .iter()
        .map(|(at, _, to, _)| (*at, *to))
        .collect();
    assert_eq!(short, [(100 * MS, State::Open), (300 * MS, State::Closed)]);
    assert!(run.rejected_good + run.avoided_failures > 0);
}

#[test]
fn who_only_observes_refuses_nothing_and_who_is_forced_open_everything() {
    let history = history(7, 300);
    let run = |mode: Mode| {
        let config = classic_config(3, 400).mode(mode);
        replay(&config, &history, &[]).expect("settings that work")
    };
    assert!(run(Mode::Enforcing).trips() > 0);
    for mode in [Mode::MetricsOnly, Mode::Disabled] {
        let run = run(mode);
        assert_eq!(run.admitted, 300, "{mode:?}");
        assert!(run.changes.is_empty(), "{mode:?}");
    }
    assert_eq!(run(Mode::ForcedOpen).admitted, 0);
}

#[test]
fn nothing_proposed_is_beaten_by_something_proposed() {
    let histories: Vec<History> = (0..4).map(|seed| history(seed, 400)).collect();
    let found = search::pareto(&BreakerConfig::new().minimum_calls(10), &histories);
    assert!(found.len() >= 2, "{}", found.len());
    for (_, cost, _) in &found {
        assert!(found.iter().all(|(_, other, _)| !other.dominates(cost)));
    }
}

#[test]
fn settings_survive_being_told_and_read() {
    let config = BreakerConfig {
        failure_ratio: Some(0.3),
        judge_successes: true,
        mode: Mode::MetricsOnly,
        stripes: 1,
        seed: Some(0),
        ..classic_config(4, 1_500)
    };
    let told = settings::write(&config);
    let read = settings::read(&told).expect("readable");
    assert_eq!(settings::write(&read), told);
    assert_eq!((read.mode, read.judge_successes), (Mode::MetricsOnly, true));
    assert_eq!(read.open, config.open);
    assert_eq!(read.half_open.close_on, CloseOn::Successes(1));
    let text = |value: &str| serde_json::Value::String(value.to_owned());
    for (name, value) in [
        ("minimum_calls", "many"),
        ("window.kind", "moon"),
        ("open.base_s", "-1"),
        ("mode", "sometimes"),
        ("nonsense", "1"),
    ] {
        let mut wrong = told.clone();
        wrong.insert(name.to_owned(), text(value));
        assert!(settings::read(&wrong).is_err(), "{name}");
    }
}
