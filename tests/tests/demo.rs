//! The demo as a newcomer meets it: what the script breaks is what the telemetry tells, and nothing
//! else.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Start, Tripline};

/// A newcomer's patience.
const HALF_A_MINUTE: Duration = Duration::from_secs(30);

fn text(cell: &Value) -> String {
    cell.as_str()
        .map_or_else(|| cell.to_string(), str::to_owned)
}

/// The transitions of a breaker, oldest first: from, to, reason, trace.
async fn transitions(server: &Tripline, breaker: &str) -> anyhow::Result<Vec<[String; 4]>> {
    let rows = server
        .sql(&format!(
            r#"SELECT attributes."circuit_breaker.from_state"::VARCHAR,
                      attributes."circuit_breaker.to_state"::VARCHAR,
                      attributes."circuit_breaker.reason"::VARCHAR, trace_id
               FROM logs
               WHERE event_name = 'circuit_breaker.state_changed'
                 AND attributes."circuit_breaker.name"::VARCHAR = '{breaker}'
               ORDER BY time"#
        ))
        .await?;
    Ok(rows
        .iter()
        .map(|row| std::array::from_fn(|cell| text(&row[cell])))
        .collect())
}

fn steps(transitions: &[[String; 4]]) -> Vec<(&str, &str)> {
    transitions
        .iter()
        .map(|[from, to, ..]| (from.as_str(), to.as_str()))
        .collect()
}

/// Asks again until it holds.
async fn until<F, A>(patience: Duration, mut holds: F) -> anyhow::Result<bool>
where
    F: FnMut() -> A,
    A: Future<Output = anyhow::Result<bool>>,
{
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if holds().await? {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(false)
}

#[tokio::test]
async fn the_demo_shows_a_breaker_open_and_recover_within_half_a_minute() -> anyhow::Result<()> {
    let server = Start::default().command("demo").start().await?;
    let recovered = until(HALF_A_MINUTE, async || {
        let changes = transitions(&server, "payment").await?;
        let steps = steps(&changes);
        Ok(steps.contains(&("closed", "open")) && steps.contains(&("half_open", "closed")))
    })
    .await?;
    let changes = transitions(&server, "payment").await?;
    assert!(recovered, "{changes:?}\n{}", server.log());

    // The trip is told in the trace of the call that caused it, in which payment failed or was slow.
    let [_, _, reason, trace] = &changes[0];
    assert!(
        ["failure_rate", "slow_rate"].contains(&reason.as_str()),
        "{reason}"
    );
    let troubled = server
        .number(&format!(
            "SELECT count(*) FROM spans WHERE trace_id = '{trace}' AND service_name = 'orders' \
             AND kind = 'client' AND (status_code = 'error' OR duration_ns > 500000000)"
        ))
        .await?;
    assert!(troubled > 0, "trace {trace}");
    Ok(())
}

#[tokio::test]
async fn an_order_is_one_trace_through_every_service() -> anyhow::Result<()> {
    let server = Start::default()
        .command("demo")
        .arg("--spare=payment")
        .arg("--spare=inventory")
        .arg("--spare=recommendation")
        .start()
        .await?;
    let everybody = "gateway,inventory,orders,payment,recommendation,shipping";
    let complete = until(HALF_A_MINUTE, async || {
        let rows = server
            .sql(
                "SELECT string_agg(DISTINCT service_name, ',' ORDER BY service_name) AS services \
                 FROM spans GROUP BY trace_id",
            )
            .await?;
        let methods = server
            .sql(r#"SELECT DISTINCT attributes."rpc.method"::VARCHAR FROM spans"#)
            .await?;
        let methods: BTreeSet<String> = methods.iter().map(|row| text(&row[0])).collect();
        let all_kinds = ["Suggest", "Browse", "Learn", "Advise"]
            .iter()
            .all(|method| methods.contains(&format!("shop.Recommendation/{method}")));
        Ok(all_kinds && rows.iter().any(|row| text(&row[0]) == everybody))
    })
    .await?;
    assert!(complete, "{}", server.log());
    // Nothing was broken, so nothing tripped.
    for breaker in ["payment", "inventory", "recommendation", "orders"] {
        assert_eq!(
            transitions(&server, breaker).await?,
            Vec::<[String; 4]>::new()
        );
    }
    Ok(())
}
