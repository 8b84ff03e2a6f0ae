//! Lists and traces over a segment whose rows lie in runs, against what was sent.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::*;
use crate::filter::{Filter, Signal};
use crate::query::conditions::Conditions;
use crate::query::newest::{Narrowed, tables};
use crate::segment::having::having;

const SECOND: u64 = 1_000_000_000;

/// Three runs in one segment, and hot spans after them. Every fourth trace has a span that came a run late, and some of
/// each run are as old as those of the run before. The start of each span, by its id.
fn sent(store: &Store) -> Vec<(u64, u64)> {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    let base = (now.as_secs() - 3_600) * SECOND;
    let mut all = Vec::new();
    for round in 0..4_u64 {
        let mut columns = SpanColumns::default();
        let mut logs = LogColumns::default();
        for at in 0..100_u64 {
            let number = round * 100 + at;
            let is_late = round > 0 && at.is_multiple_of(4);
            let trace = if is_late { number - 100 } else { number };
            let seconds = if at.is_multiple_of(10) && round > 0 {
                number.saturating_sub(150)
            } else {
                number
            };
            let start = base + seconds * SECOND + number;
            columns.push(&SpanRow {
                trace_id: u128::from(trace * 7_919 % 1_000 + 1).to_be_bytes(),
                span_id: (number + 1).to_be_bytes(),
                name: "work",
                kind: "server",
                start_unix_nano: start,
                end_unix_nano: start + SECOND,
                status_code: if number.is_multiple_of(3) {
                    "error"
                } else {
                    "ok"
                },
                attributes: r#"{"a":1}"#,
                ..SpanRow::default()
            });
            logs.push(&LogRow {
                time_unix_nano: start,
                severity_number: 9,
                body: Some("done"),
                body_type: Some("string"),
                trace_id: Some(u128::from(number + 1).to_be_bytes()),
                attributes: "{}",
                ..LogRow::default()
            });
            all.push((number + 1, start));
        }
        append(store, "shop", Rows::Spans(columns));
        append(store, "shop", Rows::Logs(logs));
        if round < 3 {
            store.seal_now().expect("sealed");
        }
    }
    compacted(store);
    all
}

/// Waits until one segment holds all that is sealed.
fn compacted(store: &Store) {
    let until = Instant::now() + Duration::from_secs(30);
    while store.stats().segments_sealed > 1 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn in_runs(dir: &std::path::Path) -> Store {
    Store::open(StoreConfig {
        data_dir: dir.to_owned(),
        compaction_fan_in: 3,
        sorted_rows_max: 0,
        maintenance_interval: Duration::from_millis(10),
        ..StoreConfig::default()
    })
    .expect("a store")
}

#[test]
fn the_newest_of_runs_are_the_newest_page_after_page() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = in_runs(dir.path());
    let mut all = sent(&store);
    all.sort_by_key(|(_, start)| std::cmp::Reverse(*start));
    // What the runs are is read back from the file.
    drop(store);
    let store = in_runs(dir.path());
    let reader = store.reader().expect("a reader");
    let segments = reader.segments().segments().iter();
    let runs: usize = segments.map(|segment| segment.meta.runs[0].len()).sum();
    assert_eq!(runs, 3);
    let session = Session::new(&reader);
    for (service, status, limit) in [(None, None, 7), (Some("shop"), Some("error"), 30)] {
        let expected: Vec<u64> = all
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| status.is_none() || (id - 1).is_multiple_of(3))
            .collect();
        let mut question = TraceQuery {
            service: service.map(str::to_owned),
            status: status.map(str::to_owned),
            limit,
            ..TraceQuery::default()
        };
        let mut found = Vec::new();
        loop {
            let page = spans(&session, &question).expect("spans");
            let ids = page.items.iter();
            found.extend(ids.map(|span| u64::from_str_radix(&span.span_id, 16).expect("hex")));
            let Some(next) = page.next else { break };
            question.cursor = Some(next);
        }
        assert_eq!(found, expected, "{status:?}");
    }
    let question = LogQuery {
        limit: 400,
        ..LogQuery::default()
    };
    let page = logs(&session, &question).expect("logs");
    let times: Vec<Option<i64>> = page.items.iter().map(|log| log.time_unix_nano).collect();
    let expected: Vec<Option<i64>> = all
        .iter()
        .map(|(_, start)| (*start).try_into().ok())
        .collect();
    assert_eq!(times, expected);
}

#[test]
fn a_key_is_asked_for_in_the_runs_that_have_it() {
    const KEYS: [&str; 1] = ["circuit_breaker.name"];
    let dir = tempfile::tempdir().expect("a directory");
    let store = in_runs(dir.path());
    send_some_of_bank(&store, "{}");
    let told = |store: &Store| {
        let reader = store.reader().expect("a reader");
        let sql = reader.segments().calls_sql(&KEYS, |_| true);
        for rows in [0..10, 10..20, 20..30] {
            let within = format!("(f.rowid >= {} AND f.rowid < {})", rows.start, rows.end);
            assert!(sql.contains(&within), "{within} of {sql}");
        }
        let sql = format!(
            "SELECT count(*), string_agg(span_id, ' ' ORDER BY span_id) FILTER (\"{}\" = 'bank') FROM ({sql})",
            KEYS[0]
        );
        let row: (u64, String) = reader
            .connection()
            .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows");
        row
    };
    let of_bank = of_bank().join(" ");
    assert_eq!(told(&store), (40, of_bank.clone()));
    // Read back from the file.
    drop(store);
    let store = in_runs(dir.path());
    assert_eq!(told(&store), (40, of_bank));
}

/// Spans 1 to 40 in three runs of one segment and a hot one; those of the second and of the last are of the bank's breaker.
/// The sender of the first has these attributes.
fn send_some_of_bank(store: &Store, first_resource: &str) {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    let base = (now.as_secs() - 3_600) * SECOND;
    for round in 0..4_u64 {
        let mut columns = SpanColumns::default();
        for number in round * 10..round * 10 + 10 {
            columns.push(&SpanRow {
                trace_id: u128::from(number + 1).to_be_bytes(),
                span_id: (number + 1).to_be_bytes(),
                name: "work",
                kind: "server",
                start_unix_nano: base + number * SECOND,
                end_unix_nano: base + (number + 1) * SECOND,
                attributes: match round {
                    1 | 3 => r#"{"a":1,"circuit_breaker.name":"bank"}"#,
                    _ => r#"{"a":1}"#,
                },
                ..SpanRow::default()
            });
        }
        let resource = ResourceRow {
            service_name: Some("shop".to_owned()),
            attributes: if round == 0 { first_resource } else { "{}" }.to_owned(),
            ..ResourceRow::default()
        };
        append_from(store, resource, Rows::Spans(columns));
        if round < 3 {
            store.seal_now().expect("sealed");
        }
    }
    compacted(store);
}

/// The ids of the spans of the bank's breaker.
fn of_bank() -> Vec<String> {
    let ids = (11..=20).chain(31..=40);
    ids.map(|id: u64| format!("{id:016x}")).collect()
}

#[test]
fn a_filter_reads_the_runs_that_have_its_key_and_all_where_a_resource_has_it() {
    let first: Vec<String> = (1..=10_u64).map(|id| format!("{id:016x}")).collect();
    for (resource, is_cut, of_others) in [
        ("{}", true, Vec::new()),
        (r#"{"circuit_breaker.name":"other"}"#, false, first),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = in_runs(dir.path());
        send_some_of_bank(&store, resource);
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        for (text, expected, is_cut) in [
            ("circuit_breaker.name = bank", of_bank(), is_cut),
            ("circuit_breaker.name = other", of_others, is_cut),
            (
                "attr.circuit_breaker.name = bank AND a = 1",
                of_bank(),
                true,
            ),
            ("circuit_breaker.name = bank OR a = 2", of_bank(), false),
        ] {
            let question = TraceQuery {
                filter: Some(Filter::parse(text, Signal::Spans).expect(text)),
                limit: 100,
                ..TraceQuery::default()
            };
            let page = spans(&session, &question).expect(text);
            let mut found: Vec<String> = page.items.into_iter().map(|span| span.span_id).collect();
            found.sort();
            assert_eq!(found, expected, "{text} {resource}");
            let tables = tables(&session, "spans");
            let clauses = tables.iter().map(|table| {
                let (conn, conditions) = (reader.connection(), Conditions::default());
                let narrowed = Narrowed::new(conn, table, &tables, &conditions, &question);
                narrowed.expect(text).sql("{where}")
            });
            let cut: usize = clauses
                .map(|clause| clause.matches("f.rowid >= 10 AND f.rowid < 20").count())
                .sum();
            assert_eq!(cut, usize::from(is_cut), "{text} {resource}");
        }
    }
}

#[test]
fn a_trace_of_two_runs_is_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = in_runs(dir.path());
    sent(&store);
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..400_u64 {
        let is_late = number >= 100 && (number % 100).is_multiple_of(4);
        let trace = if is_late { number - 100 } else { number };
        *expected
            .entry(format!("{:032x}", trace * 7_919 % 1_000 + 1))
            .or_default() += 1;
    }
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    for (id, spans) in &expected {
        let found = trace(&session, id).expect("a trace").expect("it is there");
        assert_eq!(found.total_spans, *spans, "{id}");
    }
    let question = TraceQuery {
        limit: 1_000,
        ..TraceQuery::default()
    };
    let page = traces(&session, &question).expect("traces");
    let found: BTreeMap<String, u64> = page
        .items
        .into_iter()
        .map(|trace| (trace.trace_id, trace.spans))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_segment_tells_exactly_which_traces_it_has() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = in_runs(dir.path());
    sent(&store);
    let reader = store.reader().expect("a reader");
    let segments = reader.segments().segments().iter();
    let sealed: Vec<_> = segments.filter(|segment| !segment.is_text()).collect();
    let [segment] = sealed.as_slice() else {
        panic!("{} sealed segments", sealed.len())
    };
    let id = |number: u64| format!("{:032x}", number * 7_919 % 1_000 + 1);
    // Those of the first 300 spans; the others are hot, or of nobody.
    let mut own: Vec<String> = (0..300)
        .map(|number| match number {
            100.. if number % 4 == 0 => id(number - 100),
            _ => id(number),
        })
        .collect();
    own.sort();
    own.dedup();
    let all: Vec<String> = (1..=2_000_u64)
        .map(|number| format!("{number:032x}"))
        .collect();
    for round in ["looked for", "known"] {
        let asked: Vec<&str> = all.iter().map(String::as_str).collect();
        let found = having(reader.connection(), vec![(segment, asked)]).expect("an answer");
        assert_eq!(found, [own.clone()], "{round}");
    }
}
