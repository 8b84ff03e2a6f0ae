//! Sealing: nothing changes for a reader but the speed.

use std::collections::BTreeSet;

use super::fixture::{
    EIGHT_KINDS, append, config, eventually, log, log_with, metrics, number, spans, spans_at, text,
};
use crate::segment::SegmentState;
use crate::store::{Store, StoreConfig, now_ns};

/// Every kind by its VARIANT type and text.
const KINDS: &str = r#"SELECT concat_ws('|',
    variant_typeof(attributes), attributes."string", variant_typeof(attributes."bool"),
    variant_typeof(attributes."int"), variant_typeof(attributes."double"), attributes."zero"::DOUBLE::VARCHAR,
    attributes."nan"."$double", attributes."bytes"."$bytes", variant_typeof(attributes."array"),
    attributes."array"::JSON::VARCHAR, attributes."map"::JSON::VARCHAR, variant_typeof(attributes."empty"),
    attributes."big"::BIGINT, attributes."small"::BIGINT) FROM logs"#;

#[test]
fn every_kind_of_value_reads_the_same_before_and_after_sealing() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, log("shop", "x")).expect("log");
    let hot = text(&store, KINDS);
    assert!(
        hot.contains("NaN") && hot.contains("00ff") && hot.contains("9223372036854775807"),
        "{hot}"
    );
    assert!(
        EIGHT_KINDS.contains("-0.0") && hot.contains("-0.0"),
        "{hot}"
    );
    store.seal_now().expect("sealed");
    assert_eq!(store.stats().segments_sealed, 1);
    assert_eq!(text(&store, KINDS), hot);
}

#[test]
fn a_sealed_segment_has_every_row_sorted_and_the_hot_file_goes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, spans("shop", 0, 1_000)).expect("spans");
    append(&store, log("shop", "x")).expect("log");
    append(
        &store,
        metrics("shop", u64::try_from(now_ns()).expect("now")),
    )
    .expect("metrics");
    let before = text(
        &store,
        "SELECT md5(string_agg(concat(t), '' ORDER BY span_id)) FROM (SELECT * EXCLUDE (attributes, resource_attributes, scope_attributes, events, links) FROM spans) t",
    );
    store.seal_now().expect("sealed");
    let after = text(
        &store,
        "SELECT md5(string_agg(concat(t), '' ORDER BY span_id)) FROM (SELECT * EXCLUDE (attributes, resource_attributes, scope_attributes, events, links) FROM spans) t",
    );
    assert_eq!(before, after);
    assert_eq!(number(&store, "SELECT count(*) FROM metric_points"), 2);
    assert_eq!(number(&store, "SELECT count(*) FROM exemplars"), 1);
    assert_eq!(
        number(
            &store,
            r#"SELECT count(*) FROM spans WHERE attributes."http.route" = '/r/3'"#
        ),
        100
    );
    eventually("the hot file is gone", || {
        let names = std::fs::read_dir(dir.path())
            .expect("readable")
            .map(|entry| entry.expect("entry").file_name());
        let hot = names.filter(|name| {
            name.to_string_lossy().starts_with("hot-") && !name.to_string_lossy().ends_with(".wal")
        });
        // The one in use and, at most, the next.
        hot.count() <= 2 && store.stats().segments_replaced == 1
    });
    drop(store);
    let store = Store::open(config(dir.path())).expect("open");
    assert_eq!(store.stats().segments_refused, []);
    assert_eq!(
        number(&store, "SELECT count(DISTINCT span_id) FROM spans"),
        1_000
    );
    let reader = store.reader().expect("reader");
    let sealed = reader
        .segments()
        .segments()
        .iter()
        .find(|segment| segment.state == SegmentState::Sealed);
    let sealed = sealed.expect("a sealed segment");
    assert!(sealed.may_hold_trace(&super::fixture::hex(&super::fixture::trace(3))));
    assert!(!sealed.may_hold_trace(&"ab".repeat(16)));
}

#[test]
fn who_sent_to_a_sealed_segment_is_known_before_anybody_asks() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, spans("shop", 0, 8)).expect("spans");
    append(&store, spans("cart", 8, 16)).expect("spans");
    store.seal_now().expect("sealed");
    let reader = store.reader().expect("reader");
    let segments = reader.segments().segments();
    let sealed = segments
        .iter()
        .find(|segment| segment.state == SegmentState::Sealed)
        .expect("sealed");
    // Here the file is not attached.
    let elsewhere = duckdb::Connection::open_in_memory().expect("DuckDB");
    let none = BTreeSet::new();
    let origins = sealed.origins(&elsewhere, &none, &none).expect("kept");
    let resources = origins.resources.values();
    let mut services: Vec<&str> = resources
        .filter_map(|resource| resource.service_name.as_deref())
        .collect();
    services.sort_unstable();
    assert_eq!(services, ["cart", "shop"]);
    assert_eq!(origins.scopes.len(), 1);
}

#[test]
fn rows_with_odd_times_neither_widen_the_segment_nor_get_lost() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, spans("shop", 0, 8)).expect("usual");
    append(&store, spans_at("shop", 8, 16, 1_000)).expect("1970");
    append(&store, spans_at("shop", 16, 24, 4_000_000_000_000_000_000)).expect("2096");
    append(&store, spans_at("shop", 24, 25, 0)).expect("no time");
    store.seal_now().expect("sealed");
    assert_eq!(number(&store, "SELECT count(*) FROM spans"), 25);
    assert_eq!(
        number(
            &store,
            "SELECT count(*) FROM spans WHERE start_time < TIMESTAMP_NS '1980-01-01'"
        ),
        8
    );
    let reader = store.reader().expect("reader");
    let segments = reader.segments().segments();
    let sealed = segments
        .iter()
        .find(|segment| segment.state == SegmentState::Sealed)
        .expect("sealed");
    assert_eq!(sealed.meta.outliers, 16);
    let (first, last) = sealed.meta.event_range.expect("usual rows");
    assert!(last - first < 60_000_000_000, "{first} {last}");
}

#[test]
fn a_row_that_cannot_be_sealed_is_kept_aside_and_the_rest_is_sealed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    for body in ["a", "b", "c"] {
        append(&store, log("shop", body)).expect("log");
    }
    append(&store, log_with("shop", "bad", "{no json")).expect("stored as it came");
    assert_eq!(
        number(&store, "SELECT count(*) FROM logs WHERE attributes IS NULL"),
        1,
        "hot reads go on"
    );
    store.seal_now().expect("sealed");
    assert_eq!(
        text(
            &store,
            "SELECT string_agg(body, '' ORDER BY body) FROM logs"
        ),
        "abc"
    );
    assert_eq!(store.stats().rows_quarantined, 1);
    let reader = store.reader().expect("reader");
    let segments = reader.segments().segments();
    let sealed = segments
        .iter()
        .find(|segment| segment.state == SegmentState::Sealed)
        .expect("sealed");
    let row: String = reader
        .views()
        .expect("views")
        .query_row(
            &format!("SELECT row_text FROM {}.quarantine", sealed.schema()),
            [],
            |row| row.get(0),
        )
        .expect("one row");
    assert!(row.contains("{no json") && row.contains("bad"), "{row}");
}

#[test]
fn a_lookup_by_trace_id_prunes_through_every_public_view() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(StoreConfig {
        hot_rows_max: 400_000,
        ..config(dir.path())
    })
    .expect("open");
    for block in 0..6 {
        append(&store, spans("shop", block * 50_000, (block + 1) * 50_000)).expect("spans");
    }
    store.seal_now().expect("sealed");
    let id = super::fixture::hex(&super::fixture::trace(77));
    assert_eq!(
        number(
            &store,
            &format!("SELECT count(*) FROM spans WHERE trace_id = '{id}'")
        ),
        8
    );
    let reader = store.reader().expect("reader");
    for relation in ["spans", "logs", "exemplars"] {
        let explain: String = reader
            .views()
            .expect("views")
            .query_row(
                &format!("EXPLAIN (FORMAT json) SELECT * FROM {relation} WHERE trace_id = '{id}'"),
                [],
                |row| row.get(1),
            )
            .expect("a plan");
        let is_pushed = explain.contains("\"Filters\"") && explain.contains("(trace_id = '");
        assert!(
            is_pushed || explain.contains("EMPTY_RESULT"),
            "{relation}: {explain}"
        );
    }
    let analyzed: String = reader
        .views()
        .expect("views")
        .query_row(
            &format!("EXPLAIN (ANALYZE, FORMAT json) SELECT * FROM spans WHERE trace_id = '{id}'"),
            [],
            |row| row.get(1),
        )
        .expect("a profile");
    let scanned: u64 = analyzed
        .split("\"rows_scanned\":")
        .skip(1)
        .filter_map(|rest| {
            rest.trim_start()
                .split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse::<u64>()
                .ok()
        })
        .sum();
    assert!(
        (1..130_000).contains(&scanned),
        "{scanned} of 300,000 rows scanned: {analyzed}"
    );
}
