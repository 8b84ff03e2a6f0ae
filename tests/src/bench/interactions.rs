//! What a person feels: from an input to the frame that shows what came of it, in a real browser, with traces of 10,000
//! and 80,000 spans. Wall time, the server's answer included where an input asks for one.
//!
//! An input either changes the page it is given on, at once or when the server has answered, or leads to another page; the
//! last is measured across the change, on the clock that both documents share. A frame is painted when a message posted in
//! its animation callback arrives.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_tests::driver::{Browser, PATIENCE};

use super::ingest::{now, send_spans};
use super::queries::large_trace;
use super::server::Server;
use super::shapes;

/// Times that each input is given.
const TIMES: usize = 20;
/// Requests of other traces beside the large one, over half an hour.
const BATCHES: u64 = 100;
const HALF_AN_HOUR: u64 = 1_800_000_000_000;

/// Runs first in each document: says when it is drawn, and when a frame is painted.
const CLOCK: &str = "
    const after = then => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => then(performance.now());
        channel.port2.postMessage(null);
    });
    window.painted = () => new Promise(after);
    const drawn = () => after(now => { window.drawnAt = performance.timeOrigin + now; });
    if (document.readyState === 'loading') addEventListener('DOMContentLoaded', drawn); else drawn();";

/// Both sizes of trace, each on a server and in a browser of its own.
pub async fn run(scale: f64) -> Result<()> {
    for spans in [10_000.0, 80_000.0] {
        let batches = ((spans * scale / shapes::BATCH as f64).ceil() as u64).max(1);
        let server = Server::start(&[])?;
        let began = now() - HALF_AN_HOUR;
        let at = move |batch: u64| began + batch * (HALF_AN_HOUR / BATCHES);
        send_spans(&server.grpc(), 0..BATCHES, 4, at).await?;
        let trace = large_trace(&server, batches).await?;
        server.settle().await?;
        let browser = Browser::open(1280, 900).await?;
        let source = json!({"source": format!("(() => {{{CLOCK}}})()")});
        browser
            .devtools("Page.addScriptToEvaluateOnNewDocument", source)
            .await?;
        println!(
            "interactions: a trace of {} spans; from input to the painted frame",
            batches * shapes::BATCH
        );
        of_trace(&server, &browser, &trace).await?;
        of_others(&server, &browser).await?;
        browser.close().await?;
    }
    Ok(())
}

/// Inputs on the page of the trace.
async fn of_trace(server: &Server, browser: &Browser, trace: &str) -> Result<()> {
    let inputs = [
        (
            "select a span: its row",
            "const link = document.querySelectorAll('.wf-op')[3 * n + 2];
             begin(); link.click(); await painted();",
        ),
        (
            "select a span: its panel",
            "const link = document.querySelectorAll('.wf-op')[3 * n + 3], came = answered();
             begin(); link.click(); await came; await painted();",
        ),
        (
            "fold a subtree",
            "const link = document.querySelectorAll('a.wf-toggle')[n + 1];
             begin(); link.click(); await painted();",
        ),
        (
            "find in the trace",
            "const form = document.querySelector('.find-span'), came = answered();
             form.find.value = `items/${n}`;
             begin(); form.requestSubmit(); await came; await painted();",
        ),
        (
            "go to a place of the mini-map",
            "const place = document.querySelectorAll('.minimap a')[n % 10], came = answered();
             begin(); place.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true})); await came; await painted();",
        ),
        (
            "change the view",
            "const view = document.querySelectorAll('.tabs a')[1 + n % 3], came = answered();
             begin(); view.click(); await came; await painted();",
        ),
        (
            "light and dark",
            "const button = document.querySelector('button[aria-label=\"Light or dark\"]');
             begin(); button.click(); await painted();",
        ),
        (
            "scroll the waterfall",
            "begin(); scrollTo(0, (n + 1) * 700); await painted();",
        ),
    ];
    for (what, script) in inputs {
        stays(server, browser, what, trace, script).await?;
    }
    Ok(())
}

/// Inputs on the graph and on the box of a filter.
async fn of_others(server: &Server, browser: &Browser) -> Result<()> {
    let graph = "/graph?from=now-1h&to=now";
    let focuses = |n: usize| format!("location.href += '&service=service-{:02}'", n % 20);
    leads(server, browser, "focus in the graph", graph, focuses).await?;
    let finds = "
        const form = document.querySelector('.graph-find'), came = answered();
        form.find.value = `service-${String(n % 20).padStart(2, '0')}`;
        begin(); form.requestSubmit(); await came; await painted();";
    stays(server, browser, "find in the graph", graph, finds).await?;
    let steps = "
        const slider = document.querySelector('.step-slider input');
        const step = n % Number(slider.max);
        const isShown = () => [...document.querySelectorAll('.scrubber-steps a')].findIndex(a => a.ariaCurrent === 'step') === step;
        const shown = until(document.body, isShown);
        slider.value = step;
        slider.dispatchEvent(new Event('input', {bubbles: true}));
        await shown; await painted();";
    stays(server, browser, "step of the scrubber", graph, steps).await?;
    let completes = "
        const input = document.querySelector('input[role=combobox]'), list = document.getElementById('offers');
        input.dispatchEvent(new Event('blur'));
        while (!list.hidden) await painted();
        const shown = until(list, () => !list.hidden);
        begin();
        input.value = n % 2 ? 'serv' : 'http';
        input.setSelectionRange(4, 4);
        input.dispatchEvent(new Event('input', {bubbles: true}));
        await shown; await painted();";
    stays(
        server,
        browser,
        "completions of a filter",
        "/traces",
        completes,
    )
    .await
}

/// An input that leads to another page, given on a page entered anew each time.
async fn leads(
    server: &Server,
    browser: &Browser,
    what: &str,
    page: &str,
    input: impl Fn(usize) -> String,
) -> Result<()> {
    /// Milliseconds, once the page that the input led to is drawn.
    const TOOK: &str = "const began = Number(sessionStorage.began);
        return window.drawnAt > began ? window.drawnAt - began : null";
    let mut times = Vec::with_capacity(TIMES);
    for n in 0..TIMES {
        browser.enter(server, page).await?;
        browser.until("return window.drawnAt !== undefined").await?;
        let began = "sessionStorage.began = performance.timeOrigin + performance.now();";
        browser.script(&format!("{began} {}", input(n))).await?;
        let deadline = Instant::now() + PATIENCE;
        let took = loop {
            if let Some(took) = browser.script(TOOK).await?.as_f64() {
                break took;
            }
            ensure!(Instant::now() < deadline, "{what}: no page came");
        };
        times.push(took);
    }
    tell(what, times);
    Ok(())
}

/// An input that changes the page it is given on: `script` gives it and waits until the change is painted. What the input
/// before has had asked for has come by then, and the page has never been loaded anew.
async fn stays(
    server: &Server,
    browser: &Browser,
    what: &str,
    page: &str,
    script: &str,
) -> Result<()> {
    let script = format!(
        "const [n, done] = arguments;
        const until = (node, isSo) => new Promise(then => {{
            const observer = new MutationObserver(() => {{ if (isSo()) {{ observer.disconnect(); then(); }} }});
            observer.observe(node, {{subtree: true, childList: true, attributes: true}});
        }});
        const root = document.documentElement, isAsking = () => root.hasAttribute('data-asking');
        const answered = () => {{
            let wasAsking = false;
            return until(root, () => {{ wasAsking ||= isAsking(); return wasAsking && !isAsking(); }});
        }};
        (async () => {{
            while (isAsking()) await painted();
            let began = performance.now();
            const begin = () => {{ began = performance.now(); }};
            {script}
            const took = performance.now() - began;
            if (n > 0 && !window.isTheSame) throw new Error('the page was loaded anew');
            window.isTheSame = true;
            return took;
        }})().then(done, error => done(String(error)))"
    );
    browser.enter(server, page).await?;
    let mut times = Vec::with_capacity(TIMES);
    for n in 0..TIMES {
        let answer: Value = browser
            .client
            .execute_async(&script, vec![json!(n)])
            .await?;
        times.push(
            answer
                .as_f64()
                .with_context(|| format!("{what}: {answer}"))?,
        );
    }
    tell(what, times);
    Ok(())
}

fn tell(what: &str, mut milliseconds: Vec<f64>) {
    milliseconds.sort_by(f64::total_cmp);
    let of = |share: usize| milliseconds[(milliseconds.len() - 1) * share / 100];
    println!(
        "  {what}: p50 {:.0} ms, p95 {:.0} ms, {} times",
        of(50),
        of(95),
        milliseconds.len()
    );
}
