//! Small stores asked by hand; the seeded histories are in [`seeded`].

mod live;
mod seeded;
mod turns;

use super::*;
use crate::fixture;
use crate::ingest::{LogColumns, LogRow, ResourceRow, Rows, SpanColumns, SpanRow};
use crate::model::{Breaker, BreakersQuery, TimeRange};
use crate::query::breakers;
use crate::resilience::whatif::history::{Call, Change, Ended, Start, Turns};
use crate::store::Store;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const BASE: u64 = 1_800_000_000_000_000_000;
/// The error of a library's refusal, as an event of a span.
const REFUSED: &str = r#"[{"name":"exception","time_unix_nano":1800000000000000000,"attributes":{"exception.type":"io.github.resilience4j.circuitbreaker.CallNotPermittedException","exception.message":"CircuitBreaker 'payment' is OPEN and does not permit further calls"}}]"#;

fn resource(instance: &str) -> ResourceRow {
    ResourceRow {
        service_name: Some("cart".to_owned()),
        service_instance_id: Some(instance.to_owned()),
        attributes: "{}".to_owned(),
        ..ResourceRow::default()
    }
}

fn query(breaker_id: &str, edits: &[(&str, &str)]) -> WhatIfQuery {
    WhatIfQuery {
        breaker_id: breaker_id.to_owned(),
        range: TimeRange {
            from_unix_nano: BASE as i64 - 1,
            to_unix_nano: (BASE + 60 * SECOND) as i64,
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

/// Calls of a breaker whose spans have these attributes and weight, a second apart; each tenth is the second outcome.
fn stored(attributes: [&str; 2], weight: Option<f64>) -> (tempfile::TempDir, Store) {
    stored_as(|is_tenth| SpanRow {
        kind: "internal",
        status_code: "unset",
        attributes: attributes[usize::from(is_tenth)],
        weight,
        ..SpanRow::default()
    })
}

/// Calls a second apart whose spans say that of themselves, each tenth the other.
fn stored_as<'a>(says: impl Fn(bool) -> SpanRow<'a>) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = fixture::open(dir.path());
    let mut spans = SpanColumns::default();
    for number in 0..100_u64 {
        let start = BASE + number * 1_000 * MS;
        spans.push(&SpanRow {
            trace_id: u128::from(number + 1).to_be_bytes(),
            span_id: (number + 1).to_be_bytes(),
            name: "call",
            start_unix_nano: start,
            end_unix_nano: start + 20 * MS,
            ..says(number % 10 == 9)
        });
    }
    let sender = vec![resource("pod")];
    fixture::append(&store, fixture::batch(sender, Rows::Spans(spans)));
    (dir, store)
}

/// What is answered about the one breaker, hot and sealed.
fn answers(store: &Store) -> [WhatIf; 2] {
    answers_of(store, 1_000_000)
}

/// The same, of so many calls at most.
fn answers_of(store: &Store, calls_max: usize) -> [WhatIf; 2] {
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
            calls_max,
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
fn spans_that_do_not_say_how_their_call_ended_take_no_place_of_calls() {
    let says = [
        r#"{"circuit_breaker.name":"payment","circuit_breaker.state":"closed"}"#,
        OURS_SAY[1],
    ];
    let (_dir, store) = stored(says, Some(1.0));
    // Ten of a hundred say it.
    for (calls_max, calls, is_cut) in [(2, 2, true), (5, 5, true), (9, 9, true), (10, 10, false)] {
        for answer in answers_of(&store, calls_max) {
            assert_eq!((answer.calls, answer.truncated), (calls, is_cut));
        }
    }
}

/// That the hundred calls of [`stored`] are those of a breaker of resilience4j, which refused each tenth.
fn assert_each_tenth_refused(answer: &WhatIf) {
    assert_eq!(
        (answer.origin.as_str(), answer.calls),
        ("resilience4j", 100)
    );
    let happened = (answer.happened.admitted, answer.happened.rejected);
    assert_eq!(happened, (90, 10));
}

#[test]
fn the_outcomes_that_an_agent_writes_on_spans_are_the_calls_of_a_foreign_breaker() {
    let says = [
        r#"{"resilience4j.circuit_breaker.name":"payment","resilience4j.circuit_breaker.state":"CLOSED","resilience4j.circuit_breaker.outcome":"failure"}"#,
        r#"{"resilience4j.circuit_breaker.name":"payment","resilience4j.circuit_breaker.state":"OPEN","resilience4j.circuit_breaker.outcome":"rejected"}"#,
    ];
    let (_dir, store) = stored(says, Some(1.0));
    for answer in answers(&store) {
        assert_each_tenth_refused(&answer);
        assert_eq!(answer.settings_source, "defaults of resilience4j");
        let limits = answer.limits.join(" ");
        assert!(limits.contains("does not report its settings"), "{limits}");
        assert!(!limits.contains("No refused call is recorded"), "{limits}");
    }
}

#[test]
fn a_callers_own_span_that_fails_with_the_librarys_refusal_is_a_refused_call() {
    let (_dir, store) = stored_as(|is_tenth| SpanRow {
        kind: "client",
        status_code: if is_tenth { "error" } else { "unset" },
        attributes: "{}",
        events: is_tenth.then_some(REFUSED),
        peer: Some("payment"),
        peer_kind: Some("service"),
        weight: Some(1.0),
        ..SpanRow::default()
    });
    for answer in answers(&store) {
        assert_each_tenth_refused(&answer);
        let limits = answer.limits.join(" ");
        assert!(limits.contains("writes on no call"), "{limits}");
        assert!(!limits.contains("No refused call is recorded"), "{limits}");
    }
}

#[test]
fn a_refusal_that_only_a_span_around_the_call_tells_is_a_refused_call() {
    for kind in ["internal", "server"] {
        let (_dir, store) = stored_as(|is_tenth| SpanRow {
            kind: if is_tenth { kind } else { "client" },
            status_code: if is_tenth { "error" } else { "unset" },
            attributes: "{}",
            events: is_tenth.then_some(REFUSED),
            peer: (!is_tenth).then_some("payment"),
            peer_kind: (!is_tenth).then_some("service"),
            weight: Some(1.0),
            ..SpanRow::default()
        });
        for answer in answers(&store) {
            let happened = (answer.happened.admitted, answer.happened.rejected);
            assert_eq!((answer.calls, happened), (100, (90, 10)), "{kind}");
            assert_eq!(answer.coverage.basis, "all", "{kind}");
            let limits = answer.limits.join(" ");
            assert!(limits.contains("writes on no call"), "{limits}");
            assert!(!limits.contains("No refused call is recorded"), "{limits}");
        }
    }
}

#[test]
fn a_breaker_that_writes_on_refused_calls_alone_has_the_other_calls_of_its_edge() {
    const MARKED: &str = r#"{"resilience4j.circuit_breaker.name":"payment","resilience4j.circuit_breaker.state":"OPEN","resilience4j.circuit_breaker.outcome":"rejected"}"#;
    for kind in ["internal", "client"] {
        let (_dir, store) = stored_as(|is_tenth| SpanRow {
            kind: if is_tenth { kind } else { "client" },
            status_code: if is_tenth { "error" } else { "unset" },
            attributes: if is_tenth { MARKED } else { "{}" },
            peer: (!is_tenth || kind == "client").then_some("payment"),
            peer_kind: (!is_tenth || kind == "client").then_some("service"),
            weight: Some(1.0),
            ..SpanRow::default()
        });
        for answer in answers(&store) {
            let happened = (answer.happened.admitted, answer.happened.rejected);
            assert_eq!((answer.calls, happened), (100, (90, 10)), "{kind}");
            let limits = answer.limits.join(" ");
            assert!(
                limits.contains("writes on none but the calls it refused"),
                "{limits}"
            );
        }
    }
}

#[test]
fn what_happened_took_from_the_first_failure_and_from_the_first_success() {
    let call = |start: i64, ended| Call {
        start: start * 1_000_000_000,
        duration: 500_000_000,
        ended,
        turns: Turns::UNKNOWN,
    };
    let change = |second: i64, from: &str, to: &str| Change {
        at: second * 1_000_000_000,
        lo: second * 1_000_000_000,
        from: from.to_owned(),
        to: to.to_owned(),
        ..Change::default()
    };
    let history = History {
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
        ..History::default()
    };
    let found = verdict::happened(&[&history]);
    let seconds = |tenths: u64| Some(tenths * 100_000_000);
    assert_eq!((found.trips, found.admitted, found.rejected), (1, 8, 1));
    assert_eq!(
        (found.detect_ns, found.recover_ns),
        (seconds(25), seconds(15))
    );
    assert_eq!(found.open_ns, 19_000_000_000);
    assert_eq!(verdict::happened(&[&History::default()]).detect_ns, None);
    // Of a part of it: the failures before it led to the trip in it, and what is open from before is open from its
    // beginning.
    let seconds_of = |from: i64, until: i64, start: Start| {
        let second = 1_000_000_000;
        let is_in = |change: &&Change| (from * second..until * second).contains(&change.at);
        let part = History {
            from: from * second,
            until: until * second,
            start,
            changes: history.changes.iter().filter(is_in).cloned().collect(),
            ..history.clone()
        };
        verdict::happened(&[&part])
    };
    let trip = seconds_of(103, 110, Start::Closed);
    assert_eq!((trip.trips, trip.detect_ns), (1, seconds(25)));
    let (at, length) = (103_000_000_000, Duration::from_secs(7));
    let rest = seconds_of(115, 130, Start::Open { at, length });
    assert_eq!(
        (rest.trips, rest.recover_ns, rest.open_ns),
        (0, seconds(15), 7_000_000_000)
    );
}

/// An instance of `cart` by whose spans and events its breaker `payment` is known.
struct Pod<'a> {
    store: &'a Store,
    instance: &'a str,
}

impl Pod<'_> {
    fn logs(&self, event: &str, at: u64, attributes: &str) {
        let attributes = format!(r#"{{"circuit_breaker.name":"payment",{attributes}}}"#);
        let mut logs = LogColumns::default();
        logs.push(&LogRow {
            time_unix_nano: at,
            arrival_unix_nano: at,
            event_name: event,
            attributes: &attributes,
            ..LogRow::default()
        });
        let sender = vec![resource(self.instance)];
        fixture::append(self.store, fixture::batch(sender, Rows::Logs(logs)));
    }

    fn told(&self, at: u64, settings: &str) {
        let hash = settings.len();
        let told = format!(r#""circuit_breaker.config_hash":"{hash}",{settings}"#);
        self.logs("circuit_breaker.configured", at, &told);
    }

    fn changed(&self, at: u64, from: &str, to: &str, more: &str) {
        let states = format!(
            r#""circuit_breaker.from_state":"{from}","circuit_breaker.to_state":"{to}",{more}"#
        );
        self.logs("circuit_breaker.state_changed", at, &states);
    }

    /// A call of 20 ms at each of these seconds.
    fn called(&self, seconds: std::ops::Range<u64>, outcome: &str, state: &str) {
        let attributes = format!(
            r#"{{"circuit_breaker.name":"payment","circuit_breaker.outcome":"{outcome}","circuit_breaker.state":"{state}"}}"#
        );
        let mut spans = SpanColumns::default();
        for second in seconds {
            let start = BASE + second * SECOND;
            let id = second + 1_000 * self.instance.len() as u64 + 1;
            spans.push(&SpanRow {
                trace_id: u128::from(id).to_be_bytes(),
                span_id: id.to_be_bytes(),
                name: "call",
                kind: "internal",
                start_unix_nano: start,
                end_unix_nano: start + 20 * MS,
                status_code: "unset",
                attributes: &attributes,
                weight: Some(1.0),
                ..SpanRow::default()
            });
        }
        let sender = vec![resource(self.instance)];
        fixture::append(self.store, fixture::batch(sender, Rows::Spans(spans)));
    }
}

/// What is answered about the one breaker in these seconds.
fn between(store: &Store, seconds: std::ops::Range<u64>, edits: &[(&str, &str)]) -> WhatIf {
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let known = known(&session);
    let asked = WhatIfQuery {
        range: TimeRange {
            from_unix_nano: (BASE + seconds.start * SECOND) as i64,
            to_unix_nano: (BASE + seconds.end * SECOND) as i64,
        },
        ..query(&known.first().expect("a breaker").breaker_id, edits)
    };
    what_if(&session, &asked)
        .expect("an answer")
        .expect("a breaker")
}

#[test]
fn settings_are_those_of_each_instance_and_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = fixture::open(dir.path());
    let [one, other] = ["pod-1", "pod-10"].map(|instance| Pod {
        store: &store,
        instance,
    });
    other.told(BASE - SECOND, r#""circuit_breaker.minimum_calls":1000"#);
    one.told(BASE, r#""circuit_breaker.minimum_calls":5"#);
    one.told(
        BASE + 100 * SECOND,
        r#""circuit_breaker.minimum_calls":1000"#,
    );
    for pod in [&one, &other] {
        pod.called(1..160, "failure", "closed");
    }
    let before = between(&store, 0..90, &[]);
    assert_eq!(before.recorded.trips, 1, "that of the first instance");
    assert_eq!(before.settings["minimum_calls"], "5");
    let limits = before.limits.join(" ");
    assert!(limits.contains("2 different settings"), "{limits}");
    // None was recorded: what is made up counts against the replay.
    let baseline = &before.baseline;
    assert_eq!((baseline.trips, baseline.extra), (0, 1));
    assert!(baseline.is_weak());
    let after = between(&store, 100..160, &[]);
    assert_eq!((after.recorded.trips, after.instances), (0, 2));
    assert_eq!(after.settings["minimum_calls"], "1000");
    assert!(!after.limits.join(" ").contains("different settings"));
    // Edits are laid over whatever each was told.
    let edits = [("minimum_calls", "5")];
    let edited = between(&store, 0..90, &edits).edited.expect("edited");
    assert_eq!(edited.trips, 2);
}

#[test]
fn who_only_observes_is_replayed_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = fixture::open(dir.path());
    let pod = Pod {
        store: &store,
        instance: "pod",
    };
    pod.told(
        BASE,
        r#""circuit_breaker.minimum_calls":5,"circuit_breaker.mode":"MetricsOnly""#,
    );
    pod.called(1..50, "failure", "metrics_only");
    let answer = between(&store, 0..50, &[("mode", "enforcing")]);
    let recorded = &answer.recorded;
    assert_eq!((recorded.trips, recorded.rejected), (0, 0));
    assert!(answer.baseline.exact, "{:?}", answer.baseline);
    let edited = answer.edited.expect("edited");
    assert_eq!(edited.trips, 1);
    assert!(edited.avoided_failures > 20, "{edited:?}");
}

#[test]
fn a_range_that_begins_in_mid_outage_begins_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = fixture::open(dir.path());
    let pod = Pod {
        store: &store,
        instance: "pod",
    };
    let reason = |reason: &str, generation: u64| {
        format!(
            r#""circuit_breaker.reason":"{reason}","circuit_breaker.generation":{generation},"circuit_breaker.shadow":false"#
        )
    };
    pod.told(BASE, r#""circuit_breaker.minimum_calls":5"#);
    pod.called(1..11, "failure", "closed");
    pod.changed(
        BASE + 10 * SECOND + 20 * MS,
        "closed",
        "open",
        &reason("failure_rate", 1),
    );
    pod.called(11..30, "rejected", "open");
    pod.changed(
        BASE + 30 * SECOND,
        "open",
        "half_open",
        &reason("wait_elapsed", 2),
    );
    pod.called(30..32, "success", "half_open");
    pod.changed(
        BASE + 31 * SECOND + 20 * MS,
        "half_open",
        "closed",
        &reason("probe_ok", 3),
    );
    pod.called(32..50, "success", "closed");
    for (from, refused) in [(15, 15), (31, 0), (40, 0)] {
        let answer = between(&store, from..50, &[]);
        let baseline = &answer.baseline;
        assert!(baseline.exact, "{from}: {answer:?}");
        assert_eq!(answer.recorded.rejected, refused);
        assert_eq!(answer.recorded.admitted, 50 - from - refused);
        let limits = answer.limits.join(" ");
        assert!(!limits.contains("not recorded"), "{limits}");
    }
    let answer = between(&store, 15..50, &[]);
    assert_eq!(answer.recorded.open_ns, 16 * SECOND + 20 * MS);
    assert_eq!(answer.recorded.open_ns, answer.happened.open_ns);
    // Where nothing is recorded of the time before, that is said.
    let silent = tempfile::tempdir().expect("a directory");
    let store = fixture::open(silent.path());
    let pod = Pod {
        store: &store,
        instance: "pod",
    };
    pod.called(1..50, "success", "closed");
    let limits = between(&store, 15..50, &[]).limits.join(" ");
    assert!(
        limits.contains("The state of 1 instance at the beginning"),
        "{limits}"
    );
}
