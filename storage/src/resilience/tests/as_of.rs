//! A store of the past answers as of then: nothing is stale in it that was not stale at that moment.

use super::fixture::{Point, append, metrics, rows, small};
use crate::model::BreakersQuery;
use crate::query::{Session, breakers};
use crate::store::{Store, StoreConfig};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

/// A breaker that is open in seven exports ten seconds apart, looked at so many seconds after the first.
fn state(after_s: Option<u64>) -> (String, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        as_of_unix_nano: after_s
            .map(|after| i64::try_from(START + after * SECOND).expect("before 2262")),
        ..small(dir.path())
    })
    .expect("a store");
    let points: Vec<Point<'_>> = (0..7)
        .flat_map(|at| {
            ["closed", "open", "half_open"].map(|state| {
                let attributes = format!(
                    r#"{{"circuit_breaker.name":"payment","circuit_breaker.state":"{state}"}}"#
                );
                let holds = f64::from(u8::from(state == "open"));
                let time = START + at * 10 * SECOND;
                ("circuit_breaker.state", "gauge", attributes, time, holds)
            })
        })
        .collect();
    append(&store, metrics("cart", "pod-1", &points));
    let reader = store.reader().expect("a reader");
    let query = BreakersQuery {
        limit: 10,
        ..BreakersQuery::default()
    };
    let page = breakers(&Session::new(&reader), &query).expect("breakers");
    let concluded = page.items.first().expect("one breaker").state.clone();
    (concluded, rows(&store, "SELECT state FROM breakers"))
}

#[test]
fn a_breaker_of_the_past_is_in_the_state_it_was_in() {
    // The last export is at 60 s; three intervals later there is no news of it.
    for (after, expected) in [(Some(80), "open"), (Some(100), "stale"), (None, "stale")] {
        let (concluded, of_view) = state(after);
        assert_eq!(concluded, expected, "{after:?}");
        assert_eq!(of_view, [expected], "{after:?}");
    }
}
