//! Metrics grouped by a key, and histograms over time, against sums made by hand.

use super::*;
use crate::filter::{Key, Signal};
use crate::ingest::HistogramPointRow;
use crate::model::{MetricHeatmap, MetricPoints, MetricSeries};
use crate::query::metric_heatmap;

const SECOND: u64 = 1_000_000_000;
/// Ten minutes: steps of five seconds.
const TEN_MINUTES: TimeRange = TimeRange {
    from_unix_nano: BASE as i64,
    to_unix_nano: BASE as i64 + 600_000_000_000,
};
const BOUNDS: [f64; 4] = [0.1, 0.5, 1.0, 5.0];

fn question(name: &str, by: &str) -> MetricPointsQuery {
    MetricPointsQuery {
        name: name.to_owned(),
        range: TEN_MINUTES,
        scope: Scope::default(),
        service: None,
        filter: None,
        by: (!by.is_empty()).then(|| Key::parse(by, Signal::Metrics).expect("a key")),
        series_max: 20,
        points_max: 2_000,
    }
}

fn stream(columns: &mut MetricColumns, name: &str, kind: &'static str, attributes: &str) -> u32 {
    columns.series.push(SeriesRow {
        name: name.to_owned(),
        unit: "s".to_owned(),
        kind,
        temporality: (kind != "gauge").then(|| "cumulative".to_owned()),
        is_monotonic: (kind == "sum").then_some(true),
        attributes: attributes.to_owned(),
        ..SeriesRow::default()
    });
    u32::try_from(columns.series.len() - 1).expect("few")
}

fn number(columns: &mut MetricColumns, series: u32, second: u64, value: f64) {
    columns.push_number(&NumberPointRow {
        series,
        time_unix_nano: BASE + second * SECOND,
        start_unix_nano: BASE - SECOND,
        flags: 0,
        value: Some(NumberValue::Double(value)),
    });
}

fn histogram(columns: &mut MetricColumns, series: u32, second: u64, counts: &[u64]) {
    columns.push_histogram(&HistogramPointRow {
        series,
        time_unix_nano: BASE + second * SECOND,
        start_unix_nano: BASE - SECOND,
        count: counts.iter().sum(),
        sum: Some(counts.iter().sum::<u64>() as f64),
        bucket_counts: Some(counts),
        explicit_bounds: Some(&BOUNDS),
        ..HistogramPointRow::default()
    });
}

fn exponential(columns: &mut MetricColumns, series: u32, second: u64, scale: i32, counts: &[u64]) {
    columns.push_histogram(&HistogramPointRow {
        series,
        time_unix_nano: BASE + second * SECOND,
        start_unix_nano: BASE - SECOND,
        count: counts.iter().sum(),
        scale: Some(scale),
        zero_count: Some(0),
        positive_offset: Some(0),
        positive_counts: Some(counts),
        negative_offset: Some(0),
        negative_counts: Some(&[]),
        ..HistogramPointRow::default()
    });
}

/// What a stream has counted in a bucket after so many reports: it grows, unevenly.
fn grown(stream: u64, bucket: u64, reports: u64) -> u64 {
    (1..=reports)
        .map(|report| (report * 7 + bucket * 3 + stream * 5) % 11)
        .sum()
}

/// Two streams of `/a`, one of `/b`, each reporting every ten seconds; `…all` has what `/a` counts in one stream.
fn filled_with_metrics(dir: &std::path::Path) -> Store {
    let store = open(dir);
    let mut columns = MetricColumns::default();
    let routes = ["/a", "/a", "/b"];
    for (at, route) in (0_u64..).zip(routes) {
        let attributes = format!(r#"{{"http.route":"{route}","n":{at}}}"#);
        let counter = stream(&mut columns, "requests", "sum", &attributes);
        let gauge = stream(&mut columns, "queue", "gauge", &attributes);
        let latency = stream(&mut columns, "latency", "histogram", &attributes);
        let fine = stream(&mut columns, "fine", "exponential_histogram", &attributes);
        for report in 0..60 {
            let second = report * 10;
            number(&mut columns, counter, second, grown(at, 0, report) as f64);
            number(&mut columns, gauge, second, (report * 10 + at) as f64);
            let counts: Vec<u64> = (0..5).map(|bucket| grown(at, bucket, report)).collect();
            histogram(&mut columns, latency, second, &counts);
            exponential(&mut columns, fine, second, 1, &counts);
        }
    }
    let all = stream(&mut columns, "latency.all", "histogram", "{}");
    let fine_all = stream(&mut columns, "fine.all", "exponential_histogram", "{}");
    for report in 0..60 {
        let counts: Vec<u64> = (0..5)
            .map(|bucket| grown(0, bucket, report) + grown(1, bucket, report))
            .collect();
        histogram(&mut columns, all, report * 10, &counts);
        exponential(&mut columns, fine_all, report * 10, 1, &counts);
    }
    append(&store, "shop", Rows::Metrics(columns));
    store
}

fn group<'a>(points: &'a MetricPoints, value: &str) -> &'a MetricSeries {
    points
        .series
        .iter()
        .find(|series| {
            series
                .attributes
                .iter()
                .any(|attribute| attribute.value.to_string() == value)
        })
        .expect("a group")
}

/// Both before and after sealing.
fn hot_and_sealed(ask: impl Fn(&Session<'_>, &str)) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled_with_metrics(dir.path());
    for state in ["hot", "sealed"] {
        let reader = store.reader().expect("a reader");
        ask(&Session::new(&reader), state);
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

fn near(found: Option<f64>, wanted: f64) -> bool {
    found.is_some_and(|found| (found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0))
}

#[test]
fn rates_of_a_group_are_the_sum_of_its_streams() {
    hot_and_sealed(|session, state| {
        let points = metric_points(session, &question("requests", "http.route")).expect("points");
        assert_eq!(points.series.len(), 2, "{state}");
        assert_eq!(points.keys, ["http.route", "n"], "{state}");
        let grouping = points.grouping.clone().expect("grouped");
        assert_eq!((grouping.by.as_str(), grouping.streams), ("http.route", 3));
        assert_eq!(grouping.step_ns, 5_000_000_000);
        let of_a = group(&points, "/a");
        assert_eq!(points.series[0], *of_a, "the larger group comes first");
        // Up to the last report, each step lies in one interval between two reports.
        for step in 0..118_u64 {
            let report = step / 2;
            let wanted: u64 = [0, 1]
                .map(|at| grown(at, 0, report + 1) - grown(at, 0, report))
                .iter()
                .sum();
            let point = &of_a.points[usize::try_from(step).expect("few")];
            assert_eq!(point.time_unix_nano, (BASE + step * 5 * SECOND) as i64);
            assert!(
                near(point.rate, wanted as f64 / 10.0),
                "{state} {step} {point:?}"
            );
        }
    });
}

#[test]
fn gauges_of_a_group_are_averaged_with_their_sum_and_extremes_beside() {
    hot_and_sealed(|session, state| {
        let points = metric_points(session, &question("queue", "attr.http.route")).expect("points");
        let of_a = group(&points, "/a");
        for (step, point) in (0_u64..).zip(&of_a.points) {
            let low = (step / 2 * 10) as f64;
            assert!(near(point.value, low + 0.5), "{state} {step} {point:?}");
            assert!(near(point.sum, low * 2.0 + 1.0), "{state} {step} {point:?}");
            assert_eq!((point.min, point.max), (Some(low), Some(low + 1.0)));
            assert_eq!(point.count, Some(2));
        }
        assert_eq!(of_a.points.len(), 120, "the last value holds to the end");
    });
}

#[test]
fn quantiles_of_a_group_are_those_of_one_stream_that_counted_everything() {
    hot_and_sealed(|session, state| {
        for (name, all) in [("latency", "latency.all"), ("fine", "fine.all")] {
            let grouped = metric_points(session, &question(name, "http.route")).expect("points");
            let alone = metric_points(session, &question(all, "")).expect("points");
            let of_a = group(&grouped, "/a");
            let alone = &alone.series[0].points;
            for step in 0..118 {
                let (found, wanted) = (&of_a.points[step], &alone[step / 2 + 1]);
                for (found, wanted) in [
                    (found.p50, wanted.p50),
                    (found.p95, wanted.p95),
                    (found.p99, wanted.p99),
                    (found.rate, wanted.rate),
                ] {
                    let wanted = wanted.expect("known");
                    assert!(
                        near(found, wanted),
                        "{state} {name} {step}: {found:?} {wanted}"
                    );
                }
            }
        }
    });
}

#[test]
fn streams_are_grouped_by_what_their_resource_says_and_a_missing_value_is_a_group() {
    hot_and_sealed(|session, state| {
        for (by, values) in [
            ("service", vec!["shop"]),
            ("resource.region", vec!["north"]),
            ("region", vec!["north"]),
            ("n", vec!["0", "1", "2"]),
            ("attr.region", vec![]),
        ] {
            let points = metric_points(session, &question("requests", by)).expect("points");
            let mut found: Vec<String> = points
                .series
                .iter()
                .flat_map(|series| &series.attributes)
                .map(|attribute| attribute.value.to_string())
                .collect();
            found.sort();
            assert_eq!(found, values, "{state} {by}");
            assert_eq!(points.series.len(), values.len().max(1), "{state} {by}");
        }
        let mut cut = question("requests", "http.route");
        cut.series_max = 1;
        let points = metric_points(session, &cut).expect("points");
        assert!(points.truncated && points.total_series == 2, "{state}");
    });
}

#[test]
fn a_heatmap_has_every_value_once() {
    hot_and_sealed(|session, state| {
        for name in ["latency", "fine"] {
            let map = metric_heatmap(session, &question(name, ""), 60).expect("a heatmap");
            let values: u64 = (0..3)
                .flat_map(|at| {
                    (0..5).map(move |bucket| grown(at, bucket, 59) - grown(at, bucket, 0))
                })
                .sum();
            assert!(
                near(Some(map.values), values as f64),
                "{state} {name} {}",
                map.values
            );
            assert_eq!((map.rows.len(), map.columns), (5, 60), "{state} {name}");
            // The first column is the first interval.
            for row in 0..5_u32 {
                let wanted: u64 = (0..3).map(|at| grown(at, u64::from(row), 1)).sum();
                assert!(
                    near(Some(cell(&map, row)), wanted as f64),
                    "{state} {name} {row}"
                );
            }
        }
        let map = metric_heatmap(session, &question("latency", ""), 60).expect("a heatmap");
        assert_eq!((map.rows[0].low, map.rows[0].high), (None, Some(0.1)));
        assert_eq!((map.rows[4].low, map.rows[4].high), (Some(5.0), None));
        let none = metric_heatmap(session, &question("queue", ""), 60).expect("a heatmap");
        assert!(none.cells.is_empty(), "a gauge has no buckets");
    });
}

fn cell(map: &MetricHeatmap, row: u32) -> f64 {
    map.cells
        .iter()
        .find(|cell| (cell.column, cell.row) == (0, row))
        .map_or(0.0, |cell| cell.values)
}
