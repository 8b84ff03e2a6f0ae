//! Every page of the gallery: what a person would read is there, and hostile text stays text.

use std::collections::HashMap;

use super::gallery::gallery;
use super::incident_data::incident_of;
use super::*;

/// Asserts that a page of the gallery has these words.
fn said() -> impl Fn(&str, &[&str]) {
    let pages: HashMap<_, _> = gallery("checkout").into_iter().collect();
    move |page, words| {
        for word in words {
            assert!(
                pages[page].contains(word),
                "{page} does not say {word}\n{}",
                pages[page]
            );
        }
    }
}

#[test]
fn hostile_telemetry_stays_text_on_every_page() {
    for text in HOSTILE {
        for (page, html) in gallery(text) {
            for forbidden in [
                "<script>",
                "<img",
                "<svg onload",
                "<!--",
                "href=\"javascript",
                "\"><",
            ] {
                let found = html.match_indices(forbidden).any(|(at, _)| {
                    // Elements of our own may follow an attribute's end; ours are never empty values of text.
                    forbidden != "\"><" || html[at..].starts_with("\"><img")
                });
                assert!(!found, "{page}: {forbidden} from {text}\n{html}");
            }
            assert!(
                !html.contains(" style=\""),
                "{page}: the policy forbids inline styles"
            );
            assert!(
                !html.contains("onclick"),
                "{page}: the policy forbids inline script"
            );
        }
    }
}

/// Text keeps its apostrophes, which is safe as long as no attribute is quoted with them.
#[test]
fn attributes_stand_in_double_quotes() {
    for (page, html) in gallery("checkout") {
        assert!(!html.contains("='"), "{page}\n{html}");
    }
}

#[test]
fn pages_say_what_they_know() {
    let says = said();
    says(
        "overview",
        &[
            "1,234,567",
            "checkout",
            "12.4/s",
            "10 %",
            "20 ms",
            "3 s ago",
            "Last 1 hour",
        ],
    );
    says(
        "traces",
        &[
            "1 of 12,431 traces, newest first",
            "older →",
            "/traces?service=checkout&amp;attr=checkout&amp;text=checkout&amp;q=checkout&amp;name=checkout&amp;sort=duration",
            "aria-sort=\"descending\"",
            "cursor=c%26u%22r",
            "1.2 ms",
        ],
    );
    says(
        "trace",
        &[
            "50 ms",
            "051581bf3cb55c14",
            "exception",
            "The sender dropped 2",
            "+7 ns",
            "aria-label=\"Span\"",
        ],
    );
    says(
        "logs",
        &[
            "error",
            "trace →",
            "/traces/5b8aa5a2d2c872e8321cf37308d69df2?span=051581bf3cb55c13",
        ],
    );
    says(
        "explore",
        &["histogram", "250 ms: open its trace", "p95", "300 ms"],
    );
    says(
        "graph",
        &[
            "orders-db",
            "1/s",
            // 36 failed and 400 refused of 4,000 attempts.
            "10.9 %",
            "400 refused",
            "○ open",
            "key-flow refused",
            "80 calls, 20 failed",
            "aria-current=\"step\"",
            "whole range",
            "2 ms",
            "inferred",
            "The 1 busiest of 9",
        ],
    );
    says(
        "traces",
        &[
            "What the box has in common",
            "tenant",
            "90 %",
            "samples of 10",
            "q=%22checkout%22%20AND%20tenant%20%3D%20checkout",
            "q=%22checkout%22%20AND%20NOT%20tenant%20%3D%20checkout",
        ],
    );
    says(
        "service",
        &[
            "Versions side by side",
            "fails more often",
            "What changed",
            "note-line",
            "1 of 312 operations, busiest first, the rest was cut",
            "1 of 12,431 failed traces, newest first, the rest was cut",
            "All failed traces →",
        ],
    );
    says("critical", &["On the path", "60 %", "path of 50 ms"]);
    says("flame", &["flame-block", "2 blocks"]);
    says("statistics", &["Own time", "80 ms", "40 ms"]);
    says(
        "trace",
        &[
            "retry 2",
            "refused by breaker ",
            "refused by a breaker of gobreaker",
            "/traces/0af7651916cd43dd8448eb211c80319c",
            "3 proxy spans are",
            "shown: hide them",
            "What else checkout was doing (± 5 s)",
            "/traces/0af7651916cd43dd8448eb211c80319c?span=00f067aa0ba902b7",
            "777 ms",
            "<span class=\"tag\">flag</span>",
            "checkout reports no version: deploys of it cannot be seen.",
            "https://jaeger.example/5b8aa5a2d2c872e8321cf37308d69df2",
        ],
    );
    says("trace-graph", &["2 spans"]);
    says("compare", &["Swap"]);
    says(
        "patterns",
        &["among the newest 6 records; older ones were not looked at"],
    );
    says("problem", &["checkout\n  \u{25b2}"]);
    says("sql", &["2 rows in 3 ms, cut here", "NULL"]);
    says("login", &["name=\"next\" value=\"checkout\""]);
}

#[test]
fn the_sixty_seconds_are_answered_in_words() {
    let says = said();
    says(
        "overview",
        &["1 going on", "likely root: psp", "/incidents/"],
    );
    says(
        "service",
        &[
            "Its breakers",
            "9 of 12 open",
            "/breakers/checkout/checkout",
        ],
    );
    says(
        "whatif",
        &[
            "reproduces 7 of 9 recorded trips",
            "Under 90 %",
            "Interval clears its counts",
            "would have succeeded (lost)",
            "minimum_calls = 40",
            "A call that was refused has no outcome",
        ],
    );
    says("breakers", &["Through time", "lane-open", "9 of 12 open"]);
    says(
        "breakers",
        &[
            "Numbers of unknown meaning",
            "held while 95 % of 200 calls were refused",
            "<option value=\"open\" selected>",
            "action=\"/breakers/encodings\"",
            "Forget what 0 means",
            "not seen in this range",
        ],
    );
    says(
        "review",
        &[
            "≈ 12.5", "2.5", "≈ 15 s", "≈ 26 s", "≈ 511", "1,200", "how?",
        ],
    );
    says(
        "breaker",
        &[
            "checkout → psp is OPEN on 9 of 12 instances since",
            "62 of 100 calls failed (limit 50 %)",
            "most often near it: DEADLINE_EXCEEDED (58 calls)",
            "up to 340 calls/min rejected by the 2 breakers of its incident together",
            "71 % of the requests hurt were answered all the same",
            "part of 4 trips",
            "2 different settings",
            "Next probe: ",
            "in 30 s",
            "8 of 10 it takes",
            "812 succeeded",
            "340 refused",
            "not counted: slow, ignored, cancelled",
            "/traces/5b8aa5a2d2c872e8321cf37308d69df2?span=051581bf3cb55c13",
            "failure 12 ms",
            "1 of 7 are shown",
            "minimum_calls 10 →",
        ],
    );
    let incident_id = incident_of("checkout").incident.incident_id;
    let hand_on = format!("tripline export --incident {incident_id} incident<");
    says(
        "incident",
        &[
            "likely root: psp (93 % sure)",
            "worsening",
            "DEADLINE_EXCEEDED",
            "tripped it",
            "/traces/5b8aa5a2d2c872e8321cf37308d69df2?span=051581bf3cb55c13",
            "No version is reported by checkout",
            "Copy as Markdown",
            hand_on.as_str(),
            "9 of 12",
            "/breakers/checkout/checkout?at=",
            "9 instances refused at ",
            "calls those of the 50 s before it",
            "Shares are of failed and refused calls, of all attempted",
            "Failed is the failed share of what spans tell of",
            "aria-label=\"Call graph",
            "checkout: ⊗ forced open",
            "Before (5 min)",
            "During (2 min)",
            "After (not yet)",
            "<td data-head=\"during p50\" class=\"num\">212 ms</td><td data-head=\"p95\" class=\"num\">987 ms</td>",
            "| checkout → payment | 38 ms / 41 ms | 212 ms / 987 ms | no calls |",
            "| checkout checkout | no calls | 44 ms / 77 ms | no calls |",
            "4 probes ended, 1 of them closed",
            "1 of 21 findings, the strongest of each kind first, the rest was cut",
        ],
    );
}

#[test]
fn the_tables_of_an_incident_fold_into_rows_with_their_heads() {
    let data = incident_of("checkout");
    let html = render(&frame("/incidents/1", &[]), "x", |f| incident(&data, f));
    for head in [
        "tripped",
        "reason",
        "limit",
        "open now",
        "before the trip",
        "its trace",
        "deepest failure",
        "failed / min",
        "crosses",
        "before p50",
    ] {
        assert!(
            html.contains(&format!("data-head=\"{head}\"")),
            "{head}\n{html}"
        );
    }
    assert_eq!(html.matches("class=\"list\"").count(), 0, "{html}");
}

#[test]
fn lists_of_traces_services_and_patterns_fold_into_rows_with_their_heads() {
    let pages: HashMap<_, _> = gallery("checkout").into_iter().collect();
    let folds = |page: &str, heads: &str| {
        let html = &pages[page];
        assert!(html.contains("class=\"list folds\""), "{page}\n{html}");
        for head in heads.split(", ") {
            let cell = format!("data-head=\"{head}\"");
            assert!(html.contains(&cell), "{page}: {head}\n{html}");
        }
    };
    folds("traces", "duration, spans, errors");
    folds(
        "graph",
        "caller, callee, calls, rate, refused, failed or refused, p50, p95, p99",
    );
    folds("patterns", "records, share, newest");
    folds("critical", "share, on the path, duration");
    folds("statistics", "spans, own time, total, mean, longest");
    folds("compare", "spans here, there, own time here, difference");
    folds(
        "service",
        "calls, rate, errors, p50, p95, p99, version, pod, host, last seen, duration, of trace",
    );
}

/// Writes every page into the directory of `TRIPLINE_GALLERY`, to be looked at.
#[test]
fn every_page_renders_as_a_whole_document() {
    let directory = std::env::var_os("TRIPLINE_GALLERY").map(std::path::PathBuf::from);
    for (page, html) in gallery("checkout") {
        assert!(
            html.starts_with("<!DOCTYPE html><html") && html.ends_with("</html>"),
            "{page}"
        );
        if let Some(directory) = &directory {
            let html = html.replace(
                "<link rel=\"stylesheet\" href=\"\">",
                &format!("<style>{}</style>", crate::STYLE),
            );
            std::fs::write(directory.join(format!("{page}.html")), html)
                .expect("a writable directory");
        }
    }
}
