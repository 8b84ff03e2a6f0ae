//! Numbers of unknown meaning, over real ports: offered, said by an explicit POST of a program or of a page, taken back.

use anyhow::Result;
use serde_json::{Value, json};

use crate::harness::{Tripline, now, text};
use crate::pages::says;

/// A gauge that is 0, then 1 while its counter says that calls are refused.
pub(crate) async fn plant(server: &Tripline) -> Result<()> {
    let start = now() - 91_000_000_000;
    let points = |value: &dyn Fn(u64) -> u64, outcome: Option<&str>| -> Vec<Value> {
        let mut attributes = vec![text("circuit_breaker.name", "pay")];
        attributes.extend(outcome.map(|outcome| text("outcome", outcome)));
        (0..10)
            .map(|at| {
                let time = (start + at * 10_000_000_000).to_string();
                json!({"timeUnixNano": time, "asInt": value(at).to_string(), "attributes": attributes})
            })
            .collect()
    };
    let mut calls = points(&|at| at.min(6) * 50, Some("success"));
    calls.extend(points(&|at| at.saturating_sub(6) * 50, Some("rejected")));
    let state = points(&|at| u64::from(at > 6), None);
    let metrics = json!({"resourceMetrics": [{"resource": {"attributes": [text("service.name", "cart")]}, "scopeMetrics": [{"metrics": [
        {"name": "my.circuit_breaker.state", "gauge": {"dataPoints": state}},
        {"name": "my.circuit_breaker.calls", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": calls}}]}]}]});
    server.send("metrics", &metrics).await
}

#[tokio::test]
async fn a_number_is_offered_and_means_what_is_said() -> Result<()> {
    let server = Tripline::start().await?;
    plant(&server).await?;
    says(
        &server,
        "/breakers",
        &[
            "Numbers of unknown meaning",
            "my_circuit_breaker_state",
            "100 % of 100 calls were refused",
        ],
    )
    .await?;
    let found = server.get("/api/v1/breakers/encodings").await?;
    let values = &found["offers"][0]["values"];
    assert_eq!(values[0]["proposed"], "closed", "{found}");
    assert_eq!(values[1]["proposed"], "open", "{found}");

    let address = format!("http://{}", server.http());
    let api = format!("{address}/api/v1/breakers/encodings");
    for wrong in [
        json!({"metric": "m", "value": 1, "state": "ajar"}),
        json!({"metric": "m", "value": "one", "state": "open"}),
        json!({"metric": "", "value": 1, "state": "open"}),
        json!({"metric": "m", "value": 1}),
    ] {
        let status = server.client.post(&api).json(&wrong).send().await?.status();
        assert_eq!(status, 400, "{wrong}");
    }
    let open = json!({"metric": "my.circuit_breaker.state", "service": "cart", "value": 1, "state": "open"});
    let response = server.client.post(&api).json(&open).send().await?;
    assert_eq!(response.status(), 201, "{}", response.text().await?);
    let form = |body: &'static str| {
        server
            .client
            .post(format!("{address}/breakers/encodings"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    };
    let closed =
        "metric=my_circuit_breaker_state&service=cart&value=0&state=closed&path=%2Fbreakers";
    let foreign = form(closed).header("origin", "http://evil.example");
    assert_eq!(foreign.send().await?.status(), 403);
    assert_eq!(form(closed).send().await?.status(), 200, "back on the page");

    let found = server
        .get("/api/v1/breakers/encodings?service=cart")
        .await?;
    assert_eq!(
        found["learned"].as_array().map(Vec::len),
        Some(2),
        "{found}"
    );
    assert_eq!(found["offers"][0]["values"][1]["learned"], "open");
    let breakers = server.get("/api/v1/breakers").await?;
    assert_eq!(breakers["items"][0]["state"], "open", "{breakers}");
    assert_eq!(breakers["items"][0]["evidence"], "learned", "{breakers}");
    says(&server, "/breakers", &["learned", "Forget what 1 means"]).await?;

    let forget = json!({"metric": "my_circuit_breaker_state", "service": "cart", "value": "1", "state": "unknown"});
    let response = server.client.post(&api).json(&forget).send().await?;
    assert_eq!(response.status(), 201);
    let found = server.get("/api/v1/breakers/encodings").await?;
    assert_eq!(
        found["learned"].as_array().map(Vec::len),
        Some(1),
        "{found}"
    );
    Ok(())
}
