//! The document around every page: head, navigation, range picker, foot.
//!
//! What of it says what the page shows, or leads on from it, is renewed with the page and marked `data-live="frame"`: by
//! itself it makes no page live.

use std::sync::Arc;

use hydration_context::SsrSharedContext;
use leptos::prelude::*;

use crate::frame::{AssetPaths, Frame};
use crate::islands::{Copy, Keys, Live, LocalTimes, ThemeToggle};
use crate::parts::{kept_fields, other_fields, saved_page};
use crate::range::PRESETS;

const NAVIGATION: [(&str, &str); 9] = [
    ("/", "Overview"),
    ("/graph", "Graph"),
    ("/traces", "Traces"),
    ("/logs", "Logs"),
    ("/explore", "Metrics"),
    ("/breakers", "Breakers"),
    ("/incidents", "Incidents"),
    ("/sql", "SQL"),
    ("/status", "Status"),
];

/// Renders a whole page. `body` is called inside the reactive owner that islands need.
pub fn render(frame: &Frame, title: &str, body: impl FnOnce(&Frame) -> AnyView) -> String {
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    let html = owner.with(|| document(frame, title, body(frame)).to_html());
    owner.cleanup();
    format!("<!DOCTYPE html>{html}")
}

fn document(frame: &Frame, title: &str, body: AnyView) -> impl IntoView {
    let heading = title.to_owned();
    let title = format!("{title} · Tripline");
    view! {
        <html lang="en" data-theme=frame.theme>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <title>{title}</title>
                <link rel="icon" type="image/svg+xml" href=frame.assets.icon.clone()/>
                <link rel="stylesheet" href=frame.assets.style.clone()/>
                {scripts(&frame.assets)}
            </head>
            <body>
                <a class="skip" href="#main">"Skip to content"</a>
                {header(frame)}
                {bundle_note(frame)}
                <main id="main">{body}{tools(frame, &heading)}</main>
                {footer(frame)}
                <Keys/>
                <LocalTimes/>
            </body>
        </html>
    }
}

fn scripts(assets: &AssetPaths) -> Option<impl IntoView + use<>> {
    assets.bundle.clone().map(|bundle| {
        view! {
            <link rel="modulepreload" href=bundle.module.clone()/>
            <script type="module" src=bundle.loader id="bundle" data-module=bundle.module data-wasm=bundle.wasm></script>
        }
    })
}

fn header(frame: &Frame) -> AnyView {
    let links = NAVIGATION
        .iter()
        .map(|(path, name)| {
            let below = frame.path.strip_prefix(*path);
            let is_here = frame.path == *path
                || (*path != "/" && below.is_some_and(|rest| rest.starts_with('/')))
                || (*path == "/" && frame.path.starts_with("/services/"));
            let current = is_here.then_some("page");
            view! { <a href=frame.link(path, &[]) data-page=*path aria-current=current>{*name}</a> }
        })
        .collect_view();
    view! {
        <header class="top">
            <a class="brand" href=frame.link("/", &[]) aria-label="Tripline">
                <svg viewBox="0 0 28 20" width="28" height="20" aria-hidden="true">
                    <path d="M1 14h8l7-9" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"></path>
                    <circle cx="9.5" cy="14" r="2.2" fill="currentColor"></circle>
                    <circle cx="19" cy="14" r="2.2" class="brand-spark"></circle>
                    <path d="M19 14h8" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"></path>
                </svg>
                <span>"Tripline"</span>
            </a>
            <nav aria-label="Pages">{links}</nav>
            <div class="top-tools">
                {find(frame)}
                {scope_picker(frame)}
                {comparison(frame)}
                {range_picker(frame)}
                <ThemeToggle/>
            </div>
        </header>
    }
    .into_any()
}

/// Of a bundle: that it is one, of what, and that now is then.
fn bundle_note(frame: &Frame) -> Option<AnyView> {
    let bundle = frame.bundle.as_ref()?;
    let time = |ns: u64| {
        crate::units::timestamp(ns, 0)
            .replace('T', " ")
            .replace('Z', "")
    };
    let (from, to) = (time(bundle.from_ns), time(bundle.to_ns));
    let links = bundle
        .incidents
        .iter()
        .map(|id| view! { <a href=frame.link(&format!("/incidents/{id}"), &[])>{id.clone()}</a> " " })
        .collect_view();
    let what = if bundle.incidents.is_empty() {
        "Bundle of a time without incidents"
    } else {
        "Bundle of an incident"
    };
    let cut = bundle
        .cut
        .iter()
        .map(|sentence| view! { <p class="note amber">{sentence.clone()}</p> })
        .collect_view();
    Some(view! {
        <aside class="bundle-note" aria-label="Bundle">
            <p><strong>{what}</strong>" "{links}{format!("from {from} to {to} UTC. Read-only; “now” is {to} UTC on every page.")}</p>
            {cut}
        </aside>
    }.into_any())
}

/// A trace id pasted here finds its trace, whatever the range.
fn find(frame: &Frame) -> AnyView {
    view! {
        <form class="find" action="/find" method="get" role="search">
            {kept_fields(frame)}
            <input type="search" name="q" placeholder="Trace id or service" aria-label="Find a trace id or a service" autocomplete="off" data-search/>
        </form>
    }
    .into_any()
}

/// Under each page: live, copy, saved views.
fn tools(frame: &Frame, title: &str) -> AnyView {
    let frozen = frozen(frame);
    let (from, to) = frame.bounds();
    let filter = frame
        .param("q")
        .map(|q| format!(", `{}`", q.replace('`', "'")))
        .unwrap_or_default();
    let markdown = format!(
        "[{}]({{link}}) {} to {} UTC{filter}",
        title.replace(['[', ']'], ""),
        crate::units::timestamp(from, 0),
        crate::units::timestamp(to, 0)
    );
    let markdown = match &frame.markdown {
        Some(text) => format!("{text}\n[{title}]({{link}})\n"),
        None => markdown,
    };
    // Hidden, so that nobody can be at it: it is always of what is shown.
    let copied =
        view! { <div id="this-page" data-live="frame" hidden><a href=frozen>{markdown}</a></div> };
    let saved = frame.saved.iter().map(saved_page).collect_view();
    let none = frame.saved.is_empty().then(|| view! { <p class="quiet">"None yet. Name this page to find it again; its address is kept with the data."</p> });
    if frame.bundle.is_some() {
        // Nothing comes in, and nothing is kept.
        return view! {
            <section class="tools" id="tools" aria-label="This page">{copied}<Copy/></section>
        }
        .into_any();
    }
    view! {
        <section class="tools" id="tools" aria-label="This page">
            {copied}
            <Live/>
            <Copy/>
            <details class="saved"><summary>"Saved views"</summary>
                <form method="post" action="/views" class="filters inline">
                    <span id="saved-path" data-live="frame" hidden><input type="hidden" name="path" value=frame.with(&[("cursor", "")])/></span>
                    <input name="name" placeholder="Name of this view" aria-label="Name of this view" maxlength="120" required/>
                    <button class="button">"Save this view"</button>
                </form>
                <ul>{saved}</ul>{none}
            </details>
        </section>
    }
    .into_any()
}

/// This page with its range absolute. Its place in a list stays: a cursor names what was shown before.
fn frozen(frame: &Frame) -> String {
    let (from, to) = frame.bounds();
    frame.with(&[
        ("from", &crate::units::timestamp(from, 3)),
        ("to", &crate::units::timestamp(to, 3)),
    ])
}

/// Environment, namespace, cluster: shown when there is a choice, or one is chosen.
fn scope_picker(frame: &Frame) -> Option<AnyView> {
    let chosen = SCOPES
        .iter()
        .filter_map(|(name, _)| frame.param(name))
        .collect::<Vec<_>>()
        .join(" / ");
    if chosen.is_empty() && frame.scopes.iter().all(|values| values.len() < 2) {
        return None;
    }
    let lists = SCOPES
        .iter()
        .zip(&frame.scopes)
        .filter(|((name, _), values)| !values.is_empty() || frame.param(name).is_some())
        .map(|((name, label), values)| {
            let here = frame.param(name).unwrap_or_default();
            let links = std::iter::once("")
                .chain(values.iter().map(String::as_str))
                .map(|value| {
                    let link = frame.with(&[(name, value), ("cursor", ""), ("box", "")]);
                    let word = if value.is_empty() { "any" } else { value };
                    view! { <a href=link aria-current=(value == here).then_some("true")>{word.to_owned()}</a> }
                })
                .collect_view();
            view! { <div class="range-presets"><b>{*label}</b>{links}</div> }
        })
        .collect_view();
    let summary = if chosen.is_empty() {
        "All scopes".to_owned()
    } else {
        chosen
    };
    Some(
        view! { <details class="range scope" id="scope" data-live="frame"><summary aria-label=format!("Scope: {summary}")>{summary.clone()}</summary><div class="range-panel">{lists}</div></details> }
            .into_any(),
    )
}

/// Parameters of the scope with their labels.
const SCOPES: [(&str, &str); 3] = [
    ("environment", "Environment"),
    ("service_namespace", "Namespace"),
    ("cluster", "Cluster"),
];

/// The numbers of the same time last week beside those of the range: on the pages that have them.
fn comparison(frame: &Frame) -> Option<AnyView> {
    let has_them =
        matches!(frame.path.as_str(), "/" | "/graph") || frame.path.starts_with("/services/");
    has_them.then(|| {
        let is_on = frame.compares();
        let (value, title, mark) = if is_on {
            ("", "Stop comparing with last week", " ✕")
        } else {
            ("week", "Compare with the same time last week", "")
        };
        let link = frame.with(&[("compare", value)]);
        let current = is_on.then_some("true");
        view! { <span id="compare" data-live="frame"><a class="compare" href=link title=title aria-current=current>"vs last week" {mark}</a></span> }.into_any()
    })
}

fn range_picker(frame: &Frame) -> AnyView {
    let presets = PRESETS
        .iter()
        .map(|(from, words)| {
            let link = frame.with(&[("from", from), ("to", "now"), ("cursor", "")]);
            let current = (frame.range.from.print() == *from && frame.range.to.print() == "now")
                .then_some("true");
            view! { <a href=link aria-current=current>"Last " {*words}</a> }
        })
        .collect_view();
    let whole = frame.bundle.is_some().then(|| {
        let link = frame.with(&[("from", ""), ("to", ""), ("cursor", "")]);
        let current = (frame.range == frame.default_range).then_some("true");
        view! { <a href=link aria-current=current>"All of the bundle"</a> }
    });
    let frozen = frozen(frame);
    view! {
        <details class="range" id="range">
            <summary aria-label=format!("Time range: {}", frame.range.label())>{frame.range.label()}</summary>
            <div class="range-panel">
                <div class="range-presets" id="presets" data-live="frame">{whole}{presets}</div>
                <form method="get" action=frame.path.clone()>
                    <span id="range-fields" data-live="frame" hidden>{other_fields(frame, &["from", "to", "cursor"])}</span>
                    <label>"From" <input name="from" value=frame.range.from.print() autocomplete="off"/></label>
                    <label>"To" <input name="to" value=frame.range.to.print() autocomplete="off"/></label>
                    <p class="quiet">"now-15m, 2026-11-21T03:00:00Z, UTC"</p>
                    <button class="button">"Apply"</button>
                    <span id="freeze" data-live="frame"><a class="button plain" href=frozen>"Freeze to UTC"</a></span>
                </form>
            </div>
        </details>
    }
    .into_any()
}

fn footer(frame: &Frame) -> AnyView {
    let facts = frame
        .footer
        .iter()
        .map(|fact| {
            let class = if fact.is_bad { "fact amber" } else { "fact" };
            view! { <span class=class><b>{fact.name.clone()}</b> " " {fact.value.clone()}</span> }
        })
        .collect_view();
    let exact = crate::units::timestamp(frame.now_ns, 0);
    let as_of = format!("{} UTC", crate::units::time_of_day(frame.now_ns, 0));
    view! {
        <footer class="foot" id="foot" data-live="frame">
            {facts}
            <span class="fact"><b>"as of"</b> " " <time datetime=exact.clone() title=exact data-clock="s">{as_of}</time></span>
            <span class="fact right"><a href="/api/v1/openapi.json">"API"</a> " · press " <kbd>"?"</kbd> " for keys"</span>
        </footer>
    }
    .into_any()
}
