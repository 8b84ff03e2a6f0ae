//! One span of a trace asked for by itself: as the API has it, and as its panel.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{OTHER, TRACE, at, id, seeded};
use crate::harness::words;
use crate::pages::says;

fn names(list: &Value) -> Vec<&str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item["name"].as_str()).collect()
}

#[tokio::test]
async fn a_span_comes_with_what_is_next_to_it_and_what_was_beside_it() -> Result<()> {
    let (server, start) = seeded().await?;
    let of = |number: u64| format!("/api/v1/traces/{TRACE}/spans/{}", id(number));
    let load = server.get(&of(3)).await?;
    let whole = server.get(&format!("/api/v1/traces/{TRACE}")).await?;
    let spans = whole["spans"].as_array().context("spans")?;
    let same = spans.iter().find(|span| span["span_id"] == json!(id(3)));
    assert_eq!(Some(&load["span"]), same);
    assert_eq!(names(&load["below"]), ["SELECT", "SELECT"]);
    let bodies: Vec<&Value> = load["logs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|log| &log["body"])
        .collect();
    assert_eq!(bodies, ["loading", "the lock is slow"]);
    assert_eq!(load["total_logs"], 2);
    assert_eq!(load["trace_start_unix_nano"], json!(at(start, 0)));
    assert_eq!(load["trace_end_unix_nano"], json!(at(start, 400)));
    assert_eq!(load["refusal"], Value::Null);
    // In the same seconds the cart answered another trace, from its cache.
    let beside = &load["beside"];
    assert_eq!(beside["callee"]["service"], "cart");
    let others = names(&beside["spans"]);
    ensure!(others.contains(&"GET cache"), "{beside}");
    let mut traces = beside["spans"].as_array().into_iter().flatten();
    ensure!(
        traces.all(|span| span["trace_id"] == json!(OTHER)),
        "{beside}"
    );
    // Of a call the callee is who answered it.
    let call = server.get(&of(2)).await?;
    assert_eq!(call["beside"]["callee"]["service"], "cart");
    for (path, expected) in [
        (of(99), 404),
        (of(3).replace(TRACE, &"9".repeat(32)), 404),
        (format!("/api/v1/traces/{TRACE}/spans/zz"), 400),
        (format!("{}?from=now-1h", of(3)), 400),
    ] {
        let (status, text) = server.get_text(&path).await?;
        assert_eq!(status, expected, "{path}: {text}");
    }
    Ok(())
}

/// The panel in a page.
fn panel(html: &str) -> Result<&str> {
    let (_, rest) = html.split_once("<aside").context("a panel")?;
    Ok(rest.split("</aside>").next().unwrap_or(rest))
}

#[tokio::test]
async fn the_panel_by_itself_says_what_it_says_on_the_page_of_the_trace() -> Result<()> {
    let (server, _) = seeded().await?;
    for number in 1..=7 {
        let span = id(number);
        let kept = "from=now-2h&to=now";
        let whole = format!("/traces/{TRACE}?{kept}&span={span}");
        let alone = format!("/traces/{TRACE}/spans/{span}?{kept}&span={}", id(1));
        let whole = says(&server, &whole, &["aria-label=\"Span\""]).await?;
        let alone = says(&server, &alone, &["aria-label=\"Span\""]).await?;
        assert_eq!(words(panel(&alone)?), words(panel(&whole)?), "{span}");
        // Its links are those of the trace's page, and so is what the frame passes on.
        let close = format!("href=\"/traces/{TRACE}?from=now-2h&amp;to=now\" aria-label=\"Close");
        ensure!(alone.contains(&close), "no {close}\n{alone}");
        let passed_on = |html: &str| {
            let (_, rest) = html.split_once("id=\"presets\"")?;
            Some(rest.split("</div>").next()?.to_owned())
        };
        assert_eq!(passed_on(&alone), passed_on(&whole), "{span}");
        ensure!(!alone.contains("class=\"waterfall\""), "{alone}");
    }
    let gone = format!("/traces/{TRACE}/spans/{}", id(99));
    let (status, html) = server.get_text(&gone).await?;
    assert_eq!(status, 404, "{html}");
    ensure!(html.contains("No span"), "{html}");
    Ok(())
}
