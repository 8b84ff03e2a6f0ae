//! The drawing of a large graph in the reader's own font: no text runs over its box, no box over another.

use anyhow::{Result, ensure};
use serde_json::json;
use tripline_tests::driver::Browser;

use crate::graphs::{BOXES, large};
use crate::harness::{Tripline, now};
use crate::incidents::story::{SECOND, story};
use crate::pages::says;

/// Texts of boxes that reach beyond them.
const TOO_LONG: &str = "return [...document.querySelectorAll('.graph .node')].flatMap(node => {
    const box = node.querySelector('rect').getBBox();
    return [...node.querySelectorAll('text')].filter(text => {
        const area = text.getBBox();
        return area.x < box.x || area.x + area.width > box.x + box.width || area.y < box.y || area.y + area.height > box.y + box.height;
    }).map(text => text.textContent);
})";

/// Boxes that cover others.
const COVERING: &str = "const boxes = [...document.querySelectorAll('.graph .node > rect:first-of-type')].map(rect => rect.getBBox());
    return boxes.filter((a, at) => boxes.slice(at + 1).some(b =>
        a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height)).length";

/// How something is dashed.
fn dashes(css: &str) -> String {
    format!("return getComputedStyle(document.querySelector('{css}')).strokeDasharray")
}

#[tokio::test]
async fn sixty_services_and_two_hundred_edges_are_readable() -> Result<()> {
    let server = Tripline::start().await?;
    large(&server).await?;
    says(&server, "/graph", &["in_process:parcels"]).await?;
    let browser = Browser::open(1280, 900).await?;
    browser.enter(&server, "/graph").await?;
    browser.picture("graph-large").await?;
    let count = "return document.querySelectorAll('.graph .node').length";
    assert_eq!(browser.script(count).await?, json!(BOXES));
    assert_eq!(browser.script(TOO_LONG).await?, json!([]));
    assert_eq!(browser.script(COVERING).await?, json!(0));
    // Messages are dashed, calls are not; so are the boxes of peers.
    for (css, is_dashed) in [
        (".edge.async", true),
        (".edge.passed:not(.async)", false),
        (".node.peer > rect:first-of-type", true),
        (".node:not(.peer) > rect:first-of-type", false),
    ] {
        let dashed = browser.script(&dashes(css)).await? != json!("none");
        ensure!(dashed == is_dashed, "{css}");
    }
    browser.close().await
}

/// What stands at an edge hides neither of its boxes, breakers included.
#[tokio::test]
async fn labels_of_edges_hide_no_box() -> Result<()> {
    let server = Tripline::start().await?;
    story(&server, (now() - 300 * SECOND) / SECOND * SECOND).await?;
    says(&server, "/graph?from=now-10m", &["edge-breaker"]).await?;
    let browser = Browser::open(1280, 900).await?;
    browser.enter(&server, "/graph?from=now-10m").await?;
    let hiding = "const boxes = [...document.querySelectorAll('.graph .node > rect:first-of-type')].map(rect => rect.getBBox());
        return [...document.querySelectorAll('.graph .edge-label')].filter(label => {
            const a = label.getBBox();
            return boxes.some(b => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height);
        }).map(label => label.textContent)";
    assert_eq!(browser.script(hiding).await?, json!([]));
    assert_eq!(browser.script(TOO_LONG).await?, json!([]));
    browser.close().await
}
