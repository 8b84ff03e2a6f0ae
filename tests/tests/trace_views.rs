//! One known trace, and what each view of it must then show: places and widths worked out by hand, in the page that the
//! server sends.

mod one_span;
mod tabs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Tripline, attribute, now, tags, text, words};
use crate::pages::says;

const TRACE: &str = "7ac0ffee00000000000000000000a001";
const OTHER: &str = "7ac0ffee00000000000000000000a002";
const LONG: &str = "7ac0ffee00000000000000000000a003";
const MS: u64 = 1_000_000;

/// A span: number, parent, service, name, kind, begin and end in milliseconds of the trace, status.
type Known = (u64, u64, &'static str, &'static str, u8, u64, u64, u8);

/// 400 ms: a page that asks a cart, which asks its database twice, and sends a message that is taken later.
const SPANS: [Known; 7] = [
    (1, 0, "web", "GET /", 2, 0, 400, 0),
    (2, 1, "web", "call cart", 3, 40, 240, 0),
    (3, 2, "cart", "load", 2, 60, 220, 0),
    (4, 3, "cart", "SELECT", 3, 80, 140, 0),
    (5, 3, "cart", "SELECT", 3, 140, 200, 2),
    (6, 1, "web", "publish", 4, 300, 320, 0),
    (7, 6, "mail", "send", 5, 340, 400, 0),
];

/// The same page when the cart had it in its cache.
const FASTER: [Known; 4] = [
    (1, 0, "web", "GET /", 2, 0, 200, 0),
    (2, 1, "web", "call cart", 3, 40, 140, 0),
    (3, 2, "cart", "load", 2, 60, 120, 0),
    (4, 3, "cart", "GET cache", 3, 70, 80, 0),
];

fn id(number: u64) -> String {
    format!("a{number:015x}")
}

fn at(start: u64, ms: u64) -> String {
    (start + ms * MS).to_string()
}

fn sender(service: &str) -> Value {
    json!({"attributes": [text("service.name", service), text("service.version", "3.1")]})
}

/// The spans of a trace as one request, a resource a service.
fn request(trace: &str, spans: &[Known], start: u64) -> Value {
    let mut services: Vec<&str> = spans.iter().map(|span| span.2).collect();
    services.sort_unstable();
    services.dedup();
    let resources: Vec<Value> = services
        .into_iter()
        .map(|wanted| {
            let of: Vec<Value> = spans
                .iter()
                .filter(|span| span.2 == wanted)
                .map(|&(number, parent, _, name, kind, from, to, status)| {
                    let mut span = json!({"traceId": trace, "spanId": id(number), "name": name, "kind": kind, "flags": 257,
                        "startTimeUnixNano": at(start, from), "endTimeUnixNano": at(start, to), "traceState": "vendor=1",
                        "attributes": [text("step", &format!("number {number}")),
                            {"key": "rows", "value": {"intValue": number.to_string()}},
                            {"key": "share", "value": {"doubleValue": 0.25}},
                            {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"boolValue": true}]}}}]});
                    if parent > 0 {
                        span["parentSpanId"] = json!(id(parent));
                    }
                    if status > 0 {
                        span["status"] = json!({"code": status, "message": "deadlock"});
                    }
                    if name == "load" {
                        span["events"] = json!([{"timeUnixNano": at(start, 100), "name": "cache miss", "attributes": [text("key", "k")]}]);
                        span["links"] = json!([{"traceId": OTHER, "spanId": id(1), "attributes": [text("why", "again")]}]);
                    }
                    span
                })
                .collect();
            json!({"resource": sender(wanted), "scopeSpans": [{"scope": {"name": "by.hand", "version": "7"}, "spans": of}]})
        })
        .collect();
    json!({"resourceSpans": resources})
}

/// A server with the trace, its logs, the faster one; and when the trace began.
async fn seeded() -> Result<(Tripline, u64)> {
    let server = Tripline::start().await?;
    let start = (now() - 60_000 * MS) / MS * MS;
    server
        .send("traces", &request(TRACE, &SPANS, start))
        .await?;
    server
        .send("traces", &request(OTHER, &FASTER, start))
        .await?;
    let record = |ms: u64, severity: u8, body: &str, span: Option<u64>| {
        let mut record = json!({"timeUnixNano": at(start, ms), "severityNumber": severity, "traceId": TRACE,
            "body": {"stringValue": body}});
        if let Some(span) = span {
            record["spanId"] = json!(id(span));
        }
        record
    };
    let records = [
        record(200, 13, "the lock is slow", Some(3)),
        record(120, 9, "loading", Some(3)),
        record(390, 9, "belongs to no span", None),
    ];
    let body = json!({"resourceLogs": [{"resource": sender("cart"), "scopeLogs": [{"logRecords": records}]}]});
    server.send("logs", &body).await?;
    let ready = format!("/traces/{TRACE}");
    says(&server, &ready, &["send", "belongs to no span"]).await?;
    Ok((server, start))
}

async fn view(server: &Tripline, what: &str) -> Result<String> {
    says(server, &format!("/traces/{TRACE}?view={what}"), &["a001"]).await
}

fn number(tag: &str, name: &str) -> Result<f64> {
    let value = attribute(tag, name).with_context(|| format!("no {name}: {tag}"))?;
    Ok(value.parse()?)
}

fn assert_near(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() < 0.01,
        "{what}: {found} instead of {expected}"
    );
}

/// The rows of a waterfall: span id, and its piece of the page.
fn rows(html: &str) -> Vec<(&str, &str)> {
    const MARK: &str = " id=\"s-";
    let waterfall = html
        .split("Logs of this trace without a span")
        .next()
        .unwrap_or_default();
    let starts: Vec<usize> = waterfall
        .match_indices(MARK)
        .filter_map(|(at, _)| waterfall[..at].rfind('<'))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([waterfall.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| {
            let row = &waterfall[*start..end];
            let (_, rest) = row.split_once(MARK)?;
            Some((rest.split('"').next()?, row))
        })
        .collect()
}

#[tokio::test]
async fn the_waterfall_has_each_bar_where_and_as_wide_as_its_span_was_long() -> Result<()> {
    let (server, _) = seeded().await?;
    let html = view(&server, "").await?;
    let rows = rows(&html);
    // Of 400 ms, in thousandths: depth, left, width.
    let expected = [
        (1, 0, 0.0, 1000.0, "400 ms"),
        (2, 1, 100.0, 500.0, "200 ms"),
        (3, 2, 150.0, 400.0, "160 ms"),
        (4, 3, 200.0, 150.0, "60 ms"),
        (5, 3, 350.0, 150.0, "60 ms"),
        (6, 1, 750.0, 50.0, "20 ms"),
        (7, 2, 850.0, 150.0, "60 ms"),
    ];
    let order: Vec<&str> = rows.iter().map(|(id, _)| *id).collect();
    let ids = expected.map(|row| id(row.0));
    assert_eq!(order, ids.each_ref().map(String::as_str));
    for ((_, row), (number_of, depth, left, width, duration)) in rows.iter().zip(expected) {
        let what = format!("span {number_of}");
        let indent = format!("i{depth}");
        ensure!(
            tags(row, "wf-name")
                .iter()
                .any(|tag| tags(&format!("<{tag}>"), &indent).len() == 1),
            "{what} is not at depth {depth}: {row}"
        );
        let bars = tags(row, "wf-bar");
        let bar = bars.first().with_context(|| format!("{what} has no bar"))?;
        assert_near(number(bar, "x")?, left, &what);
        assert_near(number(bar, "width")?, width, &what);
        // A failed one has a second, red bar, and says so.
        assert_eq!(bars.len(), if number_of == 5 { 2 } else { 1 }, "{what}");
        assert_eq!(
            words(row).contains("error"),
            number_of == 5,
            "{what}: {row}"
        );
        ensure!(words(row).contains(duration), "{what}: {row}");
    }
    Ok(())
}

#[tokio::test]
async fn logs_and_events_stand_under_and_on_the_span_they_are_of() -> Result<()> {
    let (server, _) = seeded().await?;
    let html = view(&server, "").await?;
    for (of, row) in rows(&html) {
        let said = words(row);
        let lines = tags(row, "wf-log").len();
        let events = tags(row, "wf-event");
        if of == id(3) {
            // Oldest first, one step deeper than the span, each with its time since the trace began.
            assert_eq!(lines, 2, "{row}");
            ensure!(
                said.contains("+120 ms info loading +200 ms warn the lock is slow"),
                "{said}"
            );
            assert_eq!(tags(row, "i3").len(), 2, "{row}");
            assert_eq!(events.len(), 1, "{row}");
            assert_near(number(events[0], "x1")?, 250.0, "the event");
            ensure!(said.contains("cache miss"), "{said}");
        } else {
            assert_eq!((lines, events.len()), (0, 0), "{row}");
        }
    }
    let (_, loose) = html
        .split_once("Logs of this trace without a span")
        .context("a list of them")?;
    ensure!(
        words(loose).contains("+390 ms info belongs to no span"),
        "{loose}"
    );
    let without = says(&server, &format!("/traces/{TRACE}?logs=0"), &["load"]).await?;
    ensure!(!without.contains("the lock is slow"), "{without}");
    Ok(())
}

/// One span of 10 ms after the other under a root that is as long as all of them.
async fn long_trace(server: &Tripline, spans: u64) -> Result<()> {
    let start = (now() - 60_000 * MS) / MS * MS;
    let list: Vec<Value> = (0..spans)
        .map(|n| {
            let (from, to) = if n == 0 { (0, spans * 10) } else { (n * 10, n * 10 + 10) };
            let mut span = json!({"traceId": LONG, "spanId": id(n + 1), "name": format!("step {n}"), "kind": 1,
                "startTimeUnixNano": at(start, from), "endTimeUnixNano": at(start, to)});
            if n > 0 {
                span["parentSpanId"] = json!(id(1));
            }
            span
        })
        .collect();
    let body =
        json!({"resourceSpans": [{"resource": sender("batch"), "scopeSpans": [{"spans": list}]}]});
    server.send("traces", &body).await
}

/// The mini-map of a page.
fn minimap(html: &str) -> Result<&str> {
    let (_, after) = html
        .split_once("aria-label=\"The whole trace\"")
        .context("a mini-map")?;
    Ok(after.split("</svg>").next().unwrap_or_default())
}

/// The lines of a mini-map: x, y, width and height of each.
fn lines(map: &str) -> Result<Vec<[f64; 4]>> {
    map.split("<rect")
        .skip(1)
        .filter(|tag| !tag.contains("minimap-"))
        .map(|tag| {
            let of = |name: &str| number(tag, name);
            Ok([of("x")?, of("y")?, of("width")?, of("height")?])
        })
        .collect()
}

#[tokio::test]
async fn the_mini_map_is_the_trace_in_small() -> Result<()> {
    let server = Tripline::start().await?;
    long_trace(&server, 16).await?;
    let html = says(&server, &format!("/traces/{LONG}"), &["step 15"]).await?;
    let map = minimap(&html)?;
    let lines = lines(map)?;
    assert_eq!(lines.len(), 16);
    for (n, [x, y, width, height]) in lines.into_iter().enumerate() {
        // 160 ms wide, sixteen rows in a height of sixty: 62.5 and 3.75 each.
        let expected = if n == 0 {
            (0.0, 1000.0)
        } else {
            (n as f64 * 62.5, 62.5)
        };
        assert_near(x, expected.0, "left");
        assert_near(width, expected.1, "width");
        assert_near(y, n as f64 * 3.75, "top");
        assert_near(height, 3.0, "height");
    }
    ensure!(
        tags(map, "minimap-window").is_empty(),
        "all rows are shown: {map}"
    );
    // A trace of few spans needs none.
    let (few, _) = seeded().await?;
    ensure!(!view(&few, "").await?.contains("The whole trace"));
    Ok(())
}

#[tokio::test]
async fn the_mini_map_of_a_long_trace_shows_the_rows_in_view_and_leads_to_others() -> Result<()> {
    let server = Tripline::start().await?;
    long_trace(&server, 2_000).await?;
    for (row, top) in [(0, 0.0), (1_000, 30.0), (1_500, 45.0)] {
        let html = says(&server, &format!("/traces/{LONG}?row={row}"), &["of 2,000"]).await?;
        let map = minimap(&html)?;
        // Each fifth of the rows is drawn, and half of them are in view at most.
        assert_eq!(lines(map)?.len(), 400);
        let windows = tags(map, "minimap-window");
        assert_eq!(windows.len(), 1, "{map}");
        assert_near(number(windows[0], "y")?, top, "the window");
        assert_near(
            number(windows[0], "height")?,
            f64::min(30.0, 60.0 - top),
            "its height",
        );
        let places: Vec<&str> = map
            .split("aria-label=\"Rows from ")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let expected = [
            "1", "201", "401", "601", "801", "1,001", "1,201", "1,401", "1,601", "1,801",
        ];
        assert_eq!(places, expected);
        assert_eq!(rows(&html).len(), if row > 1_000 { 500 } else { 1_000 });
        assert_eq!(rows(&html)[0].0, id(row + 1));
    }
    Ok(())
}

#[tokio::test]
async fn find_marks_the_spans_that_say_it_and_leads_to_each() -> Result<()> {
    let (server, _) = seeded().await?;
    for (wanted, found) in [
        ("select", vec![4, 5]),
        ("MAIL", vec![7]),
        ("number+3", vec![3]),
        ("deadlock", vec![5]),
        ("a000000000000006", vec![6]),
        ("nothing+says+this", vec![]),
    ] {
        let html = says(
            &server,
            &format!("/traces/{TRACE}?find={wanted}"),
            &["found"],
        )
        .await?;
        let marked: Vec<&str> = rows(&html)
            .into_iter()
            .filter(|(_, row)| !tags(row, "found").is_empty())
            .map(|(id, _)| id)
            .collect();
        let ids: Vec<String> = found.iter().map(|number| id(*number)).collect();
        assert_eq!(marked, ids, "{wanted}");
        let count = format!("{} found", found.len());
        ensure!(words(&html).contains(&count), "{wanted}: not {count}");
        let (_, links) = html.split_once("<span class=\"found\">").context("links")?;
        let links = links.split("</span>").next().unwrap_or_default();
        assert_eq!(
            links.matches("<a ").count(),
            found.len(),
            "{wanted}: {links}"
        );
        for id in ids {
            ensure!(
                links.contains(&format!("span={id}")) && links.contains(&format!("#s-{id}")),
                "{links}"
            );
        }
    }
    Ok(())
}
