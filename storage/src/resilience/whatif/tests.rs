//! The replay against a reference model, and the search against what it promises.

use std::time::Duration;

use tripline_sdk::{BreakerConfig, CloseOn, HalfOpen, Mode, OpenTime, SlowCalls, State};

use super::history::{Call, Change, Ended, History, Start, Told, Turns};
use super::replay::{Replayed, replay};
use super::{search, settings};

const MS: i64 = 1_000_000;

/// Under these settings all the time.
fn always(config: BreakerConfig) -> [Told; 1] {
    [Told {
        at: i64::MIN,
        config,
    }]
}

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
                turns: Turns::UNKNOWN,
            }
        })
        .collect();
    History {
        calls,
        ..History::default()
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
            let told = always(classic_config(in_a_row, open_ms));
            let run = replay(&told, &history, &[]).expect("settings that work");
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
    let change = |at: i64, from: &str, to: &str, reason: &str| Change {
        at,
        lo: at,
        from: from.to_owned(),
        to: to.to_owned(),
        reason: Some(reason.to_owned()),
        ..Change::default()
    };
    history.changes = vec![
        change(100 * MS, "closed", "open", "external"),
        change(300 * MS, "open", "closed", "manual"),
    ];
    let calm = always(BreakerConfig::new().minimum_calls(10_000));
    let run = replay(&calm, &history, &[Duration::from_secs(60)]).expect("settings that work");
    assert_eq!(
        times(&run),
        [(100 * MS, State::Open), (300 * MS, State::Closed)]
    );
    assert!(run.rejected_good + run.avoided_failures > 0);
}

#[test]
fn calls_of_the_same_nanosecond_count_in_the_order_of_their_turns() {
    let settings = always(classic_config(2, 100));
    let changes = |turns: [u64; 3]| {
        let outcomes = [Ended::Failure, Ended::Failure, Ended::Success];
        let call = |(number, ended): (u64, Ended)| Call {
            start: 0,
            duration: MS.unsigned_abs(),
            ended,
            turns: Turns::told(Some(number), Some(turns[number as usize])),
        };
        let history = History {
            calls: (0..).zip(outcomes).map(call).collect(),
            ..History::default()
        };
        let run = replay(&settings, &history, &[]).expect("settings that work");
        times(&run)
    };
    assert_eq!(changes([3, 4, 5]), [(MS, State::Open)]);
    assert!(changes([3, 5, 4]).is_empty(), "a success came between");
    // As the spans of another SDK would have it.
    assert_eq!(changes([u64::MAX; 3]), [(MS, State::Open)]);
}

/// When it came into which state.
fn times(run: &Replayed) -> Vec<(i64, State)> {
    let changes = run.changes.iter();
    changes.map(|(at, _, to, _)| (*at, *to)).collect()
}

/// Calls of 1 ms each 10 ms, all of which fail.
fn outage(calls: i64) -> History {
    let call = |number: i64| Call {
        start: number * 10 * MS,
        duration: MS.unsigned_abs(),
        ended: Ended::Failure,
        turns: Turns::UNKNOWN,
    };
    History {
        calls: (0..calls).map(call).collect(),
        ..History::default()
    }
}

#[test]
fn settings_hold_from_when_they_were_told_and_the_window_keeps_what_it_holds() {
    let never = BreakerConfig::new().minimum_calls(10_000);
    let five = BreakerConfig::new().minimum_calls(5);
    let told = [
        always(never)[0],
        Told {
            at: 305 * MS,
            config: five,
        },
    ];
    let run = replay(&told, &outage(60), &[]).expect("settings that work");
    // The calls before the change count: the first one that ends after it trips.
    assert_eq!(times(&run)[0], (311 * MS, State::Open));
    let run = replay(&told[..1], &outage(60), &[]).expect("settings that work");
    assert_eq!(run.trips(), 0);
    assert_eq!(
        replay(&[], &outage(60), &[]).expect("nothing"),
        Replayed::default()
    );
}

#[test]
fn who_only_observes_refuses_nothing_and_who_is_forced_open_everything() {
    let config = BreakerConfig::new().minimum_calls(5);
    let run = |mode: Mode| replay(&always(config.mode(mode)), &outage(60), &[]);
    for mode in [Mode::MetricsOnly, Mode::Disabled] {
        let run = run(mode).expect("settings that work");
        assert_eq!((run.trips(), run.admitted), (0, 60), "{mode:?}");
        assert!(run.changes.is_empty());
    }
    let forced = run(Mode::ForcedOpen).expect("settings that work");
    assert_eq!((forced.trips(), forced.avoided_failures), (0, 60));
    // Who decides may change in between.
    let told = [
        always(config.mode(Mode::MetricsOnly))[0],
        Told {
            at: 305 * MS,
            config,
        },
    ];
    let run = replay(&told, &outage(60), &[]).expect("settings that work");
    let expected = [(305 * MS, State::Closed), (351 * MS, State::Open)];
    assert_eq!(times(&run), expected, "its window began anew");
    assert_eq!((run.trips(), run.recover_ns.len()), (1, 0));
}

#[test]
fn what_came_before_fills_the_window_and_is_not_counted() {
    let config = BreakerConfig::new().minimum_calls(5);
    let asked = |from: i64, until: i64| History {
        from: from * MS,
        until: until * MS,
        ..outage(60)
    };
    // It did not trip before, whatever these settings say; the first call that is asked for trips it.
    let run = replay(&always(config), &asked(300, 600), &[]).expect("settings that work");
    assert_eq!(times(&run), [(301 * MS, State::Open)]);
    assert_eq!((run.admitted, run.avoided_failures), (1, 29));
    assert_eq!(run.detect_ns, [300 * MS.unsigned_abs()]);
    // Open since before, until after.
    let mut open = asked(300, 600);
    let (at, length) = (100 * MS, Duration::from_millis(350));
    open.start = Start::Open { at, length };
    open.calls.retain(|call| call.start >= at);
    let run = replay(&always(config), &open, &[]).expect("settings that work");
    assert_eq!(times(&run)[0], (450 * MS, State::HalfOpen));
    assert_eq!(run.trips(), 0, "it was open before");
    // What comes after is not counted either.
    let run = replay(&always(config), &asked(300, 301), &[]).expect("settings that work");
    assert!(run.changes.is_empty() && run.detect_ns.is_empty());
}

#[test]
fn runs_of_failures_and_slow_calls_before_count_too() {
    let mut slow = BreakerConfig::new().slow_calls(SlowCalls {
        threshold: Duration::from_millis(1),
        ratio: 1.0,
    });
    slow.failure_ratio = None;
    for config in [
        BreakerConfig::new().only_consecutive(31),
        slow.minimum_calls(31),
    ] {
        let history = History {
            from: 300 * MS,
            ..outage(60)
        };
        let run = replay(&always(config), &history, &[]).expect("settings that work");
        assert_eq!(times(&run), [(301 * MS, State::Open)]);
    }
}

#[test]
fn nothing_proposed_is_beaten_by_something_proposed() {
    let base = BreakerConfig::new().minimum_calls(10);
    let histories: Vec<History> = (0..4)
        .map(|seed| History {
            settings: always(base).to_vec(),
            ..history(seed, 400)
        })
        .collect();
    let histories: Vec<&History> = histories.iter().collect();
    let found = search::pareto(&base, &histories);
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
        // Out of their limits, though the window is one of time, and there is no ramp.
        ("window.size", "99999999999"),
        ("window.size", "0"),
        ("window.size", "1000001"),
        ("ramp.from", "2"),
        ("ramp.from", "0"),
        ("ramp.from", "0.5"),
        ("ramp.over_s", "5"),
        ("ramp.over_s", "-1"),
        ("slow_ratio_threshold", "2"),
    ] {
        let mut wrong = told.clone();
        wrong.insert(name.to_owned(), text(value));
        assert!(settings::read(&wrong).is_err(), "{name}");
    }
}

#[test]
fn a_refusal_names_the_setting_as_it_was_typed() {
    let base = BreakerConfig::new();
    for (name, value) in [
        ("window.length_s", "0"),
        ("window.buckets", "0"),
        ("window.size", "0"),
        ("failure_ratio_threshold", "2"),
        ("failure_count_threshold", "0"),
        ("consecutive_failures_threshold", "0"),
        ("slow_ratio_threshold", "2"),
        ("open.base_s", "0"),
        ("open.multiplier", "0.5"),
        ("half_open.permits", "0"),
        ("half_open.concurrent", "0"),
        ("minimum_calls", "many"),
    ] {
        let asked = settings::Edits::from([(name.to_owned(), value.to_owned())]);
        let told = settings::edited(&base, &asked).expect_err(name).to_string();
        assert!(told.starts_with(&format!("{name} ")), "{name}: {told}");
    }
    let slow = [("slow_ratio_threshold", "0.5"), ("slow_call_s", "0")];
    let slow = slow.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let told = settings::edited(&base, &settings::Edits::from(slow)).expect_err("zero");
    assert!(told.to_string().starts_with("slow_call_s "), "{told}");
    let short = settings::Edits::from([("open.max_s".to_owned(), "0.001".to_owned())]);
    let told = settings::edited(&base, &short).expect_err("shorter than the first");
    assert!(told.to_string().contains("open.max_s"), "{told}");
}

#[test]
fn edits_are_laid_over_whatever_was_told() {
    let edits = |pairs: &[(&str, &str)]| -> settings::Edits {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    };
    let told = [classic_config(3, 100), classic_config(5, 200)].map(|config| Told {
        at: 0,
        config: config.mode(Mode::MetricsOnly),
    });
    let asked = edits(&[("mode", "enforcing"), ("minimum_calls", "4")]);
    let edited = settings::all_edited(&told, &asked).expect("settings that work");
    let short: Vec<_> = edited
        .iter()
        .map(|told| told.config)
        .map(|config| {
            (
                config.mode,
                config.minimum_calls,
                config.consecutive_failures,
            )
        })
        .collect();
    let on = Mode::Enforcing;
    assert_eq!(short, [(on, 4, Some(3)), (on, 4, Some(5))]);
    assert!(settings::all_edited(&told, &edits(&[("minimum_cals", "4")])).is_err());
    let base = settings::edited(&told[0].config, &edits(&[])).expect("the same");
    let changed = settings::edited(&base, &asked).expect("settings that work");
    let named = settings::differences(&base, &changed);
    assert_eq!(named["minimum_calls"], "4");
    assert_eq!(named.len(), 2, "{named:?}");
}

#[test]
fn settings_of_another_version_are_read_without_what_is_new_in_them() {
    let mut told = settings::write(&classic_config(4, 100));
    told.insert("open.moon".to_owned(), serde_json::Value::Bool(true));
    assert!(settings::read(&told).is_err());
    let (known, strange) = settings::known(told);
    assert_eq!(strange, ["open.moon"]);
    let read = settings::read(&known).expect("readable");
    assert_eq!(read.consecutive_failures, Some(4));
}
