//! The dashboard's questions over real ports: one filter grammar everywhere, the box that finds a planted
//! cause, a trace from all its sides, downloads.

mod versions;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Tripline, now, text};
use crate::pages::{TRACE, says, seed};

/// Percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// Sixty requests over a minute, two versions; those of one tenant are slow and fail.
pub(crate) async fn plant(server: &Tripline) -> Result<()> {
    let start = now() - 60_000_000_000;
    let mut resources = Vec::new();
    for (version, numbers) in [("1.0", 0..40_u64), ("2.0", 40..60)] {
        let spans: Vec<Value> = numbers
            .map(|number| {
                let is_bad = number % 6 == 0;
                let from = start + number * 1_000_000_000;
                let length = if is_bad { 900_000_000 } else { 12_000_000 + number * 100_000 };
                json!({"traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1), "name": "GET /cart",
                    "kind": 2, "startTimeUnixNano": from.to_string(), "endTimeUnixNano": (from + length).to_string(),
                    "status": {"code": if is_bad { 2 } else { 0 }},
                    "attributes": [text("tenant", if is_bad { "acme" } else { "others" }), text("zone", if number % 2 == 0 { "a" } else { "b" }),
                        {"key": "cart.items", "value": {"intValue": number.to_string()}}]})
            })
            .collect();
        resources.push(json!({"resource": {"attributes": [text("service.name", "cart"), text("service.version", version),
            text("deployment.environment.name", if version == "1.0" { "prod" } else { "canary" })]}, "scopeSpans": [{"spans": spans}]}));
    }
    server
        .send("traces", &json!({"resourceSpans": resources}))
        .await
}

async fn count(server: &Tripline, list: &str, filter: &str) -> Result<usize> {
    let found = server
        .get(&format!("/api/v1/{list}?limit=1000&q={}", encoded(filter)))
        .await?;
    Ok(found["items"].as_array().map_or(0, Vec::len))
}

#[tokio::test]
async fn one_grammar_filters_traces_logs_and_metrics() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    plant(&server).await?;
    for (filter, expected) in [
        ("service = cart", 60),
        ("tenant = acme AND status = error", 10),
        ("duration > 500ms", 10),
        // 40 to 59 without 42, 48 and 54.
        ("cart.items >= 40 AND NOT tenant = acme", 17),
        ("resource.service.version = \"2.0\" zone = b", 10),
        ("zone ~ \"^[ab]$\" AND version != 1.0", 20),
        ("any(service = payment)", 1),
        ("root(name = \"POST /checkout\") AND service = payment", 1),
        ("nothing exists", 0),
    ] {
        assert_eq!(
            count(&server, "traces", filter).await?,
            expected,
            "{filter}"
        );
    }
    assert_eq!(
        count(&server, "logs", "severity >= error AND declined").await?,
        1
    );
    assert_eq!(count(&server, "logs", "any(name = charge)").await?, 1);
    assert_eq!(count(&server, "logs", "severity < error").await?, 0);
    assert_eq!(
        count(&server, "metrics", "name ~ queue AND service = checkout").await?,
        1
    );
    assert_eq!(count(&server, "metrics", "unit = s").await?, 0);
    let by_other_name = server
        .get("/api/v1/traces?filter=duration+%3E+500ms")
        .await?;
    assert_eq!(by_other_name["items"].as_array().map(Vec::len), Some(10));
    Ok(())
}

#[tokio::test]
async fn a_wrong_filter_is_told_with_its_column() -> Result<()> {
    let server = Tripline::start().await?;
    for (list, filter, column) in [
        ("traces", "status = bad", 10),
        ("logs", "body ~ \"(\"", 9),
        ("metrics", "any(a = 1)", 1),
    ] {
        let address = format!(
            "http://{}/api/v1/{list}?q={}",
            server.http(),
            encoded(filter)
        );
        let response = server.client.get(address).send().await?;
        assert_eq!(response.status(), 400, "{filter}");
        let body: Value = response.json().await?;
        assert_eq!(
            (&body["parameter"], &body["column"]),
            (&json!("q"), &json!(column)),
            "{body}"
        );
    }
    for (page, filter, mark) in [
        ("/traces", "status = bad", "status = bad\n         \u{25b2}"),
        (
            "/logs",
            "severity = loud",
            "severity = loud\n           \u{25b2}",
        ),
        ("/explore", "root(a = 1)", "root(a = 1)\n\u{25b2}"),
    ] {
        let (status, html) = server
            .get_text(&format!("{page}?q={}", encoded(filter)))
            .await?;
        assert_eq!(status, 400, "{page}");
        assert!(html.contains(mark), "{page}\n{html}");
    }
    Ok(())
}

#[tokio::test]
async fn completion_offers_what_is_stored() -> Result<()> {
    let server = Tripline::start().await?;
    plant(&server).await?;
    let offers = async |query: &str| -> Result<Vec<String>> {
        let found = server
            .get(&format!(
                "/api/v1/complete?signal=spans&q={}",
                encoded(query)
            ))
            .await?;
        let items = found["items"].as_array().cloned().unwrap_or_default();
        Ok(items
            .iter()
            .filter_map(|item| item["text"].as_str().map(str::to_owned))
            .collect())
    };
    assert_eq!(offers("ten").await?, ["tenant"]);
    assert_eq!(offers("tenant = ").await?, ["others", "acme"]);
    assert_eq!(offers("service = c").await?, ["cart"]);
    assert_eq!(offers("tenant = acme ").await?, ["AND", "OR"]);
    Ok(())
}

#[tokio::test]
async fn the_box_finds_the_planted_cause() -> Result<()> {
    let server = Tripline::start().await?;
    plant(&server).await?;
    let map = server.get("/api/v1/heatmap?q=service+%3D+cart").await?;
    assert_eq!(map["spans"], 60, "{map}");
    let (from, to) = (now() - 3_600_000_000_000, now() + 1_000_000_000);
    let selection = format!("{from},{to},500000000,{}", i64::MAX);
    let found = server
        .get(&format!("/api/v1/differences?box={selection}"))
        .await?;
    assert_eq!(
        (&found["selected"], &found["others"]),
        (&json!(10), &json!(50)),
        "{found}"
    );
    let ranked: Vec<&str> = found["items"]
        .as_array()
        .into_iter()
        .flatten()
        .take(2)
        .filter_map(|i| i["filter"].as_str())
        .collect();
    assert!(
        ranked.contains(&"tenant = acme") && ranked.contains(&"status = error"),
        "{found}"
    );
    // The page shows the same, and lists the traces of the box alone.
    let page = format!("/traces?box={selection}");
    let html = says(
        &server,
        &page,
        &["What the box has in common", "tenant", "acme", "10 traces"],
    )
    .await?;
    assert!(!html.contains(&format!("/traces/{:032x}", 2)), "{html}");
    let (status, html) = server.get_text("/traces?box=nonsense").await?;
    assert_eq!(status, 400, "{html}");
    assert!(html.contains("from,to,min,max"), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_trace_id_finds_its_trace_wherever_it_is_pasted() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    for page in [
        format!("/find?q={TRACE}"),
        format!("/find?q=+{}+", TRACE.to_uppercase()),
        format!("/find?q=trace_id%3D{TRACE}+span_id%3D051581bf3cb55c13"),
        format!("/logs?q=00-{TRACE}-051581bf3cb55c13-01"),
        format!("/traces?q={TRACE}"),
        format!("/logs?q={TRACE}"),
        format!("/logs?text={TRACE}"),
        // No range has anything to do with it.
        format!("/traces?q={TRACE}&from=2001-01-01&to=2001-01-02"),
    ] {
        says(&server, &page, &["POST /checkout", "charge"]).await?;
    }
    // Neither has it with the id of a span, which leads to the traces that have one.
    let span = "/find?q=+0515810000000002+&from=2001-01-01&to=2001-01-02";
    says(&server, span, &["POST /checkout", TRACE]).await?;
    // What holds for the whole app goes along.
    let kept = "proxies=show&from=now-6h&to=now";
    for (page, found) in [
        (
            format!("/find?q={TRACE}&{kept}"),
            format!("/traces/{TRACE}?{kept}"),
        ),
        (
            format!("/find?q=payment&{kept}"),
            format!("/traces?service=payment&{kept}"),
        ),
        (
            format!("/logs?q={TRACE}&{kept}"),
            format!("/traces/{TRACE}?{kept}"),
        ),
    ] {
        let address = format!("http://{}{page}", server.http());
        let response = server.client.get(address).send().await?;
        let url = response.url().as_str();
        ensure!(url.ends_with(&found), "{page} led to {url}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cut_list_says_so_and_its_newest_are_the_newest() -> Result<()> {
    let server = Tripline::start().await?;
    plant(&server).await?;
    let found = server.get("/api/v1/traces?limit=3").await?;
    let ids: Vec<&str> = found["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|i| i["trace_id"].as_str())
        .collect();
    assert_eq!(ids, [59, 58, 57].map(|n| format!("{:032x}", n + 1)));
    assert_eq!(found["truncated"], true);
    says(
        &server,
        "/traces?limit=3",
        &["3 of 60 traces, newest first", "older →"],
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_trace_is_shown_from_all_its_sides() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    plant(&server).await?;
    let page = |view: &str| format!("/traces/{TRACE}?view={view}");
    // 120 ms in all: checkout 20, charge 20, payment 80.
    says(
        &server,
        &page("critical"),
        &["On the path", "path of 120 ms", "66.7 %", "80 ms"],
    )
    .await?;
    says(&server, &page("flame"), &["flame-block", "3 blocks"]).await?;
    says(
        &server,
        &page("statistics"),
        &["Own time", "3 of 3 operations"],
    )
    .await?;
    says(&server, &page("graph"), &["checkout", "payment", "1 span"]).await?;
    let other = format!("{:032x}", 1);
    says(
        &server,
        &format!("{}&with={other}", page("compare")),
        &["only here", "only in the other", "GET /cart"],
    )
    .await?;
    says(
        &server,
        &format!("{}&with=zz", page("compare")),
        &["The other trace cannot be shown"],
    )
    .await?;
    says(
        &server,
        &format!("/traces/{TRACE}?find=charge"),
        &["1 found", "wf-row failed found"],
    )
    .await?;
    let folded = says(
        &server,
        &format!("/traces/{TRACE}?fold=0515810000000001"),
        &[">▸2<"],
    )
    .await?;
    assert!(!folded.contains("id=\"s-0515810000000002\""), "folded away");
    let otlp = server.get(&format!("/api/v1/traces/{TRACE}/otlp")).await?;
    let spans: usize = otlp["resourceSpans"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|r| r["scopeSpans"].as_array().into_iter().flatten())
        .map(|s| s["spans"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(spans, 3, "{otlp}");
    let file = format!("http://{}/api/v1/traces/{TRACE}/otlp", server.http());
    let answer = server.client.get(file).send().await?;
    let header = |name: &str| answer.headers().get(name).and_then(|it| it.to_str().ok());
    assert_eq!(header("x-tripline-truncated"), Some("false"));
    let name = format!("attachment; filename=\"trace-{TRACE}.json\"");
    assert_eq!(header("content-disposition"), Some(name.as_str()));
    // What was downloaded can be sent again: the same spans, shown once.
    server.send("traces", &otlp).await?;
    says(&server, &format!("/traces/{TRACE}"), &["stored 2 times"]).await?;
    Ok(())
}

#[tokio::test]
async fn logs_have_patterns_and_a_shape() -> Result<()> {
    let server = Tripline::start().await?;
    let records: Vec<Value> = (0..30)
        .map(|n| {
            json!({"timeUnixNano": (now() - n * 1_000_000_000).to_string(), "severityNumber": if n % 10 == 0 { 17 } else { 9 },
                "body": {"stringValue": if n % 10 == 0 { format!("cannot reach 10.0.0.{n}") } else { format!("order {n} paid") }}})
        })
        .collect();
    let body = json!({"resourceLogs": [{"resource": {"attributes": [text("service.name", "cart")]}, "scopeLogs": [{"logRecords": records}]}]});
    server.send("logs", &body).await?;
    let found = server.get("/api/v1/logs/patterns").await?;
    let told: Vec<(&str, u64)> = found["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|i| Some((i["pattern"].as_str()?, i["count"].as_u64()?)))
        .collect();
    assert_eq!(
        told,
        [("order <*> paid", 27), ("cannot reach <*>", 3)],
        "{found}"
    );
    says(
        &server,
        "/logs?view=patterns",
        &[
            "order &lt;*&gt; paid",
            "90 %",
            "2 patterns among the newest 30",
        ],
    )
    .await?;
    says(
        &server,
        "/logs",
        &["30 records", "severity%20%3D%20error", "class=\"s5\""],
    )
    .await?;
    // The filter of a pattern finds its records and no others: neither longer ones nor, for an empty one, all.
    let time = now().to_string();
    let bodies = ["order 7 paid late", ""].map(
        |text| json!({"timeUnixNano": time, "severityNumber": 9, "body": {"stringValue": text}}),
    );
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": bodies}]}]});
    server.send("logs", &body).await?;
    says(
        &server,
        "/logs?view=patterns",
        &["4 patterns among the newest 32"],
    )
    .await?;
    let found = server.get("/api/v1/logs/patterns").await?;
    for pattern in found["items"].as_array().into_iter().flatten() {
        let filter = pattern["filter"].as_str().context("a filter")?;
        let path = format!("/api/v1/logs?filter={}", encoded(filter));
        let records = server.get(&path).await?["items"]
            .as_array()
            .map_or(0, Vec::len);
        assert_eq!(Some(records as u64), pattern["count"].as_u64(), "{filter}");
    }
    Ok(())
}

#[tokio::test]
async fn live_pages_are_told_when_to_ask_again() -> Result<()> {
    let server = Tripline::start().await?;
    let mut response = server
        .client
        .get(format!("http://{}/api/v1/ticks", server.http()))
        .send()
        .await?;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let first = tokio::time::timeout(PATIENCE, response.chunk())
        .await??
        .unwrap_or_default();
    let first = String::from_utf8_lossy(&first).into_owned();
    assert!(
        first.starts_with("data: ") && first.contains(':'),
        "{first}"
    );
    Ok(())
}

#[tokio::test]
async fn lists_and_answers_are_downloaded() -> Result<()> {
    let server = Tripline::start().await?;
    plant(&server).await?;
    let get = async |path: &str| -> Result<(Option<String>, Vec<u8>)> {
        let response = server
            .client
            .get(format!("http://{}{path}", server.http()))
            .send()
            .await?;
        ensure!(response.status() == 200, "{path}: {}", response.status());
        let name = response.headers().get("content-disposition").cloned();
        let name = name.and_then(|value| value.to_str().ok().map(str::to_owned));
        Ok((name, response.bytes().await?.to_vec()))
    };
    let (name, file) = get("/export/traces.csv?q=tenant+%3D+acme").await?;
    assert_eq!(name.as_deref(), Some("attachment; filename=\"traces.csv\""));
    let lines: Vec<String> = String::from_utf8(file)?
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.len(), 11, "a heading and ten: {lines:?}");
    assert!(
        lines[0].contains("trace_id") && lines[1].contains("GET /cart"),
        "{lines:?}"
    );
    let (_, file) = get("/export/services.json").await?;
    let services: Value = serde_json::from_slice(&file)?;
    assert_eq!(services.as_array().map(Vec::len), Some(2), "{services}");
    let sql = encoded("SELECT count(*) AS n FROM spans");
    let (_, file) = get(&format!("/export/sql.csv?q={sql}")).await?;
    assert_eq!(
        String::from_utf8(file)?
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["n", "60"]
    );
    let (_, file) = get(&format!("/export/sql.parquet?q={sql}")).await?;
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    assert_eq!(server.get_text("/export/traces.exe").await?.0, 404);
    assert_eq!(
        server
            .get_text(&format!(
                "/export/sql.csv?q={}",
                encoded("COPY spans TO 'x'")
            ))
            .await?
            .0,
        422
    );
    says(
        &server,
        "/traces?q=tenant+%3D+acme",
        &["/export/traces.csv?q=tenant"],
    )
    .await?;
    says(
        &server,
        &format!("/sql?q={sql}"),
        &["/export/sql.parquet?q="],
    )
    .await?;
    Ok(())
}
