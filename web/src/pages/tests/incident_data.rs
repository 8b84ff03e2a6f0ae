//! An incident and its breakers, made up, with text of somebody else's choice in every place.

use tripline_storage::model::{
    Baseline, BeforeAfter, BlastRadius, Breaker, BreakerActivity, BreakerConfig, BreakerDetail,
    BreakerInstance, BreakerReview, BreakerTransition, BreakerWindow, ChangeEvent, ChangedSetting,
    Clue, Course, EncodingOffer, EncodingValue, Encodings, EntryPoint, ErrorClass, Finding,
    Incident, IncidentBreaker, IncidentDetail, InstanceLane, Lane, LaneSegment, Latency,
    LearnedState, OpenAt, Outcome, OutcomeCalls, Page, Phase, Probe, Proposal, Recovery,
    RejectedInMinute, Root, SettingsChange, TimeRange, Trial, TripTrace, WhatIf, WindowLimits,
    WorstMoment,
};

use super::{NOW, json, read};
use crate::pages::{BreakerHow, BreakerPage};

const SECOND: i64 = 1_000_000_000;
const TRACE: &str = "5b8aa5a2d2c872e8321cf37308d69df2";

fn start() -> i64 {
    i64::try_from(NOW).expect("this century") - 120 * SECOND
}

pub(super) fn encodings_of(text: &str) -> Encodings {
    let number = |value: &str| EncodingValue {
        value: value.to_owned(),
        held_ns: 60 * SECOND,
        ..EncodingValue::default()
    };
    let said = |metric: &str, service: Option<&str>| LearnedState {
        metric: metric.to_owned(),
        service: service.map(str::to_owned),
        value: "0".to_owned(),
        state: "closed".to_owned(),
        learned_unix_nano: 1,
    };
    let offered = EncodingValue {
        proposed: Some("open".to_owned()),
        because: Some("held while 95 % of 200 calls were refused".to_owned()),
        ..number("1")
    };
    let learned = EncodingValue {
        learned: Some("closed".to_owned()),
        ..number("0")
    };
    Encodings {
        offers: vec![EncodingOffer {
            metric: text.to_owned(),
            service_name: text.to_owned(),
            breakers: 2,
            values: vec![learned, offered, number("2")],
        }],
        learned: vec![said(text, None), said("elsewhere", Some(text))],
    }
}

pub(super) fn breaker_of(text: &str) -> Breaker {
    Breaker {
        breaker_id: "00112233445566aa".to_owned(),
        service_name: text.to_owned(),
        name: text.to_owned(),
        pattern: "breaker".to_owned(),
        origin: text.to_owned(),
        peer_service: Some("payment".to_owned()),
        state: "open".to_owned(),
        instances: 12,
        instances_open: 9,
        since_unix_nano: Some(start()),
        since_exact: true,
        evidence: "event".to_owned(),
        confidence: 100,
        last_trip: Some(TripTrace {
            trace_id: TRACE.to_owned(),
            span_id: None,
            trace_evidence: Some("exact".to_owned()),
            time_unix_nano: start(),
        }),
        ..Breaker::default()
    }
}

fn change(text: &str, after_s: i64, from: &str, to: &str) -> BreakerTransition {
    BreakerTransition {
        time_unix_nano: start() + after_s * SECOND,
        time_lo_unix_nano: start() + after_s * SECOND - 5 * SECOND,
        breaker_id: "00112233445566aa".to_owned(),
        service_name: text.to_owned(),
        name: text.to_owned(),
        from_state: Some(from.to_owned()),
        to_state: to.to_owned(),
        reason: Some("failure_rate".to_owned()),
        failure_rate: Some(0.62),
        window_calls: Some(100),
        threshold: Some(0.5),
        trace_id: Some(TRACE.to_owned()),
        span_id: Some("051581bf3cb55c13".to_owned()),
        trace_evidence: Some("inferred".to_owned()),
        contributing_trace_ids: vec![TRACE.to_owned()],
        evidence: "event".to_owned(),
        confidence: 100,
        ..BreakerTransition::default()
    }
}

pub(super) fn incident_of(text: &str) -> IncidentDetail {
    let member = |order: i64, peer: &str| IncidentBreaker {
        breaker_id: format!("00112233445566a{}", if order == 0 { 'a' } else { 'b' }),
        service_name: text.to_owned(),
        name: text.to_owned(),
        peer: Some(peer.to_owned()),
        peer_evidence: Some("name".to_owned()),
        trip: change(text, order, "closed", "open"),
        trips: 2,
        instances: 12,
        instances_open: 9,
        downstream: if order == 0 { vec![] } else { vec![0] },
        ..IncidentBreaker::default()
    };
    IncidentDetail {
        incident: Incident {
            incident_id: format!("{}-00112233445566aa", start()),
            start_unix_nano: start(),
            end_unix_nano: None,
            state: "open".to_owned(),
            trips: 4,
            breakers: vec![member(0, "psp"), member(6, "payment")],
            root: Some(Root {
                service: "psp".to_owned(),
                breaker_id: "00112233445566aa".to_owned(),
                score: 0.93,
                evidence: vec![Clue {
                    kind: "own_errors".to_owned(),
                    sentence: format!("58 of 60 calls to {text} failed."),
                    value: Some(0.97),
                }],
            }),
        },
        error_classes: vec![ErrorClass {
            breaker_id: "00112233445566aa".to_owned(),
            class: if text == "checkout" {
                "DEADLINE_EXCEEDED"
            } else {
                text
            }
            .to_owned(),
            count: 58,
            trace_id: TRACE.to_owned(),
            span_id: "051581bf3cb55c13".to_owned(),
            span_service: "psp".to_owned(),
            label: "tripped it".to_owned(),
        }],
        changes: vec![ChangeEvent {
            time_unix_nano: start() - 30 * SECOND,
            kind: "deploy".to_owned(),
            service: "psp".to_owned(),
            description: text.to_owned(),
        }],
        services_without_version: vec![text.to_owned()],
        blast: BlastRadius {
            range: Some(TimeRange {
                from_unix_nano: start(),
                to_unix_nano: start() + 60 * SECOND,
            }),
            entry_points: vec![EntryPoint {
                scope: Default::default(),
                service: text.to_owned(),
                name: text.to_owned(),
                requests: 100.0,
                crossing: 80.0,
                failed: 29.0,
                degraded: 71.0,
                unaffected: 0.0,
            }],
            crossing_share: 0.8,
            crossing_interval: None,
            basis: "all".to_owned(),
            one_in: 1,
            counted: 100,
        },
        recovery: Recovery {
            verdict: "worsening".to_owned(),
            reason: text.to_owned(),
            open: vec![OpenAt {
                time_unix_nano: start(),
                open: 9,
            }],
            rejected: vec![RejectedInMinute {
                time_unix_nano: start(),
                rejected: 340,
            }],
            rejected_basis: Some("counter".to_owned()),
            probes: 4,
            probes_passed: 1,
            entry_error_share: Some(0.3),
            entry_error_share_before: Some(0.01),
        },
        before_after: before_after_of(text),
        worst: worst_of(text),
        transitions: vec![change(text, 0, "closed", "open")],
        findings: vec![Finding {
            kind: "half_open_herd".to_owned(),
            sentence: text.to_owned(),
            ..Finding::default()
        }],
        findings_total: 21,
        ..IncidentDetail::default()
    }
}

/// An edge whose calls were slow and failed, and an entry point that nobody came to before.
fn before_after_of(text: &str) -> BeforeAfter {
    let phase = |p50_ms: f64, p95_ms: f64, errors: u64| Phase {
        calls: 100,
        errors,
        weight: 100.0,
        error_weight: errors as f64,
        latency: Latency {
            p50_ns: Some(p50_ms * 1e6),
            p95_ns: Some(p95_ms * 1e6),
            p99_ns: None,
        },
    };
    let range = |from_s: i64, to_s: i64| TimeRange {
        from_unix_nano: start() + from_s * SECOND,
        to_unix_nano: start() + to_s * SECOND,
    };
    let edge = Course {
        service: text.to_owned(),
        peer: Some("payment".to_owned()),
        before: phase(38.0, 41.0, 0),
        during: phase(212.0, 987.0, 29),
        ..Course::default()
    };
    let entry = Course {
        service: "checkout".to_owned(),
        operation: Some(text.to_owned()),
        during: phase(44.0, 77.0, 0),
        ..Course::default()
    };
    BeforeAfter {
        before: Some(range(-320, -20)),
        during: Some(range(-20, 100)),
        after: None,
        courses: vec![edge, entry],
    }
}

fn worst_of(text: &str) -> WorstMoment {
    let node = |name: &str| {
        json!({"name": name, "kind": "service", "inferred": false, "calls": 100, "errors": 29,
        "latency": {"p50_ns": null, "p95_ns": null, "p99_ns": null}})
    };
    let breaker = json!({"breaker_id": "00112233445566aa", "name": text, "key": null, "state": "forced_open",
        "instances": 12, "instances_open": 9, "peer_evidence": "name"});
    let graph = json!({"nodes": [node(text), node("payment")], "truncated": false, "total_edges": 1,
        "edges": [{"caller": 0, "callee": 1, "kind": "service", "is_async": false, "calls": 100, "errors": 29,
            "weight": 100.0, "basis": "all", "latency": {"p50_ns": null, "p95_ns": null, "p99_ns": null}, "breakers": [breaker]}]});
    WorstMoment {
        time_unix_nano: start() + 30 * SECOND,
        instances_open: 9,
        range: Some(TimeRange {
            from_unix_nano: start() - 20 * SECOND,
            to_unix_nano: start() + 30 * SECOND,
        }),
        graph: read(graph),
    }
}

pub(super) fn review_of(text: &str) -> BreakerReview {
    BreakerReview {
        service_name: text.to_owned(),
        name: text.to_owned(),
        key: Some(text.to_owned()),
        peer_service: Some(text.to_owned()),
        minutes_open: 12.5,
        trips: 4,
        trips_inferred: 1,
        restarts: 1,
        flap_score: 2.5,
        detect_ns: Some(15e9),
        recover_ns: Some(26e9),
        refused: Some(1_200),
        refused_needlessly: Some(511),
        ..BreakerReview::default()
    }
}

pub(super) fn lane_of(text: &str) -> Lane {
    let segments = vec![LaneSegment {
        from_unix_nano: start(),
        from_lo_unix_nano: start() - SECOND,
        to_unix_nano: start() + 60 * SECOND,
        state: "open".to_owned(),
        open: 9,
        of: 12,
    }];
    Lane {
        breaker_id: "00112233445566aa".to_owned(),
        service_name: text.to_owned(),
        name: text.to_owned(),
        trips: 7,
        refusing_ns: 60_000_000_000,
        segments: segments.clone(),
        instances: vec![InstanceLane {
            service_instance_id: Some(text.to_owned()),
            segments,
        }],
        ..Lane::default()
    }
}

pub(super) fn breaker_page(text: &str) -> BreakerPage {
    BreakerPage {
        detail: BreakerDetail {
            breaker: breaker_of(text),
            instances: vec![BreakerInstance {
                service_instance_id: Some(text.to_owned()),
                state: "open".to_owned(),
                ..BreakerInstance::default()
            }],
            configs: ["{}", text]
                .map(|config| BreakerConfig {
                    service_instance_id: Some(config.to_owned()),
                    valid_from_unix_nano: start(),
                    config_hash: text.to_owned(),
                    config: config.to_owned(),
                    source: "event".to_owned(),
                })
                .to_vec(),
        },
        then: None,
        lane: Some(lane_of(text)),
        transitions: Page::whole(vec![change(text, 0, "closed", "open")]),
        activity: activity_of(text),
        incident: Some(incident_of(text)),
        at: None,
        how: BreakerHow {
            instances: text.to_owned(),
            windows: text.to_owned(),
            calls: text.to_owned(),
            transitions: text.to_owned(),
            hosts: text.to_owned(),
        },
    }
}

fn activity_of(text: &str) -> BreakerActivity {
    let instance = Some(text.to_owned());
    BreakerActivity {
        windows: vec![BreakerWindow {
            service_instance_id: instance.clone(),
            time_unix_nano: start(),
            failure_rate: Some(0.62),
            window_calls: Some(8),
            next_probe_unix_nano: Some(start() + 150 * SECOND),
            limits: WindowLimits {
                failure_rate: Some(0.5),
                slow_rate: None,
                minimum_calls: Some(10),
            },
            ..BreakerWindow::default()
        }],
        calls: OutcomeCalls {
            ok: Some(812),
            failed: Some(62),
            rejected: Some(340),
            ..OutcomeCalls::default()
        },
        trials: vec![Trial {
            service_instance_id: instance.clone(),
            from_unix_nano: start() + 30 * SECOND,
            to_unix_nano: Some(start() + 32 * SECOND),
            ended_in: Some("open".to_owned()),
            probes: vec![Probe {
                time_unix_nano: start() + 30 * SECOND,
                outcome: "failure".to_owned(),
                duration_ns: Some(12_000_000),
                trace_id: Some(TRACE.to_owned()),
                span_id: Some("051581bf3cb55c13".to_owned()),
            }],
        }],
        total_trials: 7,
        settings: vec![SettingsChange {
            service_instance_id: instance,
            time_unix_nano: start(),
            config_hash: text.to_owned(),
            is_first: false,
            changed: vec![ChangedSetting {
                name: "minimum_calls".to_owned(),
                before: Some("10".to_owned()),
                after: Some(text.to_owned()),
            }],
        }],
    }
}

pub(super) fn what_if_of(text: &str) -> WhatIf {
    let outcome = |trips| Outcome {
        trips,
        rejected: 40,
        rejected_good: 4,
        detect_ns: Some(1_200_000_000),
        ..Outcome::default()
    };
    WhatIf {
        service_name: text.to_owned(),
        name: text.to_owned(),
        calls: 100,
        instances: 2,
        settings_source: text.to_owned(),
        baseline: Baseline {
            trips: 9,
            reproduced: 7,
            sentence: "reproduces 7 of 9 recorded trips".to_owned(),
            differs: vec![
                "gobreaker 2: Interval clears its counts".to_owned(),
                text.to_owned(),
            ],
            ..Baseline::default()
        },
        happened: outcome(9),
        recorded: outcome(7),
        edited: Some(outcome(2)),
        proposals: vec![Proposal {
            edits: [
                ("minimum_calls".to_owned(), "40".to_owned()),
                ("x".to_owned(), text.to_owned()),
            ]
            .into(),
            outcome: outcome(3),
        }],
        limits: vec![
            "A call that was refused has no outcome".to_owned(),
            text.to_owned(),
        ],
        ..WhatIf::default()
    }
}
