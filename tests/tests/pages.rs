//! The pages and the API over real ports, without a browser: what a person would read, and who may ask.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Start, Tripline, now, text};

pub(crate) const TRACE: &str = "5b8aa5a2d2c872e8321cf37308d69df2";
const HOSTILE: &str = "\"><script>alert('x')</script>";
/// What a spreadsheet would run.
const FORMULAS: [&str; 4] = ["=HYPERLINK(\"http://x\")", "@SUM(A1)", "+1+1", "-2+3"];

fn resource(service: &str) -> Value {
    json!({"attributes": [text("service.name", service), text("service.version", "1.2.3"), text("service.instance.id", "a-1")]})
}

/// A checkout that calls a payment which fails, with hostile text in names, attributes and a log body.
pub(crate) async fn seed(server: &Tripline) -> Result<()> {
    let start = now() - 2_000_000_000;
    let at = |ms: u64| (start + ms * 1_000_000).to_string();
    let span = |id: &str, parent: &str, name: &str, kind: u8, from: u64, to: u64, status: u8| {
        json!({"traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": name, "kind": kind,
            "startTimeUnixNano": at(from), "endTimeUnixNano": at(to), "status": {"code": status, "message": HOSTILE},
            "attributes": [text("http.route", "/checkout"), text("evil", HOSTILE)],
            "events": [{"timeUnixNano": at(from + 1), "name": "exception", "attributes": [text("exception.message", "card declined")]}]})
    };
    let spans = json!({"resourceSpans": [
        {"resource": resource("checkout"), "scopeSpans": [{"spans": [
            span("0515810000000001", "", "POST /checkout", 2, 0, 120, 0),
            span("0515810000000002", "0515810000000001", "charge", 3, 10, 110, 2)]}]},
        {"resource": resource("payment"), "scopeSpans": [{"spans": [
            span("0515810000000003", "0515810000000002", HOSTILE, 2, 20, 100, 2)]}]}]});
    let logs = json!({"resourceLogs": [{"resource": resource("payment"), "scopeLogs": [{"logRecords": [
        {"timeUnixNano": at(50), "severityNumber": 17, "severityText": "ERROR", "body": {"stringValue": format!("declined {HOSTILE}")},
         "traceId": TRACE, "spanId": "0515810000000003"}]}]}]});
    let metrics = json!({"resourceMetrics": [{"resource": resource("checkout"), "scopeMetrics": [{"metrics": [
        {"name": "queue.depth", "unit": "{item}", "gauge": {"dataPoints": [
            {"timeUnixNano": at(0), "asInt": "3"}, {"timeUnixNano": at(1500), "asInt": "7"}]}}]}]}]});
    for (path, body) in [("traces", spans), ("logs", logs), ("metrics", metrics)] {
        server.send(path, &body).await?;
    }
    Ok(())
}

/// Reads a page until it says all of it: the store answers only for what is committed, roll-ups a moment later.
pub(crate) async fn says(server: &Tripline, path: &str, words: &[&str]) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, html) = server.get_text(path).await?;
        let missing: Vec<&&str> = words.iter().filter(|word| !html.contains(**word)).collect();
        if status == 200 && missing.is_empty() {
            ensure!(
                !html.contains("<script>alert"),
                "{path} lets a script through"
            );
            return Ok(html);
        }
        ensure!(
            Instant::now() < deadline,
            "{path} answered {status} without {missing:?}\n{html}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn every_page_shows_what_was_sent() -> Result<()> {
    let server = Tripline::start().await?;
    says(
        &server,
        "/",
        &[
            "Waiting for telemetry",
            server.otlp_grpc(),
            server.otlp_http(),
        ],
    )
    .await?;
    seed(&server).await?;
    says(&server, "/", &["Spans", "checkout", "payment", "1.2.3"]).await?;
    says(&server, "/traces", &["POST /checkout", "120 ms", TRACE]).await?;
    says(&server, "/traces?service=payment&status=error", &[TRACE]).await?;
    says(&server, "/traces?service=nobody", &["No trace fits."]).await?;
    let trace = format!("/traces/{TRACE}");
    says(
        &server,
        &trace,
        &[
            "POST /checkout",
            "charge",
            "declined",
            "80 ms",
            "&lt;script&gt;",
        ],
    )
    .await?;
    says(
        &server,
        &format!("{trace}?span=0515810000000003"),
        &["aria-label=\"Span\"", "card declined", "/checkout"],
    )
    .await?;
    says(&server, "/logs?severity=error", &["declined", "trace →"]).await?;
    says(
        &server,
        "/logs?text=nothing-says-this",
        &["No log record fits."],
    )
    .await?;
    says(
        &server,
        "/explore?metric=queue.depth",
        &["queue.depth", "gauge", "1 stream"],
    )
    .await?;
    says(
        &server,
        "/explore?metric=queue.depth&by=service",
        &["1 stream in 1 group by service"],
    )
    .await?;
    says(&server, "/graph", &["checkout", "payment", "Caller"]).await?;
    says(
        &server,
        "/services/checkout",
        &["checkout", "Callers and callees"],
    )
    .await?;
    says(&server, "/breakers", &["No evidence of a circuit breaker"]).await?;
    says(
        &server,
        "/breakers?tab=review",
        &["No breaker refused or tripped in this range."],
    )
    .await?;
    says(&server, "/sql?q=SELECT+1", &["SELECT 1"]).await?;
    says(&server, "/status", &["Ingest since start", "Segments"]).await?;
    Ok(())
}

#[tokio::test]
async fn the_api_answers_what_the_pages_show() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    let trace = server.get(&format!("/api/v1/traces/{TRACE}")).await?;
    assert_eq!(trace["spans"].as_array().map(Vec::len), Some(3), "{trace}");
    assert_eq!(trace["logs"].as_array().map(Vec::len), Some(1), "{trace}");
    let found = server
        .get("/api/v1/traces?service=checkout&limit=10")
        .await?;
    assert_eq!(found["items"][0]["trace_id"], TRACE);
    assert_eq!(found["truncated"], false);
    let logs = server.get(&format!("/api/v1/logs?trace={TRACE}")).await?;
    assert_eq!(logs["items"].as_array().map(Vec::len), Some(1), "{logs}");
    let metrics = server.get("/api/v1/metrics").await?;
    assert_eq!(metrics["items"][0]["name"], "queue.depth", "{metrics}");
    let points = server.get("/api/v1/metrics/queue.depth").await?;
    assert_eq!(
        points["series"][0]["points"].as_array().map(Vec::len),
        Some(2),
        "{points}"
    );
    let groups = server.get("/api/v1/metrics/queue.depth?by=service").await?;
    assert_eq!(groups["grouping"]["streams"], 1, "{groups}");
    assert_eq!(
        groups["series"].as_array().map(Vec::len),
        Some(1),
        "{groups}"
    );
    let rows = server
        .get("/export/metrics.json?metric=queue.depth")
        .await?;
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
    assert_eq!(rows[0]["metric"], "queue.depth", "{rows}");
    let services = server.get("/api/v1/services").await?;
    let names: Vec<&str> = services["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s["service_name"].as_str())
        .collect();
    assert_eq!(names, ["checkout", "payment"]);
    let graph = server.get("/api/v1/graph").await?;
    assert_eq!(graph["edges"][0]["calls"], 1, "{graph}");
    assert_eq!(graph["edges"][0]["errors"], 1, "{graph}");
    for list in ["breakers", "incidents"] {
        assert_eq!(
            server.get(&format!("/api/v1/{list}")).await?["items"],
            json!([])
        );
    }
    assert_eq!(
        server.get("/api/v1/openapi.json").await?["openapi"],
        "3.1.0"
    );
    Ok(())
}

#[tokio::test]
async fn no_text_runs_as_a_formula_in_any_file() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 2_000_000_000;
    let at = |ms: u64| (start + ms * 1_000_000).to_string();
    for (number, formula) in (1_u64..).zip(FORMULAS) {
        let sender = json!({"attributes": [text("service.name", formula)]});
        let span = json!({"traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": formula, "kind": 2,
            "startTimeUnixNano": at(0), "endTimeUnixNano": at(5)});
        let record = json!({"timeUnixNano": at(1), "severityText": formula, "body": {"stringValue": formula}});
        let points = json!({"dataPoints": [{"timeUnixNano": at(2), "asInt": "-5"}]});
        let metric = json!({"name": "depth", "unit": formula, "gauge": points});
        for (signal, body) in [
            (
                "traces",
                json!({"resourceSpans": [{"resource": sender, "scopeSpans": [{"spans": [span]}]}]}),
            ),
            (
                "logs",
                json!({"resourceLogs": [{"resource": sender, "scopeLogs": [{"logRecords": [record]}]}]}),
            ),
            (
                "metrics",
                json!({"resourceMetrics": [{"resource": sender, "scopeMetrics": [{"metrics": [metric]}]}]}),
            ),
        ] {
            server.send(signal, &body).await?;
        }
    }
    let neutral = FORMULAS.map(|formula| format!("\"'{}\"", formula.replace('"', "\"\"")));
    let neutral = neutral.each_ref().map(String::as_str);
    for file in [
        "traces.csv",
        "spans.csv",
        "logs.csv",
        "services.csv",
        "metrics.csv?metric=depth",
    ] {
        let csv = says(&server, &format!("/export/{file}"), &neutral).await?;
        for formula in FORMULAS {
            let begin = &formula[..3];
            for before in [",", ",\"", "\n", "\n\""] {
                let raw = format!("{before}{begin}");
                ensure!(!csv.contains(&raw), "{file} has {raw:?}\n{csv}");
            }
        }
        ensure!(
            !file.starts_with("metrics") || csv.contains(",-5"),
            "a number stays one\n{csv}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_error_of_the_api_is_a_problem_document() -> Result<()> {
    let server = Tripline::start().await?;
    for (path, status, kind) in [
        ("/api/v1/nothing", 404, "not-found"),
        ("/api/nothing", 404, "not-found"),
        ("/api/v1/traces/xyz", 400, "invalid-parameter"),
        (
            "/api/v1/traces/00000000000000000000000000000001",
            404,
            "not-found",
        ),
        ("/api/v1/traces?limit=0", 400, "invalid-parameter"),
        ("/api/v1/traces?sevice=x", 400, "invalid-parameter"),
        ("/api/v1/services?from=yesterday", 400, "invalid-parameter"),
        ("/api/v1/metrics/none", 404, "not-found"),
        ("/api/v1/metrics/x?by=a+%3D+1", 400, "invalid-parameter"),
        ("/api/v1/breakers/checkout/payment", 404, "not-found"),
        ("/api/v1/breakers?from=yesterday", 400, "invalid-parameter"),
        (
            "/api/v1/breakers/checkout/payment?from=now&to=now-1h",
            400,
            "invalid-parameter",
        ),
        ("/api/v1/services?cursor=7", 400, "invalid-parameter"),
        ("/api/v1/changes?limit=0", 400, "invalid-parameter"),
        ("/api/v1/changes?limit=10001", 400, "invalid-parameter"),
        ("/api/v1/changes?cursor=7", 400, "invalid-parameter"),
        // What axum refuses by itself.
        ("/api/v1/metrics/%FF", 400, "bad-request"),
        ("/api/v1/incidents/%FF", 400, "bad-request"),
    ] {
        let response = server
            .client
            .get(format!("http://{}{path}", server.http()))
            .send()
            .await?;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{path}"
        );
        let body: Value = response.json().await?;
        assert_eq!(body["type"], format!("/problems/{kind}"), "{path}");
        assert_eq!(body["status"], status, "{path}");
    }
    let address = format!("http://{}/api/v1/counts?limit=1", server.http());
    let none_known: Value = server.client.get(address).send().await?.json().await?;
    assert_eq!(
        none_known["detail"],
        "`limit` is not known here: this address takes no parameters"
    );
    let address = format!("http://{}/api/v1/whatif", server.http());
    let wrong = server.client.post(address).json(&json!({"nonsense": 1}));
    let response = wrong.send().await?;
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let address = format!("http://{}/api/v1/services", server.http());
    let response = server.client.put(address).json(&json!({})).send().await?;
    assert_eq!(response.status(), 405);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    assert!(response.headers().contains_key("allow"));
    Ok(())
}

#[tokio::test]
async fn pages_carry_a_strict_policy() -> Result<()> {
    let server = Tripline::start().await?;
    let response = server
        .client
        .get(format!("http://{}/", server.http()))
        .send()
        .await?;
    let policy = response.headers()["content-security-policy"]
        .to_str()?
        .to_owned();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"),
        "{policy}"
    );
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    Ok(())
}

#[tokio::test]
async fn a_page_is_compressed_for_whoever_takes_it() -> Result<()> {
    use std::io::Read as _;

    let server = Tripline::start().await?;
    let get = |coding: &'static str| {
        let page = format!("http://{}/status", server.http());
        server.client.get(page).header("accept-encoding", coding)
    };
    let plain = get("identity").send().await?;
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain = plain.text().await?;
    let small = get("br;q=0.5, gzip").send().await?;
    assert_eq!(small.headers()["content-encoding"], "gzip");
    assert_eq!(small.headers()["vary"], "accept-encoding");
    let small = small.bytes().await?;
    let mut html = String::new();
    flate2::read::GzDecoder::new(&small[..]).read_to_string(&mut html)?;
    assert!(html.contains("</html>") && html.len().abs_diff(plain.len()) < plain.len() / 2);
    assert!(
        small.len() * 3 < plain.len(),
        "{} of {}",
        small.len(),
        plain.len()
    );
    Ok(())
}

#[tokio::test]
async fn foreign_hosts_and_foreign_writes_are_refused() -> Result<()> {
    let server = Tripline::start().await?;
    let address = format!("http://{}", server.http());
    let response = server
        .client
        .get(&address)
        .header("host", "evil.example")
        .send()
        .await?;
    assert_eq!(response.status(), 421);
    // A header that is set again is sent twice.
    let twice = server
        .client
        .get(&address)
        .header("host", "localhost")
        .header("host", "evil.example");
    assert_eq!(twice.send().await?.status(), 400);
    // No address takes it, of whatever kind its body is.
    let put = server.client.put(format!("{address}/api/v1/sql"));
    assert_eq!(put.send().await?.status(), 405);
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let request = server
            .client
            .post(format!("{address}/api/v1/sql"))
            .header(name, value);
        let response = request.json(&json!({"query": "SELECT 1"})).send().await?;
        assert_eq!(response.status(), 403, "{name}: {value}");
    }
    let request = server
        .client
        .post(format!("{address}/api/v1/sql"))
        .header("content-type", "text/plain");
    assert_eq!(
        request
            .body(r#"{"query":"SELECT 1"}"#)
            .send()
            .await?
            .status(),
        415
    );
    Ok(())
}

/// A long answer is streamed: whether it was cut is only known at its end.
#[tokio::test]
async fn a_cut_answer_says_so_whole_and_streamed() -> Result<()> {
    let server = Tripline::start().await?;
    let query = "SELECT i, repeat('x', 100) FROM range(20000) t(i)";
    for (limit, is_streamed) in [("10", false), ("5000", true)] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
            .args(["sql", "--format", "csv", "--limit", limit, "--data-dir"])
            .arg(server.data_dir())
            .arg(query)
            .output()?;
        let (out, told) = (
            String::from_utf8(output.stdout)?,
            String::from_utf8(output.stderr)?,
        );
        assert_eq!(out.len() > 100_000, is_streamed);
        assert_eq!(out.lines().count(), limit.parse::<usize>()? + 1);
        assert!(told.contains("the result was cut"), "{told}");
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
        .args(["sql", "--limit", "20000", "--data-dir"])
        .arg(server.data_dir())
        .arg(query)
        .output()?;
    assert!(output.status.success() && output.stderr.is_empty());
    Ok(())
}

/// Beyond loopback too: a rebinding needs a name, so addresses pass and names must be listed.
#[tokio::test]
async fn beyond_loopback_only_addresses_and_listed_names_are_answered() -> Result<()> {
    let server = Start::default()
        .http("0.0.0.0:0")
        .arg("--insecure")
        .env("TRIPLINE_UI__ALLOWED_HOSTS", "[\"trip.example\"]")
        .start()
        .await?;
    let port = server
        .http()
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    for (host, status) in [
        ("10.1.2.3:7070", 200),
        ("trip.example", 200),
        ("evil.example", 421),
    ] {
        let request = server
            .client
            .get(format!("http://127.0.0.1:{port}/"))
            .header("host", host);
        assert_eq!(request.send().await?.status(), status, "{host}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_is_asked_of_pages_and_api_alike() -> Result<()> {
    let server = Start::default()
        .env("TRIPLINE_UI__TOKEN", "s3cret")
        .start()
        .await?;
    let (status, html) = server.get_text("/traces?service=a%26b").await?;
    assert_eq!(status, 401);
    assert!(
        html.contains("name=\"token\"") && html.contains("/traces?service=a%26b"),
        "{html}"
    );
    assert_eq!(server.get_text("/api/v1/services").await?.0, 401);
    let refused = server
        .client
        .get(format!("http://{}/api/v1/services", server.http()))
        .send()
        .await?;
    assert!(
        refused.headers()["www-authenticate"]
            .to_str()?
            .starts_with("Bearer")
    );
    let address = format!("http://{}/api/v1/services", server.http());
    assert_eq!(
        server
            .client
            .get(&address)
            .bearer_auth("wrong")
            .send()
            .await?
            .status(),
        401
    );
    assert_eq!(
        server
            .client
            .get(&address)
            .bearer_auth("s3cret")
            .send()
            .await?
            .status(),
        200
    );
    assert_eq!(
        server
            .client
            .get(&address)
            .header("cookie", "tripline_token=s3cret")
            .send()
            .await?
            .status(),
        200
    );
    Ok(())
}
