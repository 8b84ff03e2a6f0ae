//! The SQL behind each number: a link that leads to it, with the range and scope of its page, and gives that number.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{SECOND, call, send_spans};
use crate::dashboard::plant;
use crate::harness::{Tripline, now, text};
use crate::pages::{TRACE, says, seed};

/// What stands between the percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (*first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (first, _) => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The links behind "how?", in their order.
pub(crate) fn hows(html: &str) -> Vec<String> {
    html.split("<a ")
        .skip(1)
        .filter_map(|rest| rest.split_once('>'))
        .filter(|(tag, _)| tag.contains("class=\"how\""))
        .filter_map(|(tag, _)| tag.split_once("href=\"")?.1.split('"').next())
        .map(|link| link.replace("&amp;", "&"))
        .collect()
}

/// The SQL behind the first "how?" after this mark.
pub(super) fn how_after(html: &str, mark: &str) -> Result<String> {
    let (_, rest) = html
        .split_once(mark)
        .with_context(|| format!("no {mark}\n{html}"))?;
    let link = hows(rest).into_iter().next().context("a how-link")?;
    query_of(&link)
}

/// The SQL that a link leads to.
pub(crate) fn query_of(link: &str) -> Result<String> {
    let (_, rest) = link.split_once("?q=").with_context(|| link.to_owned())?;
    Ok(decoded(rest.split('&').next().unwrap_or_default()))
}

fn number(cell: &Value) -> Result<f64> {
    cell.as_f64()
        .or_else(|| cell.as_str()?.parse().ok())
        .with_context(|| format!("{cell} is no number"))
}

/// The sum of one column of an answer.
pub(super) async fn sum(server: &Tripline, sql: &str, column: usize) -> Result<f64> {
    let rows = server.sql(sql).await?;
    let mut sum = 0.0;
    for row in &rows {
        sum += number(row.get(column).with_context(|| format!("{row:?}"))?)?;
    }
    Ok(sum)
}

/// Half an hour that has everything sent in the last minutes: it is over by the time anybody asks, so that rates are over
/// the same seconds whenever they are asked for.
fn half_an_hour() -> String {
    let to = now();
    format!("from={}&to={to}", to - 1_800 * SECOND)
}

#[tokio::test]
async fn the_sql_behind_a_number_gives_that_number() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    plant(&server).await?;
    let range = half_an_hour();

    // Overview: checkout has a server and a client span and is called once.
    let page = format!("/?{range}");
    let html = says(
        &server,
        &page,
        &["1 call in range", "40 calls in range", "20 calls in range"],
    )
    .await?;
    let rows = server.sql(&how_after(&html, "Services</h2>")?).await?;
    let listed = server.get(&format!("/api/v1/services?{range}")).await?;
    let items = listed["items"].as_array().context("services")?;
    ensure!(rows.len() == items.len() && items.len() == 4, "{rows:?}");
    for item in items {
        let row = rows
            .iter()
            .find(|row| row[3] == item["service_name"] && row[0] == item["environment"])
            .with_context(|| format!("{item} in {rows:?}"))?;
        for (column, name) in [(4, "calls"), (5, "errors")] {
            ensure!(
                number(&row[column])? == number(&item[name])?,
                "{name}: {row:?} and {item}"
            );
        }
        let p95 = number(&item["latency"]["p95_ns"])? / 1e6;
        ensure!((number(&row[9])? / p95 - 1.0).abs() < 1e-6, "{row:?} {p95}");
        let rate = number(&item["rate_per_second"])?;
        ensure!(
            (number(&row[7])? / rate - 1.0).abs() < 1e-6,
            "{row:?} {rate}"
        );
    }
    let stored = how_after(&html, "aria-label=\"Stored in this range\"")?;
    assert_eq!(server.number(&stored).await?, 63, "{stored}");
    // The scope holds for it too.
    let canary = says(
        &server,
        &format!("/?{range}&environment=canary"),
        &["20 calls"],
    )
    .await?;
    let sql = how_after(&canary, "Services</h2>")?;
    assert_eq!(sum(&server, &sql, 4).await?, 20.0, "{sql}");

    // A service.
    let html = says(
        &server,
        &format!("/services/checkout?{range}"),
        &["1 call", "POST /checkout"],
    )
    .await?;
    for (mark, column, expected) in [
        ("aria-label=\"In this range\"", 4, 1.0),
        ("id=\"red\"", 1, 1.0),
        ("id=\"operations\"", 1, 1.0),
        ("id=\"neighbours\"", 10, 1.0),
    ] {
        let sql = how_after(&html, mark)?;
        assert_eq!(sum(&server, &sql, column).await?, expected, "{mark}: {sql}");
    }
    let sql = how_after(&html, "id=\"failures\"")?;
    let failed = server.sql(&sql).await?;
    ensure!(
        failed.len() == 1 && failed[0][0] == TRACE,
        "{sql}: {failed:?}"
    );

    // The graph.
    let html = says(
        &server,
        &format!("/graph?{range}"),
        &["checkout → payment: 0 passed, 1 failed"],
    )
    .await?;
    let sql = how_after(&html, "key-async")?;
    let edges = server.sql(&sql).await?;
    ensure!(
        edges.len() == 1 && edges[0][3] == "checkout" && edges[0][7] == "payment",
        "{sql}: {edges:?}"
    );
    ensure!(
        number(&edges[0][10])? == 1.0 && number(&edges[0][11])? == 1.0,
        "{edges:?}"
    );

    // Traces: the filter holds.
    let html = says(
        &server,
        &format!("/traces?{range}&q=tenant+%3D+acme+AND+any(status+%3D+error)&attr=zone%3Da"),
        &["10 spans", "10 traces, newest first"],
    )
    .await?;
    let sql = how_after(&html, "Durations</h2>")?;
    assert_eq!(sum(&server, &sql, 2).await?, 10.0, "{sql}");
    let sql = how_after(&html, "Found</h2>")?;
    assert_eq!(server.sql(&sql).await?.len(), 10, "{sql}");

    // Logs.
    let html = says(
        &server,
        &format!("/logs?{range}&severity=error&text=declined"),
        &["1 record", "1 log record, newest first"],
    )
    .await?;
    let sql = how_after(&html, "id=\"results\"")?;
    assert_eq!(sum(&server, &sql, 3).await?, 1.0, "{sql}");
    let sql = how_after(&html, "aria-label=\"View\"")?;
    let records = server.sql(&sql).await?;
    ensure!(
        records.len() == 1 && records[0][2] == "payment",
        "{sql}: {records:?}"
    );
    Ok(())
}

/// One call in ten is recorded: 0.9 × 2^56 in OpenTelemetry's threshold.
const ONE_IN_TEN: &str = "ot=th:e6666666666666";

/// Twelve recorded calls of `thin`, and what its metric says each minute from half a minute before `begin` on: 137 more
/// requests, and from the fourth on some that failed. The last is said nine times over, as by a client that heard no
/// answer.
async fn thin(server: &Tripline, begin: u64) -> Result<()> {
    let spans: Vec<Value> = (0..12)
        .map(|at| {
            let mut span = call(at, "GET /thin", begin + at * 20 * SECOND, 10, false);
            span["traceState"] = json!(ONE_IN_TEN);
            span
        })
        .collect();
    send_spans(server, &[("service.name", "thin")], &spans).await?;
    let status = |code: u32| json!([{"key": "http.response.status_code", "value": {"intValue": code.to_string()}}]);
    let point = |report: u64, code: u32, count: u64| {
        let time = begin + report * 60 * SECOND - 30 * SECOND;
        json!({"startTimeUnixNano": (begin - 3_600 * SECOND).to_string(), "timeUnixNano": time.to_string(),
            "count": count.to_string(), "bucketCounts": [count.to_string()], "attributes": status(code)})
    };
    let mut points: Vec<Value> = (0..=5)
        .map(|report| point(report, 200, 1_000 + report * 137))
        .collect();
    points.extend([point(3, 500, 3), point(4, 500, 7), point(5, 500, 8)]);
    points.extend(std::iter::repeat_n(point(5, 500, 8), 9));
    let body = json!({"resourceMetrics": [{"resource": {"attributes": [text("service.name", "thin")]},
        "scopeMetrics": [{"metrics": [{"name": "http.server.request.duration", "unit": "s",
            "histogram": {"aggregationTemporality": 2, "dataPoints": points}}]}]}]});
    server.send("metrics", &body).await
}

#[tokio::test]
async fn a_sampled_service_shows_the_requests_that_its_metrics_counted_and_by_what() -> Result<()> {
    let server = Tripline::start().await?;
    let begin = now() / SECOND / 10 * 10 * SECOND - 600 * SECOND;
    thin(&server, begin).await?;
    let range = format!("from={begin}&to={}", begin + 300 * SECOND);
    let metric = "metrics: http.server.request.duration";
    // From the point before the range to the last in it: 5 × 137, and 8 that failed.
    let html = says(
        &server,
        &format!("/?{range}"),
        &[
            "693 calls in range",
            metric,
            "Requests of 1 service are counted by metrics",
            "1.15 %",
        ],
    )
    .await?;
    let sql = how_after(&html, "Requests of 1 service")?;
    let rows = server.sql(&sql).await?;
    ensure!(rows.len() == 1 && rows[0][3] == "thin", "{sql}: {rows:?}");
    ensure!(
        number(&rows[0][4])? == 693.0 && number(&rows[0][5])? == 8.0,
        "{rows:?}"
    );
    let html = says(
        &server,
        &format!("/services/thin?{range}"),
        &[
            "693 calls",
            metric,
            "By spans: 12 calls recorded, 0 failed",
            "sampled",
        ],
    )
    .await?;
    let sql = how_after(&html, "aria-label=\"In this range\"")?;
    assert_eq!(sum(&server, &sql, 4).await?, 693.0, "{sql}");
    // What spans say stays to be read, and to be asked for.
    let sql = how_after(&html, "By spans:")?;
    assert_eq!(sum(&server, &sql, 4).await?, 12.0, "{sql}");
    let html = says(
        &server,
        &format!("/graph?{range}"),
        &["thin: 693 calls, 8 failed", metric],
    )
    .await?;
    let sql = how_after(&html, "Requests of 1 service")?;
    assert_eq!(sum(&server, &sql, 4).await?, 693.0, "{sql}");
    let listed = server.get(&format!("/api/v1/services?{range}")).await?;
    let found = &listed["items"][0];
    ensure!(
        found["calls"] == 12 && found["basis"] == "sampled" && found["requests"]["calls"] == 693,
        "{found}"
    );
    // Nothing of it where the range is too short for reports.
    let short = format!("from={begin}&to={}", begin + 60 * SECOND);
    let html = says(
        &server,
        &format!("/?{short}"),
        &["3 calls in range", "sampled"],
    )
    .await?;
    ensure!(!html.contains(metric), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_share_of_failures_is_of_what_spans_stand_for_on_every_page() -> Result<()> {
    let server = Tripline::start().await?;
    // Of 110 calls ten failed: all of these were kept, and ten of the others.
    let start = now() - 60 * SECOND;
    let (mut shop, mut pay) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let is_failed = number < 10;
        let mut spans = ["GET /cart", "GET", "GET /pay"]
            .map(|name| call(number, name, start + number * SECOND, 10, is_failed));
        for (at, span) in (1_u64..).zip(&mut spans) {
            span["traceState"] = json!(if is_failed { "ot=th:0" } else { ONE_IN_TEN });
            span["spanId"] = json!(format!("{:016x}", number * 3 + at));
            if at > 1 {
                span["parentSpanId"] = json!(format!("{:016x}", number * 3 + at - 1));
            }
        }
        let [entry, mut client, answer] = spans;
        client["kind"] = json!(3);
        shop.extend([entry, client]);
        pay.push(answer);
    }
    send_spans(&server, &[("service.name", "shop")], &shop).await?;
    send_spans(&server, &[("service.name", "pay")], &pay).await?;
    let range = half_an_hour();
    let recorded = "10 of 20 recorded failed, which stand for 10 of 110";
    let flow = "shop → pay: 100 passed, 10 failed, 0 refused (sampled: 20 recorded)";
    for (path, said) in [
        ("/", recorded),
        ("/services/shop", recorded),
        ("/services/pay", recorded),
        ("/graph", flow),
    ] {
        let page = format!("{path}?{range}");
        let html = says(&server, &page, &[said, "9.09 %", "sampled"]).await?;
        // But for the axis of a chart.
        let told = html.replace("<span>50 %</span>", "");
        ensure!(!told.contains(">50 %"), "{path}\n{told}");
    }
    let eleventh = |share: f64| (share - 1.0 / 11.0).abs() < 1e-6;
    let listed = server.get(&format!("/api/v1/services?{range}")).await?;
    let items = listed["items"].as_array().context("services")?;
    ensure!(items.len() == 2, "{listed}");
    for item in items {
        ensure!(
            item["errors"] == 10 && number(&item["error_weight"])? == 10.0,
            "{item}"
        );
        ensure!(eleventh(number(&item["error_ratio"])?), "{item}");
    }
    let graph = server.get(&format!("/api/v1/graph?{range}")).await?;
    let edge = &graph["edges"][0];
    let failed = number(&edge["error_weight"])?;
    ensure!(eleventh(failed / number(&edge["weight"])?), "{graph}");
    let html = says(&server, &format!("/?{range}"), &[recorded]).await?;
    for row in server.sql(&how_after(&html, "Services</h2>")?).await? {
        ensure!(eleventh(number(&row[6])?), "{row:?}");
    }
    Ok(())
}

#[tokio::test]
async fn every_how_link_leads_to_sql_that_runs() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    plant(&server).await?;
    let range = half_an_hour();
    for (path, at_least, words) in [
        ("/", 5, "checkout"),
        ("/services/cart", 12, "GET /cart"),
        ("/graph", 1, "payment"),
        (
            "/traces?q=duration+%3E+1ms+AND+root(kind+%3D+server)",
            2,
            "traces, newest first",
        ),
        (
            "/traces?q=NOT+event.exception.type+%3D+x+AND+link.trace_id+absent",
            2,
            "traces, newest first",
        ),
        ("/traces?sort=duration&service=cart", 2, "longest first"),
        ("/logs?q=resource.service.version+exists", 2, "declined"),
        (
            "/explore?metric=queue.depth&q=name+~+queue",
            2,
            "queue.depth",
        ),
        ("/breakers", 1, "Breakers</h2>"),
        ("/status", 1, "Segments"),
    ] {
        let joint = if path.contains('?') { '&' } else { '?' };
        let html = says(&server, &format!("{path}{joint}{range}"), &[words]).await?;
        let links = hows(&html);
        ensure!(links.len() >= at_least, "{path}: {links:?}");
        for link in links {
            ensure!(
                link.contains("&from=20") && link.contains("&to=20"),
                "{link} is of another range"
            );
            // It passes the guard and runs: an error ends the test.
            server.sql(&query_of(&link)?).await?;
        }
    }
    Ok(())
}
