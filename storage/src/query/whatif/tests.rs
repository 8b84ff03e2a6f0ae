//! Seeded histories of the SDK's breaker, stored as telemetry and read back: replaying the recorded settings gives the
//! recorded transitions, every one, to the nanosecond. Failures name the breaker and the instance, which seed them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tripline_sdk::{
    Admission, CallId, CloseOn, HalfOpen, Jitter, Machine, Moment, OnDrop, OpenTime,
    Outcome as Ending, SlowCalls, Transition, WindowConfig,
};

use super::*;
use crate::fixture;
use crate::ingest::{Batch, LogColumns, LogRow, ResourceRow, Rows, SpanColumns, SpanRow};
use crate::model::{Breaker, BreakersQuery, TimeRange};
use crate::query::breakers;
use crate::store::{Store, StoreConfig};

const BREAKERS: u64 = 20;
const INSTANCES: u64 = 50;
const CALLS: u64 = 150;
const MS: u64 = 1_000_000;
const BASE: u64 = 1_800_000_000_000_000_000;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Settings of every kind: windows of time and of calls, slow calls, runs of failures, probes of both verdicts, jitter.
fn settings_of(number: u64) -> BreakerConfig {
    let mut dice = Dice(number);
    let ms = Duration::from_millis;
    let permits = 1 + dice.below(4) as u16;
    let base = BreakerConfig::new();
    BreakerConfig {
        window: if number.is_multiple_of(2) {
            WindowConfig::Time {
                length: ms(400 + dice.below(1_600)),
                buckets: 1 + dice.below(10) as u16,
            }
        } else {
            WindowConfig::Count {
                size: 5 + dice.below(30) as u32,
            }
        },
        minimum_calls: 3 + dice.below(12) as u32,
        failure_ratio: (!number.is_multiple_of(5)).then_some(0.3 + dice.below(5) as f64 / 10.0),
        consecutive_failures: number.is_multiple_of(5).then_some(3),
        slow_calls: number.is_multiple_of(3).then_some(SlowCalls {
            threshold: ms(60),
            ratio: 0.5,
        }),
        open: OpenTime {
            base: ms(50 + dice.below(100)),
            multiplier: 1.5,
            max: ms(400),
            jitter: Jitter::PlusMinus(0.3),
            decay: ms(500),
        },
        half_open: HalfOpen {
            permits,
            concurrent: 1 + dice.below(u64::from(permits)) as u16,
            close_on: if number.is_multiple_of(4) {
                CloseOn::Successes(1 + dice.below(u64::from(permits)) as u16)
            } else {
                CloseOn::Ratios
            },
            decide_early: number.is_multiple_of(2),
            lease: Some(ms(120)),
            dedicated_probes: false,
        },
        on_drop: if number.is_multiple_of(7) {
            OnDrop::Failure
        } else {
            OnDrop::Ignore
        },
        stripes: 1,
        ..base
    }
}

/// What one instance did.
struct Story {
    calls: Vec<(u64, u64, &'static str)>,
    changes: Vec<Transition>,
}

/// Drives a machine through calls that overlap, an outage, cancelled callers and slow answers.
fn live(config: BreakerConfig, seed: u64) -> Story {
    let mut dice = Dice(seed ^ 0xabcd);
    let machine = Machine::new(config.seed(seed), Moment::ZERO).expect("settings that work");
    let mut changes = Vec::new();
    let mut calls: Vec<(u64, u64, &'static str)> = Vec::new();
    let mut ends: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut running: Vec<Option<(Admission, u64)>> = Vec::new();
    let mut now = 0;
    let outage = 500 * MS + dice.below(700 * MS)..1_400 * MS + dice.below(600 * MS);
    let finish = |at: u64,
                  index: usize,
                  running: &mut Vec<Option<(Admission, u64)>>,
                  calls: &mut Vec<(u64, u64, &'static str)>,
                  changes: &mut Vec<Transition>,
                  dice: &mut Dice| {
        let Some((admission, start)) = running[index].take() else {
            return;
        };
        let fails = outage.contains(&start) && dice.below(10) < 8 || dice.below(20) == 0;
        let when = Moment::from_nanos(at);
        let announce = &mut |change: &Transition| changes.push(*change);
        if dice.below(12) == 0 {
            calls[index].2 = "cancelled";
            machine.cancel(admission, false, when, CallId::default, announce);
        } else {
            let ending = match (fails, dice.below(25)) {
                (_, 0) => Ending::Ignore,
                (true, 1..6) => Ending::Overload {
                    retry_after: Some(Duration::from_millis(70)),
                },
                (true, _) => Ending::Failure,
                (false, _) => Ending::Success,
            };
            calls[index].2 = match ending {
                Ending::Success => "success",
                Ending::Ignore => "ignored",
                _ => "failure",
            };
            machine.record(admission, ending, when, CallId::default, announce);
        }
    };
    for index in 0..CALLS as usize {
        now += 1 + dice.below(40 * MS);
        while let Some(&Reverse((end, ended))) = ends.peek()
            && end <= now
        {
            ends.pop();
            finish(
                end,
                ended,
                &mut running,
                &mut calls,
                &mut changes,
                &mut dice,
            );
        }
        let admitted = machine.admit(Moment::from_nanos(now), &mut |change| changes.push(*change));
        calls.push((now, 0, "rejected"));
        match admitted {
            Ok(admission) => {
                let longest = if dice.below(6) == 0 {
                    200 * MS
                } else {
                    60 * MS
                };
                let length = 5 * MS + dice.below(longest);
                calls[index].1 = length;
                running.push(Some((admission, now)));
                ends.push(Reverse((now + length, index)));
            }
            Err(_) => running.push(None),
        }
    }
    while let Some(Reverse((end, ended))) = ends.pop() {
        finish(
            end,
            ended,
            &mut running,
            &mut calls,
            &mut changes,
            &mut dice,
        );
    }
    Story { calls, changes }
}

fn batch(breaker: u64, rows: Rows) -> Batch {
    let resources = (0..INSTANCES)
        .map(|instance| ResourceRow {
            service_name: Some("cart".to_owned()),
            service_instance_id: Some(format!("pod-{breaker}-{instance:02}")),
            attributes: "{}".to_owned(),
            ..ResourceRow::default()
        })
        .collect();
    Batch {
        bytes: 1_000_000,
        ..fixture::batch(resources, rows)
    }
}

/// Stores the stories of one breaker's instances as its telemetry; answers how many trips, cancellations and probes.
fn store_breaker(store: &Store, breaker: u64) -> [usize; 4] {
    let config = settings_of(breaker);
    let name = format!("b{breaker}");
    let (mut spans, mut logs) = (SpanColumns::default(), LogColumns::default());
    let mut seen = [0; 4];
    let told: Vec<String> = settings::write(&config)
        .iter()
        .map(|(name, value)| format!(r#""circuit_breaker.{name}":{value}"#))
        .collect();
    let told = format!(
        r#"{{"circuit_breaker.name":"{name}","circuit_breaker.config_hash":"{breaker}",{}}}"#,
        told.join(",")
    );
    for instance in 0..INSTANCES {
        let story = live(config, breaker * 1_000 + instance);
        let resource = u32::try_from(instance).expect("few");
        logs.push(&LogRow {
            resource,
            time_unix_nano: BASE,
            arrival_unix_nano: BASE,
            event_name: "circuit_breaker.configured",
            attributes: &told,
            ..LogRow::default()
        });
        for (number, (start, length, outcome)) in story.calls.iter().enumerate() {
            let id = (breaker * INSTANCES + instance) * CALLS + number as u64 + 1;
            let attributes = format!(
                r#"{{"circuit_breaker.name":"{name}","circuit_breaker.outcome":"{outcome}","circuit_breaker.state":"closed"}}"#
            );
            seen[1] += usize::from(*outcome == "cancelled");
            seen[2] += usize::from(*outcome == "rejected");
            spans.push(&SpanRow {
                resource,
                trace_id: u128::from(id).to_be_bytes(),
                span_id: id.to_be_bytes(),
                name: "call",
                kind: "internal",
                start_unix_nano: BASE + start,
                end_unix_nano: BASE + start + length,
                status_code: "unset",
                attributes: &attributes,
                ..SpanRow::default()
            });
        }
        for change in &story.changes {
            seen[0] += usize::from(change.from == State::Closed && change.to == State::Open);
            seen[3] += usize::from(change.from == State::HalfOpen);
            let time = BASE + change.at.as_nanos();
            let open_for = change.open_for.map_or(String::new(), |length| {
                format!(r#","circuit_breaker.open_for_ms":{}"#, length.as_millis())
            });
            let attributes = format!(
                r#"{{"circuit_breaker.name":"{name}","circuit_breaker.from_state":"{}","circuit_breaker.to_state":"{}","circuit_breaker.reason":"{}","circuit_breaker.generation":{},"circuit_breaker.shadow":false{open_for}}}"#,
                change.from, change.to, change.reason, change.generation
            );
            logs.push(&LogRow {
                resource,
                time_unix_nano: time,
                arrival_unix_nano: time,
                event_name: "circuit_breaker.state_changed",
                attributes: &attributes,
                ..LogRow::default()
            });
        }
    }
    for rows in [Rows::Spans(spans), Rows::Logs(logs)] {
        fixture::append(store, batch(breaker, rows));
    }
    seen
}

fn query(breaker_id: &str, edits: &[(&str, &str)]) -> WhatIfQuery {
    WhatIfQuery {
        breaker_id: breaker_id.to_owned(),
        range: TimeRange {
            from_unix_nano: BASE as i64 - 1,
            to_unix_nano: (BASE + 60_000 * MS) as i64,
        },
        edits: edits
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        propose: false,
        calls_max: 1_000_000,
    }
}

/// Every breaker of the store.
fn known(session: &Session<'_>) -> Vec<Breaker> {
    let all = BreakersQuery {
        limit: 100,
        ..Default::default()
    };
    breakers(session, &all).expect("breakers").items
}

#[test]
fn recorded_settings_reproduce_a_thousand_histories_exactly() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        memory_bytes_max: 512 << 20,
        ..fixture::small(dir.path())
    })
    .expect("a store");
    let mut seen = [0; 4];
    for breaker in 0..BREAKERS {
        for (sum, count) in seen.iter_mut().zip(store_breaker(&store, breaker)) {
            *sum += count;
        }
    }
    // The stories are about what they say they are about.
    let [trips, cancelled, rejected, verdicts] = seen;
    assert!(trips > 900 && verdicts > 1_000, "{seen:?}");
    assert!(cancelled > 5_000 && rejected > 5_000, "{seen:?}");
    store.seal_now().expect("sealed");
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let known = known(&session);
    assert_eq!(known.len() as u64, BREAKERS);
    let (mut instances, mut found, mut calls) = (0, 0, 0);
    for breaker in &known {
        let answer = what_if(&session, &query(&breaker.breaker_id, &[]))
            .expect("an answer")
            .expect("a breaker");
        assert_eq!(answer.settings_source, "event");
        assert!(
            answer.baseline.exact,
            "{}: {:?}",
            breaker.name, answer.baseline
        );
        assert_eq!(
            answer.baseline.reproduced, answer.baseline.trips,
            "{}",
            breaker.name
        );
        assert_eq!(
            answer.recorded.rejected, answer.happened.rejected,
            "{}",
            breaker.name
        );
        assert_eq!(answer.recorded.trips, answer.happened.trips);
        instances += answer.instances;
        found += answer.baseline.trips as usize;
        calls += answer.calls;
    }
    assert_eq!(u64::from(instances), BREAKERS * INSTANCES);
    assert_eq!((found, calls), (trips, BREAKERS * INSTANCES * CALLS));

    // A window of time: one that counts takes a minimum beyond its size as its size.
    let of_time = known.iter().find(|breaker| breaker.name == "b2");
    edited_settings_change_the_outcome(&session, &of_time.expect("b2").breaker_id);
}

fn edited_settings_change_the_outcome(session: &Session<'_>, breaker_id: &str) {
    let ask = |edits: &[(&str, &str)]| {
        what_if(session, &query(breaker_id, edits))
            .expect("an answer")
            .expect("a breaker")
    };
    let never = ask(&[("minimum_calls", "100000")]).edited.expect("edited");
    assert_eq!((never.trips, never.rejected), (0, 0));
    assert!(never.admitted_unknown > 0);
    assert!(what_if(session, &query(breaker_id, &[("minimum_cals", "5")])).is_err());
    assert!(
        what_if(
            session,
            &query(breaker_id, &[("failure_ratio_threshold", "7")])
        )
        .is_err()
    );
    let unknown = what_if(session, &query("0000000000000000", &[])).expect("an answer");
    assert!(unknown.is_none());
}

/// Calls of a breaker whose spans have these attributes and weight, a second apart; each tenth is the second outcome.
fn stored(attributes: [&str; 2], weight: Option<f64>) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = fixture::open(dir.path());
    let mut spans = SpanColumns::default();
    for number in 0..100_u64 {
        let start = BASE + number * 1_000 * MS;
        spans.push(&SpanRow {
            trace_id: u128::from(number + 1).to_be_bytes(),
            span_id: (number + 1).to_be_bytes(),
            name: "call",
            kind: "internal",
            start_unix_nano: start,
            end_unix_nano: start + 20 * MS,
            status_code: "unset",
            attributes: attributes[usize::from(number % 10 == 9)],
            weight,
            ..SpanRow::default()
        });
    }
    let resource = ResourceRow {
        service_name: Some("cart".to_owned()),
        service_instance_id: Some("pod".to_owned()),
        attributes: "{}".to_owned(),
        ..ResourceRow::default()
    };
    fixture::append(&store, fixture::batch(vec![resource], Rows::Spans(spans)));
    (dir, store)
}

/// What is answered about the one breaker, hot and sealed.
fn answers(store: &Store) -> [WhatIf; 2] {
    [false, true].map(|is_sealed| {
        if is_sealed {
            store.seal_now().expect("sealed");
        }
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let known = known(&session);
        let asked = WhatIfQuery {
            range: TimeRange {
                from_unix_nano: BASE as i64 - 1,
                to_unix_nano: (BASE + 200_000 * MS) as i64,
            },
            ..query(&known.first().expect("a breaker").breaker_id, &[])
        };
        what_if(&session, &asked)
            .expect("an answer")
            .expect("a breaker")
    })
}

const OURS_SAY: [&str; 2] = [
    r#"{"circuit_breaker.name":"payment","circuit_breaker.outcome":"success","circuit_breaker.state":"closed"}"#,
    r#"{"circuit_breaker.name":"payment","circuit_breaker.outcome":"failure","circuit_breaker.state":"closed"}"#,
];

#[test]
fn too_few_calls_of_a_sample_are_not_replayed() {
    let (_dir, store) = stored(OURS_SAY, Some(10.0));
    for answer in answers(&store) {
        assert_eq!(
            (answer.calls, answer.coverage.basis.as_str()),
            (100, "sampled")
        );
        assert!((answer.coverage.share - 0.1).abs() < 1e-9);
        assert!((answer.coverage.estimated_calls - 1_000.0).abs() < 1e-9);
        let why = answer.refused.expect("a reason");
        assert!(
            why.contains("About 10 %") && why.contains("100 of about 1000"),
            "{why}"
        );
        assert!(why.contains("Under 80 %"), "{why}");
        assert_eq!(answer.baseline.sentence, "");
        assert_eq!(
            (answer.recorded.admitted, answer.happened.admitted),
            (0, 100)
        );
    }
}

#[test]
fn nearly_all_calls_of_a_sample_are_replayed_with_their_share_said() {
    let (_dir, store) = stored(OURS_SAY, Some(1.1));
    for answer in answers(&store) {
        assert_eq!(
            (answer.refused.as_deref(), answer.recorded.admitted),
            (None, 100)
        );
        assert!((answer.coverage.share - 1.0 / 1.1).abs() < 1e-9);
        let limits = answer.limits.join(" ");
        assert!(
            limits.contains("About 91 % of the calls are stored"),
            "{limits}"
        );
    }
    let (_dir, store) = stored(OURS_SAY, Some(1.0));
    for answer in answers(&store) {
        assert_eq!(
            (answer.coverage.basis.as_str(), answer.coverage.share),
            ("all", 1.0)
        );
        assert!(!answer.limits.join(" ").contains("sampling"));
    }
    let (_dir, store) = stored(OURS_SAY, None);
    for answer in answers(&store) {
        assert_eq!(
            (answer.coverage.basis.as_str(), answer.coverage.share),
            ("unknown", 1.0)
        );
        assert!(answer.limits.join(" ").contains("(sampling)"));
    }
}

#[test]
fn the_outcomes_that_an_agent_writes_on_spans_are_the_calls_of_a_foreign_breaker() {
    let says = [
        r#"{"resilience4j.circuit_breaker.name":"payment","resilience4j.circuit_breaker.state":"CLOSED","resilience4j.circuit_breaker.outcome":"failure"}"#,
        r#"{"resilience4j.circuit_breaker.name":"payment","resilience4j.circuit_breaker.state":"OPEN","resilience4j.circuit_breaker.outcome":"rejected"}"#,
    ];
    let (_dir, store) = stored(says, Some(1.0));
    for answer in answers(&store) {
        assert_eq!(
            (answer.origin.as_str(), answer.calls),
            ("resilience4j", 100)
        );
        assert_eq!(
            (answer.happened.admitted, answer.happened.rejected),
            (90, 10)
        );
        assert_eq!(answer.settings_source, "defaults of resilience4j");
        let limits = answer.limits.join(" ");
        assert!(limits.contains("does not report its settings"), "{limits}");
        assert!(!limits.contains("No refused call is recorded"), "{limits}");
    }
}

#[test]
fn what_happened_took_from_the_first_failure_and_from_the_first_success() {
    let call = |start: i64, ended| Call {
        start: start * 1_000_000_000,
        duration: 500_000_000,
        ended,
    };
    let change = |second: i64, from: &str, to: &str| Change {
        at: second * 1_000_000_000,
        lo: second * 1_000_000_000,
        from: from.to_owned(),
        to: to.to_owned(),
        reason: None,
        open_for_ms: None,
    };
    let history = History {
        origin: 0,
        calls: vec![
            // Long before, and over.
            call(1, Ended::Failure),
            call(80, Ended::Success),
            call(100, Ended::Failure),
            call(101, Ended::Success),
            call(102, Ended::Failure),
            call(105, Ended::Rejected),
            call(110, Ended::Failure),
            call(120, Ended::Success),
            call(121, Ended::Success),
        ],
        changes: vec![
            change(103, "closed", "open"),
            change(110, "open", "half_open"),
            change(111, "half_open", "open"),
            change(120, "open", "half_open"),
            change(122, "half_open", "closed"),
        ],
    };
    let found = happened(&[history]);
    let seconds = |tenths: u64| Some(tenths * 100_000_000);
    assert_eq!((found.trips, found.admitted, found.rejected), (1, 8, 1));
    assert_eq!(
        (found.detect_ns, found.recover_ns),
        (seconds(25), seconds(15))
    );
    assert_eq!(found.open_ns, 19_000_000_000);
    assert_eq!(happened(&[History::default()]).detect_ns, None);
}
