//! Traces of tens of thousands of spans.

use anyhow::Result;
use serde_json::{Value, json};
use tripline_tests::driver::Browser;

use crate::harness::{Tripline, now};
use crate::pages::TRACE;

/// One trace of so many spans: a root and chains of four below it.
async fn wide_trace(server: &Tripline, spans: u64) -> Result<()> {
    let start = now() - 60_000_000_000;
    for first in (1..=spans).step_by(10_000) {
        let list: Vec<Value> = (first..(first + 10_000).min(spans + 1))
            .map(|n| {
                let from = start + n * 1_000;
                let mut span = json!({"traceId": TRACE, "spanId": format!("{n:016x}"), "name": format!("step {n}"), "kind": 1,
                    "startTimeUnixNano": from.to_string(), "endTimeUnixNano": (from + 900_000).to_string()});
                if n > 1 {
                    let parent = if n % 4 == 1 { 1 } else { n - 1 };
                    span["parentSpanId"] = json!(format!("{parent:016x}"));
                }
                span
            })
            .collect();
        let body = json!({"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "wide"}}]},
            "scopeSpans": [{"spans": list}]}]});
        server.send("traces", &body).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_window_of_rows_goes_at_once_where_the_mini_map_is_pressed_and_the_rows_follow()
-> Result<()> {
    let server = Tripline::start().await?;
    wide_trace(&server, 2_000).await?;
    let browser = Browser::open(1280, 900).await?;
    browser.enter(&server, &format!("/traces/{TRACE}")).await?;
    let press = "document.querySelectorAll('.minimap a')[5].dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
        return document.querySelector('.minimap-window').getAttribute('y')";
    assert_eq!(browser.script(press).await?, json!("30"));
    let first = "return document.querySelector('.wf-row[id]').id === 's-00000000000003e9'";
    browser.until(first).await?;
    browser.close().await
}

#[tokio::test]
async fn huge_traces_stay_usable_with_a_bounded_number_of_nodes() -> Result<()> {
    /// Nodes of a page with a full window of rows, whatever the size of its trace.
    const NODES_MAX: u64 = 30_000;
    for spans in [10_000, 80_000] {
        let server = Tripline::start().await?;
        wide_trace(&server, spans).await?;
        let browser = Browser::open(1280, 900).await?;
        browser.enter(&server, &format!("/traces/{TRACE}")).await?;
        let nodes = "return document.querySelectorAll('*').length";
        let count = browser.script(nodes).await?.as_u64().unwrap_or(u64::MAX);
        assert!(count < NODES_MAX, "{spans} spans: {count} nodes");
        // The last span is found, shown, and opens.
        browser
            .go(&server, &format!("/traces/{TRACE}?find=step+{spans}"))
            .await?;
        browser
            .until(&format!("return document.querySelector('.wf-row.found .wf-op')?.textContent === 'step {spans}'"))
            .await?;
        browser.click(".wf-row.found .wf-op").await?;
        browser
            .until(&format!(
                "return document.querySelector('.span-panel h2')?.textContent === 'step {spans}'"
            ))
            .await?;
        let count = browser.script(nodes).await?.as_u64().unwrap_or(u64::MAX);
        assert!(count < NODES_MAX, "{spans} spans: {count} nodes");
        browser.picture(&format!("trace-{spans}")).await?;
        browser.close().await?;
    }
    Ok(())
}
