//! What an address says: which scope, which order; and what lists say of what they leave out.

use tripline_storage::model::{
    LiveCounts, LogRecord, ServicePulse, ServiceSummary, SpanRecord, TraceDetail,
};

use super::*;

fn assert_says(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word}\n{html}");
    }
}

fn service_in(environment: &str, calls: u64) -> ServiceSummary {
    read(
        json!({"service_name": "cart", "environment": environment, "calls": calls, "errors": 0, "weight": calls as f64,
        "basis": "all", "rate_per_second": 1.0, "error_ratio": 0.0, "latency": {}, "spans": calls, "versions": [],
        "instances": 1, "last_seen_unix_nano": (NOW - 3_000_000_000).to_string()}),
    )
}

fn part_in(environment: &str, operation: &str) -> ServicePart {
    ServicePart {
        scope: service_in(environment, 1).scope,
        detail: read(
            json!({"points": [{"time_unix_nano": (NOW - 60_000_000_000).to_string(), "seconds": 60.0, "calls": 10, "errors": 1,
                "weight": 10.0, "latency": {}}],
            "operations": [{"name": operation, "calls": 60, "errors": 20, "weight": 60.0, "latency": {}}], "operations_total": 1,
            "versions": [], "changes": []}),
        ),
        how: PartHow {
            over_time: format!("SELECT '{environment}'"),
            ..PartHow::default()
        },
        ..ServicePart::default()
    }
}

#[test]
fn the_same_name_in_two_scopes_is_two_services() {
    let data = ServicePage {
        name: "cart".to_owned(),
        summaries: vec![service_in("canary", 20), service_in("prod", 40)],
        parts: vec![part_in("prod", "GET /cart"), part_in("canary", "GET /new")],
        ..ServicePage::default()
    };
    let html = render(&frame("/services/cart", &[]), "cart", |f| {
        super::super::service(&data, f)
    });
    assert_says(
        &html,
        &[
            "id=\"red-prod//\"",
            "id=\"red-canary//\"",
            "id=\"operations-canary//\"",
            "/sql?q=SELECT%20%27prod%27",
            "/sql?q=SELECT%20%27canary%27",
            "/services/cart?environment=canary",
            "/traces?service=cart&amp;name=GET%20%2Fnew&amp;environment=canary",
            "/traces?service=cart&amp;name=GET%20%2Fcart&amp;environment=prod",
        ],
    );
    let overview_data = Overview {
        counts: LiveCounts {
            spans: 60,
            services: 2,
            ..LiveCounts::default()
        },
        services: Page::whole(vec![service_in("canary", 20), service_in("prod", 40)]),
        ..Overview::default()
    };
    let html = render(&frame("/", &[("environment", "prod")]), "Overview", |f| {
        overview(&overview_data, f)
    });
    assert_says(
        &html,
        &[
            "/services/cart?environment=canary",
            "/services/cart?environment=prod",
            "class=\"brand\"",
            "href=\"/?environment=prod\"",
        ],
    );
    let node = |environment: &str| {
        json!({"name": "cart", "environment": environment, "kind": "service", "inferred": false, "calls": 10, "errors": 0,
            "latency": {}})
    };
    let graph_data = GraphPage {
        graph: read(
            json!({"nodes": [node("canary"), node("prod")], "edges": [], "truncated": false, "total_edges": 0}),
        ),
        ..GraphPage::default()
    };
    let html = render(&frame("/graph", &[]), "Graph", |f| graph(&graph_data, f));
    assert_says(
        &html,
        &[
            "/services/cart?environment=canary",
            "/services/cart?environment=prod",
        ],
    );
}

#[test]
fn an_order_is_part_of_the_address_and_said_under_the_list() {
    let data = Overview {
        counts: LiveCounts {
            spans: 60,
            services: 1,
            ..LiveCounts::default()
        },
        services: Page::whole(vec![service_in("prod", 40)]),
        ..Overview::default()
    };
    for (sort, words, is_offered) in [
        ("", "1 service, most failures first", false),
        ("name", "1 service, by name", true),
        ("rate", "1 service, most calls a second first", true),
        ("errors", "1 service, greatest failed share first", true),
        ("p95", "1 service, longest p95 first", true),
    ] {
        let asked = frame("/", &[("sort", sort), ("proxies", "show")]);
        let html = render(&asked, "Overview", |f| overview(&data, f));
        assert_says(&html, &[words, "/?proxies=show&amp;sort=p95"]);
        assert_eq!(
            html.contains("Most failures first</a>"),
            is_offered,
            "{sort}"
        );
        assert_eq!(
            html.matches("aria-sort=").count(),
            usize::from(is_offered),
            "{sort}"
        );
    }
    let found = TracesPage {
        found: cut(&summary("cart")),
        order: tripline_storage::model::TraceOrder::Duration,
        ..TracesPage::default()
    };
    let asked = frame("/traces", &[("sort", "duration"), ("cursor", "x")]);
    let html = render(&asked, "Traces", |f| traces(&found, f));
    assert_says(
        &html,
        &[
            "1 of 12,431 traces, longest first",
            "href=\"/traces?sort=errors\"",
            // The default needs no word.
            "href=\"/traces\"",
        ],
    );
}

/// Where the links of a page lead, within the app.
fn links_of(html: &str) -> Vec<String> {
    html.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|link| link.starts_with('/'))
        .map(|link| link.replace("&amp;", "&"))
        .collect()
}

#[test]
fn every_link_of_a_trace_carries_scope_and_range() {
    let in_environment = |id: &str, parent: Option<&str>, service: &str, environment: &str| {
        let mut one = span(id, parent, service, 0, 50_000_000);
        one["environment"] = json!(environment);
        one
    };
    let spans = vec![
        in_environment("051581bf3cb55c13", None, "shop", "prod"),
        in_environment(
            "051581bf3cb55c14",
            Some("051581bf3cb55c13"),
            "pay",
            "canary",
        ),
    ];
    let detail = TraceDetail {
        trace_id: "5b8aa5a2d2c872e8321cf37308d69df2".to_owned(),
        spans: spans.into_iter().map(read).collect(),
        ..TraceDetail::default()
    };
    let data = TracePage {
        trace: detail.clone(),
        other: Some(Ok(TraceDetail {
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            ..detail
        })),
        ..TracePage::default()
    };
    for view in ["", "critical", "flame", "statistics", "graph", "compare"] {
        let asked = Frame {
            range: crate::range::Range::parse(Some("now-3h"), None).expect("a range"),
            ..frame(
                "/traces/x",
                &[
                    ("view", view),
                    ("environment", "prod"),
                    ("sidecars", "hide"),
                    ("from", "now-3h"),
                    ("to", "now"),
                ],
            )
        };
        let html = render(&asked, "x", |f| trace(&data, f));
        let main = html.split("<main").nth(1).expect("a page");
        // Below stands what every page has: the copied link has the range in full.
        let main = main.split("id=\"tools\"").next().unwrap_or(main);
        let links = links_of(main);
        assert!(links.len() > 8, "{view}: {links:?}");
        for link in links {
            // Files and logs of an id are found whenever they were.
            if link.starts_with("/api/") || link.starts_with("/logs?trace=") {
                continue;
            }
            let environment = if link.starts_with("/services/pay") {
                "environment=canary"
            } else {
                "environment=prod"
            };
            assert!(link.contains(environment), "{view}: {link}");
            assert!(link.contains("from=now-3h"), "{view}: {link}");
            if link.starts_with("/traces/") {
                assert!(link.contains("sidecars=hide"), "{view}: {link}");
            }
        }
    }
}

#[test]
fn what_a_list_leaves_out_is_counted() {
    let loose = |number: u64| {
        let mut record = log("loose");
        record["span_id"] = Value::Null;
        record["time_unix_nano"] = json!((NOW + number).to_string());
        read::<LogRecord>(record)
    };
    let of_span = |number: u64| {
        let mut record = log("of the span");
        record["time_unix_nano"] = json!((NOW + number).to_string());
        read::<LogRecord>(record)
    };
    let data = TracePage {
        trace: TraceDetail {
            trace_id: "5b8aa5a2d2c872e8321cf37308d69df2".to_owned(),
            spans: vec![read(span("051581bf3cb55c13", None, "work", 0, 50_000_000))],
            logs: (0..205).map(loose).chain((0..103).map(of_span)).collect(),
            ..TraceDetail::default()
        },
        ..TracePage::default()
    };
    let asked = frame(
        "/traces/x",
        &[("span", "051581bf3cb55c13"), ("from", "now-15m")],
    );
    let asked = Frame {
        range: crate::range::Range::parse(Some("now-15m"), None).expect("a range"),
        ..asked
    };
    let html = render(&asked, "x", |f| trace(&data, f));
    assert_says(
        &html,
        &[
            "200 of 205 log records, oldest first, the rest was cut",
            "100 of 103 log records, oldest first, the rest was cut",
            // Found whenever they were: the range of the page says nothing of them.
            "href=\"/logs?trace=5b8aa5a2d2c872e8321cf37308d69df2&amp;span=051581bf3cb55c13\"",
        ],
    );
    let data = LogsPage {
        found: cut::<LogRecord>(&log("x")),
        histogram: read(
            json!({"steps": [{"counts": [0, 0, 0, 5, 0, 1, 0]}], "services": [["cart", 6]], "services_total": 31}),
        ),
        ..LogsPage::default()
    };
    let html = render(&frame("/logs", &[]), "Logs", |f| logs(&data, f));
    assert_says(
        &html,
        &[
            "1 of 31 services, most records first, the rest was cut",
            "1 of 12,431 log records, newest first",
        ],
    );
}

#[test]
fn lists_beside_the_main_one_say_what_they_leave_out_too() {
    let differences = |number: u64, total: u64| {
        let items: Vec<Value> = (0..number)
            .map(|at| {
                json!({"key": "n", "value": at.to_string(), "selected": 9, "others": 3, "difference": 0.8,
                    "filter": format!("n = {at}")})
            })
            .collect();
        json!({"selected": 10, "others": 90, "is_sampled": false, "items": items, "total": total})
    };
    let boxed = |number: u64, total: u64| {
        let data = TracesPage {
            selected: Some((
                box_of("10,20,30,40").expect("a box"),
                read(differences(number, total)),
            )),
            ..TracesPage::default()
        };
        render(&frame("/traces", &[]), "Traces", |f| traces(&data, f))
    };
    for (number, total) in [(40, 40), (40, 57)] {
        let words = format!("12 of {total} differences, greatest first, the rest was cut");
        assert_says(&boxed(number, total), &[words.as_str()]);
    }
    assert!(!boxed(6, 6).contains("the rest was cut"));

    let second = 1_000_000_000;
    let part = |at: u64| {
        read::<SpanRecord>(span(
            &format!("{:016x}", at + 1),
            Some("00000000000003e8"),
            "part",
            at * second,
            at * second + second - 1,
        ))
    };
    let root = read(span("00000000000003e8", None, "whole", 0, 600 * second));
    let data = TracePage {
        trace: TraceDetail {
            trace_id: "5b8aa5a2d2c872e8321cf37308d69df2".to_owned(),
            spans: std::iter::once(root).chain((0..600).map(part)).collect(),
            ..TraceDetail::default()
        },
        ..TracePage::default()
    };
    let html = render(&frame("/traces/x", &[("view", "critical")]), "x", |f| {
        trace(&data, f)
    });
    assert_says(
        &html,
        &[
            "601 spans on a path of 10 min",
            "500 of 601 spans, most time on the path first, the rest was cut",
        ],
    );

    let half = |errors: u64| json!({"calls": 100, "errors": errors, "p95_ns": null});
    let pulses = |number: u64| -> Vec<ServicePulse> {
        (0..number)
            .map(|at| {
                read(
                    json!({"service_name": format!("s{at}"), "points": [], "earlier": half(0), "later": half(20 + at)}),
                )
            })
            .collect()
    };
    let moved = |number: u64| {
        let data = Overview {
            counts: LiveCounts {
                spans: 60,
                ..LiveCounts::default()
            },
            pulses: pulses(number),
            ..Overview::default()
        };
        render(&frame("/", &[]), "Overview", |f| overview(&data, f))
    };
    let html = moved(8);
    assert_says(
        &html,
        &["6 of 8 changes, worse ones first, the rest was cut", ">s2<"],
    );
    assert!(!html.contains(">s1<"), "{html}");
    assert!(!moved(6).contains("the rest was cut"));
}

#[test]
fn a_trace_too_large_for_a_page_says_what_is_missing_of_it() {
    let of = |total_spans: u64, total_logs: u64| {
        let data = TracePage {
            trace: TraceDetail {
                trace_id: "5b8aa5a2d2c872e8321cf37308d69df2".to_owned(),
                spans: vec![read(span("051581bf3cb55c13", None, "work", 0, 50_000_000))],
                logs: vec![read(log("x"))],
                truncated: total_spans > 1 || total_logs > 1,
                total_spans,
                total_logs,
                ..TraceDetail::default()
            },
            ..TracePage::default()
        };
        render(&frame("/traces/x", &[]), "x", |f| trace(&data, f))
    };
    for (total_spans, total_logs, words) in [
        (
            100_001,
            10_001,
            "Only 1 of 100,001 spans and 1 of 10,001 log records are shown",
        ),
        (1, 10_001, "Only 1 of 10,001 log records are shown"),
        (100_001, 1, "Only 1 of 100,001 spans are shown"),
    ] {
        let html = of(total_spans, total_logs);
        let spans_are_cut = total_spans > 1;
        assert_says(&html, &[words]);
        assert_eq!(
            html.contains("The downloads have no more spans than that."),
            spans_are_cut,
            "{html}"
        );
    }
    assert!(!of(1, 1).contains("larger than a page may be"));
}

#[test]
fn a_box_of_the_graph_counts_what_its_spans_stand_for() {
    let node = json!({"name": "cart", "kind": "service", "inferred": false, "calls": 3_600, "errors": 0, "weight": 36_000.0,
        "latency": {}});
    let data = GraphPage {
        graph: read(json!({"nodes": [node], "edges": [], "truncated": false, "total_edges": 0})),
        ..GraphPage::default()
    };
    let html = render(&frame("/graph", &[]), "Graph", |f| graph(&data, f));
    assert_says(
        &html,
        &[
            ">10/s<",
            "3,600 calls, 0 failed (sampled: they stand for 36,000)",
        ],
    );
}

#[test]
fn a_box_ends_before_the_end_of_time() {
    assert!(box_of("0,9223372036854775806,0,9223372036854775807").is_some());
    assert!(box_of("0,9223372036854775807,0,1").is_none());
}

#[test]
fn a_trace_without_spans_has_its_records_and_no_numbers_of_spans() {
    let loose = |nanos: u64| {
        let mut record = log("loose");
        record["span_id"] = Value::Null;
        record["time_unix_nano"] = json!((NOW + nanos).to_string());
        read::<LogRecord>(record)
    };
    let data = TracePage {
        trace: TraceDetail {
            trace_id: "5b8aa5a2d2c872e8321cf37308d69df2".to_owned(),
            logs: vec![loose(0), loose(1_500_000)],
            ..TraceDetail::default()
        },
        ..TracePage::default()
    };
    for view in ["", "critical", "flame", "statistics", "graph"] {
        let html = render(&frame("/traces/x", &[("view", view)]), "x", |f| {
            trace(&data, f)
        });
        assert_says(&html, &["No span of this trace is stored.", ">–<"]);
        for absent in ["Find in this trace", "unnamed", "no time", "0 blocks"] {
            assert!(!html.contains(absent), "{view}: {absent}\n{html}");
        }
    }
    let html = render(&frame("/traces/x", &[]), "x", |f| trace(&data, f));
    assert_says(&html, &["Its logs are below.", "+0 ns", "+1.5 ms"]);
}

#[test]
fn a_span_that_was_not_kept_is_said_and_one_failure_is_one() {
    let mut failed = span("051581bf3cb55c13", None, "work", 0, 50_000_000);
    failed["status_code"] = json!("error");
    failed["links"] = json!([{"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "0000000000000007", "trace_state": null,
        "flags": 0, "attributes": [{"key": "why", "value": {"string": "batched"}}], "dropped_attributes_count": 0}]);
    (
        failed["dropped_attributes_count"],
        failed["dropped_links_count"],
    ) = (json!(1), json!(3));
    let data = TracePage {
        trace: TraceDetail {
            trace_id: "5b8aa5a2d2c872e8321cf37308d69df2".to_owned(),
            spans: vec![read(failed)],
            ..TraceDetail::default()
        },
        ..TracePage::default()
    };
    let said =
        |params: &[(&str, &str)]| render(&frame("/traces/x", params), "x", |f| trace(&data, f));
    let html = said(&[("span", "0000000000000009")]);
    assert_says(
        &html,
        &["0000000000000009", "is not stored", ">failed span<"],
    );
    assert!(!html.contains("aria-label=\"Span\""), "{html}");
    // A box of the trace's graph has spans: one of a service may be no call.
    let html_of_graph = said(&[("view", "graph")]);
    assert_says(&html_of_graph, &["work: 1 span, 1 failed"]);
    let html = said(&[("span", "051581bf3cb55c13")]);
    assert_says(
        &html,
        &[
            "The sender dropped 1 attribute, 3 links of this span.",
            "batched",
        ],
    );
    assert!(!html.contains("is not stored"), "{html}");
}

#[test]
fn a_service_without_spans_in_the_range_was_seen_when_it_last_sent_anything() {
    let silent = |name: &str| {
        let mut service = service_in("prod", 0);
        (service.service_name, service.last_seen_unix_nano) = (name.to_owned(), None);
        service
    };
    let ago = |minutes: u64| NOW - minutes * 60_000_000_000;
    let heard = |name: &str, minutes: u64| LastHeard {
        scope: silent(name).scope,
        service_name: name.to_owned(),
        newest_ns: ago(minutes),
    };
    let data = Overview {
        counts: LiveCounts {
            spans: 60,
            ..LiveCounts::default()
        },
        services: Page::whole(["logging", "gone", "unheard"].map(silent).into()),
        coverage: Page::whole(vec![read(
            json!({"service_name": "logging", "environment": "prod", "newest_span_unix_nano": null,
            "newest_log_unix_nano": ago(7).to_string(), "newest_traced_log_unix_nano": null, "newest_metric_unix_nano": null,
            "has_version": true, "has_instance_id": true, "breaker_evidence": []}),
        )]),
        heard: vec![heard("gone", 50), heard("logging", 3)],
        ..Overview::default()
    };
    let html = render(&frame("/", &[]), "Overview", |f| overview(&data, f));
    assert_says(&html, &["7 min ago", "50 min ago", "not in range"]);
    assert!(!html.contains(">never<"), "{html}");
}

#[test]
fn a_page_below_another_is_marked_in_the_navigation() {
    for (path, here) in [
        ("/", "/"),
        ("/services/cart", "/"),
        ("/traces/x", "/traces"),
        ("/breakers/cart/payment", "/breakers"),
        ("/incidents/1795230134", "/incidents"),
        ("/sql", "/sql"),
    ] {
        let html = render(&frame(path, &[]), "x", |_| "".into_any());
        let marked = format!("data-page=\"{here}\" aria-current=\"page\"");
        let navigation = html.split("</nav>").next().unwrap_or_default();
        assert!(navigation.contains(&marked), "{path}: {navigation}");
        assert_eq!(navigation.matches("aria-current").count(), 1, "{path}");
    }
}
