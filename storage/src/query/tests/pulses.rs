//! Sparklines and halves of a range against counts in Rust.

use super::*;
use crate::model::PulsePoint;
use crate::query::pulses;

#[test]
fn steps_and_halves_hold_exactly_the_calls_of_their_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let question = ServicesQuery {
        range: TimeRange {
            from_unix_nano: BASE as i64,
            to_unix_nano: BASE as i64 + 40_000_000_000,
        },
        scope: Scope::default(),
        order: ServiceOrder::default(),
        limit: 100,
    };
    let found = pulses(&session, &question).expect("pulses");
    let names: Vec<&str> = found
        .iter()
        .map(|pulse| pulse.service_name.as_str())
        .collect();
    assert_eq!(names, ["pay", "shop"]);
    for pulse in &found {
        // One call a second, every tenth failed, over hot and sealed rows alike.
        assert_eq!(
            pulse.points,
            [PulsePoint {
                calls: 10,
                errors: 1,
                weight: 10.0,
                error_weight: 1.0,
            }; 4]
        );
        for (half, from, to) in [(pulse.earlier, 0, 20_u64), (pulse.later, 20, 40)] {
            let failed = (from..to).filter(|n| n % 10 == 0).count() as u64;
            assert_eq!((half.calls, half.errors), (to - from, failed));
            // The 19th of 20 durations of n + 1 ms, to half a bucket.
            let ratio = half.p95_ns.expect("calls") / ((from + 19) as f64 * 1e6);
            assert!((0.955..1.046).contains(&ratio), "{ratio}");
        }
    }
    let empty = ServicesQuery {
        range: TimeRange {
            from_unix_nano: 0,
            to_unix_nano: 1,
        },
        ..question
    };
    assert_eq!(pulses(&session, &empty).expect("none"), []);
}
