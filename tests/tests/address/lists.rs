//! Lists: ordered before they are cut, paged, and saying what they leave out.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{SECOND, call, send_spans};
use crate::dashboard::plant;
use crate::harness::{Tripline, now, text};
use crate::pages::{TRACE, says, seed};

#[tokio::test]
async fn lists_are_ordered_before_they_are_cut() -> Result<()> {
    let server = Tripline::start().await?;
    plant(&server).await?;
    // Every sixth is slow and failed, the newest of them number 54.
    let html = says(
        &server,
        "/traces?sort=duration&limit=10",
        &["10 of 60 traces, longest first, the rest was cut"],
    )
    .await?;
    for number in 0..60_u64 {
        let link = format!("/traces/{:032x}", number + 1);
        assert_eq!(html.contains(&link), number % 6 == 0, "{number}\n{html}");
    }
    let ids = async |sort: &str| -> Result<Vec<String>> {
        let found = server
            .get(&format!("/api/v1/traces?sort={sort}&limit=2"))
            .await?;
        ensure!(found["next"].is_null() || sort == "start", "{found}");
        let items = found["items"].as_array().context("traces")?;
        Ok(items
            .iter()
            .filter_map(|item| item["trace_id"].as_str().map(str::to_owned))
            .collect())
    };
    let id = |number: u64| format!("{:032x}", number + 1);
    assert_eq!(ids("errors").await?, [id(54), id(48)]);
    assert_eq!(ids("duration").await?, [id(54), id(48)]);
    assert_eq!(ids("start").await?, [id(59), id(58)]);
    for (path, parameter) in [
        ("/api/v1/traces?sort=duration&cursor=1.2.0", "cursor"),
        ("/api/v1/traces?sort=slowest", "sort"),
        ("/api/v1/services?sort=slowest", "sort"),
    ] {
        let (status, body) = server.get_text(path).await?;
        let problem: Value = serde_json::from_str(&body)?;
        assert_eq!(
            (status, &problem["parameter"]),
            (400, &json!(parameter)),
            "{path}: {body}"
        );
    }
    for page in ["/?sort=slowest", "/traces?sort=slowest"] {
        let (status, html) = server.get_text(page).await?;
        ensure!(
            status == 400 && html.contains("`sort` is one of"),
            "{page}\n{html}"
        );
    }
    // Prod has more failures, canary is asked less often.
    for (sort, first) in [("impact", "prod"), ("name", "canary"), ("rate", "prod")] {
        let html = says(&server, &format!("/?sort={sort}"), &["environment=prod"]).await?;
        let list = html.split("id=\"services\"").nth(1).context("a list")?;
        let at = |name: &str| list.find(&format!("/services/cart?environment={name}"));
        let (prod, canary) = (at("prod"), at("canary"));
        let (prod, canary) = (prod.context("prod")?, canary.context("canary")?);
        assert_eq!(prod < canary, first == "prod", "{sort}");
    }
    Ok(())
}

#[tokio::test]
async fn the_file_of_the_traces_page_has_the_list_it_shows() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    plant(&server).await?;
    let ids = |file: &Value| -> Vec<String> {
        let rows = file.as_array().into_iter().flatten();
        rows.filter_map(|row| row["trace_id"].as_str().map(str::to_owned))
            .collect()
    };
    // A trace of three spans of two services is a line, whichever of its spans fits.
    let file = server
        .get("/export/traces.json?q=name+%3D+charge+OR+name+%3D+%22POST+%2Fcheckout%22")
        .await?;
    let expected = json!([{"trace_id": TRACE, "root_service_name": "checkout", "root_name": "POST /checkout",
        "has_root": true, "start_time_unix_nano": file[0]["start_time_unix_nano"], "duration_ns": 120_000_000, "spans": 3,
        "errors": 2, "services": ["checkout", "payment"]}]);
    assert_eq!(file, expected);
    // Its spans are a file too.
    let file = server
        .get("/export/spans.json?q=any(name+%3D+charge)")
        .await?;
    assert_eq!(ids(&file), [TRACE, TRACE, TRACE], "{file}");

    let id = |number: u64| format!("{:032x}", number + 1);
    let file = server.get("/export/traces.json?sort=spans").await?;
    let found = ids(&file);
    assert_eq!((found.len(), found[0].as_str()), (61, TRACE), "{file}");
    let file = server.get("/export/traces.json?sort=duration").await?;
    assert_eq!(ids(&file)[..2], [id(54), id(48)], "{file}");

    // Of the planted ones every sixth takes longer than half a second.
    let (from, to) = (now() - 300 * SECOND, now() + 300 * SECOND);
    let place = format!("box={from},{to},500000000,1000000000");
    let html = says(
        &server,
        &format!("/traces?{place}"),
        &["10 traces, newest first", "/export/traces.csv?box="],
    )
    .await?;
    let file = server.get(&format!("/export/traces.json?{place}")).await?;
    let slow: Vec<String> = (0..10).rev().map(|tenth| id(tenth * 6)).collect();
    assert_eq!(ids(&file), slow, "{file}");
    for id in &slow {
        ensure!(html.contains(&format!("/traces/{id}")), "{id}\n{html}");
    }
    let (status, _) = server.get_text("/export/traces.json?box=1,2").await?;
    assert_eq!(status, 400);
    Ok(())
}

#[tokio::test]
async fn a_file_of_more_traces_than_it_may_have_says_that_it_was_cut() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 60 * SECOND;
    let spans: Vec<Value> = (0..1_001_u64)
        .map(|at| call(at, "GET /", start + at * 1_000_000, 10, false))
        .collect();
    send_spans(&server, &[("service.name", "cart")], &spans).await?;
    server.wait_for("SELECT count(*) FROM spans", 1_001).await?;
    for (question, lines, is_cut) in [
        ("", 1_001, "true"),
        ("?sort=spans", 1_001, "true"),
        (
            "?q=trace_id+%3D+00000000000000000000000000000001",
            2,
            "false",
        ),
    ] {
        let address = format!("http://{}/export/traces.csv{question}", server.http());
        let response = server.client.get(address).send().await?;
        ensure!(response.status() == 200, "{question}: {response:?}");
        assert_eq!(
            response.headers()["x-tripline-truncated"],
            is_cut,
            "{question}"
        );
        assert_eq!(response.text().await?.lines().count(), lines, "{question}");
    }
    Ok(())
}

#[tokio::test]
async fn reported_changes_are_paged_oldest_first() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 60 * SECOND;
    for number in 0..5 {
        let report = json!({"kind": "deploy", "description": format!("change {number}"),
            "time_unix_nano": start + number * SECOND});
        let address = format!("http://{}/api/v1/changes", server.http());
        let response = server.client.post(address).json(&report).send().await?;
        ensure!(response.status() == 201, "{response:?}");
    }
    let mut told = Vec::new();
    let mut cursor = String::new();
    for expected in [2, 2, 1] {
        let page = server
            .get(&format!("/api/v1/changes?limit=2{cursor}"))
            .await?;
        let items = page["items"].as_array().context("items")?;
        ensure!(items.len() == expected, "{page}");
        ensure!(
            page["truncated"] == (expected == 2) && page["total"] == 5,
            "{page}"
        );
        told.extend(items.iter().map(|item| item["description"].clone()));
        let next = page["next"].as_str().unwrap_or_default();
        cursor = format!("&cursor={next}");
    }
    let all: Vec<Value> = (0..5).map(|n| json!(format!("change {n}"))).collect();
    assert_eq!(told, all);
    Ok(())
}

#[tokio::test]
async fn every_list_says_what_it_leaves_out() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 60 * SECOND;
    let spans: Vec<Value> = (0..60_u64)
        .map(|at| {
            let name = format!("GET /{at}");
            call(at, &name, start + at * 100_000_000, 10, at < 25)
        })
        .collect();
    send_spans(&server, &[("service.name", "cart")], &spans).await?;
    says(
        &server,
        "/services/cart",
        &[
            "50 of 60 operations, busiest first, the rest was cut",
            "20 of 25 failed traces, newest first, the rest was cut",
            "/traces?service=cart&amp;status=error",
        ],
    )
    .await?;
    says(
        &server,
        "/traces?limit=7&status=error",
        &["7 of 25 traces, newest first", "older →"],
    )
    .await?;
    let resources: Vec<Value> = (0..14_u64)
        .map(|at| {
            let record = json!({"timeUnixNano": (start + at * SECOND).to_string(), "body": {"stringValue": "said"}});
            json!({"resource": {"attributes": [text("service.name", &format!("s-{at}"))]},
                "scopeLogs": [{"logRecords": [record]}]})
        })
        .collect();
    server
        .send("logs", &json!({"resourceLogs": resources}))
        .await?;
    says(
        &server,
        "/logs?limit=5",
        &[
            "5 of 14 log records, newest first",
            "older →",
            "12 of 14 services, most records first, the rest was cut",
        ],
    )
    .await?;
    Ok(())
}
