//! The other views of the known trace, and the file of it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{OTHER, SPANS, TRACE, assert_near, number, request, seeded, view};
use crate::harness::{cells, tags};

#[tokio::test]
async fn blocks_of_the_flame_graph_are_as_wide_as_what_is_in_them() -> Result<()> {
    let (server, _) = seeded().await?;
    let html = view(&server, "flame").await?;
    // Title, left, top, width. The message is taken for longer than it was sent: its block is as wide as what follows.
    let expected = [
        ("web · GET /: 400 ms in 1 span, 0 failed", 0.0, 0.0, 1000.0),
        (
            "web · call cart: 200 ms in 1 span, 0 failed",
            0.0,
            22.0,
            500.0,
        ),
        ("cart · load: 160 ms in 1 span, 0 failed", 0.0, 44.0, 400.0),
        (
            "cart · SELECT: 120 ms in 2 spans, 1 failed",
            0.0,
            66.0,
            300.0,
        ),
        (
            "web · publish: 60 ms in 1 span, 0 failed",
            500.0,
            22.0,
            150.0,
        ),
        ("mail · send: 60 ms in 1 span, 0 failed", 500.0, 44.0, 150.0),
    ];
    assert_eq!(tags(&html, "flame-block").len(), expected.len());
    ensure!(html.contains("6 blocks"), "{html}");
    for (title, left, top, width) in expected {
        let (_, block) = html
            .split_once(&format!("<title>{title}</title>"))
            .with_context(|| format!("no block {title}\n{html}"))?;
        let (_, area) = block.split_once("<rect").context("its area")?;
        assert_near(number(area, "x")?, left, title);
        assert_near(number(area, "y")?, top, title);
        assert_near(number(area, "width")?, width, title);
    }
    Ok(())
}

#[tokio::test]
async fn statistics_are_those_counted_by_hand() -> Result<()> {
    let (server, _) = seeded().await?;
    let html = view(&server, "statistics").await?;
    // Spans, failed, own time, total, mean, longest. Own times add up to 460 ms.
    let expected = [
        [
            "web", "GET /", "1", "", "", "180 ms", "400 ms", "400 ms", "400 ms",
        ],
        [
            "cart", "SELECT", "2", "1", "", "120 ms", "120 ms", "60 ms", "60 ms",
        ],
        [
            "mail", "send", "1", "", "", "60 ms", "60 ms", "60 ms", "60 ms",
        ],
        [
            "cart", "load", "1", "", "", "40 ms", "160 ms", "160 ms", "160 ms",
        ],
        [
            "web",
            "call cart",
            "1",
            "",
            "",
            "40 ms",
            "200 ms",
            "200 ms",
            "200 ms",
        ],
        [
            "web", "publish", "1", "", "", "20 ms", "20 ms", "20 ms", "20 ms",
        ],
    ];
    assert_eq!(cells(&html), expected);
    let widths: Vec<f64> = tags(&html, "bar")
        .into_iter()
        .map(|bar| number(bar, "width"))
        .collect::<Result<_>>()?;
    assert_eq!(widths.len(), 6);
    for (width, own) in widths
        .into_iter()
        .zip([180.0, 120.0, 60.0, 40.0, 40.0, 20.0])
    {
        assert_near(width, own / 460.0 * 100.0, "a bar");
    }
    Ok(())
}

#[tokio::test]
async fn the_graph_of_a_trace_counts_its_spans_and_its_calls() -> Result<()> {
    let (server, _) = seeded().await?;
    let html = view(&server, "graph").await?;
    for title in [
        "web: 3 spans, 0 failed",
        "cart: 3 spans, 1 failed",
        "mail: 1 span, 0 failed",
        "web → cart: 1 passed, 0 failed, 0 refused",
        "web → mail: 1 passed, 0 failed, 0 refused",
    ] {
        ensure!(html.contains(&format!("<title>{title}")), "{title}\n{html}");
    }
    assert_eq!(tags(&html, "node").len(), 3);
    assert_eq!(tags(&html, "edge").len(), 2);
    // The message is the dashed one.
    let (_, message) = html
        .split_once("<title>web → mail")
        .context("the message")?;
    let message = message.split("</g>").next().unwrap_or_default();
    assert_eq!(tags(message, "async").len(), 1, "{message}");
    assert_eq!(tags(&html, "async").len(), 1);
    Ok(())
}

#[tokio::test]
async fn two_traces_beside_each_other_differ_as_counted_by_hand() -> Result<()> {
    let (server, _) = seeded().await?;
    let html = view(&server, &format!("compare&with={OTHER}")).await?;
    // Spans here and there, own time here and there, what the other took more.
    let expected = [
        [
            "cart",
            "SELECT only here",
            "2",
            "0",
            "",
            "120 ms",
            "0 ns",
            "−120 ms",
        ],
        ["web", "GET /", "1", "1", "", "180 ms", "100 ms", "−80 ms"],
        [
            "mail",
            "send only here",
            "1",
            "0",
            "",
            "60 ms",
            "0 ns",
            "−60 ms",
        ],
        [
            "web",
            "publish only here",
            "1",
            "0",
            "",
            "20 ms",
            "0 ns",
            "−20 ms",
        ],
        [
            "cart",
            "GET cache only in the other",
            "0",
            "1",
            "",
            "0 ns",
            "10 ms",
            "+10 ms",
        ],
        ["cart", "load", "1", "1", "", "40 ms", "50 ms", "+10 ms"],
        ["web", "call cart", "1", "1", "", "40 ms", "40 ms", "0"],
    ];
    assert_eq!(cells(&html), expected);
    // The widest of all is GET / here: 180 ms.
    let widths: Vec<f64> = tags(&html, "bar")
        .into_iter()
        .map(|bar| number(bar, "width"))
        .collect::<Result<_>>()?;
    assert_eq!(widths.len(), 14);
    for (at, own) in [
        (0, 120.0),
        (1, 0.0),
        (2, 180.0),
        (3, 100.0),
        (10, 40.0),
        (11, 50.0),
    ] {
        assert_near(widths[at], own / 180.0 * 100.0, "a bar");
    }
    Ok(())
}

/// What is the same however it is written: no empty fields, spans by id, attributes by key, resources by service.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| (key.clone(), canonical(field)))
            .filter(|(_, field)| !is_empty(field))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(canonical).collect();
            if items.iter().all(|item| name_of(item).is_some()) {
                items.sort_by_key(|item| name_of(item).map(ToString::to_string));
            }
            items.into()
        }
        other => other.clone(),
    }
}

/// What tells an item of a list without an order from the others.
fn name_of(item: &Value) -> Option<&Value> {
    let mut names = ["key", "spanId", "resource"].into_iter();
    names.find_map(|name| item.get(name))
}

fn is_empty(value: &Value) -> bool {
    *value == json!(null)
        || *value == json!("")
        || *value == json!(0)
        || *value == json!([])
        || *value == json!({})
}

#[tokio::test]
async fn the_download_of_a_trace_is_what_was_sent() -> Result<()> {
    let (server, start) = seeded().await?;
    let downloaded = server.get(&format!("/api/v1/traces/{TRACE}/otlp")).await?;
    assert_eq!(
        canonical(&downloaded),
        canonical(&request(TRACE, &SPANS, start)),
        "{downloaded}"
    );
    Ok(())
}
