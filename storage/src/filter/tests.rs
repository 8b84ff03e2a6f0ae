//! The grammar: what it reads, where it complains, that it prints back what it read.

use proptest::prelude::*;

use super::complete::{Expected, Slot};
use super::*;

fn parsed(text: &str) -> Expression {
    Filter::parse(text, Signal::Spans)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .expression
}

#[test]
fn the_ways_people_write_it_read_as_the_same() {
    for (text, canonical) in [
        ("status=error", "status = error"),
        // A regular expression is written as everywhere.
        (r#"name ~ "^http\.\d+$""#, r"name ~ ^http\.\d+$"),
        (r#"name ~ "a\\.b""#, r"name ~ a\.b"),
        (r#"name ~ "a b\.c""#, r#"name ~ "a b\\.c""#),
        ("status == \"error\"", "status = error"),
        ("a=1 b=2", "a = 1 AND b = 2"),
        (
            "a=1 and b=2 OR not c exists",
            "a = 1 AND b = 2 OR NOT c exists",
        ),
        ("a=1 AND (b=2 OR c=3)", "a = 1 AND (b = 2 OR c = 3)"),
        ("(a=1 AND (b=2 AND c=3))", "a = 1 AND b = 2 AND c = 3"),
        ("!(a=1)", "NOT a = 1"),
        ("duration>1.5s", "duration > 1.5s"),
        (
            "http.response.body.size >= 10KiB",
            "http.response.body.size >= 10KiB",
        ),
        ("name =~ \"^GET /\"", "name ~ \"^GET /\""),
        ("http.route=/cart/{id}", "http.route = /cart/{id}"),
        (
            "any(service=pay status=error) root(name=checkout)",
            "any(service = pay AND status = error) AND root(name = checkout)",
        ),
        ("card declined", "\"card\" AND \"declined\""),
        (
            "attr.name = x resource.k8s.pod.name absent",
            "attr.name = x AND resource.k8s.pod.name absent",
        ),
        ("attr.\"a b\" = \"5\"", "attr.\"a b\" = \"5\""),
        ("version = 1.10", "version = 1.10"),
        (
            "event.name=exception event.exception.type ~ Timeout$",
            "event.name = exception AND event.exception.type ~ Timeout$",
        ),
        ("event.\"a b\" exists", "event.\"a b\" exists"),
        (
            "any(link.trace_id = 5B8A) \"event.name\" = x",
            "any(link.trace_id = 5B8A) AND \"event.name\" = x",
        ),
        ("attr.event.name = x", "attr.event.name = x"),
    ] {
        assert_eq!(parsed(text).to_string(), canonical, "{text}");
        assert_eq!(parsed(canonical).to_string(), canonical);
    }
}

#[test]
fn complaints_point_at_the_column() {
    for (text, column, words) in [
        ("", 1, "expected a condition"),
        ("status = ", 10, "expected a value"),
        ("status = bad", 10, "unset, ok, error"),
        ("status > error", 8, "words are compared"),
        ("duration > 5", 12, "has a unit"),
        ("duration > 5MB", 12, "has a unit"),
        ("duration ~ 5s", 12, "regular expression is text"),
        ("kind = Server", 8, "client"),
        ("(a = 1", 1, "never closed"),
        ("a = 1)", 6, "never opened"),
        ("a = 1 AND", 10, "expected a condition"),
        ("AND a = 1", 1, "before AND"),
        ("= 5", 1, "expected a key"),
        ("a = \"x", 5, "never closed"),
        ("a = \"\\u{zz}\"", 6, "escape"),
        ("name ~ \"(\"", 9, "regular expression"),
        ("name ~ a[z", 9, "regular expression"),
        // `\\` and `\"` are two characters each where they are written.
        (r#"name ~ "a\\.\"b(""#, 16, "regular expression"),
        ("name ~ \"a\\nb(\"", 13, "regular expression"),
        ("any(any(a = 1))", 5, "cannot stand inside"),
        ("size > 5ms", 8, "unit of size"),
        ("sidecar = yes", 11, "true or false"),
        ("a = 1 b", 8, ""),
        ("attr. = 5", 7, "name of an attribute"),
        ("event. = 5", 8, "name of an attribute"),
        ("event.name = ", 14, "expected a value"),
        ("event.name ~ \"(\"", 15, "regular expression"),
        ("event.size > 5ms", 14, "unit of size"),
        ("link.sampled > true", 14, "compared with = and !="),
        ("link.trace_id = 5ms", 17, ""),
    ] {
        match Filter::parse(text, Signal::Spans) {
            Err(error) => {
                assert_eq!(error.column, column, "{text}: {error}");
                assert!(error.message.contains(words), "{text}: {error}");
            }
            Ok(read) => assert!(words.is_empty(), "{text} reads as {read}"),
        }
    }
    let metric = Filter::parse("any(a = 1)", Signal::Metrics).expect_err("a metric has no trace");
    assert_eq!(metric.column, 1);
    let deep = "(".repeat(DEPTH_MAX + 1);
    assert!(Filter::parse(&deep, Signal::Spans).is_err());
    assert!(Filter::parse(&"!".repeat(4_000), Signal::Spans).is_err());
    assert!(Filter::parse(&"a ".repeat(CONDITIONS_MAX + 1), Signal::Spans).is_err());
    assert!(Filter::parse(&"a".repeat(LENGTH_MAX + 1), Signal::Spans).is_err());
}

#[test]
fn events_and_links_are_asked_of_spans_alone() {
    let key = |text: &str, signal| Key::parse(text, signal).expect(text);
    let of = |scope, name: &str| Key {
        scope,
        name: name.to_owned(),
    };
    let spans = key("event.exception.type", Signal::Spans);
    assert_eq!(spans, of(KeyScope::Event, "exception.type"));
    assert_eq!(key("link.k", Signal::Spans), of(KeyScope::Link, "k"));
    // A record has an attribute of that name, as conventions of events have it.
    let logs = key("event.domain", Signal::Logs);
    assert_eq!(logs, of(KeyScope::Anywhere, "event.domain"));
    assert_eq!(logs.to_string(), "\"event.domain\"");
    assert_eq!(key("\"event.domain\"", Signal::Logs), logs);
    let inside = Filter::parse("any(event.name = x)", Signal::Logs).expect("spans inside");
    assert_eq!(inside.to_string(), "any(event.name = x)");
    assert!(
        !Filter::parse("link.trace_id = 5b8a", Signal::Spans)
            .expect("one")
            .names_an_id()
    );
}

#[test]
fn what_is_about_one_id_is_known() {
    let names = |text: &str, signal| Filter::parse(text, signal).expect(text).names_an_id();
    for (text, is_one) in [
        ("trace_id = 5b8a", true),
        ("trace = 5b8a AND status = error", true),
        ("span_id = 5b8a", true),
        ("NOT trace_id = 5b8a", false),
        ("trace_id = 5b8a OR status = error", false),
        ("trace_id != 5b8a", false),
        ("parent = 5b8a", false),
        ("attr.trace_id = 5b8a", false),
        ("status = error", false),
    ] {
        assert_eq!(names(text, Signal::Spans), is_one, "{text}");
    }
    assert!(names("span = 5b8a", Signal::Logs));
    assert!(!names("body ~ 5b8a", Signal::Logs));
}

#[test]
fn numbers_are_in_their_base_unit() {
    let whole = |text: &str| Quantity::parse(text).and_then(|q| q.whole);
    assert_eq!(whole("1.5s"), Some(1_500_000_000));
    assert_eq!(whole("10KiB"), Some(10_240));
    assert_eq!(whole("3kB"), Some(3_000));
    assert_eq!(whole("9223372036854775807"), Some(i64::MAX));
    let amount = |text: &str| Quantity::parse(text).map(|q| q.amount);
    // As floating-point numbers 4099999.9999999995, 16100.000000000002 and 1070000000.0000001.
    assert_eq!(amount("4.1ms"), Some(4_100_000.0));
    assert_eq!(amount("16.1us"), Some(16_100.0));
    assert_eq!(amount("1.07s"), Some(1_070_000_000.0));
    assert_eq!(amount("0.5ns"), Some(0.5));
    for text in ["5xx", "10.0.0.1", "", "-", ".5", "1e", "0x10", "∞", "1e999"] {
        assert_eq!(Quantity::parse(text), None, "{text}");
    }
}

#[test]
fn a_value_that_is_shown_becomes_a_condition() {
    let condition = Expression::equal(
        KeyScope::Anywhere,
        "http.route",
        Literal::Text("/a b".into()),
    );
    let once = Filter::narrowed(
        "status = error OR kind = server",
        Signal::Spans,
        condition.clone(),
    );
    assert_eq!(
        once,
        "(status = error OR kind = server) AND http.route = \"/a b\""
    );
    assert_eq!(
        Filter::narrowed(&once, Signal::Spans, condition.clone()),
        once
    );
    assert_eq!(
        Filter::narrowed(" ", Signal::Spans, condition),
        "http.route = \"/a b\""
    );
}

#[test]
fn what_comes_next_is_known_at_every_place() {
    let at_end = |text: &str| Expected::at(text, text.chars().count(), Signal::Logs);
    assert_eq!(at_end("").slot, Slot::Key);
    assert_eq!(at_end("ser").prefix, "ser");
    assert!(matches!(at_end("service ").slot, Slot::Operator(_)));
    let value = at_end("severity = \"er");
    assert!(matches!(value.slot, Slot::Value(key) if key.name == "severity"));
    assert_eq!((value.prefix.as_str(), value.from), ("er", 11));
    let of_spans = |text: &str| Expected::at(text, text.chars().count(), Signal::Spans);
    let of_event = |slot: Slot| match slot {
        Slot::Operator(key) | Slot::Value(key) => key.scope == KeyScope::Event,
        _ => false,
    };
    assert!(of_event(of_spans("event.name ").slot));
    assert!(of_event(at_end("any(event.exception.type = ").slot));
    assert!(!of_event(at_end("event.name = ").slot));
    assert_eq!(at_end("a = 1 ").slot, Slot::Join);
    assert_eq!(at_end("a exists ").slot, Slot::Join);
    assert_eq!(at_end("a = 1 AND ").slot, Slot::Key);
    assert_eq!(at_end("any(").signal, Signal::Spans);
    assert_eq!(at_end("any(a = 1) ").signal, Signal::Logs);
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z._/-]{0,10}",
        Just("and".to_owned()),
        Just("NOT".to_owned()),
        Just("exists".to_owned()),
        Just("attr.x".to_owned()),
        Just("event.x".to_owned()),
        Just("link.".to_owned()),
        Just("a\"b\\c \n'; DROP TABLE spans; --".to_owned()),
        "\\PC{1,8}",
    ]
    // A field of the signal takes only what it knows; those are tested by name above.
    .prop_filter("not a field", |name| field_named(Signal::Spans, name).is_none())
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        ".{0,12}".prop_map(Literal::Text),
        Just(Literal::Text("true".to_owned())),
        Just(Literal::Text("5ms".to_owned())),
        any::<bool>().prop_map(Literal::Bool),
        any::<i64>().prop_map(|n| Literal::Number(n.to_string())),
        (-1e12..1e12_f64).prop_map(|n| Literal::Number(format!("{n:?}"))),
        (0..9_999_u32).prop_map(|n| Literal::Number(format!("{n}KiB"))),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    let scope = prop_oneof![
        Just(KeyScope::Anywhere),
        Just(KeyScope::Item),
        Just(KeyScope::Resource),
        Just(KeyScope::Event),
        Just(KeyScope::Link)
    ];
    let part = prop::sample::select(PART_FIELDS.to_vec()).prop_map(|field| Key {
        scope: field.scope,
        name: field.name.to_owned(),
    });
    prop_oneof![
        9 => (scope, name()).prop_map(|(scope, name)| Key { scope, name }),
        1 => part,
    ]
}

fn expression() -> impl Strategy<Value = Expression> {
    let equal = prop_oneof![Just(Operator::Equal), Just(Operator::NotEqual)];
    let order = prop_oneof![
        Just(Operator::Less),
        Just(Operator::LessOrEqual),
        Just(Operator::Greater),
        Just(Operator::GreaterOrEqual)
    ];
    let pattern = prop_oneof![Just(Operator::Matches), Just(Operator::NotMatches)];
    let leaf = prop_oneof![
        (key(), equal, literal()).prop_map(|(k, o, v)| Expression::Compare(k, o, v)),
        (key(), order, ".{0,8}").prop_map(|(k, o, v)| Expression::Compare(k, o, Literal::Text(v))),
        (key(), pattern, "[a-z .*\"\\\\d+]{0,6}")
            .prop_filter("a regular expression", |(_, _, v)| regex_syntax::parse(v)
                .is_ok())
            .prop_map(|(k, o, v)| Expression::Compare(k, o, Literal::Text(v))),
        key().prop_map(Expression::Exists),
        key().prop_map(Expression::Absent),
        ".{1,10}".prop_map(Expression::Text),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::and),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::or),
            inner.prop_map(|one| Expression::Not(Box::new(one))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_itself(inner in expression(), wrap in 0..3) {
        let whole = match wrap {
            0 => inner,
            1 => Expression::Any(Box::new(inner)),
            _ => Expression::and(vec![Expression::Root(Box::new(inner.clone())), inner]),
        };
        let text = whole.to_string();
        match Filter::parse(&text, Signal::Spans) {
            Ok(back) => prop_assert_eq!(back.expression, whole, "{}", text),
            // The only complaint a printed expression may meet is about its size.
            Err(error) => prop_assert!(error.message.contains("at most"), "{text}: {error}"),
        }
    }

    #[test]
    fn no_text_makes_it_panic_and_columns_lie_inside(text in "\\PC{0,60}", at in 0_usize..70) {
        if let Err(error) = Filter::parse(&text, Signal::Logs) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{text:?} {error}");
        }
        Expected::at(&text, at, Signal::Logs);
    }
}
