//! One service over time and by version, against counts by hand.

use super::*;
use crate::model::{Change, ChangesQuery, Page, ServiceQuery};
use crate::query::{CHANGE_EVENT, changes, service};

/// A hundred calls of version 1, then sixty of version 2, every third of which fails and is slow.
fn deployed(store: &Store) {
    for (version, from, count) in [("1", 0_u64, 100_u64), ("2", 300, 60)] {
        let mut columns = SpanColumns::default();
        for number in from..from + count {
            let is_bad = version == "2" && number % 3 == 0;
            let start = BASE + number * 1_000_000_000;
            columns.push(&SpanRow {
                trace_id: u128::from(number + 1).to_be_bytes(),
                span_id: (number + 1).to_be_bytes(),
                name: "GET /",
                kind: "server",
                start_unix_nano: start,
                end_unix_nano: start + if is_bad { 800_000_000 } else { 10_000_000 },
                status_code: if is_bad { "error" } else { "unset" },
                attributes: "{}",
                ..SpanRow::default()
            });
        }
        let resource = ResourceRow {
            service_name: Some("shop".to_owned()),
            service_version: Some(version.to_owned()),
            attributes: "{}".to_owned(),
            ..ResourceRow::default()
        };
        append_from(store, resource, Rows::Spans(columns));
    }
}

#[test]
fn steps_versions_and_changes_are_counted_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    deployed(&store);
    // Sent again: it counts once.
    deployed(&store);
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: BASE + 250_000_000_000,
        event_name: CHANGE_EVENT,
        body: Some("new checkout flow on"),
        body_type: Some("string"),
        attributes: r#"{"change.kind":"flag"}"#,
        ..LogRow::default()
    });
    append(&store, "shop", Rows::Logs(logs));
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let question = ServiceQuery {
        service: "shop".to_owned(),
        range: RANGE,
        scope: Scope::default(),
        own: None,
        steps: 66,
    };
    let found = service(&session, &question).expect("a service");
    assert_eq!(found.points.iter().map(|p| p.calls).sum::<u64>(), 160);
    assert_eq!(found.points.iter().map(|p| p.errors).sum::<u64>(), 20);
    // One step is one bucket of ten seconds here: ten calls in each that is full.
    assert!(
        found
            .points
            .iter()
            .all(|p| p.calls <= 10 && (p.seconds - 10.0).abs() < 1e-9)
    );
    let told: Vec<_> = found
        .versions
        .iter()
        .map(|v| (v.version.as_deref(), v.calls, v.errors))
        .collect();
    assert_eq!(told, [(Some("2"), 60, 20), (Some("1"), 100, 0)]);
    let p95 = found.versions[0].latency.p95_ns.expect("durations");
    assert!((p95 / 800e6 - 1.0).abs() < 0.05, "{p95}");
    let kinds: Vec<_> = found
        .changes
        .iter()
        .map(|c| (c.kind.as_str(), c.evidence.as_str()))
        .collect();
    assert_eq!(kinds, [("flag", "reported"), ("deploy", "version")]);
    assert_eq!(
        found.changes[1].time_unix_nano,
        (BASE + 300_000_000_000) as i64
    );
    assert!(
        listed(&session, &Scope::default(), Some("other"), 10)
            .items
            .is_empty()
    );
}

/// What was reported, of one service and of none or of all.
fn listed(
    session: &Session<'_>,
    scope: &Scope,
    service: Option<&str>,
    limit: usize,
) -> Page<Change> {
    let question = ChangesQuery {
        range: RANGE,
        scope: scope.clone(),
        service: service.map(str::to_owned),
        limit,
    };
    changes(session, &question).expect("changes")
}

/// A change event: what its sender is called and where it stands, and what it says.
fn reported(
    store: &Store,
    sender: Option<&str>,
    environment: Option<&str>,
    attributes: &str,
    body: Option<&str>,
    second: u64,
) {
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: BASE + second * 1_000_000_000,
        event_name: CHANGE_EVENT,
        body,
        body_type: body.map(|_| "string"),
        attributes,
        ..LogRow::default()
    });
    let resource = ResourceRow {
        service_name: sender.map(str::to_owned),
        environment: environment.map(str::to_owned),
        attributes: "{}".to_owned(),
        ..ResourceRow::default()
    };
    append_from(store, resource, Rows::Logs(logs));
}

#[test]
fn a_change_is_of_the_service_it_names_and_without_one_of_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let of_cart =
        r#"{"change.kind":"deploy","change.service":"cart","change.description":"v7 is out"}"#;
    reported(&store, Some("ci"), Some("prod"), of_cart, None, 1);
    reported(
        &store,
        None,
        None,
        r#"{"change.kind":"flag"}"#,
        Some("sale on"),
        2,
    );
    reported(&store, Some("cart"), Some("stage"), "{}", Some("limits"), 3);
    reported(&store, Some("pay"), Some("prod"), "{}", None, 4);
    told_apart(&store);
    store.seal_now().expect("sealed");
    told_apart(&store);
}

fn told_apart(store: &Store) {
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let named = |service: Option<&str>, environment: Option<&str>| {
        let scope = Scope {
            environment: environment.map(str::to_owned),
            ..Scope::default()
        };
        listed(&session, &scope, service, 10)
            .items
            .into_iter()
            .map(|c| (c.service_name.unwrap_or_default(), c.kind, c.description))
            .collect::<Vec<_>>()
    };
    let row = |service: &str, kind: &str, description: &str| {
        (service.to_owned(), kind.to_owned(), description.to_owned())
    };
    let deploy = row("cart", "deploy", "v7 is out");
    let flag = row("", "flag", "sale on");
    let limits = row("cart", "change", "limits");
    let silent = row("pay", "change", "not described");
    let all = [deploy.clone(), flag.clone(), limits.clone(), silent.clone()];
    assert_eq!(named(None, None), all);
    assert_eq!(
        named(Some("cart"), None),
        [deploy.clone(), flag.clone(), limits]
    );
    assert_eq!(named(Some("cart"), Some("prod")), [deploy, flag.clone()]);
    assert_eq!(named(Some("pay"), None), [flag.clone(), silent]);
    // Who sent it is not whom it is about.
    assert_eq!(named(Some("ci"), None), [flag]);
    // A page has the oldest, and says that there are more.
    let first = listed(&session, &Scope::default(), None, 3);
    let kinds: Vec<String> = first.items.into_iter().map(|change| change.kind).collect();
    assert_eq!(kinds, ["deploy", "flag", "change"]);
    assert_eq!((first.truncated, first.total), (true, Some(4)));
    let of_cart = listed(&session, &Scope::default(), Some("cart"), 3);
    assert_eq!((of_cart.truncated, of_cart.total), (false, Some(3)));
}

#[test]
fn a_flag_that_is_switched_is_a_change_and_one_that_two_users_see_differently_is_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let mut logs = LogColumns::default();
    // As the convention names them now, before, by a value alone, and where no flag could be read.
    let said = |key: &str, given: &str| format!(r#"{{"feature_flag.key":"{key}",{given}}}"#);
    let documents: Vec<(u64, &str, String)> = (0..100_u64)
        .flat_map(|second| {
            let word = if second < 60 { "off" } else { "on" };
            let by_user = ["red", "blue"][usize::from(second.is_multiple_of(2))];
            [
                ("feature_flag.evaluation", said("ledger", &format!(r#""feature_flag.result.variant":"{word}""#))),
                ("feature_flag", said("old", &format!(r#""feature_flag.variant":"{word}""#))),
                ("feature_flag.evaluation", said("colour", &format!(r#""feature_flag.result.variant":"{by_user}""#))),
                ("feature_flag.evaluation", said("limit", &format!(r#""feature_flag.set.id":"shop","feature_flag.result.value":{}"#, second >= 60))),
                ("feature_flag.evaluation", said("down", &format!(r#""feature_flag.result.variant":"{word}","feature_flag.result.reason":"error""#))),
            ]
            .map(|(name, document)| (second, name, document))
        })
        .collect();
    for (second, event_name, attributes) in &documents {
        logs.push(&LogRow {
            time_unix_nano: BASE + second * 1_000_000_000,
            event_name,
            attributes,
            ..LogRow::default()
        });
    }
    let resource = ResourceRow {
        service_name: Some("cart".to_owned()),
        environment: Some("prod".to_owned()),
        attributes: "{}".to_owned(),
        ..ResourceRow::default()
    };
    append_from(&store, resource, Rows::Logs(logs));
    reported(&store, Some("cart"), Some("prod"), "{}", Some("limits"), 70);
    for is_sealed in [false, true] {
        if is_sealed {
            store.seal_now().expect("sealed");
        }
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let page = listed(&session, &Scope::default(), Some("cart"), 10);
        let told: Vec<_> = page
            .items
            .iter()
            .map(|change| (change.description.as_str(), change.evidence.as_str()))
            .collect();
        // Two users of different colours are a first sight of one of them.
        let of_colour = ("colour: red after blue", "evaluated");
        let mut switched = vec![
            ("ledger: on after off", "evaluated"),
            ("old: on after off", "evaluated"),
            ("shop/limit: true after false", "evaluated"),
        ];
        assert_eq!(told[0], of_colour);
        assert_eq!(told.last(), Some(&("limits", "reported")));
        let mut between = told[1..told.len() - 1].to_vec();
        between.sort_unstable();
        switched.sort_unstable();
        assert_eq!(between, switched);
        let cut = listed(&session, &Scope::default(), Some("cart"), 2);
        assert_eq!(
            (cut.items.len(), cut.total, cut.truncated),
            (2, Some(5), true)
        );
        assert_eq!(cut.items, page.items[..2]);
        let elsewhere = Scope {
            environment: Some("stage".to_owned()),
            ..Scope::default()
        };
        assert!(
            listed(&session, &elsewhere, Some("cart"), 10)
                .items
                .is_empty()
        );
        assert!(
            listed(&session, &Scope::default(), Some("pay"), 10)
                .items
                .is_empty()
        );
    }
}
