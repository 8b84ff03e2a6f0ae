//! A cascade of three services over real ports: the incident, its page, and the sixty seconds of somebody paged at
//! night, from the link in the alert to who is hurt, without a browser.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::address::{hows, query_of};
use crate::harness::{PATIENCE, Start, Tripline, now, text};
use crate::pages::says;

pub(crate) const SECOND: u64 = 1_000_000_000;

fn resource(service: &str, version: &str) -> Value {
    json!({"attributes": [text("service.name", service), text("service.version", version), text("service.instance.id", &format!("{service}-1"))]})
}

pub(crate) fn trace_id(number: u64) -> String {
    format!("{:032x}", 0xabcd_0000_0000_u64 + number)
}

pub(crate) fn span_id(number: u64, span: u64) -> String {
    format!("{:016x}", (number + 1) * 16 + span)
}

struct Span<'a> {
    number: u64,
    span: u64,
    parent: Option<u64>,
    name: &'a str,
    kind: u8,
    at: u64,
    ms: u64,
    failed: bool,
    attributes: Vec<Value>,
}

impl Span<'_> {
    fn json(&self) -> Value {
        let start = self.at + self.span * 1_000_000;
        json!({"traceId": trace_id(self.number), "spanId": span_id(self.number, self.span),
            "parentSpanId": self.parent.map_or_else(String::new, |parent| span_id(self.number, parent)),
            "name": self.name, "kind": self.kind, "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + self.ms * 1_000_000).to_string(),
            "status": {"code": if self.failed { 2 } else { 0 }}, "attributes": self.attributes})
    }
}

/// Ninety seconds of checkout → payment → psp, two requests a second; psp fails from second 40 on, payment's breaker
/// opens at 46 and checkout's at 50, after which checkout answers with a default. Both close at 70.
pub(crate) async fn story(server: &Tripline, begin: u64) -> Result<()> {
    story_until(server, begin, 90).await
}

/// Its first seconds alone.
async fn story_until(server: &Tripline, begin: u64, seconds: u64) -> Result<()> {
    let mut spans: [Vec<Value>; 3] = Default::default();
    for number in 0..2 * seconds {
        let second = number / 2;
        let at = begin + number * SECOND / 2;
        let fails = (40..68).contains(&second);
        let refused = (50..68).contains(&second);
        let breaker = |name: &str, is_refused: bool| {
            let outcome = if is_refused {
                "rejected"
            } else if fails {
                "failure"
            } else {
                "success"
            };
            vec![
                text("circuit_breaker.name", name),
                text("circuit_breaker.outcome", outcome),
            ]
        };
        let span = |span, parent, name, kind, failed, attributes| {
            Span {
                number,
                span,
                parent,
                name,
                kind,
                at,
                ms: 40 - 2 * span,
                failed,
                attributes,
            }
            .json()
        };
        let client = |peer: &str, error: &str| {
            let mut attributes = vec![text("service.peer.name", peer)];
            if fails {
                attributes.push(text("error.type", error));
            }
            attributes
        };
        spans[0].push(span(
            0,
            None,
            "POST /checkout",
            2,
            fails && !refused,
            breaker("payment", refused),
        ));
        if refused {
            continue;
        }
        spans[0].push(span(1, Some(0), "POST", 3, fails, client("payment", "503")));
        spans[1].push(span(
            2,
            Some(1),
            "POST /payments",
            2,
            fails,
            breaker("psp", false),
        ));
        spans[1].push(span(
            3,
            Some(2),
            "charge",
            3,
            fails,
            client("psp", "DEADLINE_EXCEEDED"),
        ));
        spans[2].push(span(4, Some(3), "Charge", 2, fails, Vec::new()));
    }
    let [checkout, payment, psp] = spans;
    let traces = json!({"resourceSpans": [
        {"resource": resource("checkout", "3.0"), "scopeSpans": [{"spans": checkout}]},
        {"resource": resource("payment", "2.8"), "scopeSpans": [{"spans": payment}]},
        {"resource": resource("psp", "9.1"), "scopeSpans": [{"spans": psp}]}]});
    let change = |breaker: &str,
                  second: u64,
                  [from, to]: [&str; 2],
                  generation: u64,
                  tripped_by: Option<u64>| {
        let mut attributes = vec![
            text("circuit_breaker.name", breaker),
            text("circuit_breaker.from_state", from),
            text("circuit_breaker.to_state", to),
            json!({"key": "circuit_breaker.generation", "value": {"intValue": generation.to_string()}}),
            text(
                "circuit_breaker.reason",
                if to == "open" {
                    "failure_rate"
                } else {
                    "probe_ok"
                },
            ),
        ];
        if tripped_by.is_some() {
            for (name, value) in [("failure_ratio", 0.6), ("threshold", 0.5)] {
                attributes.push(json!({"key": format!("circuit_breaker.{name}"), "value": {"doubleValue": value}}));
            }
            attributes
                .push(json!({"key": "circuit_breaker.window_calls", "value": {"intValue": "20"}}));
        }
        let mut record = json!({"timeUnixNano": (begin + second * SECOND).to_string(), "eventName": "circuit_breaker.state_changed", "attributes": attributes});
        if let Some(number) = tripped_by {
            record["traceId"] = json!(trace_id(number));
            record["spanId"] = json!(span_id(number, 2));
        }
        record
    };
    let cycle = |breaker: &str, second: u64, tripped_by: u64| -> Vec<Value> {
        [
            (second, ["closed", "open"], Some(tripped_by)),
            (69, ["open", "half_open"], None),
            (70, ["half_open", "closed"], None),
        ]
        .into_iter()
        .zip(1..)
        .filter(|((second, ..), _)| *second < seconds)
        .map(|((second, states, tripped_by), generation)| {
            change(breaker, second, states, generation, tripped_by)
        })
        .collect()
    };
    let (of_payment, of_checkout) = (cycle("psp", 46, 91), cycle("payment", 50, 99));
    let deploy = json!({"timeUnixNano": (begin + 35 * SECOND).to_string(), "eventName": "tripline.change",
        "attributes": [text("change.kind", "deploy"), text("change.service", "psp"), text("change.description", "psp 9.1 rolled out")]});
    let logs = json!({"resourceLogs": [
        {"resource": resource("payment", "2.8"), "scopeLogs": [{"logRecords": of_payment}]},
        {"resource": resource("checkout", "3.0"), "scopeLogs": [{"logRecords": of_checkout}]},
        {"resource": resource("ci", "1"), "scopeLogs": [{"logRecords": [deploy]}]}]});
    for (path, body) in [("traces", traces), ("logs", logs)] {
        server.send(path, &body).await?;
    }
    Ok(())
}

/// The first link of a page that contains this.
fn link(html: &str, part: &str) -> Result<String> {
    let found = html
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|link| link.contains(part));
    Ok(found
        .with_context(|| format!("no link to {part}\n{html}"))?
        .replace("&amp;", "&"))
}

/// The time as a person writes it, to the second.
pub(crate) fn rfc3339(ns: u64) -> String {
    let seconds = ns / SECOND;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant, "chrono-compatible low-level date algorithms": civil_from_days.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[tokio::test]
async fn the_sixty_seconds_are_walked_from_a_pasted_link() -> Result<()> {
    let server = Tripline::start().await?;
    let begin = (now() - 300 * SECOND) / SECOND * SECOND;
    story(&server, begin).await?;
    // 0 s: the pager's link, written by a template: service, breaker, a time somewhere near.
    let pasted = format!(
        "/breakers/checkout/payment?at={}",
        rfc3339(begin + 53 * SECOND)
    );
    // 5 s: the sentence.
    let html = says(
        &server,
        &pasted,
        &[
            "checkout → payment was OPEN on 1 instance from",
            "12 of 20 calls failed (limit 50 %)",
            "503",
            "class=\"lane\"",
            "<h2>Against its limits</h2>",
            "<h2>Half-open</h2>",
        ],
    )
    .await?;
    // 12 s: the incident it is part of.
    let incident = link(&html, "/incidents/")?;
    let html = says(
        &server,
        &incident,
        &[
            "payment → psp opened first, 1 more breaker followed; likely root: psp",
            "recovered",
            "was the first to fail",
            "psp 9.1 rolled out",
            "POST /checkout",
        ],
    )
    .await?;
    // 20 s: a trace for the error class, at its deepest failing span.
    let deepest = format!("/traces/{}?span={}", trace_id(91), span_id(91, 4));
    let trace = link(&html, &deepest)?;
    ensure!(
        html.contains("DEADLINE_EXCEEDED") && html.contains("tripped it"),
        "{html}"
    );
    // 32 s: the span panel.
    says(&server, &trace, &["aria-label=\"Span\"", "Charge"]).await?;
    // A refused call says who refused it, and leads to the trace that tripped that breaker.
    says(
        &server,
        &format!("/traces/{}", trace_id(110)),
        &[
            "refused by breaker payment",
            &format!("href=\"/traces/{}", trace_id(99)),
        ],
    )
    .await?;
    // 42 s: who is hurt; 50 s: as Markdown; 55 s: recovery.
    let (_, markdown) = server
        .get_text(&format!(
            "{}?format=markdown",
            incident.split('?').next().unwrap_or_default()
        ))
        .await?;
    for words in [
        "## Likely root: psp",
        "| checkout POST /checkout | 20 | 36 |",
        "**recovered**",
        "psp 9.1 rolled out",
    ] {
        ensure!(markdown.contains(words), "{words}\n{markdown}");
    }
    says(
        &server,
        "/",
        &["Incidents: none going on", "likely root: psp"],
    )
    .await?;
    says(
        &server,
        "/incidents",
        &["payment → psp, checkout → payment"],
    )
    .await?;
    // Of a scope that none of them is in there is none.
    says(
        &server,
        "/incidents?environment=elsewhere",
        &["No breaker tripped in this range."],
    )
    .await?;
    let (_, elsewhere) = server.get_text("/?environment=elsewhere").await?;
    ensure!(!elsewhere.contains("likely root: psp"), "{elsewhere}");
    says(
        &server,
        "/services/payment",
        &["Its breakers, and those held against it", "psp"],
    )
    .await?;
    for (page, words) in [
        ("/breakers", ["Through time", "lane-open"]),
        ("/breakers?tab=review", ["Minutes open", "psp"]),
    ] {
        let html = says(&server, page, &words).await?;
        let links = hows(&html);
        ensure!(!links.is_empty(), "{page} without how-links\n{html}");
        for link in links {
            let rows = server.sql(&query_of(&link)?).await?;
            ensure!(
                !rows.is_empty(),
                "{link} finds nothing of what {page} shows"
            );
        }
    }
    says(
        &server,
        "/breakers/payment/psp/whatif?from=now-10m",
        &["Baseline", "reproduces", "What this cannot know"],
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_api_tells_the_same_story() -> Result<()> {
    let server = Tripline::start().await?;
    let begin = (now() - 300 * SECOND) / SECOND * SECOND;
    story(&server, begin).await?;
    says(
        &server,
        "/incidents",
        &["payment → psp, checkout → payment"],
    )
    .await?;
    let page = server.get("/api/v1/incidents").await?;
    ensure!(page["total"] == 1, "{page}");
    let listed = &page["items"][0];
    ensure!(
        listed["root"]["service"] == "psp" && listed["trips"] == 2,
        "{listed}"
    );
    let id = listed["incident_id"].as_str().context("an id")?;
    let whole = server.get(&format!("/api/v1/incidents/{id}")).await?;
    ensure!(whole["incident"]["incident_id"] == id, "{whole}");
    let by_time = server
        .get(&format!(
            "/api/v1/incidents/{}",
            rfc3339(begin + 60 * SECOND)
        ))
        .await?;
    ensure!(by_time["incident"]["incident_id"] == id, "{by_time}");
    let entry = &whole["blast"]["entry_points"][0];
    ensure!(
        entry["failed"] == 20.0 && entry["degraded"] == 36.0,
        "{}",
        whole["blast"]
    );
    ensure!(
        whole["recovery"]["verdict"] == "recovered",
        "{}",
        whole["recovery"]
    );
    let of_search = server.get("/api/v1/incidents?service=search").await?;
    ensure!(of_search["total"] == 0, "{of_search}");
    for (path, expected) in [
        ("/api/v1/incidents/yesterday", 400),
        ("/api/v1/incidents/12", 404),
        ("/api/v1/incidents?sevice=x", 400),
        ("/api/v1/whatif", 400),
        ("/api/v1/whatif?service=a&name=b", 404),
    ] {
        let (status, text) = server.get_text(path).await?;
        ensure!(status == expected, "{path}: {status} {text}");
    }
    let findings = server.get("/api/v1/findings").await?;
    // Page by page it is the same list, and no page hides that there are more.
    let all = findings["items"].as_array().context("items")?;
    ensure!(findings["total"] == all.len(), "{findings}");
    let (mut paged, mut address) = (Vec::new(), "/api/v1/findings?limit=1".to_owned());
    while paged.len() < all.len() {
        let page = server.get(&address).await?;
        let items = page["items"].as_array().context("items")?;
        ensure!(items.len() == 1, "{page}");
        paged.extend(items.iter().cloned());
        ensure!(page["truncated"] == (paged.len() < all.len()), "{page}");
        let next = page["next"].as_str().unwrap_or_default();
        ensure!(next.is_empty() != (paged.len() < all.len()), "{page}");
        address = format!("/api/v1/findings?limit=1&cursor={next}");
    }
    ensure!(paged == *all, "{paged:?}\n{findings}");
    let what_if = server
        .get("/api/v1/whatif?service=payment&name=psp&from=now-10m&minimum_calls=100000")
        .await?;
    ensure!(
        what_if["calls"] == 144 && what_if["edited"]["trips"] == 0,
        "{what_if}"
    );
    let posted: Value = server.client.post(format!("http://{}/api/v1/whatif", server.http()))
        .json(&json!({"service": "payment", "name": "psp", "from": "now-10m", "settings": {"minimum_calls": 100_000}}))
        .send().await?.json().await?;
    ensure!(posted["edited"] == what_if["edited"], "{posted}");
    // The same by the breaker's own address.
    let address = "/api/v1/breakers/payment/psp/whatif";
    let of_breaker = server
        .get(&format!("{address}?from=now-10m&minimum_calls=100000"))
        .await?;
    ensure!(of_breaker["edited"] == what_if["edited"], "{of_breaker}");
    for (body, expected) in [
        (
            json!({"from": "now-10m", "settings": {"minimum_calls": 100_000}}),
            200,
        ),
        (json!({"service": "payment", "settings": {}}), 400),
        (json!({"settings": {"minimum_cals": 5}}), 400),
    ] {
        let url = format!("http://{}{address}", server.http());
        let response = server.client.post(url).json(&body).send().await?;
        let status = response.status();
        let told: Value = response.json().await?;
        ensure!(status == expected, "{body}: {status} {told}");
        ensure!(
            expected != 200 || told["edited"] == what_if["edited"],
            "{told}"
        );
    }
    let (status, text) = server
        .get_text("/api/v1/breakers/payment/nobody/whatif")
        .await?;
    ensure!(status == 404, "{status} {text}");
    Ok(())
}

#[tokio::test]
async fn the_demos_cascade_is_attributed_to_payment() -> Result<()> {
    let server = Start::default()
        .command("demo")
        .arg("--spare=inventory")
        .arg("--spare=recommendation")
        .start()
        .await?;
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let page = server.get("/api/v1/incidents").await?;
        let items = page["items"].as_array().context("a list")?;
        let is_payment = |incident: &&Value| {
            incident["breakers"]
                .as_array()
                .is_some_and(|b| b.iter().any(|b| b["name"] == "payment"))
        };
        if let Some(incident) = items.iter().find(is_payment) {
            ensure!(incident["root"]["service"] == "payment", "{incident}");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{page}\n{}", server.log());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What another copy of the binary answers for a bundle.
async fn opened(bundle: &std::path::Path) -> Result<(std::process::Child, String)> {
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
async fn export(data: &std::path::Path, asked: &str, bundle: &std::path::Path) -> Result<()> {
    let (data, asked, bundle) = (data.to_owned(), asked.to_owned(), bundle.to_owned());
    let written = tokio::task::spawn_blocking(move || {
        std::process::Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
            .args(["export", "--incident", &asked, "--data-dir"])
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

fn read(bundle: &std::path::Path, file: &str) -> Result<Value> {
    let text = std::fs::read_to_string(bundle.join(file)).with_context(|| file.to_owned())?;
    Ok(serde_json::from_str(&text)?)
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

/// Settings told long before the incident, and a change and a version shortly before its raw rows begin.
async fn told_before(server: &Tripline, begin: u64) -> Result<()> {
    let started = begin - 7_200 * SECOND;
    let settings = [
        text("circuit_breaker.name", "psp"),
        text("circuit_breaker.config_hash", "c0ffee"),
        text("circuit_breaker.window.kind", "time"),
        json!({"key": "circuit_breaker.failure_ratio_threshold", "value": {"doubleValue": 0.5}}),
        json!({"key": "circuit_breaker.minimum_calls", "value": {"intValue": "17"}}),
    ];
    let configured = json!({"timeUnixNano": started.to_string(), "eventName": "circuit_breaker.configured", "attributes": settings});
    let flag = json!({"timeUnixNano": (begin - 1_200 * SECOND).to_string(), "eventName": "tripline.change",
        "attributes": [text("change.kind", "flag"), text("change.service", "psp"), text("change.description", "new ledger on")]});
    let logs = json!({"resourceLogs": [
        {"resource": resource("payment", "2.8"), "scopeLogs": [{"logRecords": [configured]}]},
        {"resource": resource("ci", "1"), "scopeLogs": [{"logRecords": [flag]}]}]});
    let old = Span {
        number: 9_000,
        span: 0,
        parent: None,
        name: "Charge",
        kind: 2,
        at: begin - 1_300 * SECOND,
        ms: 5,
        failed: false,
        attributes: Vec::new(),
    };
    let traces = json!({"resourceSpans": [{"resource": resource("psp", "9.0"), "scopeSpans": [{"spans": [old.json()]}]}]});
    for (path, body) in [("logs", logs), ("traces", traces)] {
        server.send(path, &body).await?;
    }
    Ok(())
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
    says(
        &server,
        "/incidents",
        &["payment → psp, checkout → payment"],
    )
    .await?;
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
    let server = Start::default().data_dir(&data).start().await?;
    let begin = (now() - 300 * SECOND) / SECOND * SECOND;
    story(&server, begin).await?;
    says(
        &server,
        "/incidents",
        &["payment → psp, checkout → payment"],
    )
    .await?;
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
        for part in [
            "incident",
            "error_classes",
            "changes",
            "blast",
            "transitions",
        ] {
            ensure!(
                after[part] == before[part],
                "{part}\n{}\n{}",
                after[part],
                before[part]
            );
        }
        let page = asked(&server, &address, &format!("/incidents/{id}")).await?;
        ensure!(page.contains("likely root: psp"), "{page}");
        Ok(())
    }
    .await;
    child.kill()?;
    child.wait()?;
    outcome
}
