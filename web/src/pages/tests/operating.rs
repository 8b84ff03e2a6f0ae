//! What pages say of Tripline itself: status, limits, saved queries, errors with a retry, empty lists.

use super::*;
use crate::frame::SavedPage;
use crate::parts::Complaint;

fn shown(frame: &Frame, body: impl FnOnce(&Frame) -> AnyView) -> String {
    render(frame, "x", body)
}

#[test]
fn a_status_table_shows_words_as_text_and_a_sentence_when_empty() {
    let section = |rows: Vec<Vec<(String, bool)>>| StatusSection {
        title: "Slow queries of the last hour".to_owned(),
        columns: vec!["Query".to_owned(), "Took".to_owned()],
        words: 1,
        rows,
        when_empty: "Nobody ran a query.",
    };
    let row = vec![(HOSTILE[0].to_owned(), false), ("9 s".to_owned(), true)];
    let sections = [section(vec![row]), section(Vec::new())];
    let html = shown(&frame("/status", &[]), |f| status(&sections, f));
    assert!(!html.contains("<script>alert"), "{html}");
    for words in [
        "&lt;script&gt;alert(1)",
        "id=\"status-0\"",
        "data-live",
        "class=\"num amber\"",
        "Nobody ran a query.",
    ] {
        assert!(html.contains(words), "{words} is not in\n{html}");
    }
    assert!(!html.contains("whole-row"), "{html}");
    let long = section(vec![vec![("SELECT 1 ".repeat(9), false)]]);
    let html = shown(&frame("/status", &[]), |f| status(&[long], f));
    assert!(html.contains("class=\"panel whole-row\""), "{html}");
    // So does a table of many columns, which would be cut beside others.
    let mut many = section(vec![vec![("x".to_owned(), false); 6]]);
    many.columns = vec!["Column".to_owned(); 6];
    assert!(!html.contains("list folds"), "{html}");
    let html = shown(&frame("/status", &[]), |f| status(&[many], f));
    assert!(html.contains("class=\"panel whole-row\""), "{html}");
    // On a phone its rows fold, each value with the head of its column.
    assert!(html.contains("<table class=\"list folds\""), "{html}");
    assert_eq!(html.matches("data-head=\"column\"").count(), 5, "{html}");
}

#[test]
fn an_empty_list_says_when_its_signal_was_last_seen() {
    let logs_page = LogsPage::default();
    let seen = |newest: Vec<(String, u64)>| {
        let frame = Frame {
            newest,
            ..frame("/logs", &[])
        };
        shown(&frame, |f| logs(&logs_page, f))
    };
    let html = seen(vec![("logs".to_owned(), NOW - 180_000_000_000)]);
    assert!(
        html.contains("Last seen 3 min ago: the newest log record stored."),
        "{html}"
    );
    let html = seen(vec![("traces".to_owned(), NOW)]);
    assert!(html.contains("No log record is stored at all."), "{html}");
    let html = seen(Vec::new());
    assert!(
        html.contains("No log record fits.") && !html.contains("Last seen"),
        "{html}"
    );
}

/// Where the button with these words leads.
fn button<'a>(html: &'a str, words: &str) -> &'a str {
    let (before, _) = html
        .split_once(&format!(">{words}</a>"))
        .unwrap_or_else(|| panic!("no {words}: {html}"));
    let (_, link) = before.rsplit_once("<a ").expect("a link");
    link
}

#[test]
fn what_is_wrong_leads_on_without_it_and_what_failed_to_the_same_address() {
    let searched = |parameter: Option<&str>| {
        let complaint = Complaint {
            detail: "a value is missing".to_owned(),
            at: Some(("status =".to_owned(), 9)),
            parameter: parameter.map(str::to_owned),
        };
        let traces_page = TracesPage {
            complaint: Some(complaint),
            ..TracesPage::default()
        };
        let asked = frame("/traces", &[("q", "status ="), ("service", "shop")]);
        shown(&asked, |f| traces(&traces_page, f))
    };
    let html = searched(Some("q"));
    let link = button(&html, "Without the filter");
    assert!(link.contains("href=\"/traces?service=shop\""), "{link}");
    assert!(!html.contains("Try again"), "{html}");
    let html = searched(None);
    let link = button(&html, "Try again");
    assert!(link.contains("href=\"/traces?q=status%20%3D"), "{link}");

    let ran = |is_refused: bool| {
        let sql_page = SqlPage {
            query: "SELECT".to_owned(),
            outcome: Some(SqlOutcome::Failed {
                title: "Syntax error".to_owned(),
                detail: "near the end".to_owned(),
                is_refused,
            }),
            ..SqlPage::default()
        };
        shown(&frame("/sql", &[("q", "SELECT")]), |f| sql(&sql_page, f))
    };
    let html = ran(false);
    let link = button(&html, "Try again");
    assert!(link.contains("href=\"/sql?q=SELECT\""), "{link}");
    let html = ran(true);
    assert!(
        html.contains("Syntax error") && !html.contains("Try again"),
        "{html}"
    );
}

#[test]
fn the_editor_prints_its_limits_and_lists_saved_queries_alone() {
    let data = SqlPage {
        query: "SELECT 1".to_owned(),
        limits: SqlLimits {
            timeout_ns: 10_000_000_000,
            timeout_max_ns: 60_000_000_000,
            rows_shown: 500,
            rows_file: 10_000,
            rows_max: 1_000_000,
            bytes_max: 64 << 20,
            memory_bytes_max: 400 << 20,
            concurrent_max: 4,
        },
        ..SqlPage::default()
    };
    let saved = |id: u64, name: &str, path: &str| SavedPage {
        id,
        name: name.to_owned(),
        path: path.to_owned(),
    };
    let frame = Frame {
        saved: vec![
            saved(1, "slowest <b>", "/sql?q=SELECT%201"),
            saved(2, "errors", "/logs?severity=error"),
        ],
        ..frame("/sql", &[("q", "SELECT 1")])
    };
    let html = shown(&frame, |f| sql(&data, f));
    let (_, queries) = html.split_once("Saved queries").expect("the list");
    let (queries, _) = queries.split_once("</section>").expect("its end");
    assert!(queries.contains("slowest &lt;b&gt;"), "{queries}");
    assert!(queries.contains("/views/1/delete"), "{queries}");
    assert!(queries.contains("Save this query"), "{queries}");
    assert!(!queries.contains("errors"), "{queries}");
    assert!(
        html.contains(
            "Limits: 10 s (the API may ask for 1 min); 500 rows shown, 10,000 in a file, 1,000,000 by the API; \
             64 MiB of result; 4 at once."
        ),
        "{html}"
    );
}

#[test]
fn the_first_page_waits_live_and_the_switch_hides_where_nothing_is() {
    let html = shown(&frame("/", &[]), |f| overview(&Overview::default(), f));
    for attribute in ["id=\"first-run\"", "data-live=\"reload\""] {
        assert!(html.contains(attribute), "{html}");
    }
    assert!(crate::STYLE.contains(
        "body:not(:has([data-live]:not([data-live=\"frame\"]))) :is(.live, .live-as-of)"
    ));
}

#[test]
fn empty_is_a_sentence() {
    let frame = frame("/", &[]);
    assert!(render(&frame, "x", |f| traces(&TracesPage::default(), f)).contains("No trace fits."));
    assert!(render(&frame, "x", |f| logs(&LogsPage::default(), f)).contains("No log record fits."));
    assert!(
        render(&frame, "x", |f| graph(&GraphPage::default(), f))
            .contains("No calls in this range.")
    );
    let without_spans = render(&frame, "x", |f| trace(&TracePage::default(), f));
    assert!(without_spans.contains("No span of this trace is stored."));
    assert!(!without_spans.contains("OTLP JSON"), "nothing to download");
    assert!(
        render(&frame, "x", |f| breakers(&BreakersPage::default(), f))
            .contains("No evidence of a circuit breaker")
    );
    assert!(
        render(&frame, "x", |f| incidents(&Page::default(), f))
            .contains("No breaker tripped in this range.")
    );
}

#[test]
fn ids_of_a_result_are_links_and_a_plan_keeps_its_lines() {
    let of = |columns: &[&str], values: &[&str]| SqlPage {
        query: "SELECT 1".to_owned(),
        outcome: Some(SqlOutcome::Table(SqlTable {
            columns: columns
                .iter()
                .map(|name| ((*name).to_owned(), "VARCHAR".to_owned()))
                .collect(),
            rows: vec![
                values
                    .iter()
                    .map(|value| Some((*value).to_owned()))
                    .collect(),
            ],
            ..SqlTable::default()
        })),
        ..SqlPage::default()
    };
    let said = |data: &SqlPage| shown(&frame("/sql", &[]), |f| sql(data, f));
    let (trace_id, span_id) = ("5b8aa5a2d2c872e8321cf37308d69df2", "051581bf3cb55c13");
    let html = said(&of(&["span_id", "trace_id"], &[span_id, trace_id]));
    for link in [
        format!("/traces/{trace_id}\""),
        format!("/traces/{trace_id}?span={span_id}\""),
    ] {
        assert!(html.contains(&link), "{link}\n{html}");
    }
    let html = said(&of(&["span_id"], &[span_id]));
    assert!(
        !html.contains("href=\"/traces/"),
        "no trace tells which: {html}"
    );
    let html = said(&of(&["explain_value"], &["╭─╮\n│ │"]));
    assert!(html.contains("class=\"cell plan\""), "{html}");
}
