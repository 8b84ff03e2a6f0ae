//! `/`: is anything arriving, from whom, and how are they doing.

mod first_run;
mod guards;
mod receivers;
mod recipes;
mod stored;

use leptos::prelude::*;
use tripline_storage::analysis::{MOVER_CALLS_MIN, Move, movers};
use tripline_storage::model::{
    Breaker, Incident, LiveCounts, NearMiss, Page, ProxyCalls, Scope, ServiceCoverage,
    ServicePulse, ServiceSummary,
};

use self::first_run::first_run;
use self::guards::{Standing, standing};
pub use self::receivers::{Credential, Receiver, Receivers};
use self::stored::stored;
use super::incidents::strip;
use super::{last_week, own_breakers, proxies};
use crate::frame::Frame;
use crate::parts::{
    basis_note, cut_note, durations_note, error_share, export_links, list_note, nothing_of, place,
    positive, rates_note, requests_note, service_basis, service_link_in, since, sort_head,
};
use crate::units;

/// What the overview shows.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Everything stored.
    pub counts: LiveCounts,
    /// Services in the range.
    pub services: Page<ServiceSummary>,
    /// Services a week before the range, if they are compared with.
    pub last_week: Option<Vec<ServiceSummary>>,
    /// How each did over it.
    pub pulses: Vec<ServicePulse>,
    /// Every breaker as it was at the end of the range.
    pub breakers: Vec<Breaker>,
    /// What was sent to each port since the start.
    pub doors: Vec<Door>,
    /// Incidents that touch the range.
    pub incidents: Page<Incident>,
    /// Which signals each service sends, and how much.
    pub coverage: Page<ServiceCoverage>,
    /// When services were last heard, whenever that was.
    pub heard: Vec<LastHeard>,
    /// Breakers that refuse calls but do not report themselves.
    pub near_misses: Vec<NearMiss>,
    /// Where telemetry is received.
    pub receivers: Receivers,
    /// SQL of its numbers.
    pub how: OverviewHow,
}

/// When a service was last heard.
#[derive(Debug, Clone, Default)]
pub struct LastHeard {
    /// Its scope.
    pub scope: Scope,
    /// Its name.
    pub service_name: String,
    /// Time of its newest span, log record or metric point, nanoseconds since the epoch.
    pub newest_ns: u64,
}

/// SQL of the numbers of the overview.
#[derive(Debug, Clone, Default)]
pub struct OverviewHow {
    /// Of the list of services, as spans count.
    pub services: String,
    /// Of their requests, as metrics count.
    pub requests: String,
    /// Of the halves that movers are found by.
    pub movers: String,
    /// Of the spans, log records and metric points in the range.
    pub stored: [String; 3],
    /// Of the services that sent them.
    pub senders: String,
}

/// What was sent to one receiver since the start.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// `OTLP/gRPC` or `OTLP/HTTP`.
    pub name: &'static str,
    /// Requests answered with success.
    pub accepted: u64,
    /// Requests refused.
    pub refused: u64,
    /// Why the last was refused, in words.
    pub last_reason: Option<String>,
}

/// The page.
pub fn overview(data: &Overview, frame: &Frame) -> AnyView {
    let counts = &data.counts;
    if counts.spans == 0 && counts.logs == 0 && counts.metric_streams == 0 {
        return first_run(data);
    }
    view! {
        <h1 class="visually-hidden">"Overview"</h1>
        {strip(&data.incidents, frame)}
        {stored(&data.coverage.items, &data.how, frame)}
        {moved(data, frame)}
        <section class="panel" id="services" data-live>
            <div class="panel-head"><h2>"Services"</h2>{frame.how(&data.how.services)}</div>
            {services(data, frame)}
        </section>
        {coverage(&data.coverage, &data.near_misses, frame)}
    }
    .into_any()
}

/// What each service sends, and what to do about what it does not: folded when nothing is missing.
fn coverage(page: &Page<ServiceCoverage>, near: &[NearMiss], frame: &Frame) -> Option<AnyView> {
    if page.items.is_empty() {
        return None;
    }
    let mut gaps = near.len() as u64;
    let missed = near
        .iter()
        .map(|near| {
            view! { <li>{named(&near.scope, &near.service_name, frame)} " has calls refused by its " {near.origin.clone()} " breaker " <code>{near.name.clone()}</code> ", which reports nothing itself: " <span class="fix">{near.fix.clone()}</span></li> }
        })
        .collect_view();
    let missed = (!near.is_empty())
        .then(|| view! { <h3>"Breakers that nearly show"</h3><ul class="clues">{missed}</ul> });
    let mut cell = |has: bool, fix: &'static str| {
        gaps += u64::from(!has);
        if has {
            view! { <td><span class="share fine">"✓ yes"</span></td> }.into_any()
        } else {
            view! { <td title=fix><span class="share warn">"– no"</span> <span class="fix">{fix}</span></td> }.into_any()
        }
    };
    let rows: Vec<AnyView> = page
        .items
        .iter()
        .map(|service| {
            let cells = [
                cell(service.newest_span_unix_nano.is_some(), "set OTEL_TRACES_EXPORTER=otlp and instrument it"),
                cell(service.newest_log_unix_nano.is_some(), "set OTEL_LOGS_EXPORTER=otlp"),
                cell(service.newest_traced_log_unix_nano.is_some(), "log inside the active span, or bridge your logger"),
                cell(service.newest_metric_unix_nano.is_some(), "set OTEL_METRICS_EXPORTER=otlp"),
                cell(service.has_version, "set service.version in OTEL_RESOURCE_ATTRIBUTES"),
                cell(service.has_instance_id, "set service.instance.id (the pod's name)"),
            ];
            view! { <tr><td>{named(&service.scope, &service.service_name, frame)}</td>{cells.into_iter().collect_view()}{breaker_cell(service)}</tr> }.into_any()
        })
        .collect();
    let summary = match gaps {
        0 => "Coverage: every service sends everything".to_owned(),
        gaps => format!("Coverage: {}", units::counted(gaps, "gap")),
    };
    Some(
        view! {
            <details class="panel coverage" id="coverage" data-live><summary>{summary}</summary>
                <div class="scroll"><table class="list">
                    <thead><tr><th>"Service"</th><th>"Traces"</th><th>"Logs"</th><th>"Logs with trace id"</th><th>"Metrics"</th><th>"Version"</th><th>"Instance id"</th><th>"Breakers"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
                {missed}
            </details>
        }
        .into_any(),
    )
}

/// By what a service's breakers are known. None is no gap by itself: not every service holds one.
fn breaker_cell(service: &ServiceCoverage) -> AnyView {
    let kinds = &service.breaker_evidence;
    if kinds.is_empty() {
        let fix = "if it holds breakers: send their events or metrics";
        return view! { <td title=fix><span class="quiet">"none seen"</span> <span class="fix">{fix}</span></td> }.into_any();
    }
    if kinds.iter().all(|kind| kind == "errors") {
        let fix = "its breakers say nothing themselves: see below";
        return view! { <td title=fix><span class="share warn">"– errors alone"</span> <span class="fix">{fix}</span></td> }.into_any();
    }
    view! { <td><span class="share fine">{format!("✓ {}", kinds.join(", "))}</span></td> }
        .into_any()
}

/// Movers told.
const MOVERS_MAX: usize = 6;

/// Services whose second half of the range differs from the first by more than chance.
fn moved(data: &Overview, frame: &Frame) -> Option<AnyView> {
    let hidden: Vec<&ServiceSummary> = data
        .services
        .items
        .iter()
        .filter(|service| is_hidden(service, frame))
        .collect();
    let is_shown = |pulse: &&ServicePulse| {
        let is_its = |service: &&ServiceSummary| {
            service.scope == pulse.scope && service.service_name == pulse.service_name
        };
        !hidden.iter().any(is_its)
    };
    let pulses: Vec<ServicePulse> = data.pulses.iter().filter(is_shown).cloned().collect();
    let found = movers(&pulses);
    if found.is_empty() {
        return None;
    }
    let cut = cut_note(
        MOVERS_MAX as u64,
        found.len() as u64,
        "change",
        "worse ones first",
    );
    let items = found
        .into_iter()
        .take(MOVERS_MAX)
        .map(|(pulse, moved)| {
            let class = if moved.is_worse() { "share bad" } else { "share fine" };
            let sign = if moved.is_worse() { "▲" } else { "▼" };
            let text = match moved {
                Move::Errors(from, to) => format!("errors {} → {}", units::percent(from), units::percent(to)),
                Move::Latency(from, to) => format!("p95 {} → {}", units::duration(from as u64), units::duration(to as u64)),
            };
            view! { <li>{named(&pulse.scope, &pulse.service_name, frame)} " " <span class=class>{sign} " " {text}</span></li> }
        })
        .collect_view();
    let basis = format!(
        "second half of the range against the first, at least {MOVER_CALLS_MIN} calls each"
    );
    Some(
        view! { <section class="panel movers" id="movers" data-live><div class="panel-head"><h2>"Movers"</h2><p class="quiet">{basis}</p>{frame.how(&data.how.movers)}</div><ul class="legend">{items}</ul>{cut}</section> }
            .into_any(),
    )
}

/// Calls over time, the failed ones in front; the same height for the same rate within one row only.
fn sparkline(pulse: Option<&ServicePulse>) -> Option<AnyView> {
    let points = &pulse?.points;
    let most = points
        .iter()
        .map(|point| point.counts().all())
        .max_by(f64::total_cmp)
        .filter(|most| *most > 0.0)?;
    let bar = |at: usize, calls: f64, class: &'static str| {
        let height = calls / most * 20.0;
        (calls > 0.0).then(|| view! { <rect class=class x=at as f64 * 4.0 y=20.0 - height width="3.2" height=height></rect> })
    };
    let bars = points
        .iter()
        .enumerate()
        .map(|(at, point)| {
            let counts = point.counts();
            view! { {bar(at, counts.all(), "bar")}{bar(at, counts.failed(), "bar bad")} }
        })
        .collect_view();
    let width = points.len() * 4;
    let label = format!(
        "Calls over the range, at most {} a step",
        units::count(most.round() as u64)
    );
    Some(view! { <svg class="spark" viewBox=format!("0 0 {width} 20") preserveAspectRatio="none" role="img" aria-label=label>{bars}</svg> }.into_any())
}

/// Breakers it owns or that others hold against it, in a phrase that leads to them.
fn breakers_of(service: &ServiceSummary, breakers: &[Breaker], frame: &Frame) -> AnyView {
    let its = breakers
        .iter()
        .filter(|breaker| own_breakers::is_of(breaker, &service.scope, &service.service_name));
    let Some(Standing { class, text }) = standing(its) else {
        return view! { <span class="quiet">"none known"</span> }.into_any();
    };
    let link = frame.link_in(&service.scope, "/breakers", &[]);
    view! { <a href=link><span class=class>{text}</span></a> }.into_any()
}

/// A proxy beside an application of the list, while proxies are folded.
fn is_hidden(service: &ServiceSummary, frame: &Frame) -> bool {
    service.proxy_of.is_some() && !frame.shows_proxies()
}

fn services(data: &Overview, frame: &Frame) -> AnyView {
    if data.services.items.is_empty() {
        return nothing_of(
            "traces",
            "No service sent a span in this range.",
            "Widen the range, or look at another scope.",
            frame,
        );
    }
    let all = &data.services;
    let shown: Vec<&ServiceSummary> = all
        .items
        .iter()
        .filter(|service| !is_hidden(service, frame))
        .collect();
    let folded = (all.items.len() - shown.len()) as u64;
    let rows = shown
        .iter()
        .map(|service| row(service, data, frame))
        .collect_view();
    let shown = Page {
        items: shown,
        truncated: all.truncated,
        total: all.total.map(|total| total.saturating_sub(folded)),
        next: None,
    };
    let by_spans = all
        .items
        .iter()
        .filter(|service| service.requests.is_none());
    // Where nothing was called, nothing has a rate.
    let was_called = all
        .items
        .iter()
        .any(|service| service.counts().calls > 0 || service.proxy.is_some());
    let head = |name, word| sort_head(name, word, IMPACT, word != "name", frame);
    let by_impact = (frame.param("sort").unwrap_or(IMPACT) != IMPACT).then(|| {
        let link = frame.with(&[("sort", "")]);
        view! { <p class="note"><a href=link>"Most failures first"</a></p> }
    });
    view! {
        <div class="scroll"><table class="list folds">
            <thead><tr>
                {head("Service", "name")}{head("Rate", "rate")}<th class="bar-head"><span class="visually-hidden">"Over time"</span></th>{head("Errors", "errors")}
                <th class="num">"p50"</th>{head("p95", "p95")}<th class="num">"p99"</th>
                <th>"Breakers"</th><th>"Version"</th><th class="num">"Instances"</th><th class="num">"Last seen"</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        {list_note(&shown, "service", order_words(frame), frame)}
        {by_impact}
        {compared(data, frame)}
        {proxies::line(&proxies::beside(&all.items), frame)}
        {requests_note(data.services.items.iter().map(|service| service.requests.as_ref()), "Durations and what is drawn over time are of spans.", &data.how.requests, frame)}
        {basis_note(by_spans.map(|service| service.basis))}
        {durations_note(all.items.iter().map(|service| service.basis))}
        {rates_note(frame).filter(|_| was_called)}
        {export_links(frame, "services")}
    }
    .into_any()
}

/// What `sort` says for the default order.
const IMPACT: &str = "impact";

/// The order of the services in words.
fn order_words(frame: &Frame) -> &'static str {
    match frame.param("sort").unwrap_or(IMPACT) {
        "name" => "by name",
        "rate" => "most calls a second first",
        "errors" => "greatest failed share first",
        "p95" => "longest p95 first",
        _ => "most failures first",
    }
}

/// What the numbers are compared with, and who was called then but is gone.
fn compared(data: &Overview, frame: &Frame) -> Option<AnyView> {
    let then = data.last_week.as_deref()?;
    let gone: Vec<&ServiceSummary> = then
        .iter()
        .filter(|service| service.counted().0 > 0 && service.proxy_of.is_none())
        .filter(|service| last_week::same(service, &data.services.items).is_none())
        .collect();
    let names = gone
        .iter()
        .take(GONE_MAX)
        .map(|service| view! { " " {named(&service.scope, &service.service_name, frame)} })
        .collect_view();
    let left = gone.len().saturating_sub(GONE_MAX);
    let more = (left > 0).then(|| format!(" and {left} more"));
    let gone = (!gone.is_empty())
        .then(|| view! { <p class="note">"Called last week, but not now:" {names} {more}</p> });
    Some(view! { {last_week::note(last_week::any_calls(then), frame)} {gone} }.into_any())
}

/// Services named that are called no more.
const GONE_MAX: usize = 10;

fn row(service: &ServiceSummary, data: &Overview, frame: &Frame) -> AnyView {
    let then = data
        .last_week
        .as_deref()
        .filter(|then| last_week::any_calls(then))
        .map(|then| last_week::same(service, then));
    let pulse = data
        .pulses
        .iter()
        .find(|pulse| pulse.scope == service.scope && pulse.service_name == service.service_name);
    let place = place(&service.scope);
    // What metrics count is not compared with what spans do.
    let alike = then.filter(|then| {
        then.is_none_or(|then| then.requests.is_some() == service.requests.is_some())
    });
    let was_rate = alike.map(|then| {
        last_week::rate(
            service.rate_per_second,
            then.map(|then| then.rate_per_second),
        )
    });
    let was_share = alike
        .flatten()
        .map(|then| last_week::share(Some(then.error_ratio)));
    let was_p95 = then
        .flatten()
        .and_then(|then| last_week::latency(service.latency.p95_ns, then.latency.p95_ns));
    let counts = service.counts();
    let is_proxy = service.proxy_of.as_ref().map(
        |application| view! { " " <span class="tag">{format!("sidecar of {application}")}</span> },
    );
    view! {
        <tr>
            <td class="folds-main">{service_link_in(frame, &service.scope, Some(&service.service_name))} " " <span class="quiet">{place}</span>{is_proxy}</td>
            <td class="num" data-head="rate" title=format!("{} in range", units::counted(counts.calls, "call"))>{units::rate(service.rate_per_second)} {service_basis(service)}{was_rate}</td>
            <td class="spark-cell">{sparkline(pulse)}</td>
            <td class="num" data-head="errors">{error_share(counts)}{was_share}</td>
            <td class="num" data-head="p50">{units::duration_or_dash(service.latency.p50_ns)}</td>
            <td class="num" data-head="p95">{units::duration_or_dash(service.latency.p95_ns)}{was_p95}</td>
            <td class="num" data-head="p99">{units::duration_or_dash(service.latency.p99_ns)}</td>
            <td class="nowrap" data-head="breakers">{breakers_of(service, &data.breakers, frame)}</td>
            <td data-head="version">{if service.versions.is_empty() { "not reported".to_owned() } else { service.versions.join(", ") }}</td>
            <td class="num" data-head="instances">{match service.instances { 0 => "not reported".to_owned(), n => units::count(n) }}</td>
            <td class="num" data-head="last seen">{last_seen(service, data, frame)}</td>
        </tr>
        {service.proxy.filter(|_| frame.shows_proxies()).map(|proxy| proxy_row(&proxy))}
    }
    .into_any()
}

/// A service by its name and where it lives: the same name in another scope is another service.
fn named(scope: &Scope, name: &str, frame: &Frame) -> AnyView {
    let place = place(scope);
    let place = (!place.is_empty()).then(|| view! { " " <span class="quiet">{place}</span> });
    view! { {service_link_in(frame, scope, Some(name))} {place} }.into_any()
}

/// When a service was last heard: by its spans of the range, else by its logs and metrics of it, else before.
fn last_seen(service: &ServiceSummary, data: &Overview, frame: &Frame) -> AnyView {
    let is_its =
        |scope: &Scope, name: &str| *scope == service.scope && name == service.service_name;
    let other = || {
        let mut all = data.coverage.items.iter();
        let found = all.find(|known| is_its(&known.scope, &known.service_name))?;
        positive(
            found
                .newest_log_unix_nano
                .max(found.newest_metric_unix_nano),
        )
    };
    let before = || {
        let mut all = data.heard.iter();
        let found = all.find(|known| is_its(&known.scope, &known.service_name))?;
        Some(found.newest_ns)
    };
    match positive(service.last_seen_unix_nano)
        .or_else(other)
        .or_else(before)
    {
        Some(newest) => since(Some(newest), frame),
        None => view! { <span class="quiet">"not in range"</span> }.into_any(),
    }
}

/// The same calls as the proxy beside the service counts them.
fn proxy_row(proxy: &ProxyCalls) -> AnyView {
    let what = if proxy.is_outgoing {
        "its sidecar, calls sent on"
    } else {
        "its sidecar, calls let in"
    };
    view! {
        <tr class="proxy-row">
            <td class="quiet folds-main">"↳ " {what}</td>
            <td class="num" data-head="rate" title=format!("{} in range", units::counted(proxy.calls, "call"))>{units::rate(proxy.rate_per_second)}</td>
            <td></td>
            <td class="num" data-head="errors">{error_share(proxy.counts())}</td>
            <td class="num" data-head="p50">{units::duration_or_dash(proxy.latency.p50_ns)}</td>
            <td class="num" data-head="p95">{units::duration_or_dash(proxy.latency.p95_ns)}</td>
            <td class="num" data-head="p99">{units::duration_or_dash(proxy.latency.p99_ns)}</td>
            <td></td><td></td><td></td><td></td>
        </tr>
    }
    .into_any()
}
