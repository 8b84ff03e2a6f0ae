//! An incident handed on: its bundle opens elsewhere, read-only, and tells what its files tell, as of its export.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::is_listed;
use super::story::{SECOND, failed_checkouts, resource, rfc3339, story, story_until, told_before};
use crate::harness::{Start, Tripline, now, text};

/// What another copy of the binary answers for a bundle.
async fn opened(bundle: &Path) -> Result<(std::process::Child, String)> {
    use std::io::BufRead as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
        .args(["serve", "--http", "127.0.0.1:0", "--bundle"])
        .arg(bundle)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let line = tokio::task::spawn_blocking(move || {
        let mut lines = std::io::BufReader::new(stdout)
            .lines()
            .map_while(std::io::Result::ok);
        lines.find(|line| line.contains("\"listening\""))
    })
    .await?
    .context("it did not start")?;
    let told: Value = serde_json::from_str(&line)?;
    ensure!(
        told["otlp_grpc"].is_null() && told["otlp_http"].is_null(),
        "a bundle takes nothing in: {line}"
    );
    Ok((
        child,
        told["http"].as_str().context("an address")?.to_owned(),
    ))
}

/// Writes the bundle of an incident into `bundle`.
async fn export(data: &Path, asked: &str, bundle: &Path) -> Result<()> {
    let (data, asked, bundle) = (data.to_owned(), asked.to_owned(), bundle.to_owned());
    let written = tokio::task::spawn_blocking(move || {
        std::process::Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
            .args([
                "export",
                "--incident",
                &asked,
                "--timeout",
                "2m",
                "--data-dir",
            ])
            .args([&data, &bundle])
            .output()
    })
    .await??;
    ensure!(
        written.status.success(),
        "{}",
        String::from_utf8_lossy(&written.stderr)
    );
    Ok(())
}

fn read(bundle: &Path, file: &str) -> Result<Value> {
    let text = std::fs::read_to_string(bundle.join(file)).with_context(|| file.to_owned())?;
    Ok(serde_json::from_str(&text)?)
}

/// These parts of an incident are told alike.
fn are_alike(after: &Value, before: &Value, parts: &[&str]) -> Result<()> {
    for part in parts {
        let (after, before) = (&after[*part], &before[*part]);
        ensure!(after == before, "{part}\n{after}\n{before}");
    }
    Ok(())
}

/// What an opened bundle answers to a GET.
async fn asked(server: &Tripline, address: &str, path: &str) -> Result<String> {
    let response = server
        .client
        .get(format!("http://{address}{path}"))
        .send()
        .await?;
    let status = response.status();
    let text = response.text().await?;
    ensure!(status == 200, "{path}: {status} {text}");
    Ok(text)
}

/// An incident that goes on is exported; its bundle, opened later, tells what its files tell, as of the export.
#[tokio::test]
async fn a_bundle_of_an_incident_that_goes_on_stays_at_its_moment() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("data");
    let server = Start::default().data_dir(&data).start().await?;
    let begin = (now() - 100 * SECOND) / SECOND * SECOND;
    told_before(&server, begin).await?;
    story_until(&server, begin, 66).await?;
    is_listed(&server).await?;
    let bundle = scratch.path().join("bundle");
    export(&data, "now-10m..now", &bundle).await?;

    let (mut child, address) = opened(&bundle).await?;
    let outcome = async {
        let written = read(&bundle, "incident.json")?;
        let written = written.get(0).context("one incident")?;
        let id = written["incident"]["incident_id"]
            .as_str()
            .context("an id")?;
        ensure!(written["incident"]["state"] == "open", "{written}");
        ensure!(
            written["incident"]["end_unix_nano"].is_null(),
            "{written}"
        );
        let kinds = written["changes"].as_array().context("changes")?;
        for kind in ["flag", "deploy", "version"] {
            ensure!(kinds.iter().any(|one| one["kind"] == kind), "{kind}: {kinds:?}");
        }
        let switched = kinds.iter().filter(|one| one["description"] == "ledger: on after off");
        ensure!(switched.count() == 1, "{kinds:?}");
        let path = format!("/api/v1/incidents/{id}");
        let after: Value = serde_json::from_str(&asked(&server, &address, &path).await?)?;
        for (part, before) in written.as_object().context("an object")? {
            ensure!(after[part] == *before, "{part}\n{}\n{before}", after[part]);
        }
        // Now is the moment of the export, in SQL too, and the range is the bundle's.
        let manifest = read(&bundle, "manifest.json")?;
        let to: u64 = manifest["to_unix_nano"].as_str().context("a time")?.parse()?;
        let query = json!({"query": "SELECT epoch_ns(now())::VARCHAR AS n, (SELECT count(*) FROM breaker_config) AS c"});
        let sql: Value = server
            .client
            .post(format!("http://{address}/api/v1/sql"))
            .json(&query)
            .send()
            .await?
            .json()
            .await?;
        ensure!(sql["rows"] == json!([[to.to_string(), 1]]), "{sql}");
        let graph: Value =
            serde_json::from_str(&asked(&server, &address, "/api/v1/graph").await?)?;
        ensure!(
            graph["edges"].as_array().is_some_and(|edges| edges.len() >= 2),
            "{graph}"
        );
        // The settings were told two hours before.
        let what_if = asked(
            &server,
            &address,
            "/api/v1/whatif?service=payment&name=psp",
        )
        .await?;
        let what_if: Value = serde_json::from_str(&what_if)?;
        ensure!(
            what_if["settings_source"] == "event" && what_if["settings"]["minimum_calls"] == "17",
            "{what_if}"
        );
        // Every page says what it is.
        for page in ["/", "/breakers", "/breakers/payment/psp", "/graph", "/sql", "/status", &format!("/incidents/{id}")] {
            let html = asked(&server, &address, page).await?;
            ensure!(html.contains("Bundle of an incident"), "{page}\n{html}");
            ensure!(!html.contains("Save this view"), "{page}\n{html}");
        }
        // And nothing is taken in.
        for (path, kind, body) in [
            ("/api/v1/changes", "application/json", r#"{"kind":"deploy","description":"x"}"#),
            ("/views", "application/x-www-form-urlencoded", "name=x&path=/"),
            ("/v1/traces", "application/x-protobuf", ""),
        ] {
            let response = server
                .client
                .post(format!("http://{address}{path}"))
                .header("content-type", kind)
                .body(body)
                .send()
                .await?;
            let status = response.status();
            let answer = response.text().await?;
            ensure!(status == 403 && answer.contains("read-only"), "{path}: {status} {answer}");
        }
        Ok(())
    }
    .await;
    child.kill()?;
    child.wait()?;
    outcome
}

#[tokio::test]
async fn a_bundle_opens_elsewhere_with_the_same_incident() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("data");
    // Of one breaker only the configuration knows whom it guards.
    let rules = scratch.path().join("tripline.toml");
    std::fs::write(
        &rules,
        "[[resilience.peer]]\nservice = \"payment\"\nbreaker = \"main*\"\npeer = \"vault\"\n",
    )?;
    let server = Start::default()
        .data_dir(&data)
        .env("TRIPLINE_CONFIG", &rules.to_string_lossy())
        .start()
        .await?;
    let begin = (now() - 300 * SECOND) / SECOND * SECOND;
    let closed = json!({"timeUnixNano": (begin + 30 * SECOND).to_string(), "eventName": "circuit_breaker.state_changed",
        "attributes": [text("circuit_breaker.name", "mainframe"), text("circuit_breaker.from_state", "half_open"),
            text("circuit_breaker.to_state", "closed")]});
    let logs = json!({"resourceLogs": [{"resource": resource("payment", "2.8"), "scopeLogs": [{"logRecords": [closed]}]}]});
    server.send("logs", &logs).await?;
    story(&server, begin).await?;
    is_listed(&server).await?;
    let id = server.get("/api/v1/incidents").await?["items"][0]["incident_id"]
        .as_str()
        .context("an id")?
        .to_owned();
    let before = server.get(&format!("/api/v1/incidents/{id}")).await?;

    let bundle = scratch.path().join("bundle");
    // Of one that nobody knows nothing is left.
    let unknown = export(&data, "1999-01-01T00:00:00Z", &bundle).await;
    ensure!(unknown.is_err(), "there was nothing in 1999");
    let left = std::fs::read_dir(scratch.path())?.count();
    export(&data, &id, &bundle).await?;
    ensure!(
        std::fs::read_dir(scratch.path())?.count() == left + 1,
        "an export that failed left something"
    );
    for file in [
        "manifest.json",
        "incident.json",
        "graph.json",
        "transitions.json",
        "top_traces.json",
        "queries.json",
        "peers.json",
        "settings.jsonl",
        "traces.parquet",
        "logs.parquet",
    ] {
        ensure!(bundle.join(file).is_file(), "{file}");
    }

    let (mut child, address) = opened(&bundle).await?;
    let outcome = async {
        let path = format!("/api/v1/incidents/{id}");
        let after: Value = serde_json::from_str(&asked(&server, &address, &path).await?)?;
        let parts = [
            "incident",
            "error_classes",
            "changes",
            "blast",
            "transitions",
        ];
        are_alike(&after, &before, &parts)?;
        let page = asked(&server, &address, &format!("/incidents/{id}")).await?;
        ensure!(page.contains("likely root: psp"), "{page}");
        let path = "/api/v1/breakers/payment/mainframe";
        let there = server.get(path).await?;
        let here: Value = serde_json::from_str(&asked(&server, &address, path).await?)?;
        for found in [&there, &here] {
            let found = &found["breaker"];
            ensure!(
                found["peer_service"] == "vault" && found["peer_evidence"] == "user_rule",
                "{found}"
            );
        }
        Ok(())
    }
    .await;
    child.kill()?;
    child.wait()?;
    outcome
}

/// What came before and after is told of the same whole buckets everywhere, and in a bundle as where it came from.
#[tokio::test]
async fn before_and_after_are_the_same_numbers_live_and_in_a_bundle() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("data");
    let server = Start::default().data_dir(&data).start().await?;
    // It begins and ends in the middle of buckets of ten seconds; requests fail in the buckets at both edges, too.
    let begin = (now() - 450 * SECOND) / (10 * SECOND) * (10 * SECOND) + 5 * SECOND;
    story_until(&server, begin, 400).await?;
    failed_checkouts(&server, begin, &[5, 28, 372, 373]).await?;
    is_listed(&server).await?;
    let live = server.get("/api/v1/incidents").await?;
    let id = live["items"][0]["incident_id"].as_str().context("an id")?;
    let path = format!("/api/v1/incidents/{id}");
    let before = server.get(&path).await?;
    let courses = before["before_after"]["courses"].as_array();
    let entry = courses
        .and_then(|courses| {
            courses
                .iter()
                .find(|one| one["operation"] == "POST /checkout")
        })
        .context("an entry point")?;
    for (phase, told) in [
        ("before", "entry_error_share_before"),
        ("after", "entry_error_share"),
    ] {
        let of = |what: &str| entry[phase][what].as_f64().context("a number");
        let share = of("error_weight")? / of("weight")?;
        let told = before["recovery"][told].as_f64().context("a share")?;
        ensure!(
            share > 0.0 && (share - told).abs() < 1e-9,
            "{phase}: {share}, {told}\n{before}"
        );
    }

    let bundle = scratch.path().join("bundle");
    export(&data, id, &bundle).await?;
    let (mut child, address) = opened(&bundle).await?;
    let outcome = async {
        let list: Value =
            serde_json::from_str(&asked(&server, &address, "/api/v1/incidents").await?)?;
        ensure!(list["items"] == live["items"], "{list}\n{live}");
        let after: Value = serde_json::from_str(&asked(&server, &address, &path).await?)?;
        are_alike(
            &after,
            &before,
            &["incident", "blast", "recovery", "before_after"],
        )?;
        Ok(())
    }
    .await;
    child.kill()?;
    child.wait()?;
    outcome
}

#[tokio::test]
async fn a_range_without_a_row_is_no_bundle_and_the_nearest_telemetry_is_named() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let data = scratch.path().join("data");
    let server = Start::default().data_dir(&data).start().await?;
    let begin = (now() - 100 * SECOND) / SECOND * SECOND;
    let bundle = scratch.path().join("bundle");
    let empty = format!(
        "{}..{}",
        rfc3339(begin - 3_600 * SECOND),
        rfc3339(begin - 1_800 * SECOND)
    );
    let refused = export(&data, &empty, &bundle).await;
    let told = format!("{:#}", refused.err().context("nothing is stored at all")?);
    ensure!(told.contains("the store is empty"), "{told}");

    failed_checkouts(&server, begin, &[0]).await?;
    let refused = export(&data, &empty, &bundle).await;
    let told = format!("{:#}", refused.err().context("nothing is stored then")?);
    let nearest = format!("the nearest telemetry is of {}", rfc3339(begin));
    ensure!(
        told.contains("nothing is stored from") && told.contains(&nearest),
        "{told}"
    );
    let left = std::fs::read_dir(scratch.path())?.map(|entry| Ok(entry?.file_name()));
    let mut left: Vec<_> = left.collect::<Result<_>>()?;
    left.sort();
    // The directory and the log of the process that wrote it.
    ensure!(
        left == ["data", "data.log"],
        "a refused export left {left:?}"
    );
    // With rows, but without an incident, it is one.
    export(&data, &format!("{}..now", rfc3339(begin)), &bundle).await?;
    ensure!(bundle.join("manifest.json").is_file(), "no bundle");
    Ok(())
}
