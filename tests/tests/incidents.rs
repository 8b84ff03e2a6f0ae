//! A cascade of three services over real ports: the incident, its page, and the sixty seconds of somebody paged at
//! night, from the link in the alert to who is hurt, without a browser.

mod bundle;
mod elsewhere;
pub(crate) mod story;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::address::how::{hows, query_of};
use crate::harness::{PATIENCE, Start, Tripline, now};
use crate::pages::says;
use story::{SECOND, rfc3339, span_id, story, trace_id};

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

/// The list has the story as one incident of both breakers.
async fn is_listed(server: &Tripline) -> Result<()> {
    let chain = "payment → psp, checkout → payment";
    says(server, "/incidents", &[chain]).await?;
    Ok(())
}

/// Lists of breakers have the states of the end of a range that is over, by the SQL they show as well.
async fn is_of_the_ranges_end(server: &Tripline, begin: u64) -> Result<()> {
    for (path, section) in [
        ("/breakers", "id=\"breakers\""),
        ("/services/payment", "id=\"own-breakers\""),
    ] {
        for (second, told, not_told) in [
            (60, "1 of 1 open", "0 of 1 open"),
            (80, "0 of 1 open", "1 of 1 open"),
        ] {
            let page = format!("{path}?from={begin}&to={}", begin + second * SECOND);
            let html = says(server, &page, &["States are those of", section]).await?;
            let list = html.split(section).nth(1).context("the list")?;
            let list = list.split("</section>").next().unwrap_or_default();
            ensure!(
                list.contains(told) && !list.contains(not_told),
                "{page}\n{list}"
            );
            for link in hows(list) {
                let rows = server.sql(&query_of(&link)?).await?;
                ensure!(!rows.is_empty(), "{link} finds nothing");
            }
        }
    }
    // The page of one breaker has in its head what it was then, and says so.
    let opened = "payment → psp was OPEN on 1 of 1 instance since";
    for (second, told) in [(60, opened), (80, "when this range ended it was closed")] {
        let end = begin + second * SECOND;
        let page = format!("/breakers/payment/psp?from={begin}&to={end}");
        let html = says(server, &page, &["States are those of", told]).await?;
        ensure!(!html.contains("now it is"), "{page}\n{html}");
    }
    let before = format!(
        "/breakers?from={}&to={}",
        begin - 600 * SECOND,
        begin - SECOND
    );
    says(server, &before, &["is stored from before this range ended"]).await?;
    let html = says(server, "/breakers?from=now-2h", &["psp"]).await?;
    ensure!(!html.contains("States are those of"), "{html}");
    Ok(())
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
            "aria-label=\"Call graph",
            "2 instances refused at ",
            "○ open",
            "<h2>Latency before, during and after</h2>",
            "Before (5 min)",
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
    // 32 s: the span panel, with what else the peer was doing and what changed of it.
    let failed_before = format!("/traces/{}?span={}", trace_id(90), span_id(90, 4));
    let html = says(
        &server,
        &trace,
        &[
            "aria-label=\"Span\"",
            "Charge",
            "What else psp was doing (± 5 s)",
            &failed_before,
            "psp 9.1 rolled out",
        ],
    )
    .await?;
    // Its own spans are no other ones, and nobody else's are its.
    let beside = html.split("id=\"span-beside\"").nth(1).context("it")?;
    let beside = beside.split("</section>").next().unwrap_or_default();
    ensure!(!beside.contains(&trace_id(91)), "{beside}");
    ensure!(!beside.contains(&span_id(90, 2)), "{beside}");
    ensure!(!beside.contains("reports no version"), "{beside}");
    // Of a call its callee is who answered it.
    let call = format!("/traces/{}?span={}", trace_id(91), span_id(91, 3));
    says(&server, &call, &["What else psp was doing (± 5 s)"]).await?;
    let (_, tab) = server.get_text(&format!("{call}&view=graph")).await?;
    ensure!(!tab.contains("What else"), "{tab}");
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
    is_listed(&server).await?;
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
        ("/breakers", ["Through time", "open: calls are refused"]),
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
    is_of_the_ranges_end(&server, begin).await?;
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
    is_listed(&server).await?;
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
    let courses = whole["before_after"]["courses"]
        .as_array()
        .context("courses")?;
    let named: Vec<(&Value, &Value, &Value)> = courses
        .iter()
        .map(|course| (&course["service"], &course["peer"], &course["operation"]))
        .collect();
    ensure!(
        named.contains(&(&json!("payment"), &json!("psp"), &Value::Null))
            && named.contains(&(&json!("checkout"), &json!("payment"), &Value::Null))
            && named.contains(&(&json!("checkout"), &Value::Null, &json!("POST /checkout"))),
        "{courses:?}"
    );
    for course in courses {
        let (before, during) = (&course["before"], &course["during"]);
        ensure!(
            before["errors"] == 0 && during["errors"].as_u64() > Some(0),
            "{course}"
        );
        ensure!(during["latency"]["p95_ns"].is_number(), "{course}");
    }
    let worst = &whole["worst"];
    ensure!(worst["instances_open"] == 2, "{worst}");
    for edge in worst["graph"]["edges"].as_array().context("edges")? {
        ensure!(edge["breakers"][0]["state"] == "open", "{edge}");
    }
    let of_search = server.get("/api/v1/incidents?service=search").await?;
    ensure!(of_search["total"] == 0, "{of_search}");
    for (path, expected) in [
        ("/api/v1/incidents/yesterday", 400),
        ("/api/v1/incidents/12", 404),
        ("/api/v1/incidents?sevice=x", 400),
        ("/api/v1/whatif", 400),
        (
            "/api/v1/whatif?service=payment&name=psp&from=now-10m&ramp.from=2&ramp.over_s=5",
            400,
        ),
        (
            "/api/v1/whatif?service=payment&name=psp&from=now-10m&window.size=99999999999",
            400,
        ),
        ("/api/v1/whatif?service=a&name=b", 404),
    ] {
        let (status, text) = server.get_text(path).await?;
        ensure!(status == expected, "{path}: {status} {text}");
    }
    // A refusal names what was typed: the parameter, and in the form the field.
    let edit = "from=now-10m&failure_ratio_threshold=2";
    for (path, words) in [
        (
            format!("/api/v1/whatif?service=payment&name=psp&{edit}"),
            "failure_ratio_threshold must be above 0 and at most 1",
        ),
        (
            format!("/breakers/payment/psp/whatif?{edit}"),
            "Failed share that trips (failure_ratio_threshold) must be above 0",
        ),
        (
            "/breakers/payment/psp/whatif?from=now-10m&window.length_s=0".to_owned(),
            "Window, s (window.length_s) must be longer than zero",
        ),
    ] {
        let (status, text) = server.get_text(&path).await?;
        ensure!(
            status == 400 && text.contains(words),
            "{path}: {status} {text}"
        );
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
    let elsewhere = server
        .client
        .post(format!(
            "http://{}/api/v1/whatif?environment=nowhere",
            server.http()
        ))
        .json(&json!({"service": "payment", "name": "psp", "settings": {}}))
        .send()
        .await?;
    ensure!(elsewhere.status() == 404, "{}", elsewhere.status());
    let question = "/api/v1/whatif?service=payment&name=psp&from=now-10m";
    let unasked = server.get(&format!("{question}&propose=false")).await?;
    ensure!(unasked["proposals"] == json!([]), "{unasked}");
    let (status, text) = server
        .get_text(&format!("{question}&propose=perhaps"))
        .await?;
    ensure!(status == 400, "{status} {text}");
    let (status, text) = server.get_text(&format!("{question}&key=eu")).await?;
    ensure!(
        status == 404 && text.contains("no breaker psp/eu of payment"),
        "{status} {text}"
    );
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
