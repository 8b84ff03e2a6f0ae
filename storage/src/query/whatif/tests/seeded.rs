//! Seeded histories of the SDK's breaker, stored as telemetry and read back: replaying the recorded settings gives the
//! recorded transitions, every one, to the nanosecond, wherever the range begins and ends. Some instances have a coarse clock:
//! of what they did in the same nanosecond only the turns that spans tell say in which order. Failures name the breaker and the
//! range; its number and the instance's seed it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tripline_sdk::{BreakerConfig, State};

use super::live::{CALLS, Story, Ticks, Twist, live, settings_of};
use super::*;
use crate::ingest::Batch;
use crate::store::StoreConfig;

const BREAKERS: u64 = 20;
const INSTANCES: u64 = 50;
/// Where ranges begin and end that are cut out of the stories, milliseconds; stories last for two to five seconds.
const CUTS: [(u64, u64); 9] = [
    (650, 60_000),
    (800, 60_000),
    (1_000, 60_000),
    (1_200, 60_000),
    (1_500, 60_000),
    (2_100, 60_000),
    (0, 1_100),
    (700, 1_400),
    (1_300, 2_900),
];

/// A span of an instance that says by which times its breaker counted the call began so long before that, and ended so
/// long after it.
const LEAD: u64 = 300_000;
const TAIL: u64 = 200_000;

/// Of whole breakers every second instance, which is one that says in which turns its calls counted.
fn ticks_of(breaker: u64, instance: u64) -> Ticks {
    if instance % 2 == 1 && matches!(breaker % 5, 1 | 3) {
        Ticks::Coarse
    } else {
        Ticks::Fine
    }
}

/// How often something was told.
type Seen = BTreeMap<&'static str, usize>;

fn batch(breaker: u64, rows: Rows) -> Batch {
    let resources = (0..INSTANCES)
        .map(|instance| resource(&format!("pod-{breaker}-{instance:02}")))
        .collect();
    Batch {
        bytes: 1_000_000,
        ..fixture::batch(resources, rows)
    }
}

/// As the SDK makes it, of all settings but the seed.
fn config_hash(config: &BreakerConfig) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{config:?}").hash(&mut hasher);
    hasher.finish()
}

/// Stores the stories of one breaker's instances as its telemetry.
fn store_breaker(store: &Store, breaker: u64, seen: &mut Seen) {
    let name = format!("b{breaker}");
    let (mut spans, mut logs) = (SpanColumns::default(), LogColumns::default());
    for instance in 0..INSTANCES {
        let config = settings_of(breaker, instance);
        let story = live(
            Twist::of(breaker, instance),
            ticks_of(breaker, instance),
            config,
            breaker * 1_000 + instance,
        );
        let resource = u32::try_from(instance).expect("few");
        for (at, config) in &story.told {
            let settings: Vec<String> = settings::write(config)
                .iter()
                .map(|(name, value)| format!(r#""circuit_breaker.{name}":{value}"#))
                .collect();
            let attributes = format!(
                r#"{{"circuit_breaker.name":"{name}","circuit_breaker.config_hash":"{:016x}",{}}}"#,
                config_hash(config),
                settings.join(",")
            );
            logs.push(&LogRow {
                resource,
                time_unix_nano: BASE + at,
                arrival_unix_nano: BASE + at,
                event_name: "circuit_breaker.configured",
                attributes: &attributes,
                ..LogRow::default()
            });
            *seen.entry("told").or_default() += 1;
        }
        let first_id = (breaker * INSTANCES + instance) * CALLS + 1;
        push_calls(&mut spans, &story, &name, (resource, first_id), seen);
        push_changes(&mut logs, &story, &name, resource, seen);
    }
    for rows in [Rows::Spans(spans), Rows::Logs(logs)] {
        fixture::append(store, batch(breaker, rows));
    }
}

fn push_calls(
    spans: &mut SpanColumns,
    story: &Story,
    name: &str,
    (resource, first_id): (u32, u64),
    seen: &mut Seen,
) {
    // Every second instance: the others are an older SDK's, whose spans stand for their calls.
    let says_times = resource % 2 == 1;
    let pairs = story.calls.windows(2);
    let tied = pairs.filter(|pair| pair[0].start == pair[1].start).count();
    *seen.entry("tied").or_default() += tied;
    // The ids of spans say nothing of their order.
    for (id, call) in (first_id..).zip(story.calls.iter().rev()) {
        let (times, lead, tail) = if says_times {
            let ended = call.ended.map_or(String::new(), |turn| {
                format!(r#","circuit_breaker.ended_sequence":{turn}"#)
            });
            let times = format!(
                r#","circuit_breaker.admitted_unix_nano":{},"circuit_breaker.duration_ns":{},"circuit_breaker.clock_start_unix_nano":{},"circuit_breaker.admitted_sequence":{}{ended}"#,
                BASE + call.start,
                call.length,
                BASE + call.clock,
                call.admitted
            );
            (times, LEAD, TAIL)
        } else {
            (String::new(), 0, 0)
        };
        let attributes = format!(
            r#"{{"circuit_breaker.name":"{name}","circuit_breaker.outcome":"{}","circuit_breaker.state":"{}"{times}}}"#,
            call.outcome, call.state
        );
        *seen.entry(call.outcome).or_default() += 1;
        spans.push(&SpanRow {
            resource,
            trace_id: u128::from(id).to_be_bytes(),
            span_id: id.to_be_bytes(),
            name: "call",
            kind: "internal",
            start_unix_nano: BASE + call.start - lead,
            end_unix_nano: BASE + call.start + call.length + tail,
            status_code: "unset",
            attributes: &attributes,
            ..SpanRow::default()
        });
    }
}

fn push_changes(logs: &mut LogColumns, story: &Story, name: &str, resource: u32, seen: &mut Seen) {
    for (at, change) in &story.changes {
        let kind = match (change.shadow, change.from, change.to) {
            (true, ..) => "shadow",
            (false, State::Closed, State::Open) => "trip",
            (false, State::HalfOpen, _) => "verdict",
            _ => "other",
        };
        *seen.entry(kind).or_default() += 1;
        let open_for = change.open_for.map_or(String::new(), |length| {
            format!(r#","circuit_breaker.open_for_ms":{}"#, length.as_millis())
        });
        let attributes = format!(
            r#"{{"circuit_breaker.name":"{name}","circuit_breaker.from_state":"{}","circuit_breaker.to_state":"{}","circuit_breaker.reason":"{}","circuit_breaker.generation":{},"circuit_breaker.shadow":{}{open_for}}}"#,
            change.from, change.to, change.reason, change.generation, change.shadow
        );
        logs.push(&LogRow {
            resource,
            time_unix_nano: BASE + at,
            arrival_unix_nano: BASE + at,
            event_name: "circuit_breaker.state_changed",
            attributes: &attributes,
            ..LogRow::default()
        });
    }
}

/// The answer for a breaker, which must repeat all that was recorded.
fn exactly(session: &Session<'_>, breaker: &Breaker, query: &WhatIfQuery) -> WhatIf {
    let answer = what_if(session, query)
        .expect("an answer")
        .expect("a breaker");
    let about = format!("{} {:?}: {:?}", breaker.name, query.range, answer.limits);
    assert_eq!(answer.settings_source, "event");
    assert_eq!(answer.baseline.reproduced, answer.baseline.trips, "{about}");
    assert!(answer.baseline.exact, "{about} {:?}", answer.baseline);
    assert_eq!(answer.baseline.extra, 0, "{about}");
    let [recorded, happened] = [&answer.recorded, &answer.happened]
        .map(|one| (one.trips, one.admitted, one.rejected, one.open_ns));
    assert_eq!(recorded, happened, "{about}");
    assert!(!about.contains("empty window, is assumed"), "{about}");
    answer
}

#[test]
fn recorded_settings_reproduce_a_thousand_histories_exactly() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        memory_bytes_max: 512 << 20,
        ..fixture::small(dir.path())
    })
    .expect("a store");
    let mut seen = Seen::new();
    for breaker in 0..BREAKERS {
        store_breaker(&store, breaker, &mut seen);
    }
    // The stories are about what they say they are about.
    for (what, at_least) in [
        ("trip", 600),
        ("verdict", 600),
        ("shadow", 150),
        ("cancelled", 4_000),
        ("rejected", 4_000),
        ("told", 1_500),
        ("tied", 2_000),
    ] {
        let times = seen.get(what).copied().unwrap_or(0);
        assert!(times >= at_least, "{what}: {seen:?}");
    }
    store.seal_now().expect("sealed");
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let known = known(&session);
    assert_eq!(known.len() as u64, BREAKERS);
    let (mut instances, mut found, mut calls, mut cut) = (0, 0, 0, 0);
    for (number, breaker) in known.iter().enumerate() {
        let whole = exactly(&session, breaker, &query(&breaker.breaker_id, &[]));
        instances += whole.instances;
        found += whole.baseline.trips as usize;
        calls += whole.calls;
        let digits = breaker.name.trim_start_matches('b');
        if ticks_of(digits.parse().expect("a number"), 1) == Ticks::Coarse {
            // What was let through in the nanosecond in which it closed, and before that, no turn tells apart.
            continue;
        }
        for (from, to) in CUTS.into_iter().skip(number % 3).step_by(3) {
            let range = TimeRange {
                from_unix_nano: (BASE + from * MS) as i64,
                to_unix_nano: (BASE + to * MS) as i64,
            };
            let part = WhatIfQuery {
                range,
                ..query(&breaker.breaker_id, &[])
            };
            cut += exactly(&session, breaker, &part).baseline.trips;
        }
    }
    assert_eq!(u64::from(instances), BREAKERS * INSTANCES);
    assert_eq!(
        (Some(&found), calls),
        (seen.get("trip"), BREAKERS * INSTANCES * CALLS)
    );
    assert!(cut > 200, "{cut} trips in ranges that are cut");

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
    let edits = [("minimum_calls", "100000"), ("mode", "enforcing")];
    let never = ask(&edits).edited.expect("edited");
    assert_eq!((never.trips, never.rejected), (0, 0));
    assert!(never.admitted_unknown > 0);
    // Those that only observe would have tripped too.
    let enforcing = ask(&[("mode", "enforcing")]);
    assert!(enforcing.edited.expect("edited").trips > enforcing.recorded.trips);
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
