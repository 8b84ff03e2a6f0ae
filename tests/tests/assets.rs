//! What pages load and lead to: of this server alone, the same bytes in every coding, cached for ever.

use std::io::Read as _;

use anyhow::{Context as _, Result, ensure};
use reqwest::Url;
use reqwest::header::HeaderMap;

use crate::dashboard::plant;
use crate::harness::{Start, Tripline, now};
use crate::incidents::story::{SECOND, story};
use crate::pages::{TRACE, says, seed};

/// Attributes that hold addresses; the last two are those of the bundle.
const ADDRESSES: [&str; 6] = [
    "src",
    "href",
    "action",
    "formaction",
    "data-module",
    "data-wasm",
];

/// The addresses in a page.
fn addresses(html: &str) -> Vec<String> {
    let values_of = |name: &str| {
        let mark = format!(" {name}=\"");
        let rests = html.split(mark.as_str()).skip(1);
        let values = rests.filter_map(|rest| rest.split('"').next());
        let decoded = values.map(|value| value.replace("&amp;", "&"));
        decoded.collect::<Vec<String>>()
    };
    ADDRESSES.into_iter().flat_map(values_of).collect()
}

/// Whether an address on a page is one of the page's own server.
fn is_own(address: &str, page: &Url) -> bool {
    page.join(address)
        .is_ok_and(|found| found.origin() == page.origin())
}

#[test]
fn an_address_elsewhere_is_known_as_one() -> Result<()> {
    let page = Url::parse("http://127.0.0.1:7070/services/cart")?;
    for own in ["/x?a=b", "#main", "?a=b", "x.js", "http://127.0.0.1:7070/"] {
        ensure!(is_own(own, &page), "{own}");
    }
    for foreign in [
        "//evil.example/x",
        "https://127.0.0.1:7070/",
        "http://127.0.0.1:7071/",
        "http://localhost:7070/",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        ensure!(!is_own(foreign, &page), "{foreign}");
    }
    let html =
        "<a href=\"/a?b&amp;c\">x</a><form action=\"/d\"><script src=\"/e\" data-wasm=\"/f\">";
    assert_eq!(addresses(html), ["/e", "/a?b&c", "/d", "/f"]);
    Ok(())
}

/// Every page of a server with calls, logs, metrics and an incident.
async fn pages(server: &Tripline) -> Result<Vec<String>> {
    let incidents = server.get("/api/v1/incidents").await?;
    let incident = incidents["items"][0]["incident_id"]
        .as_str()
        .context("an incident")?;
    let views = ["", "critical", "flame", "statistics", "graph"];
    let mut pages: Vec<String> = views
        .iter()
        .map(|view| format!("/traces/{TRACE}?view={view}"))
        .collect();
    pages.extend([
        format!("/traces/{TRACE}?span=0515810000000003"),
        format!("/traces/{TRACE}?view=compare&with={:032x}", 1),
        format!("/incidents/{incident}"),
    ]);
    let others = [
        "/",
        "/?compare=week&proxies=show",
        "/traces",
        "/traces?q=status+%3D+bad",
        "/logs",
        "/logs?view=patterns",
        "/explore",
        "/explore?metric=queue.depth",
        "/graph",
        "/graph?compare=week&proxies=show",
        "/services/checkout",
        "/services/cart?compare=week",
        "/breakers",
        "/breakers?tab=review",
        "/breakers/checkout/payment",
        "/breakers/payment/psp/whatif",
        "/incidents",
        "/sql",
        "/sql?q=SELECT+trace_id+FROM+spans",
        "/status",
        "/nothing",
    ];
    pages.extend(others.map(str::to_owned));
    Ok(pages)
}

/// Looks at all addresses of a page.
async fn assert_own(server: &Tripline, path: &str) -> Result<()> {
    let (status, html) = server.get_text(path).await?;
    ensure!(status < 500, "{path} answered {status}");
    let page = Url::parse(&format!("http://{}{path}", server.http()))?;
    let all = addresses(&html);
    ensure!(all.len() > 3, "{path} has only {all:?}");
    for address in all {
        ensure!(is_own(&address, &page), "{path} leads to {address}");
    }
    Ok(())
}

#[tokio::test]
async fn no_page_loads_from_elsewhere_leads_there_or_sends_anything_there() -> Result<()> {
    let server = Tripline::start().await?;
    // The page of a server to which nothing was sent.
    assert_own(&server, "/").await?;
    seed(&server).await?;
    plant(&server).await?;
    story(&server, (now() - 300 * SECOND) / SECOND * SECOND).await?;
    says(&server, "/incidents", &["payment → psp"]).await?;
    for path in pages(&server).await? {
        assert_own(&server, &path).await?;
    }
    let locked = Start::default()
        .env("TRIPLINE_UI__TOKEN", "s3cret")
        .start()
        .await?;
    assert_own(&locked, "/traces").await
}

/// A file as it comes in a coding.
async fn file(server: &Tripline, path: &str, coding: &str) -> Result<(HeaderMap, Vec<u8>)> {
    let address = format!("http://{}{path}", server.http());
    let request = server.client.get(address).header("accept-encoding", coding);
    let response = request.send().await?;
    ensure!(response.status() == 200, "{path}: {}", response.status());
    let headers = response.headers().clone();
    Ok((headers, response.bytes().await?.to_vec()))
}

fn unpacked(coding: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    match coding {
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain)?,
        _ => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain)?,
    };
    Ok(plain)
}

#[tokio::test]
async fn files_are_the_same_bytes_in_every_coding_and_cached_for_ever() -> Result<()> {
    let server = Tripline::start().await?;
    let (_, html) = server.get_text("/").await?;
    let mut files = addresses(&html);
    files.retain(|address| address.starts_with("/assets/"));
    files.sort();
    files.dedup();
    // The stylesheet, the icon, and of the bundle the loader, the glue and the code.
    for (ending, kind, number) in [
        (".css", "text/css; charset=utf-8", 1),
        (".svg", "image/svg+xml", 1),
        (".js", "text/javascript; charset=utf-8", 2),
        (".wasm", "application/wasm", 1),
    ] {
        let of_kind: Vec<&String> = files.iter().filter(|path| path.ends_with(ending)).collect();
        ensure!(
            of_kind.len() == number,
            "{ending}: {of_kind:?}; `cargo xtask bundle` builds what the browser runs"
        );
        for path in of_kind {
            assert_served(&server, path, kind).await?;
        }
    }
    Ok(())
}

/// A file is served plain and packed, and may be kept for ever in each form.
async fn assert_served(server: &Tripline, path: &str, kind: &str) -> Result<()> {
    let (headers, plain) = file(server, path, "identity").await?;
    ensure!(!headers.contains_key("content-encoding"), "{path}");
    ensure!(!plain.is_empty(), "{path} is empty");
    if kind == "application/wasm" {
        ensure!(plain.starts_with(b"\0asm"), "{path} is no WebAssembly");
    }
    assert_kept(&headers, path, kind)?;
    for coding in ["br", "gzip"] {
        let (headers, packed) = file(server, path, coding).await?;
        assert_eq!(headers["content-encoding"], coding, "{path}");
        assert_kept(&headers, path, kind)?;
        ensure!(
            packed.len() < plain.len(),
            "{path} in {coding}: {} of {} bytes",
            packed.len(),
            plain.len()
        );
        ensure!(
            unpacked(coding, &packed)? == plain,
            "{path} is another file in {coding}"
        );
    }
    Ok(())
}

fn assert_kept(headers: &HeaderMap, path: &str, kind: &str) -> Result<()> {
    assert_eq!(headers["content-type"], kind, "{path}");
    assert_eq!(headers["vary"], "accept-encoding", "{path}");
    let kept = headers["cache-control"].to_str()?;
    ensure!(
        kept.contains("immutable") && kept.contains("max-age=31536000"),
        "{path}: {kept}"
    );
    Ok(())
}

/// Styles can load too.
#[tokio::test]
async fn the_stylesheet_loads_nothing() -> Result<()> {
    let server = Tripline::start().await?;
    let (_, html) = server.get_text("/").await?;
    let style = addresses(&html)
        .into_iter()
        .find(|address| address.ends_with(".css"))
        .context("a stylesheet")?;
    let (_, style) = server.get_text(&style).await?;
    for loads in ["url(", "@import", "image-set("] {
        ensure!(!style.contains(loads), "{loads}");
    }
    Ok(())
}
