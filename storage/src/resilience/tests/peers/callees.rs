//! Whom breakers guard: by address, by the calls under their own spans, by what a person says.

use super::super::fixture::{Log, append, logs, now, rows};
use super::{ADDRESS, Call, SECOND, breakers, gauge, hot_and_sealed, range, spans, to};
use crate::model::{Finding, FindingsQuery};
use crate::query::{self, Session};
use crate::resilience::PeerRule;
use crate::store::{Store, StoreConfig};

/// Who is guarded, at which address, and how that is known.
fn peers(store: &Store) -> Vec<[String; 3]> {
    let reader = store.reader().expect("a reader");
    let word = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    breakers(&Session::new(&reader))
        .into_iter()
        .map(|breaker| {
            [
                breaker.peer_service,
                breaker.peer_address,
                breaker.peer_evidence,
            ]
            .map(word)
        })
        .collect()
}

#[test]
fn an_ejected_host_is_the_service_that_answers_there() {
    let start = now() - 600 * SECOND;
    let ejected = r#"{"type": "CONSECUTIVE_5XX", "cluster_name": "upstream", "upstream_url": "10.0.0.7:8080", "action": "EJECT", "num_ejections": 1, "enforced": true}"#;
    hot_and_sealed(
        |store| {
            let line = Log {
                time: start,
                body: Some(ejected),
                ..Log::default()
            };
            append(store, logs("mesh", "m1", &[line]));
            let known = Call {
                attributes: r#"{"server.address":"10.0.0.7","server.port":8080}"#,
                ..to("inventory", 1, start, false)
            };
            spans(store, "mesh", "m1", &[known, to("psp", 2, start, false)]);
        },
        |store| {
            assert_eq!(peers(store), [["inventory", ADDRESS, "address"]]);
            // What is reported is shown without looking at calls too.
            assert_eq!(
                rows(
                    store,
                    "SELECT peer_service, peer_address, peer_evidence FROM breakers"
                ),
                [format!("upstream {ADDRESS} reported")]
            );
        },
    );
}

#[test]
fn calls_under_a_breakers_own_spans_name_its_callee_and_several_are_a_finding() {
    let start = now() - 600 * SECOND;
    hot_and_sealed(
        |store| {
            let calls = [
                (1, "ledger", "closed"),
                (2, "psp", "open"),
                (3, "ledger", "closed"),
            ];
            for (trace, peer, state) in calls {
                let start = start + u64::from(trace) * SECOND;
                let own = format!(
                    r#"{{"resilience4j.circuit_breaker.name":"backend","resilience4j.circuit_breaker.state":"{state}"}}"#
                );
                let call = Call {
                    span: trace + 50,
                    parent: Some(trace),
                    ..to(peer, trace, start, false)
                };
                let around = Call {
                    span: trace,
                    parent: Some(trace + 20),
                    kind: "internal",
                    peer: None,
                    attributes: &own,
                    ..call
                };
                let beside = Call {
                    span: trace + 70,
                    parent: Some(trace + 20),
                    ..to("redis", trace, start, false)
                };
                spans(store, "shop", "p1", &[around, call, beside]);
            }
        },
        |store| {
            assert_eq!(peers(store), [["ledger", "-", "trace"]]);
            let several = several_peers(store, start);
            let [first] = several.as_slice() else {
                panic!("{several:?}");
            };
            assert_eq!((first.subject.as_str(), first.value), ("backend", 2.0));
            assert!(
                first.sentence.contains("(ledger, psp)"),
                "{}",
                first.sentence
            );
        },
    );
}

/// Breakers that are found to guard several callees.
fn several_peers(store: &Store, start: u64) -> Vec<Finding> {
    let reader = store.reader().expect("a reader");
    let query = FindingsQuery {
        range: range(start),
        scope: Default::default(),
        services: Vec::new(),
        limit: 10,
    };
    let mut found = query::findings(&Session::new(&reader), &query).expect("findings");
    let is_asked = |finding: &Finding| finding.kind == "several_peers";
    found.items.retain(is_asked);
    found.items
}

/// Sixty calls one after another under spans of a closed breaker, all in one batch: to whom each goes.
fn closed_calls(store: &Store, start: u64, to_whom: impl Fn(u8) -> &'static str) {
    let own = r#"{"circuit_breaker.name":"backend","circuit_breaker.outcome":"success","circuit_breaker.state":"closed"}"#;
    let mut all = Vec::new();
    for number in 1..=60 {
        let call = Call {
            span: number + 100,
            parent: Some(number),
            ..to(
                to_whom(number),
                number,
                start + u64::from(number) * SECOND,
                false,
            )
        };
        let around = Call {
            span: number,
            parent: None,
            kind: "internal",
            peer: None,
            attributes: own,
            ..call
        };
        all.extend([around, call]);
    }
    spans(store, "shop", "p1", &all);
}

#[test]
fn the_callee_of_most_calls_is_the_peer_wherever_in_a_spell_the_others_are() {
    let start = now() - 600 * SECOND;
    hot_and_sealed(
        |store| {
            closed_calls(store, start, |number| match number {
                1 | 60 => "psp",
                _ => "ledger",
            });
        },
        |store| assert_eq!(peers(store), [["ledger", "-", "trace"]]),
    );
}

#[test]
fn callees_that_only_calls_amid_a_spell_go_to_are_among_the_several() {
    let start = now() - 600 * SECOND;
    hot_and_sealed(
        |store| {
            closed_calls(store, start, |number| match number {
                1 | 60 => "ledger",
                2..=30 => "psp",
                _ => "redis",
            });
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT count(*) BETWEEN 16 AND 18 FROM breaker_samples"
                ),
                ["true"]
            );
            let several = several_peers(store, start);
            let [only] = several.as_slice() else {
                panic!("{several:?}");
            };
            assert!(only.sentence.contains("(ledger, psp, redis)"), "{only:?}");
        },
    );
}

#[test]
fn what_a_person_says_of_a_callee_counts_from_the_next_start_on_and_is_stored_nowhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let opened = |peer: Option<&str>| {
        let rule = |peer: &str| PeerRule {
            service: "shop".to_owned(),
            breaker: "back*".to_owned(),
            peer: peer.to_owned(),
        };
        let config = StoreConfig {
            data_dir: dir.path().to_owned(),
            threads: 2,
            memory_bytes_max: 256 << 20,
            peer_rules: peer.map(rule).into_iter().collect(),
            ..StoreConfig::default()
        };
        Store::open(config).expect("a store")
    };
    let start = now() - 60 * SECOND;
    let store = opened(Some("ledger"));
    // Two callees, neither named like the breaker.
    let calls = [to("psp", 1, start, false), to("redis", 2, start, false)];
    spans(&store, "shop", "p1", &calls);
    for at in 0..3 {
        gauge(&store, start + at * 10 * SECOND, "backend", "closed");
    }
    assert_eq!(peers(&store), [["ledger", "-", "user_rule"]]);
    store.seal_now().expect("sealed");
    assert_eq!(peers(&store), [["ledger", "-", "user_rule"]]);
    drop(store);
    let store = opened(None);
    assert_eq!(peers(&store), [["-", "-", "-"]]);
    drop(store);
    assert_eq!(peers(&opened(Some("psp"))), [["psp", "-", "user_rule"]]);
}
