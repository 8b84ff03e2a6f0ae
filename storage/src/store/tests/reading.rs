//! What readers see of the hot part.

use super::fixture::{append, config, log, metrics, number, spans, spans_at, text};
use crate::store::Store;

const RELATIONS: [&str; 16] = [
    "spans",
    "logs",
    "metrics",
    "metric_points",
    "exemplars",
    "resources",
    "service_edges",
    "edge_retries",
    "red",
    "breakers",
    "breaker_instances",
    "breaker_transitions",
    "breaker_samples",
    "breaker_config",
    "breaker_intervals",
    "breaker_days",
];

#[test]
fn every_public_relation_can_be_read_in_an_empty_store() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    for relation in RELATIONS {
        assert_eq!(
            number(&store, &format!("SELECT count(*) FROM {relation}")),
            0,
            "{relation}"
        );
    }
}

#[test]
fn committed_rows_of_every_signal_are_visible_at_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, spans("shop", 0, 16)).expect("spans");
    append(&store, spans("cart", 16, 24)).expect("spans");
    append(&store, log("shop", "hello")).expect("log");
    append(&store, metrics("shop", 1_700_000_000_000_000_000)).expect("metrics");
    append(&store, metrics("shop", 1_700_000_001_000_000_000)).expect("metrics");
    assert_eq!(
        number(
            &store,
            "SELECT count(*) FROM spans WHERE service_name = 'shop'"
        ),
        16
    );
    assert_eq!(
        number(
            &store,
            r#"SELECT count(*) FROM spans WHERE attributes."http.route" = '/r/3'"#
        ),
        3
    );
    assert_eq!(number(&store, "SELECT count(*) FROM resources"), 2);
    assert_eq!(number(&store, "SELECT count(*) FROM metrics"), 2);
    assert_eq!(number(&store, "SELECT count(*) FROM metric_points"), 4);
    assert_eq!(
        number(&store, "SELECT sum(value_int)::BIGINT FROM metric_points"),
        6
    );
    assert_eq!(number(&store, "SELECT count(*) FROM exemplars"), 2);
    assert_eq!(text(&store, "SELECT body FROM logs"), "hello");
    assert_eq!(
        text(
            &store,
            r#"SELECT resource_attributes."service.name"::VARCHAR FROM logs"#
        ),
        "shop"
    );
    let stats = store.stats();
    assert_eq!(
        (
            stats.spans_accepted,
            stats.logs_accepted,
            stats.points_accepted
        ),
        (24, 1, 4)
    );
}

#[test]
fn times_a_timestamp_cannot_hold_stay_exact_in_their_twins() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, spans_at("shop", 0, 1, 0)).expect("zero");
    append(&store, spans_at("shop", 1, 2, u64::MAX - 5_000)).expect("beyond i64");
    append(&store, spans_at("shop", 2, 3, 1_700_000_000_123_456_789)).expect("usual");
    // i64::MAX is infinity to the engine: as an end it would fail every question about the column.
    append(&store, spans_at("shop", 3, 4, (u64::MAX >> 1) - 1_000)).expect("ends at i64::MAX");
    append(&store, spans_at("shop", 4, 5, u64::MAX >> 1)).expect("starts at i64::MAX");
    assert_eq!(
        text(
            &store,
            "SELECT string_agg(concat_ws(' ', start_time_unix_nano, end_time_unix_nano, start_time, end_time), '; ' \
             ORDER BY span_id) FROM spans"
        ),
        "0 1000 1970-01-01 00:00:00.000001; 18446744073709546615 18446744073709547615; \
         1700000000123456789 1700000000123457789 2023-11-14 22:13:20.123456789 2023-11-14 22:13:20.123457789; \
         9223372036854774807 9223372036854775807 2262-04-11 23:47:16.854774807; \
         9223372036854775807 9223372036854776807"
    );
}
