//! What a person feels: from an input to the frame that shows what came of it, in a real browser, with traces of 10,000
//! and 80,000 spans, beside the 50 ms that an interaction may take. Wall time.
//!
//! An input changes the page it is given on: at once, by what the page itself knows, and once more when the server has
//! answered, where it is asked. Both are measured, each by itself. A frame is painted when a message posted in its animation
//! callback arrives.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tripline_tests::driver::Browser;

use super::ingest::{now, send_spans};
use super::queries::large_trace;
use super::server::Server;
use super::shapes;

/// Times that each input is given.
const TIMES: usize = 20;
/// What an interaction may take, milliseconds.
const BUDGET_MS: f64 = 50.0;
/// Requests of other traces beside the large one, over half an hour.
const BATCHES: u64 = 100;
const HALF_AN_HOUR: u64 = 1_800_000_000_000;

/// Runs first in each document: says when a frame is painted.
const CLOCK: &str = "
    window.painted = () => new Promise(then => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => then();
        channel.port2.postMessage(null);
    }));";

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
        browser
            .devtools(
                "Page.addScriptToEvaluateOnNewDocument",
                json!({"source": CLOCK}),
            )
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
            "find in the trace: rows that are shown",
            "const form = document.querySelector('.find-span');
             form.find.value = `items/${n + 1}`;
             begin(); form.requestSubmit(); await painted();",
        ),
        (
            "find in the trace: all of it",
            "const form = document.querySelector('.find-span'), came = answered();
             form.find.value = `items/${n}`;
             begin(); form.requestSubmit(); await came; await painted();",
        ),
        (
            "go to a place of the mini-map: its window",
            "const place = document.querySelectorAll('.minimap a')[n % 10];
             begin(); place.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true})); await painted();",
        ),
        (
            "go to a place of the mini-map: the rows",
            "const place = document.querySelectorAll('.minimap a')[n % 10], came = answered();
             begin(); place.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true})); await came; await painted();",
        ),
        (
            "change the view: its tab",
            "const view = document.querySelectorAll('.tabs a')[1 + n % 3];
             begin(); view.click(); await painted();",
        ),
        (
            "change the view: all of it",
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
    let focuses = "
        const box = document.querySelector(n % 2 ? '#graph-around a' : 'a.node.peer'), came = answered();
        begin(); box.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true})); await came; await painted();";
    stays(
        server,
        browser,
        "focus in the graph, and back",
        graph,
        focuses,
    )
    .await?;
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
            await painted();
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
    let (p50, p95) = (of(50), of(95));
    let verdict = if p95 <= BUDGET_MS { "within" } else { "over" };
    println!(
        "  {what}: p50 {p50:.0} ms, p95 {p95:.0} ms, {verdict} {BUDGET_MS:.0} ms, {} times",
        milliseconds.len()
    );
}
