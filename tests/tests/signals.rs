//! From one signal to another by the links of the pages: a dot of a metric to the span it is of, a record to those written
//! around it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Tripline, attribute, link_before, now, tags, text, words};
use crate::pages::says;

const TRACE: &str = "7ac0ffee00000000000000000000b001";
const SPAN: &str = "b000000000000001";
const SECOND: u64 = 1_000_000_000;

#[tokio::test]
async fn a_dot_of_a_metric_leads_to_the_span_that_was_measured() -> Result<()> {
    let server = Tripline::start().await?;
    let start = (now() - 120 * SECOND) / SECOND * SECOND;
    let at = |seconds: u64| (start + seconds * SECOND).to_string();
    let resource = json!({"attributes": [text("service.name", "checkout")]});
    let span = json!({"traceId": TRACE, "spanId": SPAN, "name": "POST /slow-checkout", "kind": 2,
        "startTimeUnixNano": at(25), "endTimeUnixNano": at(27), "attributes": [text("cart.size", "ninety-nine")]});
    let other = json!({"traceId": TRACE, "spanId": "b000000000000002", "name": "POST /quick-checkout", "kind": 2,
        "startTimeUnixNano": at(20), "endTimeUnixNano": at(21)});
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [other, span]}]}]});
    server.send("traces", &body).await?;
    let exemplar = json!({"timeUnixNano": at(25), "asDouble": 2.0, "traceId": TRACE, "spanId": SPAN,
        "filteredAttributes": [text("user", "u1")]});
    // One of a call whose trace nobody kept an id of: no dot leads anywhere from it.
    let anonymous = json!({"timeUnixNano": at(26), "asDouble": 1.0});
    let point = |from: u64, to: u64, exemplars: Value| {
        json!({"startTimeUnixNano": at(from), "timeUnixNano": at(to), "count": "4", "sum": 5.0,
            "bucketCounts": ["1", "2", "1"], "explicitBounds": [0.5, 1.5], "exemplars": exemplars})
    };
    let points = [
        point(10, 30, json!([exemplar, anonymous])),
        point(30, 50, json!([])),
    ];
    let metric = json!({"name": "checkout.duration", "unit": "s",
        "histogram": {"aggregationTemporality": 1, "dataPoints": points}});
    let body = json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]});
    server.send("metrics", &body).await?;

    let (from, to) = (at(0), at(100));
    let page = format!("/explore?metric=checkout.duration&from={from}&to={to}");
    let html = says(&server, &page, &["class=\"exemplar\""]).await?;
    let dots = tags(&html, "exemplar");
    assert_eq!(dots.len(), 1, "{html}");
    // At 25 of 100 seconds.
    let place = attribute(dots[0], "d").context("a place")?;
    ensure!(place.starts_with("M250.0 "), "{place}");
    ensure!(words(&html).contains("2 s: open its trace"), "{html}");
    let link = link_before(&html, ": open its trace").context("a link around the dot")?;
    ensure!(link.starts_with(&format!("/traces/{TRACE}?")), "{link}");
    let trace = says(&server, &link, &["aria-label=\"Span\""]).await?;
    let (_, panel) = trace
        .split_once("aria-label=\"Span\"")
        .context("the panel of a span")?;
    let said = words(panel);
    for told in ["POST /slow-checkout", "ninety-nine", SPAN] {
        ensure!(said.contains(told), "{told}: {said}");
    }
    // What is drawn as a rate has another axis.
    let rate = says(
        &server,
        &format!("{page}&show=rate"),
        &["checkout.duration"],
    )
    .await?;
    ensure!(tags(&rate, "exemplar").is_empty(), "{rate}");
    Ok(())
}

/// Records of an instance of a service: seconds before or after `time`, and what they say.
async fn write(
    server: &Tripline,
    sender: (&str, &str),
    time: u64,
    lines: &[(i64, &str)],
) -> Result<()> {
    let records: Vec<Value> = lines
        .iter()
        .map(|(seconds, body)| {
            let at = time.saturating_add_signed(seconds * 1_000_000_000);
            json!({"timeUnixNano": at.to_string(), "severityNumber": 9, "body": {"stringValue": body}})
        })
        .collect();
    let resource = json!({"attributes": [text("service.name", sender.0), text("service.instance.id", sender.1)]});
    let body =
        json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]});
    server.send("logs", &body).await
}

#[tokio::test]
async fn a_record_leads_to_the_lines_that_its_instance_wrote_around_it() -> Result<()> {
    let server = Tripline::start().await?;
    let time = now() - 60 * SECOND;
    let lines = [
        (-6, "long before"),
        (-4, "just before"),
        (0, "the one that failed"),
        (4, "just after"),
        (6, "long after"),
    ];
    write(&server, ("billing", "pod-1"), time, &lines).await?;
    write(
        &server,
        ("billing", "pod-2"),
        time,
        &[(1, "of another instance")],
    )
    .await?;
    write(
        &server,
        ("orders", "pod-1"),
        time,
        &[(1, "of another service")],
    )
    .await?;
    let found = says(
        &server,
        "/logs?text=that+failed",
        &["Records around this one"],
    )
    .await?;
    ensure!(!found.contains("just before"), "{found}");
    let link = link_before(&found, "Records around this one").context("a link to them")?;
    let (link, place) = link.split_once('#').context("a place in the page")?;
    assert_eq!(place, "record");
    let html = says(&server, link, &["just before", "just after"]).await?;
    let (_, list) = html.split_once("class=\"log-list\"").context("a list")?;
    let said = words(list);
    let places: Vec<Option<usize>> = ["just after", "the one that failed", "just before"]
        .iter()
        .map(|body| said.find(body))
        .collect();
    ensure!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "newest first: {said}"
    );
    for far in ["long before", "long after", "of another"] {
        ensure!(!said.contains(far), "{far}: {said}");
    }
    // The one is marked and unfolded, and it alone.
    let marked = tags(&html, "marked");
    assert_eq!(marked.len(), 1, "{html}");
    assert_eq!(attribute(marked[0], "id"), Some("record"), "{marked:?}");
    ensure!(
        words(&html).contains("within 5 s before and after"),
        "{html}"
    );
    Ok(())
}

#[tokio::test]
async fn patterns_of_records_are_counted_as_by_hand() -> Result<()> {
    let server = Tripline::start().await?;
    let time = now() - 60 * SECOND;
    let mut lines: Vec<(i64, String)> = Vec::new();
    for n in 0..12_i64 {
        lines.push((
            -n,
            format!(
                "order {} of customer u{} paid in {} ms",
                1000 + n,
                n * 7,
                n * 3 + 1
            ),
        ));
    }
    for n in 0..5_i64 {
        lines.push((
            -n,
            format!("cannot reach 10.0.{n}.7:8080 after {} attempts", n + 2),
        ));
    }
    lines.push((-20, "shutting down".to_owned()));
    lines.push((-21, "shutting down".to_owned()));
    lines.push((-22, "started".to_owned()));
    let lines: Vec<(i64, &str)> = lines
        .iter()
        .map(|(at, body)| (*at, body.as_str()))
        .collect();
    write(&server, ("billing", "pod-1"), time, &lines).await?;
    write(&server, ("orders", "pod-1"), time, &[(-3, "shutting down")]).await?;
    server.wait_for("SELECT count(*) FROM logs", 21).await?;
    let found = server.get("/api/v1/logs/patterns").await?;
    assert_eq!(found["records"], 21, "{found}");
    let told: Vec<(u64, &str, String)> = found["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| {
            let services = item["services"]
                .as_array()?
                .iter()
                .filter_map(Value::as_str);
            let services = services.collect::<Vec<_>>().join(" ");
            Some((item["count"].as_u64()?, item["pattern"].as_str()?, services))
        })
        .collect();
    let expected = [
        (12, "order <*> of customer <*> paid in <*> ms", "billing"),
        (5, "cannot reach <*>:<*> after <*> attempts", "billing"),
        (3, "shutting down", "billing orders"),
        (1, "started", "billing"),
    ];
    assert_eq!(
        told,
        expected.map(|(count, pattern, services)| (count, pattern, services.to_owned())),
        "{found}"
    );
    let html = says(
        &server,
        "/logs?view=patterns",
        &["4 patterns among the newest 21"],
    )
    .await?;
    for share in ["57.1 %", "23.8 %", "14.3 %"] {
        ensure!(words(&html).contains(share), "{share}: {html}");
    }
    Ok(())
}
