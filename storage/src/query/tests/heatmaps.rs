//! The heatmap against counts in Rust, and the planted cause that its differences must find.

use std::collections::BTreeMap;

use super::*;
use crate::filter::{Filter, Signal};
use crate::model::{Differences, DifferencesQuery, Heatmap, HeatmapQuery, Selection};
use crate::query::{differences, heatmap};
use crate::store::Reader;

fn question(filter: &str) -> TraceQuery {
    TraceQuery {
        range: Some(RANGE),
        filter: Some(Filter::parse(filter, Signal::Spans).expect("a filter")),
        ..TraceQuery::default()
    }
}

#[test]
fn cells_hold_exactly_the_spans_of_their_time_and_duration() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let found = heatmap(
        &Session::new(&reader),
        &HeatmapQuery {
            spans: question("kind = server"),
            columns: 60,
        },
    )
    .expect("a heatmap");
    let mut expected: BTreeMap<(u32, u32), (u64, u64)> = BTreeMap::new();
    let width = (RANGE.to_unix_nano - RANGE.from_unix_nano) / 60;
    for number in 0..40_u64 {
        for at in [0, 2] {
            let start = (BASE + number * 1_000_000_000 + at) as i64;
            let column = ((start - RANGE.from_unix_nano) / width) as u32;
            let duration = 1_000_000 * (number + 1);
            let row = (0..80)
                .rev()
                .find(|row| Heatmap::row_from_ns(*row) <= duration)
                .expect("a row");
            let cell = expected.entry((column, row)).or_default();
            cell.0 += 1;
            cell.1 += u64::from(number.is_multiple_of(10));
        }
    }
    let cells: BTreeMap<(u32, u32), (u64, u64)> = found
        .cells
        .iter()
        .map(|c| ((c.column, c.row), (c.spans, c.errors)))
        .collect();
    assert_eq!(cells, expected);
    assert_eq!(found.spans, 80);
    let none = heatmap(&Session::new(&reader), &HeatmapQuery::default());
    assert!(matches!(none, Err(QueryError::Invalid(_))));
}

/// Durations that end a bucket of the roll-ups are in the row that begins there, whichever way they are counted.
#[test]
fn sums_of_senders_have_the_cells_that_the_spans_have() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let mut odd = SpanColumns::default();
    for (number, duration) in [0, 1, 2, 3, 1 << 20, (1 << 20) + 1, 724_077, 724_078]
        .into_iter()
        .enumerate()
    {
        let start = BASE + number as u64 * 70_000_000_000;
        odd.push(&SpanRow {
            trace_id: u128::MAX.to_be_bytes(),
            span_id: (9_000_000 + number as u64).to_be_bytes(),
            name: "odd",
            kind: "internal",
            start_unix_nano: start,
            end_unix_nano: start + duration,
            status_code: "error",
            attributes: "{}",
            ..SpanRow::default()
        });
    }
    append(&store, "odd", Rows::Spans(odd));
    for state in ["hot", "sealed"] {
        let reader = store.reader().expect("a reader");
        for (service, status) in [(None, None), (Some("odd"), None), (None, Some("error"))] {
            let spans = TraceQuery {
                range: Some(RANGE),
                service: service.map(str::to_owned),
                status: status.map(str::to_owned),
                ..TraceQuery::default()
            };
            // The same, but so that spans are counted one by one.
            let one_by_one = TraceQuery {
                filter: Some(Filter::parse("duration >= 0ms", Signal::Spans).expect("a filter")),
                ..spans.clone()
            };
            let [summed, counted] = [spans, one_by_one].map(|spans| {
                let asked = HeatmapQuery { spans, columns: 11 };
                heatmap(&Session::new(&reader), &asked).expect("a heatmap")
            });
            assert_eq!(summed, counted, "{state} {service:?} {status:?}");
            assert!(summed.spans >= 8, "{state}");
        }
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

/// A request of the second with its number.
fn request(number: u64, length_ns: u64, attributes: &str) -> SpanRow<'_> {
    let start = BASE + number * 1_000_000_000;
    SpanRow {
        trace_id: u128::from(number + 1).to_be_bytes(),
        span_id: (number + 1).to_be_bytes(),
        name: "GET /",
        kind: "server",
        start_unix_nano: start,
        end_unix_nano: start + length_ns,
        status_code: "unset",
        attributes,
        ..SpanRow::default()
    }
}

/// In what the requests of half a second and more differ from the others.
fn of_the_slow(reader: &Reader) -> Differences {
    let asked = DifferencesQuery {
        spans: question("kind = server"),
        selection: Selection {
            from_unix_nano: BASE as i64,
            to_unix_nano: BASE as i64 + 300_000_000_000,
            min_ns: 500_000_000,
            max_ns: i64::MAX,
        },
    };
    differences(&Session::new(reader), &asked).expect("differences")
}

/// 300 requests; those of one tenant in one zone are slow.
fn planted(store: &Store) {
    let mut columns = SpanColumns::default();
    for number in 0..300_u64 {
        let is_slow = number % 7 == 0;
        let attributes = format!(
            r#"{{"tenant":"{}","zone":"{}","request.id":"{number}","cached":{}}}"#,
            if is_slow {
                "acme".to_owned()
            } else {
                format!("t{}", number % 5)
            },
            ["a", "b"][(number % 2) as usize],
            number % 3 == 0,
        );
        let length = match is_slow {
            true => 900_000_000,
            false => 20_000_000 + number,
        };
        columns.push(&request(number, length, &attributes));
    }
    append(store, "shop", Rows::Spans(columns));
}

#[test]
fn what_was_sent_again_is_drawn_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    planted(&store);
    planted(&store);
    for state in ["hot", "sealed"] {
        let reader = store.reader().expect("a reader");
        let asked = HeatmapQuery {
            spans: question("kind = server"),
            columns: 60,
        };
        let found = heatmap(&Session::new(&reader), &asked).expect("a heatmap");
        assert_eq!(found.spans, 300, "{state}");
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

#[test]
fn the_planted_cause_comes_first_and_its_counts_are_right() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    planted(&store);
    for state in ["hot", "sealed"] {
        let reader = store.reader().expect("a reader");
        let found = of_the_slow(&reader);
        let slow = (0..300).filter(|n| n % 7 == 0).count() as u64;
        assert_eq!(
            (found.selected, found.others, found.is_sampled),
            (slow, 300 - slow, false),
            "{state}"
        );
        let first = &found.items[0];
        assert_eq!(
            (first.filter.as_str(), first.selected, first.others),
            ("tenant = acme", slow, 0),
            "{state}"
        );
        assert!((first.difference - 1.0).abs() < 1e-9);
        // By hand for another value: cached is true for every third request.
        let cached = found
            .items
            .iter()
            .find(|item| item.filter == "cached = true")
            .expect("told");
        let (inside, outside) = (0..300_u64)
            .filter(|n| n % 3 == 0)
            .fold(
                (0, 0),
                |(i, o), n| if n % 7 == 0 { (i + 1, o) } else { (i, o + 1) },
            );
        assert_eq!(
            (cached.selected, cached.others),
            (inside, outside),
            "{state}"
        );
        assert!(
            found.items.iter().all(|item| item.key != "kind"),
            "what all share tells nothing"
        );
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

/// One slow span with an attribute of its own, and twice each of sixty values among the others.
#[test]
fn differences_beyond_the_list_are_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let mut columns = SpanColumns::default();
    for number in 0..=120_u64 {
        let (attributes, length) = match number {
            0 => (r#"{"tenant":"acme"}"#.to_owned(), 900_000_000),
            _ => (format!(r#"{{"n":"v{}"}}"#, number % 60), 20_000_000),
        };
        columns.push(&request(number, length, &attributes));
    }
    append(&store, "shop", Rows::Spans(columns));
    let reader = store.reader().expect("a reader");
    let found = of_the_slow(&reader);
    assert_eq!((found.selected, found.others), (1, 120));
    assert_eq!((found.items.len(), found.total), (40, 61));
}
