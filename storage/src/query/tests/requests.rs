//! Requests as metrics count them, against a walk over the same points by hand.

use std::collections::BTreeMap;

use super::hows::rows;
use super::*;
use crate::ingest::{Batch, HistogramPointRow, ScopeRow};
use crate::model::{Basis, RequestCounts, ServiceSummary};
use crate::query::{covered, how, services_by_spans};

const SECOND: u64 = 1_000_000_000;
const HTTP: &str = "http.server.request.duration";
const OLD_HTTP: &str = "http.server.duration";
/// What Prometheus makes of [`HTTP`]: its senders have another resource.
const SCRAPED: &str = "http_server_request_duration_seconds";
const RPC: &str = "rpc.server.duration";
/// Ten minutes, with points before and after them.
const TEN_MINUTES: TimeRange = TimeRange {
    from_unix_nano: (BASE + 600 * SECOND) as i64,
    to_unix_nano: (BASE + 1_200 * SECOND) as i64,
};

/// A point, with what its stream says of it. Seconds are after [`BASE`]; a start of 0 is not told.
#[derive(Debug, Clone, Copy)]
struct Told {
    service: &'static str,
    instance: &'static str,
    metric: &'static str,
    attributes: &'static str,
    is_error: bool,
    is_delta: bool,
    start: u64,
    second: u64,
    count: u64,
    /// It says that there is no value.
    is_empty: bool,
}

const OK: Told = Told {
    service: "shop",
    instance: "a",
    metric: HTTP,
    attributes: r#"{"http.response.status_code":200}"#,
    is_error: false,
    is_delta: false,
    start: 100,
    second: 0,
    count: 0,
    is_empty: false,
};

/// Requests that came from one second to another.
fn served(from: u64, to: u64, salt: u64) -> u64 {
    (from..to).map(|second| (second * 7 + salt) % 5).sum()
}

/// What instance `a` of a service says each minute: it began anew at second 890, and first failed at second 770.
fn cumulative(service: &'static str, metric: &'static str) -> Vec<Told> {
    let mut told = Vec::new();
    for second in (480..=1_260).step_by(60) {
        let start = if second < 900 { 100 } else { 890 };
        let point = Told {
            service,
            metric,
            start,
            second,
            ..OK
        };
        told.push(Told {
            count: served(start, second, 0),
            ..point
        });
        told.push(Told {
            attributes: r#"{"error.type":"404","http.response.status_code":404}"#,
            count: served(start, second, 1),
            ..point
        });
        if second > 770 {
            told.push(Told {
                attributes: r#"{"error.type":"500","http.response.status_code":500}"#,
                is_error: true,
                count: served(start.max(770), second, 2),
                ..point
            });
        }
    }
    told
}

/// What a scraper says of instance `a` of a service that pushes too.
fn scraped_beside() -> Vec<Told> {
    let mut told = cumulative("twice", SCRAPED);
    told.retain(|told| !told.is_error);
    told
}

/// Everything that is said.
fn told() -> Vec<Told> {
    let mut told = cumulative("shop", HTTP);
    // Both conventions at once: the same requests.
    told.extend(cumulative("shop", OLD_HTTP));
    told.push(Told {
        second: 1_010,
        start: 890,
        is_empty: true,
        ..OK
    });
    for second in (480..=1_260).step_by(60) {
        let point = Told {
            instance: "b",
            is_delta: true,
            start: second - 60,
            second,
            ..OK
        };
        let failed = Told {
            attributes: r#"{"error.type":"timeout"}"#,
            is_error: true,
            count: served(second - 60, second, 4),
            ..point
        };
        let fine = Told {
            count: served(second - 60, second, 3),
            ..point
        };
        // What a client that heard no answer sends again.
        told.extend([fine, fine, failed]);
    }
    // It tells no start, and counts from 0 again at second 800.
    for second in (480..=1_260).step_by(30) {
        let since = if second < 800 { 0 } else { 800 };
        let point = Told {
            service: "quiet",
            metric: RPC,
            attributes: r#"{"rpc.grpc.status_code":5}"#,
            start: 0,
            second,
            ..OK
        };
        told.push(Told {
            count: served(since, second, 0),
            ..point
        });
        told.push(Told {
            attributes: r#"{"rpc.grpc.status_code":14}"#,
            is_error: true,
            count: served(since, second, 1),
            ..point
        });
    }
    for service in ["whole", "mail"] {
        told.extend(cumulative(service, HTTP));
    }
    // Its instance `a` is scraped as well, and the scraper missed the failures; `b` is scraped alone.
    told.extend(cumulative("twice", HTTP));
    told.extend(scraped_beside());
    for second in (480..=1_260).step_by(60) {
        told.push(Told {
            service: "twice",
            instance: "b",
            metric: SCRAPED,
            second,
            count: served(100, second, 3),
            ..OK
        });
    }
    // It counts a route of many.
    told.push(Told {
        service: "partial",
        start: 700,
        second: 720,
        count: 5,
        ..OK
    });
    told
}

/// Calls and failures of each service: each stream walked from point to point.
fn walked(told: &[Told]) -> BTreeMap<&'static str, (u64, u64)> {
    let (from, to) = (600, 1_200);
    let mut known: Vec<Told> = told
        .iter()
        .filter(|told| told.second > from - 120 && told.second <= to && !told.is_empty)
        .filter(|told| told.metric != OLD_HTTP)
        .filter(|told| (told.instance, told.metric) != ("a", SCRAPED))
        .copied()
        .collect();
    known.sort_by_key(|told| told.second);
    let is_same = |a: &Told, b: &Told| {
        (a.service, a.instance, a.attributes, a.start)
            == (b.service, b.instance, b.attributes, b.start)
    };
    let mut sums: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    for (at, point) in known.iter().enumerate() {
        let before = known[..at].iter().rfind(|other| is_same(other, point));
        // Another stream of the sender was reported before: this one was 0 then.
        let is_new = known.iter().any(|other| {
            (other.service, other.instance, other.start)
                == (point.service, point.instance, point.start)
                && other.second < point.second
        });
        let came = match before {
            Some(before) if before.second == point.second => 0,
            _ if point.is_delta => point.count,
            Some(before) if before.count <= point.count => point.count - before.count,
            None if point.start <= from - 120 && !is_new => 0,
            _ => point.count,
        };
        if point.second > from {
            let (calls, errors) = sums.entry(point.service).or_default();
            *calls += came;
            *errors += if point.is_error { came } else { 0 };
        }
    }
    sums
}

fn say(store: &Store, told: &[Told]) {
    let sender = |told: &Told| (told.service, told.instance, told.metric == SCRAPED);
    let is_of_one = |a: &Told, b: &Told| sender(a) == sender(b);
    for of_one in told.chunk_by(is_of_one) {
        let mut columns = MetricColumns::default();
        for told in of_one {
            let (kind, temporality) = if told.is_delta {
                ("exponential_histogram", "delta")
            } else {
                ("histogram", "cumulative")
            };
            columns.series.push(SeriesRow {
                name: told.metric.to_owned(),
                unit: "s".to_owned(),
                kind,
                temporality: Some(temporality.to_owned()),
                attributes: told.attributes.to_owned(),
                ..SeriesRow::default()
            });
            columns.push_histogram(&HistogramPointRow {
                series: u32::try_from(columns.series.len() - 1).expect("few"),
                time_unix_nano: BASE + told.second * SECOND,
                start_unix_nano: match told.start {
                    0 => 0,
                    start => BASE + start * SECOND,
                },
                flags: u32::from(told.is_empty),
                count: told.count,
                ..HistogramPointRow::default()
            });
        }
        send(
            store,
            of_one[0].service,
            of_one[0].instance,
            if of_one[0].metric == SCRAPED {
                r#"{"server.address":"10.0.0.7"}"#
            } else {
                "{}"
            },
            Rows::Metrics(columns),
        );
    }
}

/// Spans every ten seconds of the range, each of which stands for `weight`.
fn spans_of(store: &Store, service: &str, kind: &'static str, weight: Option<f64>) {
    let mut columns = SpanColumns::default();
    let number = service
        .bytes()
        .fold(kind.len() as u64, |sum, byte| sum * 31 + u64::from(byte));
    for at in 0..60 {
        let start = BASE + (600 + at * 10) * SECOND;
        columns.push(&SpanRow {
            trace_id: (u128::from(number) * 1_000 + u128::from(at) + 1).to_be_bytes(),
            span_id: (number.wrapping_mul(1_000) + at + 1).to_be_bytes(),
            name: "GET /",
            kind,
            start_unix_nano: start,
            end_unix_nano: start + 1_000_000,
            status_code: "unset",
            attributes: "{}",
            weight,
            ..SpanRow::default()
        });
    }
    send(store, service, "a", "{}", Rows::Spans(columns));
}

fn send(store: &Store, service: &str, instance: &str, attributes: &str, rows: Rows) {
    let resource = ResourceRow {
        service_name: Some(service.to_owned()),
        service_instance_id: Some(instance.to_owned()),
        environment: Some("prod".to_owned()),
        attributes: attributes.to_owned(),
        ..ResourceRow::default()
    };
    let scope = ScopeRow {
        attributes: "{}".to_owned(),
        ..ScopeRow::default()
    };
    let batch = Batch {
        resources: vec![resource],
        scopes: vec![scope],
        rows,
        bytes: 1_000,
    };
    futures::executor::block_on(store.append(batch)).expect("stored");
}

fn question(order: ServiceOrder) -> ServicesQuery {
    ServicesQuery {
        range: TEN_MINUTES,
        scope: Scope::default(),
        order,
        limit: 100,
    }
}

/// Asks a store of it all before the last of it is sealed and after.
fn hot_and_sealed(ask: impl Fn(&Session<'_>)) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    for (service, kind, weight) in [
        ("shop", "server", Some(10.0)),
        ("quiet", "server", None),
        ("twice", "server", Some(10.0)),
        ("whole", "server", Some(1.0)),
        ("mail", "server", Some(10.0)),
        ("mail", "consumer", Some(10.0)),
        ("partial", "server", Some(10.0)),
    ] {
        spans_of(&store, service, kind, weight);
    }
    let (first, rest): (Vec<Told>, Vec<Told>) =
        told().into_iter().partition(|told| told.second < 840);
    say(&store, &first);
    store.seal_now().expect("sealed");
    say(&store, &rest);
    for _ in 0..2 {
        let reader = store.reader().expect("a reader");
        ask(&Session::new(&reader));
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

fn named<'a>(services: &'a [ServiceSummary], name: &str) -> &'a ServiceSummary {
    services
        .iter()
        .find(|service| service.service_name == name)
        .expect("a service")
}

#[test]
fn where_spans_are_a_sample_metrics_count_every_request() {
    let expected = walked(&told());
    // By hand: from the point at 600 to the last before the new start, and from that to the last; the other in full.
    let of_a = |salt| served(600, 840, salt) + served(890, 1_200, salt);
    let failed_of_a = served(770, 840, 2) + served(890, 1_200, 2);
    let failed = failed_of_a + served(600, 1_200, 4);
    let calls = of_a(0) + of_a(1) + served(600, 1_200, 3) + failed;
    assert_eq!(expected["shop"], (calls, failed));
    hot_and_sealed(|session| {
        let found = services(session, &question(ServiceOrder::Impact)).expect("services");
        let seconds = covered(session, TEN_MINUTES).expect("a range").seconds();
        for (name, metrics) in [
            ("shop", vec![HTTP]),
            ("quiet", vec![RPC]),
            ("twice", vec![HTTP, SCRAPED]),
        ] {
            let service = named(&found.items, name);
            let (calls, errors) = expected[name];
            let counts = RequestCounts {
                metrics: metrics.into_iter().map(str::to_owned).collect(),
                calls,
                errors,
            };
            assert_eq!(service.requests, Some(counts), "{name}");
            assert_eq!(service.counted(), (calls, errors));
            let rate = service.rate_per_second * seconds;
            assert!((rate - calls as f64).abs() < 1e-6, "{rate}");
            assert!((service.error_ratio - errors as f64 / calls as f64).abs() < 1e-12);
        }
        // What spans say is still said.
        let shop = named(&found.items, "shop");
        assert_eq!(
            (shop.calls, shop.weight, shop.basis),
            (60, 600.0, Basis::Sampled)
        );
        assert_eq!(named(&found.items, "quiet").basis, Basis::Unknown);
        // Its metrics show failures that no span has.
        assert_eq!(found.items[0].service_name, "shop");
        let by_spans = services_by_spans(session, &question(ServiceOrder::Name)).expect("services");
        assert!(
            by_spans
                .items
                .iter()
                .all(|service| service.requests.is_none())
        );
    });
}

#[test]
fn spans_count_where_they_are_all_where_messages_come_too_and_where_metrics_count_few() {
    hot_and_sealed(|session| {
        let found = services(session, &question(ServiceOrder::Name)).expect("services");
        for (name, calls, weight) in [
            ("whole", 60, 60.0),
            ("mail", 120, 1_200.0),
            ("partial", 60, 600.0),
        ] {
            let service = named(&found.items, name);
            assert_eq!(service.requests, None, "{name}");
            assert_eq!((service.calls, service.weight), (calls, weight), "{name}");
        }
        // What is shorter than two reports is not told by reports.
        let short = ServicesQuery {
            range: TimeRange {
                to_unix_nano: TEN_MINUTES.from_unix_nano + 90 * SECOND as i64,
                ..TEN_MINUTES
            },
            ..question(ServiceOrder::Name)
        };
        let found = services(session, &short).expect("services");
        assert_eq!(named(&found.items, "shop").requests, None);
    });
}

#[test]
fn a_service_of_which_the_sampler_kept_no_span_is_counted_by_its_metrics() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    say(&store, &told());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let found = services(&session, &question(ServiceOrder::Name)).expect("services");
    let shop = named(&found.items, "shop");
    assert_eq!((shop.spans, shop.counted()), (0, walked(&told())["shop"]));
}

#[test]
fn the_sql_of_requests_gives_their_numbers_and_boxes_of_the_graph_have_them() {
    let expected = walked(&told());
    hot_and_sealed(|session| {
        let question = ServicesQuery {
            scope: Scope {
                environment: Some("prod".to_owned()),
                ..Scope::default()
            },
            ..question(ServiceOrder::Name)
        };
        let both = format!("{HTTP}, {SCRAPED}");
        for (name, metric) in [("shop", HTTP), ("quiet", RPC), ("twice", both.as_str())] {
            let (calls, errors) = expected[name];
            let sql = how::requests(&question, Some(name), 600.0);
            let columns = "service_name, calls, errors, metrics, format('{:.4f}', rate_per_second)";
            let rate = calls as f64 / 600.0;
            assert_eq!(
                rows(session, &sql, columns),
                [format!("{name} {calls} {errors} {metric} {rate:.4}")]
            );
        }
        let all = rows(
            session,
            &how::requests(&question, None, 600.0),
            "service_name",
        );
        assert_eq!(all.len(), 6, "{all:?}");
        let hostile = how::requests(&question, Some("it's {names} {and} {points}"), 600.0);
        assert!(rows(session, &hostile, "service_name").is_empty());

        let of_graph = GraphQuery {
            range: TEN_MINUTES,
            scope: Scope::default(),
            service: None,
            edges_max: 100,
        };
        let drawn = graph(session, &of_graph).expect("a graph");
        let anywhere = ServicesQuery {
            scope: Scope::default(),
            ..question.clone()
        };
        let listed = services(session, &anywhere).expect("services");
        for node in &drawn.nodes {
            let is_counted = ["shop", "quiet", "twice"].contains(&node.name.as_str());
            assert_eq!(node.requests.is_some(), is_counted, "{}", node.name);
            if is_counted {
                assert_eq!(node.counted(), expected[node.name.as_str()]);
            }
            // What spans stand for, like everywhere.
            let service = named(&listed.items, &node.name);
            assert_eq!(
                (node.calls, node.weight),
                (service.calls, service.weight),
                "{}",
                node.name
            );
        }
        // A step of the range has the numbers of spans.
        let step = graph_in_step(session, &of_graph, TEN_MINUTES).expect("a graph");
        assert!(step.nodes.iter().all(|node| node.requests.is_none()));
    });
}
