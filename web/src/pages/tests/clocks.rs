//! Times of a page: those that the browser turns into the reader's own, and those that say that they are UTC.

use tripline_storage::model::{LogRecord, PulsePoint};

use super::*;

#[test]
fn the_lens_over_log_records_says_utc() {
    let data = LogsPage {
        found: cut::<LogRecord>(&log("x")),
        histogram: read(
            json!({"steps": [{"counts": [0, 0, 0, 5, 0, 1, 0]}], "services": [["cart", 6]], "services_total": 1}),
        ),
        ..LogsPage::default()
    };
    let html = render(&frame("/logs", &[]), "Logs", |f| logs(&data, f));
    assert!(html.contains(" UTC · 6 records, 1 error"), "{html}");
}

#[test]
fn the_chosen_step_is_in_the_readers_time_and_what_stands_in_titles_in_utc() {
    let point = |calls| PulsePoint {
        calls,
        ..PulsePoint::default()
    };
    let said = |width_ns: u64| {
        let node = json!({"name": "cart", "kind": "service", "inferred": false, "calls": 10, "errors": 0, "latency": {}});
        let data = GraphPage {
            graph: read(
                json!({"nodes": [node], "edges": [], "truncated": false, "total_edges": 0}),
            ),
            scrubber: Scrubber {
                from_ns: NOW - 60_000_000_000,
                width_ns,
                steps: vec![point(40), point(0), point(80)],
                chosen: Some(2),
            },
            ..GraphPage::default()
        };
        render(&frame("/graph", &[]), "Graph", |f| graph(&data, f))
    };
    let html = said(10_000_000_000);
    for words in [
        "title=\"03:01:34 UTC: 80 calls, 0 failed\"",
        "datetime=\"2026-11-21T03:01:34Z\"",
        "datetime=\"2026-11-21T03:01:44Z\"",
        "data-clock=\"s\"",
        ">03:01:34</time>",
        ">03:01:44</time>",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    // Over days the time of day alone says too little.
    let html = said(86_400_000_000_000);
    for words in [
        "title=\"11-23 03:01:14 UTC: 80 calls, 0 failed\"",
        ">11-23 03:01</time>",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
}
