//! Breakers whose instances fell silent, incidents that end so, and names that nothing has.

use tripline_storage::model::{BreakerTransition, LiveCounts, ServiceSummary};

use super::incident_data::{breaker_page, incident_of};
use super::*;

#[test]
fn a_breaker_of_silent_instances_is_stale_on_no_number_of_them() {
    let mut page = breaker_page("payment");
    page.incident = None;
    let said = |page: &BreakerPage| {
        render(&frame("/breakers/payment/payment", &[]), "payment", |f| {
            breaker(page, f)
        })
    };
    page.detail.breaker.state = "stale".to_owned();
    page.detail.breaker.instances = 0;
    page.detail.breaker.instances_open = 0;
    let html = said(&page);
    assert!(
        html.contains("payment is stale; it did not open in this range"),
        "{html}"
    );
    page.detail.breaker.state = "closed".to_owned();
    page.detail.breaker.instances = 2;
    let html = said(&page);
    assert!(
        html.contains("payment is closed on 2 instances; it did not open in this range"),
        "{html}"
    );
}

#[test]
fn an_incident_that_ended_in_silence_is_neither_open_nor_recovered() {
    let mut data = incident_of("payment");
    let end = data.incident.start_unix_nano + 90_000_000_000;
    data.incident.end_unix_nano = Some(end);
    data.incident.state = "silent".to_owned();
    data.recovery.verdict = "silent".to_owned();
    let last = data.transitions.last().expect("a transition").clone();
    data.transitions.push(BreakerTransition {
        time_unix_nano: end,
        time_lo_unix_nano: end,
        to_state: "stale".to_owned(),
        ..last
    });
    let html = render(&frame("/incidents/1", &[]), "payment", |f| {
        incident(&data, f)
    });
    assert!(html.contains("; stale after 1 min 30 s"), "{html}");
    assert!(html.contains("verdict warn"), "{html}");
    assert!(html.contains("<strong>stale</strong>"), "{html}");
    assert!(html.contains("lane-stale"), "{html}");
    let list = Page::whole(vec![data.incident.clone()]);
    let html = render(&frame("/incidents", &[]), "payment", |f| {
        incidents(&list, f)
    });
    assert!(
        html.contains("stale</span>") && !html.contains("no data"),
        "{html}"
    );
    assert!(!html.contains("recovered"), "{html}");
}

/// Makes a list that nothing is in.
type List = fn(&Frame) -> AnyView;

#[test]
fn a_service_that_sent_no_span_says_so_and_when_it_was_last_heard() {
    let told = |spans: u64| {
        let summary = json!({"service_name": "cart", "environment": "prod", "calls": spans, "errors": 0,
            "weight": spans as f64, "basis": "all", "rate_per_second": 0.0, "error_ratio": 0.0, "latency": {},
            "spans": spans, "versions": [], "instances": 1, "last_seen_unix_nano": NOW.to_string()});
        let summary: ServiceSummary = read(summary);
        let other = LastHeard {
            service_name: "cart".to_owned(),
            newest_ns: NOW - 1_000_000_000,
            ..LastHeard::default()
        };
        let data = ServicePage {
            name: "cart".to_owned(),
            heard: vec![
                other.clone(),
                LastHeard {
                    scope: summary.scope.clone(),
                    newest_ns: NOW - 8 * 60_000_000_000,
                    ..other
                },
            ],
            summaries: vec![summary],
            ..ServicePage::default()
        };
        let asked = Frame {
            covered_seconds: Some(10.0),
            ..frame("/services/cart", &[])
        };
        render(&asked, "cart", |f| crate::pages::service(&data, f))
    };
    let silent = told(0);
    for words in ["It sent no span in this range.", "Last seen 8 min ago"] {
        assert!(silent.contains(words), "{words}\n{silent}");
    }
    // Nothing has a rate.
    assert!(!silent.contains("Rates are over"), "{silent}");
    // Nor a failed share.
    let failed_share = |html: &str| {
        let (_, rest) = html.split_once(">Errors</span>").expect("a figure");
        let value = rest.split('>').nth(1).unwrap_or_default();
        value.split('<').next().unwrap_or_default().to_owned()
    };
    assert_eq!(failed_share(&silent), "–");
    let called = told(5);
    assert!(!called.contains("sent no span"), "{called}");
    assert!(called.contains("Rates are over 10 s"), "{called}");
    assert_eq!(failed_share(&called), "0 %");
}

#[test]
fn a_list_of_services_that_nobody_called_has_no_rates_and_no_failed_shares() {
    let told = |calls: u64| {
        let summary = json!({"service_name": "cart", "environment": "prod", "calls": calls, "errors": 0,
            "weight": calls as f64, "basis": "all", "rate_per_second": 0.0, "error_ratio": 0.0, "latency": {},
            "spans": calls, "versions": [], "instances": 1, "last_seen_unix_nano": NOW.to_string()});
        let data = Overview {
            counts: LiveCounts {
                spans: 600,
                services: 1,
                ..LiveCounts::default()
            },
            services: Page::whole(vec![read(summary)]),
            ..Overview::default()
        };
        let asked = Frame {
            covered_seconds: Some(10.0),
            ..frame("/", &[])
        };
        let html = render(&asked, "Overview", |f| overview(&data, f));
        let (_, cell) = html
            .split_once("data-head=\"errors\"")
            .expect("a cell of the failed share");
        let (cell, _) = cell.split_once("</td>").expect("its end");
        (cell.to_owned(), html)
    };
    let (cell, html) = told(0);
    assert!(
        cell.contains(">–<") && cell.contains("0 of 0 failed"),
        "{cell}"
    );
    assert!(!html.contains("Rates are over"), "{html}");
    let (cell, html) = told(5);
    assert!(cell.contains(">0 %<"), "{cell}");
    assert!(html.contains("Rates are over 10 s"), "{html}");
}

#[test]
fn a_name_that_nothing_has_is_said_with_the_way_back() {
    let lists: [(&str, &str, &str, List); 7] = [
        ("/traces", "service", "service", |f| {
            traces(&TracesPage::default(), f)
        }),
        ("/traces", "name", "operation", |f| {
            traces(&TracesPage::default(), f)
        }),
        ("/logs", "service", "service", |f| {
            logs(&LogsPage::default(), f)
        }),
        ("/explore", "service", "service", |f| {
            explore(&Explore::default(), f)
        }),
        ("/graph", "service", "service", |f| {
            graph(&GraphPage::default(), f)
        }),
        ("/breakers", "cluster", "cluster", |f| {
            breakers(&BreakersPage::default(), f)
        }),
        ("/incidents", "environment", "environment", |f| {
            incidents(&Page::default(), f)
        }),
    ];
    for (path, param, word, list) in lists {
        let html = render(&frame(path, &[(param, "nosuch"), ("q", "x")]), "x", list);
        for words in [
            format!("Only the {word} named nosuch was looked at."),
            format!("<a href=\"{path}?q=x\">Any {word}</a>"),
        ] {
            assert!(html.contains(&words), "{words}\n{html}");
        }
    }
    // Where nothing was named, nothing is said of names.
    let html = render(&frame("/traces", &[]), "x", |f| {
        traces(&TracesPage::default(), f)
    });
    assert!(!html.contains("was looked at"), "{html}");
}
