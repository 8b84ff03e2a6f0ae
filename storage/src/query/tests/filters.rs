//! Filters against what was sent: each as an oracle in Rust, over hot and sealed segments alike.

use super::*;
use crate::filter::{Filter, Signal};
use crate::model::HeatmapQuery;
use crate::query::{complete, how};

/// One span of [`call`]: which call, and which of its four spans.
#[derive(Clone, Copy)]
struct Sent {
    number: u64,
    at: u64,
}

impl Sent {
    fn is_shop(self) -> bool {
        self.at < 2
    }
    fn is_error(self) -> bool {
        self.number.is_multiple_of(10)
    }
    fn route(self) -> u64 {
        self.number % 4
    }
}

fn spans_of(session: &Session<'_>, text: &str) -> Vec<(String, String)> {
    let question = TraceQuery {
        range: Some(RANGE),
        filter: Some(Filter::parse(text, Signal::Spans).unwrap_or_else(|e| panic!("{text}: {e}"))),
        limit: 1_000,
        ..TraceQuery::default()
    };
    let page = spans(session, &question).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let mut ids: Vec<_> = page
        .items
        .into_iter()
        .map(|s| (s.trace_id, s.span_id))
        .collect();
    ids.sort();
    ids
}

type Oracle = fn(Sent) -> bool;

#[test]
fn every_filter_finds_exactly_the_spans_that_fit() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let cases: &[(&str, Oracle)] = &[
        ("status = error", Sent::is_error),
        ("status != error", |s| !s.is_error()),
        ("service = shop AND kind = client", |s| s.at == 1),
        ("service != shop", |s| !s.is_shop()),
        ("service ~ \"^sh\"", Sent::is_shop),
        ("service !~ ^sh", |s| !s.is_shop()),
        ("NOT service = shop OR status = error", |s| {
            !s.is_shop() || s.is_error()
        }),
        ("NOT (service = shop OR status = error)", |s| {
            !s.is_shop() && !s.is_error()
        }),
        ("duration > 20ms", |s| s.number + 1 > 20),
        ("duration >= 0.02s duration <= 25ms", |s| {
            (20..=25).contains(&(s.number + 1))
        }),
        ("http.route = /r/3", |s| s.route() == 3),
        ("http.route != /r/3", |s| s.route() != 3),
        ("http.route ~ \"[01]$\"", |s| s.route() < 2),
        ("http.route > /r/1", |s| s.route() > 1),
        ("n = 7", |s| s.number == 7),
        ("n > 7.5", |s| s.number > 7),
        ("n >= 1e1", |s| s.number >= 10),
        ("n = \"7\"", |_| false),
        ("half = 3.5", |s| s.number == 7),
        ("half >= 10", |s| s.number >= 20),
        ("half < 1KiB", |_| true),
        ("n exists", |_| true),
        ("nothing exists", |_| false),
        ("nothing absent", |_| true),
        ("empty exists", |_| false),
        ("empty absent", |_| true),
        ("nothing != 5", |_| false),
        ("NOT nothing = 5", |_| true),
        ("region = north", |_| true),
        ("resource.region = north", |_| true),
        ("attr.region = north", |_| false),
        ("attr.region absent", |_| true),
        ("resource.n exists", |_| false),
        ("parent_span_id absent", |s| s.at == 0),
        ("peer = \"postgresql:ledger\"", |s| s.at == 3),
        ("peer exists", |s| s.at == 3),
        ("sidecar = false", |_| true),
        ("version = 1.2 AND environment = prod", |_| true),
        ("\"WORK\"", |_| true),
        ("nowhere", |_| false),
        ("any(peer exists AND status = error)", Sent::is_error),
        ("NOT any(status = error) AND service = pay", |s| {
            !s.is_error() && !s.is_shop()
        }),
        ("root(service = shop AND n < 5) AND kind = server", |s| {
            s.number < 5 && (s.at == 0 || s.at == 2)
        }),
        ("root(service = pay)", |_| false),
        ("trace_id = 0000000000000000000000000000000A", |s| {
            s.number == 9
        }),
        ("0000000000000000000000000000000a", |s| s.number == 9),
        (
            "(n = 1 OR n = 39) AND (kind = server OR peer exists)",
            |s| (s.number == 1 || s.number == 39) && s.at != 1,
        ),
    ];
    for (text, fits) in cases {
        let mut expected: Vec<(String, String)> = (0..40)
            .flat_map(|number| (0..4).map(move |at| Sent { number, at }))
            .filter(|sent| fits(*sent))
            .map(|s| {
                (
                    format!("{:032x}", s.number + 1),
                    format!("{:016x}", s.number * 10 + s.at + 1),
                )
            })
            .collect();
        expected.sort();
        assert_eq!(spans_of(&session, text), expected, "{text}");
        let told = counted_for_people(&session, text);
        assert_eq!(told, expected.len() as u64, "the SQL behind {text}");
    }
}

/// Spans that fit, as the SQL that a page shows for it counts them.
fn counted_for_people(session: &Session<'_>, text: &str) -> u64 {
    let question = HeatmapQuery {
        spans: TraceQuery {
            range: Some(RANGE),
            filter: Some(
                Filter::parse(text, Signal::Spans).unwrap_or_else(|e| panic!("{text}: {e}")),
            ),
            ..TraceQuery::default()
        },
        columns: 60,
    };
    let sql = how::heatmap(&question).expect("SQL");
    let sum = format!("SELECT coalesce(sum(spans), 0)::UBIGINT FROM ({sql})");
    session
        .run_over_all(|conn| Ok(conn.query_row(&sum, [], |row| row.get(0))?))
        .unwrap_or_else(|e| panic!("{text}: {e:?}\n{sql}"))
}

/// Twelve spans, each a trace of its own: the events and links of the `number`th.
fn parts_of(number: u64) -> (Option<String>, Option<String>) {
    let event = |name: &str, attributes: &str| {
        format!(
            r#"{{"time_unix_nano":5,"name":"{name}","attributes":{attributes},"dropped_attributes_count":0}}"#
        )
    };
    let thrown = format!(
        r#"{{"exception.type":"Error{}","attempt":{number},"a~/b":true,"empty":null}}"#,
        number % 2
    );
    let events = match number % 3 {
        0 => None,
        1 => Some(vec![event("exception", &thrown)]),
        _ => Some(vec![event("retry", "{}"), event("exception", &thrown)]),
    };
    let link = format!(
        r#"[{{"trace_id":"{:032x}","span_id":"{number:016x}","trace_state":"","attributes":{{"k":"v"}},"dropped_attributes_count":0,"flags":0}}]"#,
        number + 0xabc0
    );
    let events = events.map(|events| format!("[{}]", events.join(",")));
    (events, number.is_multiple_of(4).then_some(link))
}

fn with_parts(store: &Store, numbers: std::ops::Range<u64>) {
    let mut columns = SpanColumns::default();
    for number in numbers {
        let (events, links) = parts_of(number);
        columns.push(&SpanRow {
            trace_id: u128::from(number + 1).to_be_bytes(),
            span_id: (number + 1).to_be_bytes(),
            name: "work",
            kind: "server",
            start_unix_nano: BASE + number,
            end_unix_nano: BASE + number + 1_000,
            status_code: "unset",
            attributes: r#"{"event.name":"of the span"}"#,
            events: events.as_deref(),
            links: links.as_deref(),
            ..SpanRow::default()
        });
    }
    append(store, "shop", Rows::Spans(columns));
}

#[test]
fn filters_ask_the_events_and_links_of_spans() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    with_parts(&store, 0..8);
    store.seal_now().expect("sealed");
    with_parts(&store, 8..12);
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    type Matches = fn(u64) -> bool;
    let cases: &[(&str, Matches)] = &[
        ("event.name = exception", |n| !n.is_multiple_of(3)),
        ("event.name = retry", |n| n % 3 == 2),
        ("event.name != exception", |n| n % 3 == 2),
        ("NOT event.name = exception", |n| n.is_multiple_of(3)),
        ("event.name ~ ^re", |n| n % 3 == 2),
        ("event.name exists", |n| !n.is_multiple_of(3)),
        ("event.name absent", |n| n.is_multiple_of(3)),
        ("event.exception.type = Error1", |n| {
            !n.is_multiple_of(3) && n % 2 == 1
        }),
        ("event.exception.type != Error1", |n| {
            !n.is_multiple_of(3) && n.is_multiple_of(2)
        }),
        ("event.exception.type exists", |n| !n.is_multiple_of(3)),
        ("event.exception.type absent", |n| n.is_multiple_of(3)),
        ("event.attempt >= 8", |n| !n.is_multiple_of(3) && n >= 8),
        ("event.attempt < 3.5", |n| !n.is_multiple_of(3) && n <= 3),
        ("event.attempt = \"4\"", |_| false),
        ("event.\"a~/b\" = true", |n| !n.is_multiple_of(3)),
        ("event.empty exists", |_| false),
        ("event.nothing exists", |_| false),
        ("event.nothing != 5", |_| false),
        ("\"event.name\" = \"of the span\"", |_| true),
        ("attr.event.name exists", |_| true),
        ("link.trace_id = 0000000000000000000000000000ABC4", |n| {
            n == 4
        }),
        ("link.span_id exists", |n| n.is_multiple_of(4)),
        ("link.span_id absent", |n| !n.is_multiple_of(4)),
        ("link.k = v AND event.attempt = 8", |n| n == 8),
        ("link.trace_state exists", |_| false),
        ("any(event.attempt = 10)", |n| n == 10),
    ];
    for (text, fits) in cases {
        let mut expected: Vec<(String, String)> = (0..12)
            .filter(|number| fits(*number))
            .map(|number| {
                (
                    format!("{:032x}", number + 1),
                    format!("{:016x}", number + 1),
                )
            })
            .collect();
        expected.sort();
        assert_eq!(spans_of(&session, text), expected, "{text}");
        let told = counted_for_people(&session, text);
        assert_eq!(told, expected.len() as u64, "the SQL behind {text}");
    }
    let offers = |text: &str| -> Vec<String> {
        let found = complete(&session, Signal::Spans, text, text.chars().count()).expect("offers");
        let mut texts: Vec<String> = found.items.into_iter().map(|item| item.text).collect();
        texts.sort();
        texts
    };
    let keys = offers("event.");
    for key in [
        "event.name",
        "event.exception.type",
        "event.attempt",
        "event.\"a~/b\"",
    ] {
        assert!(keys.contains(&key.to_owned()), "{key} in {keys:?}");
    }
    // Those of the sealed segment are not read again.
    assert_eq!(offers("event."), keys);
    let of_links = offers("link.");
    assert!(of_links.contains(&"link.trace_id".to_owned()));
    assert!(of_links.contains(&"link.k".to_owned()), "{of_links:?}");
    assert_eq!(offers("event.name = "), ["exception", "retry"]);
    assert_eq!(offers("event.exception.type = "), ["Error0", "Error1"]);
    assert_eq!(offers("event.attempt = 1"), ["10", "11"]);
    assert!(offers("event.name ").contains(&"~".to_owned()));
}

#[test]
fn logs_and_metrics_take_the_same_grammar() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    metric(&store);
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let of_logs = |text: &str| {
        let question = LogQuery {
            filter: Some(
                Filter::parse(text, Signal::Logs).unwrap_or_else(|e| panic!("{text}: {e}")),
            ),
            limit: 1_000,
            ..LogQuery::default()
        };
        logs(&session, &question)
            .unwrap_or_else(|e| panic!("{text}: {e:?}"))
            .items
            .len()
    };
    for (text, expected) in [
        ("severity = error", 4),
        ("severity >= warn", 4),
        ("severity < warn", 36),
        ("severity = 9", 36),
        ("\"order 1\"", 11),
        ("body ~ \"order 1$\"", 1),
        ("k = v AND service = pay", 40),
        ("any(n = 3)", 1),
        ("root(status = error)", 4),
        ("event absent", 40),
    ] {
        assert_eq!(of_logs(text), expected, "{text}");
    }
    for (text, expected) in [
        ("kind = sum", 1),
        ("name ~ orders", 1),
        ("queue exists AND NOT queue = b", 1),
        ("queue = nowhere", 0),
        ("resource.region = north AND service = shop", 1),
    ] {
        let question = MetricsQuery {
            filter: Some(
                Filter::parse(text, Signal::Metrics).unwrap_or_else(|e| panic!("{text}: {e}")),
            ),
            limit: 100,
            ..MetricsQuery::default()
        };
        let found = metrics(&session, &question).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(found.items.len(), expected, "{text}");
    }
}

#[test]
fn a_record_without_a_severity_is_neither_below_nor_beside_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = fixture::open(dir.path());
    let mut columns = LogColumns::default();
    for (severity_number, body) in [(0, "none"), (7, "debug"), (9, "info"), (17, "error")] {
        columns.push(&LogRow {
            time_unix_nano: BASE,
            severity_number,
            body: Some(body),
            body_type: Some("string"),
            attributes: "{}",
            ..LogRow::default()
        });
    }
    append(&store, "pay", Rows::Logs(columns));
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    for (text, expected) in [
        ("severity < info", vec!["debug"]),
        ("severity <= 9", vec!["debug", "info"]),
        ("severity != info", vec!["debug", "error"]),
        ("severity >= 1", vec!["debug", "error", "info"]),
        ("NOT severity = info", vec!["debug", "error", "none"]),
        ("severity absent", vec!["none"]),
        ("severity = 0", vec!["none"]),
        ("severity > 0", vec!["debug", "error", "info"]),
    ] {
        let question = LogQuery {
            filter: Some(Filter::parse(text, Signal::Logs).expect(text)),
            limit: 10,
            ..LogQuery::default()
        };
        let found = logs(&session, &question).expect(text);
        let mut bodies: Vec<String> = found.items.into_iter().filter_map(|log| log.body).collect();
        bodies.sort();
        assert_eq!(bodies, expected, "{text}");
    }
}

fn metric(store: &Store) {
    let mut columns = MetricColumns::default();
    columns.series.push(SeriesRow {
        name: "orders".to_owned(),
        kind: "sum",
        attributes: r#"{"queue":"a"}"#.to_owned(),
        ..SeriesRow::default()
    });
    columns.push_number(&NumberPointRow {
        series: 0,
        time_unix_nano: BASE,
        start_unix_nano: 0,
        flags: 0,
        value: Some(NumberValue::Int(1)),
    });
    append(store, "shop", Rows::Metrics(columns));
}

/// Texts that would do harm if they ever became SQL.
const HOSTILE: [&str; 12] = [
    "'; DROP TABLE spans; --",
    "' OR '1'='1",
    "\" OR 1=1 --",
    "x') OR (1=1",
    "?",
    "{dictionaries}",
    "{where}{limit}{facts}",
    "$1",
    "\\",
    "%_%",
    "\u{0}\u{1f}",
    "/**/UNION SELECT 1",
];

#[test]
fn hostile_keys_and_values_find_nothing_and_break_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    for hostile in HOSTILE {
        let quoted = crate::filter::Expression::Text(hostile.to_owned()).to_string();
        for text in [
            quoted.clone(),
            format!("name = {quoted}"),
            format!("service = {quoted}"),
            format!("http.route = {quoted}"),
            format!("{quoted} = 5"),
            format!("{quoted} = {quoted}"),
            format!("attr.{quoted} > 5"),
            format!("resource.{quoted} exists"),
            format!("any(name = {quoted})"),
            format!("event.name = {quoted}"),
            format!("event.{quoted} = {quoted}"),
            format!("link.{quoted} exists"),
        ] {
            assert_eq!(spans_of(&session, &text), [], "{text}");
            assert_eq!(counted_for_people(&session, &text), 0, "{text}");
        }
        for text in [
            format!("{quoted} = "),
            format!("event.{quoted} = "),
            quoted.clone(),
            format!("name = {hostile}"),
        ] {
            let at = text.chars().count();
            complete(&session, Signal::Spans, &text, at)
                .unwrap_or_else(|e| panic!("{text}: {e:?}"));
        }
    }
    assert_eq!(spans_of(&session, "name = work").len(), 160);
    // The engine's regular expressions are not quite ours: what it refuses is the question's fault.
    let question = TraceQuery {
        filter: Some(Filter::parse("name ~ \"[a&&b]\"", Signal::Spans).expect("ours reads it")),
        limit: 1,
        ..TraceQuery::default()
    };
    assert!(!matches!(
        spans(&session, &question),
        Err(QueryError::Engine(_))
    ));
}

#[test]
fn what_the_engine_refuses_of_a_regular_expression_is_told_with_its_column() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let text = "kind = server AND name ~ \"^a\" AND NOT peer !~ \"(?x)b\"";
    let question = TraceQuery {
        filter: Some(Filter::parse(text, Signal::Spans).expect("ours reads it")),
        limit: 1,
        ..TraceQuery::default()
    };
    let Err(QueryError::Filter { text: told, error }) = spans(&session, &question) else {
        panic!("RE2 knows no (?x)");
    };
    assert_eq!((told.as_str(), error.column), (text, 47));
}

#[test]
fn completion_knows_the_keys_and_values_that_are_stored() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let offers = |text: &str| -> Vec<String> {
        let found = complete(&session, Signal::Spans, text, text.chars().count()).expect("offers");
        found.items.into_iter().map(|item| item.text).collect()
    };
    assert_eq!(offers("http.r"), ["http.route"]);
    assert!(offers("").starts_with(&[
        "service".to_owned(),
        "name".to_owned(),
        "duration".to_owned()
    ]));
    assert_eq!(offers("reg"), ["region"]);
    // A scope that is written is offered back, and is asked for the values.
    assert_eq!(offers("attr.http.r"), ["attr.http.route"]);
    assert_eq!(offers("attr.http.route = /r/3"), ["/r/3"]);
    assert_eq!(offers("resource.reg"), ["resource.region"]);
    let mut routes = offers("http.route = ");
    routes.sort();
    assert_eq!(routes, ["/r/0", "/r/1", "/r/2", "/r/3"]);
    let mut services = offers("a = 1 AND service = ");
    services.sort();
    assert_eq!(services, ["pay", "shop"]);
    assert_eq!(offers("status = e"), ["error", "unset"]);
    assert_eq!(offers("n = 39"), ["39"]);
    assert_eq!(offers("region = "), ["north"]);
    assert!(offers("duration ").contains(&">=".to_owned()));
    assert_eq!(offers("n = 1 "), ["AND", "OR"]);
}

#[test]
fn keys_of_an_older_segment_are_offered_beside_many_small_newer_ones() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("after 1970");
    // Odd times lie apart, where no keys are looked for.
    let base = (now.as_secs() - 600) * 1_000_000_000;
    let seal = |number: u64, attributes: &str| {
        let mut columns = SpanColumns::default();
        columns.push(&SpanRow {
            trace_id: u128::from(number + 1).to_be_bytes(),
            span_id: (number + 1).to_be_bytes(),
            name: "GET /",
            kind: "server",
            start_unix_nano: base + number * 1_000_000_000,
            end_unix_nano: base + number * 1_000_000_000 + 1_000,
            attributes,
            ..SpanRow::default()
        });
        append(&store, "shop", Rows::Spans(columns));
        store.seal_now().expect("sealed");
    };
    let offers = |text: &str| -> Vec<String> {
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let found = complete(&session, Signal::Spans, text, text.chars().count()).expect("offers");
        found.items.into_iter().map(|item| item.text).collect()
    };
    seal(0, r#"{"ancient.key":"kept"}"#);
    for number in 1..8 {
        seal(number, r#"{"newer":1}"#);
    }
    assert_eq!(offers("ancient"), ["ancient.key"]);
    for number in 8..20 {
        seal(number, r#"{"newer":1}"#);
    }
    // Beyond what is looked at; but the keys of each are known.
    assert_eq!(offers("ancient"), ["ancient.key"]);
    assert_eq!(offers("ancient.key = "), ["kept"]);
}
