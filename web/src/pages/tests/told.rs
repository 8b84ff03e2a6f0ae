//! What a number or a time leaves open is told beside it: its zone, its scope, how many more there are.

use tripline_storage::model::{Breaker, Graph, IncidentDetail, MeshCalls, Scope, ServiceCoverage};

use super::incident_data::{breaker_page, incident_of};
use super::*;
use crate::chart::{Line, time_series};

#[test]
fn the_times_of_a_breakers_sentence_say_their_zone_and_their_doubt() {
    let mut page = breaker_page("payment");
    let path = "/breakers/payment/payment";
    let html = render(&frame(path, &[]), "payment", |f| breaker(&page, f));
    let since = html.split("instances since ").nth(1).expect("a sentence");
    assert_eq!(since.get(8..12), Some(" UTC"), "{html}");
    assert!(!html.contains(" UTC (inferred)"), "{html}");
    page.detail.breaker.since_exact = false;
    let html = render(&frame(path, &[]), "payment", |f| breaker(&page, f));
    assert!(html.contains(" UTC (inferred)"), "{html}");
    page.detail.breaker.instances_open = 0;
    let html = render(&frame(path, &[]), "payment", |f| breaker(&page, f));
    let from = html.split("instances from ").nth(1).expect("a sentence");
    assert_eq!(from.get(8..12), Some(" UTC"), "{html}");
    // Nobody reported it: it was seen five seconds later than it may have been.
    assert!(from.contains(" UTC (up to 5 s earlier) "), "{html}");
}

#[test]
fn a_breakers_head_tells_of_a_range_that_is_over_what_it_was_then() {
    use crate::range::{Edge, Range};
    let mut page = breaker_page("payment");
    // By now it is open; when the range ended it was not.
    page.then = Some(Breaker {
        state: "closed".to_owned(),
        instances_open: 0,
        ..page.detail.breaker.clone()
    });
    let past = Frame {
        range: Range {
            from: Edge::At(3_600_000_000_000),
            to: Edge::At(7_200_000_000_000),
        },
        ..frame("/breakers/payment/payment", &[])
    };
    let shown = |page: &BreakerPage| render(&past, "payment", |f| breaker(page, f));
    let html = shown(&page);
    for words in [
        "was OPEN on",
        "when this range ended it was closed",
        "States are those of",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    for words in ["is OPEN on", "now it is", "Next probe"] {
        assert!(!html.contains(words), "{words}\n{html}");
    }
    page.then = Some(page.detail.breaker.clone());
    let html = shown(&page);
    assert!(html.contains(" was OPEN on "), "{html}");
    assert!(html.contains(" UTC when this range ended"), "{html}");
    assert!(!html.contains("Next probe"), "{html}");
    // What was not known by then is told as it is by now.
    page.then = None;
    let html = shown(&page);
    assert!(
        html.contains(" is OPEN on ") && html.contains("Next probe"),
        "{html}"
    );
}

#[test]
fn a_breaker_that_closed_in_between_is_not_said_to_have_been_open_all_the_while() {
    let mut page = breaker_page("payment");
    page.detail.breaker.instances_open = 0;
    let path = "/breakers/payment/payment";
    let shown = |page: &BreakerPage| render(&frame(path, &[]), "payment", |f| breaker(page, f));
    // Two trips of twelve instances may have been at the same time.
    let html = shown(&page);
    assert!(html.contains(" and has not closed since; "), "{html}");
    let found = page.incident.as_mut().expect("an incident");
    let end = found.incident.start_unix_nano + 60_000_000_000;
    for member in &mut found.incident.breakers {
        member.instances = 1;
    }
    let html = shown(&page);
    let words = " and has not closed since the last of 2 trips; ";
    assert!(html.contains(words), "{html}");
    let found = page.incident.as_mut().expect("an incident");
    for member in &mut found.incident.breakers {
        member.closed_unix_nano = Some(end);
    }
    let html = shown(&page);
    let words = " UTC, not all the while (2 trips); ";
    assert!(html.contains(words), "{html}");
}

#[test]
fn a_breaker_of_a_cascade_comes_after_those_below_it_that_tripped_before_it() {
    let mut data = incident_of("checkout");
    let shown = |data: &IncidentDetail| {
        let path = "/incidents/1";
        let html = render(&frame(path, &[]), "Incident", |f| incident(data, f));
        let table = html.split("The cascade, in order").nth(1);
        let table = table.and_then(|rest| rest.split("</table>").next());
        table.expect("a table").to_owned()
    };
    let table = shown(&data);
    assert!(table.contains(" after 1"), "{table}");
    data.incident.breakers[0].downstream = vec![1];
    data.incident.breakers[1].downstream.clear();
    let table = shown(&data);
    assert!(!table.contains(" after "), "{table}");
}

#[test]
fn the_line_of_instances_says_what_it_counts() {
    let data = incident_of("checkout");
    let html = render(&frame("/incidents/1", &[]), "x", |f| incident(&data, f));
    assert!(html.contains("Instances that refuse calls"), "{html}");
}

#[test]
fn errors_handed_on_as_text_say_whose_calls_failed() {
    let text = markdown(&incident_of("checkout"));
    let line = "- 58 × DEADLINE_EXCEEDED, checkout → psp (trace ";
    assert!(text.contains(line), "{text}");
}

#[test]
fn the_calls_of_a_mesh_say_whose_scope_counted_them() {
    let of = |environment: &str| MeshCalls {
        scope: Scope {
            environment: Some(environment.to_owned()),
            ..Scope::default()
        },
        calls: 1,
        ..MeshCalls::default()
    };
    let node = json!({"name": "cart", "kind": "service", "inferred": false, "calls": 1, "errors": 0, "latency": {},
        "has_proxy": true});
    let nodes: Graph =
        read(json!({"nodes": [node], "edges": [], "truncated": false, "total_edges": 0}));
    let data = GraphPage {
        graph: nodes,
        mesh: vec![of("prod"), of("canary")],
        ..GraphPage::default()
    };
    let asked = frame("/graph", &[("proxies", "show")]);
    let html = render(&asked, "Graph", |f| graph(&data, f));
    let table = html.split("id=\"mesh\"").nth(1).expect("a table");
    for words in ["<th>Scope</th>", ">prod<", ">canary<"] {
        assert!(table.contains(words), "{words}\n{table}");
    }
}

#[test]
fn a_chart_of_many_lines_says_how_many_are_read_under_the_pointer() {
    let lines = |count: usize| -> Vec<Line> {
        let line = |at: usize| Line {
            name: format!("line {at}"),
            points: vec![(NOW, Some(1.0))],
        };
        (0..count).map(line).collect()
    };
    let drawn = |count: usize| {
        render(&frame("/explore", &[]), "Metrics", |f| {
            time_series(&lines(count), &[], f.bounds(), "s")
        })
    };
    assert!(drawn(9).contains("Values under the pointer are of the first 8 of 9 lines."));
    assert!(!drawn(8).contains("Values under the pointer"));
}

#[test]
fn a_log_list_says_how_many_of_the_columns_asked_for_it_shows() {
    let keys: Vec<String> = (0..10).map(|at| format!("key.{at}")).collect();
    let page = LogsPage {
        found: cut(&log("said")),
        ..LogsPage::default()
    };
    let shown = |count: usize| {
        let asked = frame("/logs", &[("cols", &keys[..count].join(","))]);
        render(&asked, "Logs", |f| logs(&page, f))
    };
    assert!(shown(10).contains("8 of 10 columns"));
    assert!(!shown(8).contains(" columns, "));
}

#[test]
fn a_service_that_was_not_seen_names_no_more_others_than_fit() {
    let seen = (0..40).map(|at| ServiceCoverage {
        service_name: format!("s-{at:02}"),
        ..ServiceCoverage::default()
    });
    let data = ServicePage {
        name: "nosuch".to_owned(),
        seen: seen.collect(),
        ..ServicePage::default()
    };
    let asked = Frame {
        newest: vec![("traces".to_owned(), 1)],
        ..frame("/services/nosuch", &[("environment", "prod")])
    };
    let html = render(&asked, "nosuch", |f| service(&data, f));
    for words in [
        "No service called nosuch sent anything in this range and scope.",
        "/services/s-29?environment=prod",
        "30 of 40 services, by scope and name, the rest was cut",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    assert!(!html.contains("/services/s-30"), "{html}");
    // The newest span is not one of it.
    assert!(!html.contains("Last seen"), "{html}");
}
