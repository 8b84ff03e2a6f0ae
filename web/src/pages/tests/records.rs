//! Log records with their columns and what is around them; what leads on from a service and its calls.

use tripline_storage::model::AttributeValue::{Int, String as Text};
use tripline_storage::model::{Attribute, LogRecord, TraceSummary};

use super::*;

fn record() -> LogRecord {
    let mut record: LogRecord = read(log("declined"));
    record.service_name = Some("pay".to_owned());
    record.service_instance_id = Some("pay-1".to_owned());
    record.scope.environment = Some("prod".to_owned());
    record.attributes = vec![Attribute {
        key: "order.id".to_owned(),
        value: Int(17),
    }];
    record
}

fn page_of(record: &LogRecord, params: &[(&str, &str)], around: Option<Around>) -> String {
    let data = LogsPage {
        found: Page::whole(vec![record.clone()]),
        histogram: read(
            json!({"steps": [{"counts": [0, 0, 0, 5, 0, 1, 0]}], "services": [["pay", 6]]}),
        ),
        around,
        ..LogsPage::default()
    };
    render(&frame("/logs", params), "Logs", |f| logs(&data, f))
}

#[test]
fn chosen_keys_are_columns_that_can_be_added_and_taken_away() {
    let html = page_of(&record(), &[], None);
    assert!(html.contains("/logs?cols=order.id"), "{html}");
    assert!(!html.contains("log-column"), "{html}");
    let html = page_of(&record(), &[("cols", "order.id,missing")], None);
    assert!(
        html.contains("<span title=\"order.id\" class=\"log-column\">17</span>"),
        "{html}"
    );
    assert!(html.contains("href=\"/logs?cols=missing\""), "{html}");
    assert!(html.contains("Take the column order.id away"), "{html}");
}

#[test]
fn a_severity_told_by_its_name_alone_has_the_colour_of_its_number() {
    let mut record = record();
    record.severity_number = 0;
    for (name, class) in [
        ("ERROR", "severity bad"),
        ("Warning", "severity warn"),
        ("loud", "severity quiet"),
    ] {
        record.severity_text = Some(name.to_owned());
        let html = page_of(&record, &[], None);
        let shown = format!("<span class=\"{class}\">{name}");
        assert!(html.contains(&shown), "{shown} is not in\n{html}");
    }
}

#[test]
fn a_record_of_megabytes_is_cut_and_leads_to_the_whole() {
    let mut record = record();
    let short = page_of(&record, &[], None);
    assert!(!short.contains("the first 16"), "{short}");
    let megabytes = "x".repeat(5 << 20);
    record.body = Some(megabytes.clone());
    record.attributes[0].value = Text(megabytes);
    let html = page_of(&record, &[("cols", "order.id")], None);
    assert!(html.len() < short.len() + (64 << 10), "{}", html.len());
    for part in [
        "the first 16 KiB of 5 MiB",
        &format!(
            "/api/v1/logs?from={}&amp;to={}&amp;service=pay",
            NOW + 7,
            NOW + 8
        ),
        "the API has the whole",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn a_record_leads_to_what_its_instance_wrote_around_it_and_is_marked_there() {
    let record = record();
    let html = page_of(&record, &[], None);
    let link = html
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|link| link.ends_with("#record"))
        .expect("a link");
    for part in [
        "service%20%3D%20pay%20AND%20instance%20%3D%20pay-1",
        "environment=prod",
        &format!("around={}", NOW + 7),
    ] {
        assert!(link.contains(part), "{part}: {link}");
    }
    let mark = link
        .split("record=")
        .nth(1)
        .and_then(|rest| rest.get(..16))
        .expect("a mark");
    let around = Around {
        time_ns: NOW + 7,
        half_ns: 50_000_000,
    };
    let html = page_of(&record, &[("record", mark)], Some(around));
    for words in ["marked", "id=\"record\"", "within 50 ms", "nearer than 5 s"] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    let html = page_of(&record, &[("record", "0000000000000000")], Some(around));
    assert!(!html.contains("id=\"record\""), "{html}");
}

#[test]
fn every_facet_and_field_can_be_left_out() {
    let html = page_of(&record(), &[], None);
    for link in [
        "Without error",
        "Without pay",
        "q=NOT%20severity%20%3D%20error",
        "q=NOT%20service%20%3D%20pay",
        "q=NOT%20event%20%3D%20declined",
    ] {
        assert!(html.contains(link), "{link}\n{html}");
    }
}

#[test]
fn a_service_shows_dots_of_traces_and_its_newest_warnings() {
    let mut trace: TraceSummary = read(summary("charge"));
    trace.matched.start_time_unix_nano = Some((NOW - 60_000_000_000) as i64);
    let service = json!({"service_name": "pay", "calls": 200, "errors": 20, "weight": 200.0, "basis": "all",
        "rate_per_second": 12.4, "error_ratio": 0.1, "latency": {"p50_ns": 1e6, "p95_ns": 2e7, "p99_ns": 3e8},
        "spans": 400, "versions": [], "instances": 2, "last_seen_unix_nano": NOW.to_string()});
    let data = ServicePage {
        name: "pay".to_owned(),
        summaries: vec![read(service)],
        parts: vec![ServicePart::default()],
        failed: Page::whole(vec![trace.clone()]),
        slow: Page::whole(vec![trace]),
        logs: Page::whole(vec![record()]),
        ..ServicePage::default()
    };
    let html = render(&frame("/services/pay", &[]), "pay", |f| {
        super::super::service(&data, f)
    });
    for words in [
        "charge: failed, 1.2 ms; open its trace",
        "charge: slow, 1.2 ms; open its trace",
        "declined",
        "/logs?service=pay&amp;severity=warn",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
}

#[test]
fn times_are_marked_for_the_browser_and_exact_in_utc_without_it() {
    let html = page_of(&record(), &[], None);
    let (_, html) = html.split_once("class=\"log-list\"").expect("the list");
    let start = html.find("<time datetime=").expect("a time");
    let time = &html[start..start + html[start..].find("</time>").expect("its end")];
    assert!(time.contains("data-clock=\"row\""), "{time}");
    assert!(time.contains("000000007Z\""), "{time}");
}
