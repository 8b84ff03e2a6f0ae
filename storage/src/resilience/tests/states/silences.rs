//! Silences between samples, as hot, sealed and merged segments know them.

use std::time::{Duration, Instant};

use super::super::fixture::{hot_and_sealed, now, rows, small};
use super::{HOUR, SECOND, change, export, intervals, with_an_hour_of_silence};
use crate::store::{Store, StoreConfig};

const SILENT_FOR_AN_HOUR: [&str; 5] = [
    "closed 0 200 metric -",
    "open 200 290 gauge -",
    "stale 290 3600 silence -",
    "open 3600 3890 metric -",
    "stale 3890 - silence -",
];

#[test]
fn a_silence_between_samples_is_a_state_of_its_own() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| with_an_hour_of_silence(store, start),
        |store| {
            assert_eq!(intervals(store, "pod-1", start), SILENT_FOR_AN_HOUR);
            assert_eq!(
                rows(
                    store,
                    "SELECT from_state, to_state FROM breaker_transitions"
                ),
                ["closed open"],
                "a silence is no change"
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT sum(trips), round(sum(minutes_open), 3), round(sum(open_seconds)), round(sum(stale_seconds))
                     FROM breaker_days"
                ),
                ["1 6.333 380.0 3310.0"]
            );
        },
    );
}

#[test]
fn after_a_silence_a_state_is_as_old_as_what_was_heard_of_it_since() {
    // Once a minute, two hours ago and again for the last five minutes: what was in between nobody knows.
    let start = now() - 2 * HOUR;
    let again = start + 2 * HOUR - 300 * SECOND;
    hot_and_sealed(
        |store| {
            for (instance, then, last) in [
                ("pod-1", "open", "open"),
                ("pod-2", "closed", "closed"),
                ("pod-3", "open", "closed"),
                ("pod-4", "closed", "closed"),
            ] {
                for at in 0..6 {
                    let state = if at < 3 { "closed" } else { then };
                    export(store, instance, start + at * 60 * SECOND, state, 0.0);
                    let state = if at < 3 { then } else { last };
                    // The last one is silent still.
                    if instance != "pod-4" {
                        export(store, instance, again + at * 60 * SECOND, state, 0.0);
                    }
                }
            }
            // Told after the silence: that stands.
            change(store, "pod-3", again + 150 * SECOND, 2, "open", "closed");
        },
        |store| {
            let since = format!(
                "SELECT service_instance_id, state, (since_unix_nano::BIGINT - {start}) // {SECOND}, since_exact, evidence
                 FROM breaker_instances ORDER BY 1"
            );
            assert_eq!(
                rows(store, &since),
                [
                    "pod-1 open 6900 false metric",
                    "pod-2 closed 6900 false metric",
                    "pod-3 closed 7050 true event",
                    "pod-4 stale 300 false metric",
                ]
            );
            let folded = format!(
                "SELECT state, (since_unix_nano::BIGINT - {start}) // {SECOND}, since_exact FROM breakers"
            );
            assert_eq!(rows(store, &folded), ["open 6900 false"]);
        },
    );
}

#[test]
fn merged_segments_know_their_silences_still() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        compaction_fan_in: 2,
        maintenance_interval: Duration::from_millis(20),
        ..small(dir.path())
    })
    .expect("a store");
    let start = now() - 6 * HOUR;
    // A silence within each of two segments, and one between them.
    for part in 0..2 {
        for at in [0, 10, 20, 30, 40, 1_000, 1_010, 1_020, 1_030] {
            let time = start + part * HOUR + at * SECOND;
            export(&store, "pod-1", time, "closed", 0.0);
        }
        store.seal_now().expect("sealed");
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.stats().compactions.count == 0 || store.stats().segments_sealed > 1 {
        assert!(Instant::now() < deadline, "nothing was merged");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        intervals(&store, "pod-1", start),
        [
            "closed 0 40 metric -",
            "stale 40 1000 silence -",
            "closed 1000 1030 metric -",
            "stale 1030 3600 silence -",
            "closed 3600 3640 metric -",
            "stale 3640 4600 silence -",
            "closed 4600 4630 metric -",
            "stale 4630 - silence -",
        ]
    );
}

#[test]
fn who_is_known_by_reports_alone_is_not_stale_for_being_silent() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| {
            change(store, "pod-1", start, 2, "closed", "open");
            change(store, "pod-1", start + HOUR, 3, "open", "closed");
        },
        |store| {
            assert_eq!(
                intervals(store, "pod-1", start),
                ["open 0 3600 event -", "closed 3600 - event -"]
            );
        },
    );
}

#[test]
fn a_report_within_a_silence_ends_it_and_another_begins() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| {
            for at in 0..6 {
                export(store, "pod-1", start + at * 10 * SECOND, "closed", 0.0);
            }
            let within = start + 1_000 * SECOND;
            change(store, "pod-1", within, 2, "closed", "open");
            for at in 0..6 {
                let time = start + 2_000 * SECOND + at * 10 * SECOND;
                export(store, "pod-1", time, "open", 0.0);
            }
        },
        |store| {
            assert_eq!(
                intervals(store, "pod-1", start),
                [
                    "closed 0 50 metric -",
                    "stale 50 1000 silence -",
                    "open 1000 1000 event -",
                    "stale 1000 2000 silence -",
                    "open 2000 2050 metric -",
                    "stale 2050 - silence -",
                ]
            );
        },
    );
}
