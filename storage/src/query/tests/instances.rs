//! The instances of a service against counts by hand: hot and sealed, sent again, beside proxies, of any name.

use super::*;
use crate::model::{CountedSpans, InstanceSummary, InstancesQuery};
use crate::query::{instances, service_names};
use crate::store::now_ns;

/// Who sends.
struct Sender {
    id: Option<&'static str>,
    version: &'static str,
    attributes: &'static str,
}

/// Entry spans numbered `from..to` of one instance, a second apart; every tenth fails and takes a second.
fn sent(store: &Store, sender: &Sender, kind: &'static str, sidecar: bool, from: u64, to: u64) {
    let mut columns = SpanColumns::default();
    for number in from..to {
        let is_bad = number % 10 == 0;
        let start = BASE + number * 1_000_000_000;
        columns.push(&SpanRow {
            trace_id: u128::from(number + 1).to_be_bytes(),
            span_id: (number + 1).to_be_bytes(),
            name: "GET /",
            kind,
            start_unix_nano: start,
            end_unix_nano: start + if is_bad { 1_000_000_000 } else { 10_000_000 },
            status_code: if is_bad { "error" } else { "unset" },
            attributes: "{}",
            sidecar,
            ..SpanRow::default()
        });
    }
    let resource = ResourceRow {
        service_name: Some("shop".to_owned()),
        service_version: Some(sender.version.to_owned()),
        service_instance_id: sender.id.map(str::to_owned),
        environment: Some("prod".to_owned()),
        attributes: sender.attributes.to_owned(),
        ..ResourceRow::default()
    };
    append_from(store, resource, Rows::Spans(columns));
}

fn asked(store: &Store, query: &InstancesQuery) -> Vec<InstanceSummary> {
    let reader = store.reader().expect("a reader");
    let page = instances(&Session::new(&reader), query).expect("instances");
    page.items
}

fn of(service: &str) -> InstancesQuery {
    InstancesQuery {
        service: service.to_owned(),
        range: RANGE,
        scope: Scope::default(),
        limit: 100,
    }
}

#[test]
fn instances_are_counted_once_in_hot_and_sealed_segments() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let first = Sender {
        id: Some("a-1"),
        version: "1.0",
        attributes: r#"{"k8s.pod.name":"shop-a","k8s.node.name":"node-7","n":1}"#,
    };
    let second = Sender {
        id: Some("a-2"),
        version: "1.0",
        attributes: r#"{"host.name":"box-2"}"#,
    };
    let unnamed = Sender {
        id: None,
        version: "0.9",
        attributes: "{}",
    };
    let proxy = Sender {
        id: Some("proxy-1"),
        version: "1.0",
        attributes: "{}",
    };
    sent(&store, &first, "server", false, 0, 100);
    sent(&store, &second, "server", false, 200, 230);
    store.seal_now().expect("sealed");
    // What a client that got no answer sends again.
    sent(&store, &first, "server", false, 0, 100);
    let newer = Sender {
        version: "1.1",
        ..first
    };
    sent(&store, &newer, "server", false, 300, 320);
    sent(&store, &unnamed, "server", false, 400, 405);
    sent(&store, &proxy, "server", true, 410, 450);
    // It is asked nothing, but it is there.
    let idle = Sender {
        id: Some("a-3"),
        version: "1.1",
        attributes: "{}",
    };
    sent(&store, &idle, "internal", false, 500, 501);

    let found = asked(&store, &of("shop"));
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.instance_id.as_deref(), one.calls, one.errors))
        .collect();
    assert_eq!(
        told,
        [
            (Some("a-1"), 120, 12),
            (Some("a-2"), 30, 3),
            (Some("a-3"), 0, 0),
            (None, 5, 1)
        ]
    );
    assert_eq!(found[0].versions, ["1.0", "1.1"]);
    assert_eq!(
        (found[0].pod.as_deref(), found[0].host.as_deref()),
        (Some("shop-a"), Some("node-7"))
    );
    assert_eq!(found[1].host.as_deref(), Some("box-2"));
    let p95 = found[0].latency.p95_ns.expect("durations");
    assert!((p95 / 1e9 - 1.0).abs() < 0.05, "{p95}");
    assert_eq!(found[0].last_unix_nano, (BASE + 319 * 1_000_000_000) as i64);

    // What a bucket has after the range is not in it.
    let to_unix_nano = (BASE + 319 * 1_000_000_000) as i64;
    let within = InstancesQuery {
        range: TimeRange {
            to_unix_nano,
            ..RANGE
        },
        ..of("shop")
    };
    assert_eq!(asked(&store, &within)[0].last_unix_nano, to_unix_nano - 1);

    // The range, the scope and the bound on rows hold.
    let early = InstancesQuery {
        range: TimeRange {
            from_unix_nano: BASE as i64,
            to_unix_nano: BASE as i64 + 50_000_000_000,
        },
        ..of("shop")
    };
    let found = asked(&store, &early);
    assert_eq!((found.len(), found[0].calls), (1, 50));
    let elsewhere = InstancesQuery {
        scope: Scope {
            environment: Some("canary".to_owned()),
            ..Scope::default()
        },
        ..of("shop")
    };
    assert!(asked(&store, &elsewhere).is_empty());
    let reader = store.reader().expect("a reader");
    let cut = InstancesQuery {
        limit: 1,
        ..of("shop")
    };
    let page = instances(&Session::new(&reader), &cut).expect("instances");
    // What names no instance is none, and is not cut.
    assert_eq!(
        (page.items.len(), page.truncated, page.total),
        (2, true, Some(3))
    );
    assert_eq!(page.items[1].instance_id, None);
}

/// Who sends, and what is added up of it, is kept of a hot segment until there is more.
#[test]
fn what_comes_between_two_questions_is_there_at_the_second() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let first = Sender {
        id: Some("a-1"),
        version: "1.0",
        attributes: r#"{"host.name":"box-1"}"#,
    };
    let second = Sender {
        id: Some("a-2"),
        version: "1.1",
        attributes: r#"{"host.name":"box-2"}"#,
    };
    let told = || -> Vec<String> {
        let found = asked(&store, &of("shop"));
        let tell = |one: &InstanceSummary| {
            format!(
                "{} {} {} {} {} s",
                one.instance_id.as_deref().unwrap_or_default(),
                one.versions.join(" "),
                one.host.as_deref().unwrap_or_default(),
                one.calls,
                (one.last_unix_nano - BASE as i64) / 1_000_000_000
            )
        };
        found.iter().map(tell).collect()
    };
    let names = || {
        let reader = store.reader().expect("a reader");
        service_names(&Session::new(&reader), &Scope::default()).expect("names")
    };
    assert!(told().is_empty() && names().is_empty());
    sent(&store, &first, "server", false, 0, 10);
    for _ in 0..2 {
        assert_eq!(told(), ["a-1 1.0 box-1 10 9 s"]);
        assert_eq!(names(), ["shop"]);
    }
    // More of one that is known, and one that is not.
    sent(&store, &first, "server", false, 10, 12);
    assert_eq!(told(), ["a-1 1.0 box-1 12 11 s"]);
    sent(&store, &second, "server", false, 20, 23);
    let all = ["a-1 1.0 box-1 12 11 s", "a-2 1.1 box-2 3 22 s"];
    assert_eq!(told(), all);
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: BASE,
        attributes: "{}",
        ..LogRow::default()
    });
    append(&store, "till", Rows::Logs(logs));
    assert_eq!(names(), ["shop", "till"]);
    store.seal_now().expect("sealed");
    assert_eq!(told(), all);
}

#[test]
fn what_stands_for_the_calls_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let sender = Sender {
        id: Some("a-1"),
        version: "1.0",
        attributes: "{}",
    };
    let told = || {
        let found = asked(&store, &of("shop"));
        (found[0].counted, found[0].calls)
    };
    sent(&store, &sender, "internal", false, 0, 1);
    assert_eq!(told(), (CountedSpans::Other, 1));
    sent(&store, &sender, "client", false, 10, 12);
    assert_eq!(told(), (CountedSpans::Outgoing, 2));
    sent(&store, &sender, "server", true, 20, 23);
    assert_eq!(told(), (CountedSpans::ProxyEntry, 3));
    sent(&store, &sender, "consumer", false, 30, 34);
    assert_eq!(told(), (CountedSpans::Entry, 4));
}

#[test]
fn a_hostile_name_finds_nothing_and_breaks_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    assert!(asked(&store, &of("shop")).is_empty(), "an empty store");
    let sender = Sender {
        id: Some("a-1"),
        version: "1.0",
        attributes: "{}",
    };
    sent(&store, &sender, "server", false, 0, 3);
    for name in ["' OR 1 = 1 --", "?", "$1", "{{shop}}", "{where}", ""] {
        assert!(asked(&store, &of(name)).is_empty(), "{name}");
    }
    assert_eq!(asked(&store, &of("shop")).len(), 1);
}

/// Pods come and go, and some keep their name from version to version.
#[test]
fn a_service_tells_versions_and_instances_of_its_range_each_once() {
    const MINUTE: i64 = 60_000_000_000;
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let now = now_ns();
    // A span each, and a segment for each version.
    for (number, (version, id, minutes)) in [
        ("1.0", "a-1", 90),
        ("1.0", "a-2", 90),
        ("1.1", "a-1", 30),
        ("1.1", "a-3", 30),
    ]
    .into_iter()
    .enumerate()
    {
        let start = (now - minutes * MINUTE) as u64;
        let mut columns = SpanColumns::default();
        columns.push(&SpanRow {
            trace_id: (number as u128 + 1).to_be_bytes(),
            span_id: (number as u64 + 1).to_be_bytes(),
            name: "GET /",
            kind: "server",
            start_unix_nano: start,
            end_unix_nano: start + 1_000_000,
            status_code: "unset",
            attributes: "{}",
            ..SpanRow::default()
        });
        let resource = ResourceRow {
            service_name: Some("shop".to_owned()),
            service_version: Some(version.to_owned()),
            service_instance_id: Some(id.to_owned()),
            attributes: "{}".to_owned(),
            ..ResourceRow::default()
        };
        append_from(&store, resource, Rows::Spans(columns));
        if number % 2 == 1 {
            store.seal_now().expect("sealed");
        }
    }
    let told = |from: i64, to: i64| {
        let asked = ServicesQuery {
            range: TimeRange {
                from_unix_nano: now - from * MINUTE,
                to_unix_nano: now - to * MINUTE,
            },
            scope: Scope::default(),
            order: ServiceOrder::default(),
            limit: 10,
        };
        let reader = store.reader().expect("a reader");
        let found = services(&Session::new(&reader), &asked).expect("services");
        let shop = &found.items[0];
        (shop.versions.join(" "), shop.instances)
    };
    assert_eq!(told(120, 0), ("1.0 1.1".to_owned(), 3));
    assert_eq!(told(120, 60), ("1.0".to_owned(), 2));
    assert_eq!(told(60, 0), ("1.1".to_owned(), 2));
    // Nobody sent anything then: all that is known of it.
    assert_eq!(told(10, 0), ("1.0 1.1".to_owned(), 3));
}
