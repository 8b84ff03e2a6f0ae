//! Versions of a service beside each other, and what changed of it, by each way a change is told.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::plant;
use crate::harness::{Tripline, now, text};
use crate::pages::says;

#[tokio::test]
async fn versions_stand_side_by_side_and_changes_are_marked() -> Result<()> {
    let server = Tripline::start().await?;
    plant(&server).await?;
    // Beside canary's 2.0 comes 2.1: a version is compared with others of its own scope.
    let start = now() - 30_000_000_000;
    let newer: Vec<Value> = (100..105_u64)
        .map(|number| {
            let from = start + number;
            json!({"traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": "GET /cart", "kind": 2,
                "startTimeUnixNano": from.to_string(), "endTimeUnixNano": (from + 9_000_000).to_string()})
        })
        .collect();
    let sender = [
        text("service.name", "cart"),
        text("service.version", "2.1"),
        text("deployment.environment.name", "canary"),
    ];
    let body = json!({"resourceSpans": [{"resource": {"attributes": sender}, "scopeSpans": [{"spans": newer}]}]});
    server.send("traces", &body).await?;
    let address = format!("http://{}/api/v1/changes", server.http());
    let change = json!({"kind": "flag", "description": "new <b>cart</b> on", "service": "cart", "time_unix_nano": now() - 40_000_000_000});
    let response = server.client.post(&address).json(&change).send().await?;
    assert_eq!(response.status(), 201, "{}", response.text().await?);
    for wrong in [
        json!({"kind": ""}),
        json!({"kind": "x", "description": ""}),
        json!({"kind": "x", "description": "y", "more": 1}),
    ] {
        assert_eq!(
            server
                .client
                .post(&address)
                .json(&wrong)
                .send()
                .await?
                .status(),
            400,
            "{wrong}"
        );
    }
    let found = server.get("/api/v1/changes?service=cart").await?;
    assert_eq!(found["items"][0]["kind"], "flag", "{found}");
    says(
        &server,
        "/services/cart",
        &[
            "Operations",
            "Versions side by side",
            "2.1",
            "2.0",
            "1.0",
            "What changed",
            "new &lt;b&gt;cart&lt;/b&gt; on",
            "note-line",
        ],
    )
    .await?;
    changes_come_by_both_doors(&server).await?;
    // Two environments: the scope is a choice, and it holds for the whole app.
    let html = says(
        &server,
        "/?environment=canary",
        &["canary", "/graph?environment=canary"],
    )
    .await?;
    assert!(html.contains("25 calls in range"), "{html}");
    Ok(())
}

/// A pipeline tells of the services it deploys, and some changes are about all of them.
async fn changes_come_by_both_doors(server: &Tripline) -> Result<()> {
    let at = (now() - 30_000_000_000).to_string();
    let event = json!({"timeUnixNano": at, "eventName": "tripline.change", "attributes": [text("change.kind", "deploy"),
        text("change.service", "cart"), text("change.description", "cart 2.0 rolled out")]});
    let by_log = json!({"resourceLogs": [{"resource": {"attributes": [text("service.name", "pipeline"),
        text("deployment.environment.name", "canary")]}, "scopeLogs": [{"logRecords": [event]}]}]});
    let by_post = json!({"kind": "config", "description": "limits raised everywhere"});
    for (address, body) in [
        (format!("http://{}/v1/logs", server.otlp_http()), by_log),
        (format!("http://{}/api/v1/changes", server.http()), by_post),
    ] {
        let status = server
            .client
            .post(&address)
            .json(&body)
            .send()
            .await?
            .status();
        ensure!(status.is_success(), "{address}: {status}");
    }
    let told = ["cart 2.0 rolled out", "limits raised everywhere"];
    says(server, "/services/cart", &told).await?;
    says(server, "/services/cart?environment=canary", &told).await?;
    for (question, expected) in [
        ("service=cart", 3),
        ("service=cart&environment=prod", 2),
        ("service=pay", 1),
    ] {
        let found = server.get(&format!("/api/v1/changes?{question}")).await?;
        assert_eq!(
            found["items"].as_array().map(Vec::len),
            Some(expected),
            "{question}: {found}"
        );
    }
    // Who is told of is listed if it sends something, not because it is told of.
    let listed = server.get("/api/v1/services").await?;
    let services = listed["items"].as_array().cloned().unwrap_or_default();
    let mut places: Vec<(&str, &str)> = services
        .iter()
        .map(|service| {
            let text = |key: &str| service[key].as_str().unwrap_or_default();
            (text("service_name"), text("environment"))
        })
        .collect();
    places.sort_unstable();
    let expected = [("cart", "canary"), ("cart", "prod"), ("pipeline", "canary")];
    assert_eq!(places, expected, "{listed}");
    Ok(())
}
