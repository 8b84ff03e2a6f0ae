//! Failures of a sample: all of them were kept, and one success in ten. Every share is of what the spans stand for.

use super::hows::rows;
use super::*;
use crate::model::{
    CallCounts, FindingsQuery, InstancesQuery, PulsePoint, RedPoint, ServiceQuery, ServiceSummary,
};
use crate::query::{findings, how, instances, pulses, service};

const SECOND: u64 = 1_000_000_000;
/// The first ten of the twenty seconds.
const CUT: TimeRange = TimeRange {
    from_unix_nano: BASE as i64,
    to_unix_nano: (BASE + 10 * SECOND) as i64,
};

/// The spans that `shop` or `pay` has of forty calls in twenty seconds: a failed one of weight 1, another of weight 10, and
/// so on.
fn sent(store: &Store, service: &str) {
    let mut columns = SpanColumns::default();
    for number in 0..40_u64 {
        let is_failed = number.is_multiple_of(2);
        let start = BASE + number * SECOND / 2;
        let id = |at: u64| (number * 10 + at + 1).to_be_bytes();
        let mut span = |at: u64, kind: &'static str, peer: Option<(&'static str, &'static str)>| {
            columns.push(&SpanRow {
                trace_id: u128::from(number + 1).to_be_bytes(),
                span_id: id(at),
                parent_span_id: (at > 0).then(|| id(at - 1)),
                name: "work",
                kind,
                start_unix_nano: start + at,
                end_unix_nano: start + 1_000_000,
                status_code: if is_failed { "error" } else { "unset" },
                attributes: "{}",
                peer: peer.map(|(_, name)| name),
                peer_kind: peer.map(|(kind, _)| kind),
                weight: Some(if is_failed { 1.0 } else { 10.0 }),
                ..SpanRow::default()
            });
        };
        if service == "shop" {
            span(0, "server", None);
            span(1, "client", None);
        } else {
            span(2, "server", None);
            // Nobody answers: half of a call that another segment might complete.
            span(3, "client", Some(("database", "postgresql:ledger")));
        }
    }
    append(store, service, Rows::Spans(columns));
}

/// Half of the calls failed, and a tenth of those that succeeded was kept.
fn is_eleventh(counts: CallCounts, calls: u64, what: &str) {
    assert_eq!((counts.calls, counts.errors), (calls, calls / 2), "{what}");
    let stand_for = (calls as f64 * 5.5, calls as f64 / 2.0);
    assert_eq!((counts.all(), counts.failed()), stand_for, "{what}");
    assert!((counts.share() - 1.0 / 11.0).abs() < 1e-9, "{what}");
}

fn check(session: &Session<'_>, range: TimeRange, calls: u64) {
    let of_services = ServicesQuery {
        range,
        scope: Scope::default(),
        order: ServiceOrder::default(),
        limit: 100,
    };
    let found = services(session, &of_services).expect("services").items;
    assert_eq!(found.len(), 2, "{found:?}");
    for one in &found {
        is_eleventh(one.counts(), calls, &one.service_name);
        assert!((one.error_ratio - 1.0 / 11.0).abs() < 1e-9, "{one:?}");
    }
    let found = pulses(session, &of_services).expect("pulses");
    assert_eq!(found.len(), 2, "{found:?}");
    for pulse in &found {
        is_eleventh(pulse.earlier.counts(), calls, "a half");
        let steps = pulse.points.iter().map(PulsePoint::counts);
        let busy: Vec<CallCounts> = steps.filter(|one| one.calls > 0).collect();
        assert_eq!(busy.len(), 1, "{busy:?}");
        is_eleventh(busy[0], calls, "a step of a pulse");
    }

    let of_graph = GraphQuery {
        range,
        scope: Scope::default(),
        service: None,
        edges_max: 100,
    };
    let found = graph(session, &of_graph).expect("a graph");
    assert_eq!((found.nodes.len(), found.edges.len()), (3, 2), "{found:?}");
    for node in &found.nodes {
        is_eleventh(node.counts(), calls, &node.name);
    }
    for edge in &found.edges {
        is_eleventh(edge.counts(), calls, "an edge");
    }

    let of_findings = FindingsQuery {
        range,
        scope: Scope::default(),
        services: vec!["shop".to_owned()],
        limit: 100,
    };
    let found = findings(session, &of_findings).expect("findings").items;
    let sentence = format!(
        "shop → pay: {} of {} calls failed and no breaker is known on this edge.",
        calls / 2,
        calls * 11 / 2
    );
    let is_said = found.iter().any(|finding| finding.sentence == sentence);
    assert!(is_said, "{sentence} {found:?}");

    let of_service = ServiceQuery {
        service: "pay".to_owned(),
        range,
        scope: Scope::default(),
        own: None,
        steps: 24,
    };
    let found = service(session, &of_service).expect("a service");
    let steps = found.points.iter().map(RedPoint::counts);
    let busy: Vec<CallCounts> = steps.filter(|one| one.calls > 0).collect();
    assert_eq!(busy.len(), 1, "{busy:?}");
    is_eleventh(busy[0], calls, "a step");
    is_eleventh(found.operations[0].counts(), calls, "an operation");
    is_eleventh(found.versions[0].counts(), calls, "a version");
    let of_instances = InstancesQuery {
        service: "pay".to_owned(),
        range,
        scope: Scope::default(),
        limit: 10,
    };
    let found = instances(session, &of_instances).expect("instances").items;
    is_eleventh(found[0].counts(), calls, "an instance");

    for (sql, count) in [
        (how::services(&of_services, None, 60.0), 2),
        (how::edges(&of_graph, 60.0), 2),
        (how::over_time(&of_service), 1),
        (how::operations(&of_service, 60.0), 1),
        (how::versions(&of_service, 60.0), 1),
        (how::instances(&of_instances, 60.0), 1),
    ] {
        let told = rows(session, &sql, "format('{:.6f}', error_ratio)");
        assert_eq!(told, vec!["0.090909"; count], "{sql}");
    }
}

#[test]
fn failures_that_were_all_kept_are_no_more_than_they_were_in_hot_and_sealed_segments() {
    for is_apart in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        sent(&store, "shop");
        if is_apart {
            // The two ends of a call are in two segments.
            store.seal_now().expect("sealed");
        }
        sent(&store, "pay");
        for _ in 0..2 {
            let reader = store.reader().expect("a reader");
            check(&Session::new(&reader), RANGE, 40);
            check(&Session::new(&reader), CUT, 20);
            drop(reader);
            store.seal_now().expect("sealed");
        }
    }
}

#[test]
fn who_fails_most_is_told_by_what_spans_stand_for() {
    let service = |name: &str, calls: u64, errors: u64, weight: f64, error_weight: f64| {
        let mut one = ServiceSummary {
            service_name: name.to_owned(),
            calls,
            errors,
            weight,
            error_weight,
            ..ServiceSummary::default()
        };
        one.error_ratio = one.counts().share();
        one
    };
    let all = [
        service("every", 100, 50, 100.0, 50.0),
        service("sampled", 10, 5, 1_000.0, 500.0),
        service("biased", 20, 10, 110.0, 10.0),
    ];
    for (order, expected) in [
        (ServiceOrder::Impact, ["sampled", "every", "biased"]),
        (ServiceOrder::Errors, ["sampled", "every", "biased"]),
    ] {
        let mut sorted = all.clone();
        order.sort(&mut sorted);
        let names = sorted.each_ref().map(|one| one.service_name.as_str());
        assert_eq!(names, expected, "{order:?}");
    }
}
