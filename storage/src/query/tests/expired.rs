//! Rates over a time of which only the roll-ups are left.

use super::*;
use crate::query::covered;
use crate::store::now_ns;

#[test]
fn rates_are_over_the_time_of_the_roll_ups_where_the_spans_have_expired() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        retention_age: Duration::from_millis(200),
        maintenance_interval: Duration::from_millis(50),
        ..fixture::small(dir.path())
    })
    .expect("a store");
    const MINUTE: i64 = 60_000_000_000;
    let now = now_ns();
    let mut columns = SpanColumns::default();
    // One call each minute of the hour before the last.
    for number in 0..60 {
        let start = (now - (120 - number) * MINUTE) as u64;
        columns.push(&SpanRow {
            trace_id: (number as u128 + 1).to_be_bytes(),
            span_id: (number as u64 + 1).to_be_bytes(),
            name: "work",
            kind: "server",
            start_unix_nano: start,
            end_unix_nano: start + 1_000_000,
            status_code: "unset",
            attributes: "{}",
            ..SpanRow::default()
        });
    }
    append(&store, "shop", Rows::Spans(columns));
    store.seal_now().expect("sealed");
    let began = Instant::now();
    loop {
        let reader = store.reader().expect("a reader");
        if reader.segments().segments().iter().any(|s| s.is_history()) {
            break;
        }
        drop(reader);
        assert!(began.elapsed() < Duration::from_secs(30), "no history");
        std::thread::sleep(Duration::from_millis(20));
    }
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let range = TimeRange {
        from_unix_nano: now - 121 * MINUTE,
        to_unix_nano: now - 60 * MINUTE,
    };
    let found = covered(&session, range).expect("covered");
    assert!((3_590.0..3_615.0).contains(&found.seconds()), "{found:?}");
    let asked = ServicesQuery {
        range,
        scope: Scope::default(),
        order: ServiceOrder::default(),
        limit: 10,
    };
    let shop = &services(&session, &asked).expect("services").items[0];
    assert_eq!(shop.calls, 60);
    assert!(
        (0.0165..0.0168).contains(&shop.rate_per_second),
        "{}",
        shop.rate_per_second
    );
}
