//! `/services/{name}`: how one service does, whom it calls and who calls it, its instances, its newest failures.

mod instances;

use leptos::prelude::*;
use tripline_storage::analysis::z_score;
use tripline_storage::model::{
    Breaker, Graph, InstanceSummary, LogRecord, Page, ProxyCalls, RedPoint, Scope, ServiceDetail,
    ServiceSummary, TraceSummary, VersionSummary,
};

use super::breakers::panel_of;
use super::graph::{edge_table, picture};
use super::logs::severity;
use super::{last_week, own_breakers, proxies};
use crate::chart::{Beside, Line, Mark, Note, noted_series};
use crate::parts::{
    Frame, basis_tag, colour, cut_note, error_share, figure, list_note, moment, nothing,
    nothing_of, place, positive, segment, service_basis, service_link, severity_of_share,
};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct ServicePage {
    /// Its name.
    pub name: String,
    /// It, once a scope it lives in.
    pub summaries: Vec<ServiceSummary>,
    /// The scopes it is called in over time, busiest first.
    pub parts: Vec<ServicePart>,
    /// The edges that touch it.
    pub graph: Graph,
    /// Every breaker.
    pub breakers: Vec<Breaker>,
    /// Its newest failed traces.
    pub failed: Page<TraceSummary>,
    /// The newest traces in which it took longer than nearly always.
    pub slow: Page<TraceSummary>,
    /// Its newest warnings and errors.
    pub logs: Page<LogRecord>,
    /// Its instances, busiest first.
    pub instances: Page<InstanceSummary>,
    /// It at the same time last week, once a scope it lived in, if that is compared with.
    pub last_week: Option<Vec<ServiceSummary>>,
    /// SQL of its numbers.
    pub how: ServiceHow,
}

/// One scope of a service: the same name in two scopes is two services.
#[derive(Debug, Clone, Default)]
pub struct ServicePart {
    /// The scope.
    pub scope: Scope,
    /// It over time, by version, and what changed.
    pub detail: ServiceDetail,
    /// It over time last week, if that is compared with.
    pub then: Option<Vec<RedPoint>>,
    /// SQL of its numbers.
    pub how: PartHow,
}

/// SQL of the numbers of a service.
#[derive(Debug, Clone, Default)]
pub struct ServiceHow {
    /// Of the figures, as spans count.
    pub figures: String,
    /// Of its requests, as metrics count.
    pub requests: String,
    /// Of callers and callees.
    pub neighbours: String,
    /// Of the newest failures.
    pub failures: String,
    /// Of the newest warnings and errors.
    pub logs: String,
}

/// SQL of the numbers of one scope of a service.
#[derive(Debug, Clone, Default)]
pub struct PartHow {
    /// Of rate, errors and duration.
    pub over_time: String,
    /// Of its operations.
    pub operations: String,
    /// Of its versions.
    pub versions: String,
}

/// The page.
pub fn service(data: &ServicePage, frame: &Frame) -> AnyView {
    let traces = frame.link("/traces", &[("service", &data.name)]);
    let logs = frame.link("/logs", &[("service", &data.name)]);
    let metrics = frame.link("/explore", &[("service", &data.name)]);
    let scope = data
        .summaries
        .first()
        .map(|summary| summary.scope.clone())
        .unwrap_or_default();
    let elsewhere = frame.elsewhere(
        &["service"],
        &[
            ("service", &data.name),
            (
                "namespace",
                scope.service_namespace.as_deref().unwrap_or_default(),
            ),
            (
                "environment",
                scope.environment.as_deref().unwrap_or_default(),
            ),
            ("cluster", scope.cluster.as_deref().unwrap_or_default()),
        ],
    );
    let scopes = data
        .summaries
        .iter()
        .map(|summary| in_scope(summary, data, frame))
        .collect_view();
    let called = data.summaries.iter().filter(|summary| summary.spans > 0);
    let cut = cut_note(
        data.parts.len() as u64,
        called.count() as u64,
        "scope",
        "busiest first, over time",
    );
    let compared = data
        .last_week
        .as_ref()
        .map(|then| last_week::note(last_week::any_calls(then), frame));
    // What sends nothing itself has no scope of its own: the panel goes by its name.
    let is_one_of_its = |breaker: &&Breaker| {
        let mut scopes = data.summaries.iter().map(|summary| &summary.scope);
        data.summaries.is_empty()
            || scopes.any(|scope| own_breakers::is_of(breaker, scope, &data.name))
    };
    let breakers: Vec<Breaker> = data
        .breakers
        .iter()
        .filter(is_one_of_its)
        .cloned()
        .collect();
    view! {
        <div class="trace-head"><div class="trace-title">
            <h1><i class=format!("dot {}", colour(&data.name))></i>{data.name.clone()}</h1>
            <p><a href=traces>"Traces"</a> " · " <a href=logs>"Logs"</a> " · " <a href=metrics>"Metrics"</a> " " {elsewhere}</p>
        </div></div>
        {if data.summaries.is_empty() {
            view! { <section class="panel">{nothing_of("traces", "This service sent no span in this range.", "Widen the range, or look at its logs and metrics.", frame)}</section> }.into_any()
        } else { view! { {compared}{proxies::line(&proxies::folded_in(&data.summaries), frame)}{scopes}{cut} }.into_any() }}
        {instances::panel(&data.name, &data.instances, frame)}
        <section class="panel" id="neighbours" data-live><div class="panel-head"><h2>"Callers and callees"</h2>{frame.how(&data.how.neighbours)}</div>
            {if data.graph.edges.is_empty() {
                nothing("No call to or from it in this range.", "Edges come from client and server spans that share a trace.")
            } else {
                view! { <div class="scroll">{picture(&data.graph, frame)}</div>{edge_table(&data.graph, None, frame)} }.into_any()
            }}
        </section>
        {panel_of(&data.name, &breakers, frame)}
        <section class="panel" id="failures" data-live><div class="panel-head"><h2>"Newest failures"</h2>{frame.how(&data.how.failures)}</div>{failures(&data.name, &data.failed, frame)}</section>
        <section class="panel" id="service-logs" data-live><div class="panel-head"><h2>"Newest warnings and errors"</h2>{frame.how(&data.how.logs)}</div>{log_table(data, frame)}</section>
    }
    .into_any()
}

/// It in one scope: its figures, and over time if it was called there.
fn in_scope(summary: &ServiceSummary, data: &ServicePage, frame: &Frame) -> AnyView {
    let at = data
        .parts
        .iter()
        .position(|part| part.scope == summary.scope);
    let part = at.and_then(|at| Some((data.parts.get(at)?, at)));
    let over_time = part.map(|(part, at)| {
        // An id is of one element: live parts are renewed by it.
        let id = |name: &str| match at {
            0 => name.to_owned(),
            _ => format!("{name}-{at}"),
        };
        view! {
            {over_time(data, part, id("red"), frame)}
            {operations(&data.name, part, id("operations"), frame)}
            {versions(part, frame)}
        }
    });
    view! { {figures(summary, data, frame)}{over_time} }.into_any()
}

/// Rate, errors and duration with the moments of change marked on each.
fn over_time(data: &ServicePage, part: &ServicePart, id: String, frame: &Frame) -> AnyView {
    let detail = &part.detail;
    let time = |point: &RedPoint| u64::try_from(point.time_unix_nano).unwrap_or(0);
    let line = |name: &str, value: &dyn Fn(&RedPoint) -> Option<f64>| Line {
        name: name.to_owned(),
        points: detail
            .points
            .iter()
            .map(|point| (time(point), value(point)))
            .collect(),
    };
    let per_second = |p: &RedPoint| Some(p.weight / p.seconds.max(1.0));
    let failed = |p: &RedPoint| (p.calls > 0).then(|| p.errors as f64 / p.calls as f64 * 100.0);
    let seconds = |ns: Option<f64>| ns.map(|ns| ns / 1e9);
    let share_then = |at: u64| {
        let before = detail.points.iter().rfind(|point| time(point) <= at);
        before.and_then(failed)
    };
    // Where it lives in several scopes, each chart has the traces of its own.
    let its = |page: &Page<TraceSummary>| -> Vec<TraceSummary> {
        let is_its =
            |trace: &&TraceSummary| data.parts.len() < 2 || trace.matched.scope == part.scope;
        page.items.iter().filter(is_its).cloned().collect()
    };
    let (failed_traces, slow_traces) = (its(&data.failed), its(&data.slow));
    let failed_marks = marks(&failed_traces, "failed", frame, |start, _| {
        share_then(start)
    });
    let took = |_: u64, duration: u64| Some(duration as f64 / 1e9);
    let mut duration_marks = marks(&slow_traces, "slow", frame, took);
    duration_marks.extend(marks(&failed_traces, "failed", frame, took));
    let rate = line("", &per_second);
    let errors = line("", &failed);
    let latency = [
        line("p50", &|p| seconds(p.latency.p50_ns)),
        line("p95", &|p| seconds(p.latency.p95_ns)),
        line("p99", &|p| seconds(p.latency.p99_ns)),
    ];
    let notes: Vec<Note> = detail
        .changes
        .iter()
        .filter_map(|change| {
            Some(Note {
                time_ns: positive(Some(change.time_unix_nano))?,
                text: format!("{}: {}", change.kind, change.description),
            })
        })
        .collect();
    let chart = |lines: &[Line], marks: &[Mark], older: &[Line], unit: &str| {
        let beside = Beside {
            marks,
            notes: &notes,
            older,
        };
        noted_series(lines, beside, frame.bounds(), unit)
    };
    let then = part
        .then
        .as_deref()
        .filter(|points| points.iter().any(|point| point.calls > 0));
    let older = |name: &str, value: &dyn Fn(&RedPoint) -> Option<f64>| -> Vec<Line> {
        then.map(|points| last_week::line(name, points, value))
            .into_iter()
            .collect()
    };
    let old_rate = older("last week", &per_second);
    let old_errors = older("last week", &failed);
    let old_latency = older("p95 last week", &|p| seconds(p.latency.p95_ns));
    let key =
        |word: &'static str| then.map(|_| view! { <span class="quiet key-older">{word}</span> });
    let changes = detail
        .changes
        .iter()
        .map(|change| {
            view! { <li>{moment(positive(Some(change.time_unix_nano)), frame)} " " <span class="tag">{change.kind.clone()}</span> " " {change.description.clone()}
                {(change.evidence != "reported").then(|| view! { " " <span class="quiet">"inferred from spans"</span> })}</li> }
        })
        .collect_view();
    view! {
        <div class="thirds" id=id data-live>
            <section class="panel"><div class="panel-head"><h2>"Rate " {key("last week")}</h2>{frame.how(&part.how.over_time)}</div>{chart(&[rate], &[], &old_rate, "/s")}</section>
            <section class="panel"><div class="panel-head"><h2>"Errors " {key("last week")}</h2>{frame.how(&part.how.over_time)}</div>{chart(&[errors], &failed_marks, &old_errors, "%")}</section>
            <section class="panel"><div class="panel-head"><h2>"Duration " <span class="quiet">"p50 p95 p99"</span> " " {key("p95 last week")}</h2>{frame.how(&part.how.over_time)}</div>{chart(&latency, &duration_marks, &old_latency, "s")}</section>
        </div>
        {(!detail.changes.is_empty()).then(|| view! { <section class="panel"><h2>"What changed"</h2><ul class="changes">{changes}</ul></section> })}
    }
    .into_any()
}

/// Traces as dots that lead to them; `value` places one by the start and duration (nanoseconds) of its span.
fn marks(
    traces: &[TraceSummary],
    word: &str,
    frame: &Frame,
    value: impl Fn(u64, u64) -> Option<f64>,
) -> Vec<Mark> {
    let (from, to) = frame.bounds();
    traces
        .iter()
        .filter_map(|trace| {
            let span = &trace.matched;
            let start = positive(span.start_time_unix_nano).filter(|ns| (from..to).contains(ns))?;
            let duration = positive(span.duration_ns)?;
            let path = format!("/traces/{}", segment(&trace.trace_id));
            Some(Mark {
                time_ns: start,
                value: value(start, duration)?,
                href: frame.link(&path, &[("span", &span.span_id)]),
                title: format!(
                    "{}: {word}, {}; open its trace",
                    span.name,
                    units::duration(duration)
                ),
            })
        })
        .collect()
}

/// Its newest warnings and errors, and the way to all of its records.
fn log_table(data: &ServicePage, frame: &Frame) -> AnyView {
    let all = frame.link("/logs", &[("service", &data.name), ("severity", "warn")]);
    if data.logs.items.is_empty() {
        let link = frame.link("/logs", &[("service", &data.name)]);
        return view! {
            {nothing("It logged no warning and no error in this range.", "")}
            <p><a href=link>"All its log records →"</a></p>
        }
        .into_any();
    }
    let rows = data
        .logs
        .items
        .iter()
        .map(|log| {
            let (word, class) = severity(log);
            let text = log
                .body
                .clone()
                .or_else(|| log.event_name.clone())
                .unwrap_or_default();
            let trace = log.trace_id.as_deref().map(|id| {
                let span = log.span_id.as_deref().unwrap_or_default();
                let link = frame.link(&format!("/traces/{}", segment(id)), &[("span", span)]);
                view! { <a href=link>"trace →"</a> }
            });
            view! {
                <tr>
                    <td class="nowrap">{moment(positive(log.time_unix_nano), frame)}</td>
                    <td><span class=format!("severity {class}")>{word}</span></td>
                    <td class="wide">{text}</td><td class="nowrap">{trace}</td>
                </tr>
            }
        })
        .collect_view();
    // The pages of the list are the search's, not this page's.
    let shown = Page {
        next: None,
        ..data.logs.clone()
    };
    view! {
        <div class="scroll"><table class="list"><thead><tr><th>"Time"</th><th>"Severity"</th><th>"Message"</th><th>"Trace"</th></tr></thead><tbody>{rows}</tbody></table></div>
        {list_note(&shown, "log record", "newest first", frame)}
        <p><a href=all>"All its warnings and errors →"</a></p>
    }
    .into_any()
}

/// What it is asked to do, each with its own calls, failures and durations.
fn operations(service: &str, part: &ServicePart, id: String, frame: &Frame) -> Option<AnyView> {
    let detail = &part.detail;
    if detail.operations.is_empty() {
        return None;
    }
    let seconds = frame.seconds();
    let rows = detail
        .operations
        .iter()
        .map(|operation| {
            let asked = [("service", service), ("name", operation.name.as_str())];
            let traces = frame.link_in(&part.scope, "/traces", &asked);
            view! {
                <tr>
                    <td class="wide"><a data-row href=traces>{operation.name.clone()}</a></td>
                    <td class="num">{units::count(operation.calls)}</td><td class="num">{units::rate(operation.weight / seconds)}</td>
                    <td class="num">{error_share(operation.errors, operation.calls)}</td>
                    <td class="num">{units::duration_or_dash(operation.latency.p50_ns)}</td><td class="num">{units::duration_or_dash(operation.latency.p95_ns)}</td>
                    <td class="num">{units::duration_or_dash(operation.latency.p99_ns)}</td>
                </tr>
            }
        })
        .collect_view();
    Some(
        view! {
            <section class="panel" id=id data-live><div class="panel-head"><h2>"Operations"</h2>{frame.how(&part.how.operations)}</div><div class="scroll"><table class="list">
                <thead><tr><th>"Name"</th><th class="num">"Calls"</th><th class="num">"Rate"</th><th class="num">"Errors"</th>
                <th class="num">"p50"</th><th class="num">"p95"</th><th class="num">"p99"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {cut_note(detail.operations.len() as u64, detail.operations_total, "operation", "busiest first")}</section>
        }
        .into_any(),
    )
}

/// Two or more versions side by side; the newest against the one before.
fn versions(part: &ServicePart, frame: &Frame) -> Option<AnyView> {
    let detail = &part.detail;
    if detail.versions.len() < 2 {
        return None;
    }
    let share = |version: &VersionSummary| version.errors as f64 / version.calls.max(1) as f64;
    let base = &detail.versions[1];
    let rows = detail
        .versions
        .iter()
        .enumerate()
        .map(|(at, version)| {
            let name = version.version.clone().unwrap_or_else(|| "not reported".to_owned());
            let verdict = (at == 0).then(|| verdict(version, base));
            view! {
                <tr>
                    <td><b>{name}</b></td><td class="num">{units::count(version.calls)}</td>
                    <td class="num">{error_share(version.errors, version.calls)}</td>
                    <td class="num">{units::duration_or_dash(version.latency.p50_ns)}</td><td class="num">{units::duration_or_dash(version.latency.p95_ns)}</td>
                    <td class="num">{units::duration_or_dash(version.latency.p99_ns)}</td><td>{verdict}</td>
                </tr>
            }
        })
        .collect_view();
    let shares = units::percent(share(&detail.versions[0]));
    Some(
        view! {
            <section class="panel">
                <div class="panel-head"><h2>"Versions side by side"</h2><p class="quiet">"newest first; it fails " {shares} " of its calls"</p>{frame.how(&part.how.versions)}</div>
                <div class="scroll"><table class="list">
                    <thead><tr><th>"Version"</th><th class="num">"Calls"</th><th class="num">"Errors"</th><th class="num">"p50"</th><th class="num">"p95"</th><th class="num">"p99"</th><th>"Against the one before"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
            </section>
        }
        .into_any(),
    )
}

/// Calls below which two versions are not compared.
const CALLS_MIN: u64 = 20;

/// Whether the newer version fails more often than chance explains: a two-proportion z-test at 95 %.
fn verdict(new: &VersionSummary, old: &VersionSummary) -> AnyView {
    if new.calls < CALLS_MIN || old.calls < CALLS_MIN {
        return view! { <span class="quiet">{format!("too few calls to tell (at least {CALLS_MIN} each)")}</span> }.into_any();
    }
    let z = z_score((new.errors, new.calls), (old.errors, old.calls));
    let (class, words) = match z {
        z if z > 1.96 => ("share bad", "fails more often"),
        z if z < -1.96 => ("share fine", "fails less often"),
        _ => ("quiet", "fails as often, as far as can be told"),
    };
    view! { <span class=class>{words}</span> }.into_any()
}

fn figures(summary: &ServiceSummary, data: &ServicePage, frame: &Frame) -> AnyView {
    let place = place(&summary.scope);
    // Where it lives in several, each leads to itself alone.
    let place = if data.summaries.len() > 1 && !place.is_empty() {
        let path = format!("/services/{}", segment(&data.name));
        let link = frame.link_in(&summary.scope, &path, &[]);
        view! { <a href=link>{place}</a> }.into_any()
    } else {
        place.into_any()
    };
    let versions = if summary.versions.is_empty() {
        "version not reported".to_owned()
    } else {
        summary.versions.join(", ")
    };
    let then = data
        .last_week
        .as_deref()
        .filter(|then| last_week::any_calls(then))
        .map(|then| last_week::same(summary, then));
    // What metrics count is not compared with what spans do.
    let alike = then.filter(|then| {
        then.is_none_or(|then| then.requests.is_some() == summary.requests.is_some())
    });
    let was_rate = alike.map(|then| {
        last_week::rate(
            summary.rate_per_second,
            then.map(|then| then.rate_per_second),
        )
    });
    let then = then.flatten();
    let was_share = alike
        .flatten()
        .map(|then| last_week::share(Some(then.error_ratio)));
    let was = |quantile: fn(&ServiceSummary) -> Option<f64>| {
        then.and_then(|then| last_week::latency(quantile(summary), quantile(then)))
    };
    let (was_p50, was_p95) = (was(|one| one.latency.p50_ns), was(|one| one.latency.p95_ns));
    let alone = summary.proxy_of.as_deref().map(|application| {
        view! { <p class="note">"All of these spans are a sidecar's: its calls are those of " {service_link(frame, Some(application))} "."</p> }
    });
    let proxy = summary.proxy.filter(|_| frame.shows_proxies());
    let (calls, errors) = summary.counted();
    let failed = format!("{} of {} failed", units::count(errors), units::count(calls));
    let failed_class = format!("share {}", severity_of_share(summary.error_ratio));
    let counted_by = match summary.requests {
        Some(_) => &data.how.requests,
        None => &data.how.figures,
    };
    view! {
        <section class="figures" aria-label="In this range">
            {figure("Rate", units::rate(summary.rate_per_second), view! { {units::counted(calls, "call")} " " {service_basis(summary)} " " {place} " " {frame.how(counted_by)}{was_rate} }.into_any())}
            {figure("Errors", units::percent(summary.error_ratio), view! { <span class=failed_class>{failed}</span> " " {frame.how(counted_by)}{was_share} }.into_any())}
            {figure("p50", units::duration_or_dash(summary.latency.p50_ns), view! { "median " {frame.how(&data.how.figures)}{was_p50} }.into_any())}
            {figure("p95", units::duration_or_dash(summary.latency.p95_ns), view! { {was_p95} " p99 " {units::duration_or_dash(summary.latency.p99_ns)} " " {frame.how(&data.how.figures)} }.into_any())}
            {figure("Instances", units::count(summary.instances), view! { {versions} }.into_any())}
        </section>
        {by_spans(summary, data, frame)}
        {alone}
        {proxy.map(|proxy| proxy_figures(&proxy))}
    }
    .into_any()
}

/// What its spans say, where metrics count its requests; and what is of spans all the same.
fn by_spans(summary: &ServiceSummary, data: &ServicePage, frame: &Frame) -> Option<AnyView> {
    summary.requests.as_ref()?;
    let recorded = match (summary.calls, summary.errors) {
        (0, _) => "By spans: none was recorded".to_owned(),
        (calls, errors) => format!(
            "By spans: {} recorded, {} failed",
            units::counted(calls, "call"),
            units::count(errors)
        ),
    };
    Some(
        view! {
            <p class="note">{recorded} " " {basis_tag(summary.basis, summary.calls, summary.weight)} " " {frame.how(&data.how.figures)}
            " Durations, what is drawn over time, operations and versions are of spans."</p>
        }
        .into_any(),
    )
}

/// The same calls as the proxy beside the service counts them.
fn proxy_figures(proxy: &ProxyCalls) -> AnyView {
    let what = if proxy.is_outgoing {
        "calls its sidecar sent on"
    } else {
        "calls its sidecar let in"
    };
    let share = proxy.errors as f64 / proxy.calls.max(1) as f64;
    view! {
        <section class="figures" aria-label="By its sidecar">
            {figure("Sidecar: rate", units::rate(proxy.rate_per_second), view! { {units::count(proxy.calls)} " " {what} }.into_any())}
            {figure("Sidecar: errors", units::percent(share), error_share(proxy.errors, proxy.calls))}
            {figure("Sidecar: p95", units::duration_or_dash(proxy.latency.p95_ns), view! { "p99 " {units::duration_or_dash(proxy.latency.p99_ns)} }.into_any())}
        </section>
    }
    .into_any()
}

fn failures(service: &str, page: &Page<TraceSummary>, frame: &Frame) -> AnyView {
    if page.items.is_empty() {
        return nothing("No failed span in this range.", "");
    }
    let rows = page
        .items
        .iter()
        .map(|trace| {
            let link = frame.link(&format!("/traces/{}", segment(&trace.trace_id)), &[("span", &trace.matched.span_id)]);
            view! {
                <tr>
                    <td class="nowrap">{moment(positive(trace.matched.start_time_unix_nano), frame)}</td>
                    <td class="wide"><a data-row href=link>{trace.matched.name.clone()}</a></td>
                    <td class="num">{positive(trace.matched.duration_ns).map_or_else(|| "–".to_owned(), units::duration)}</td>
                    <td class="quiet">{trace.root.name.clone()}</td>
                </tr>
            }
        })
        .collect_view();
    // The pages of the list are the search's, not this page's.
    let shown = Page {
        next: None,
        ..page.clone()
    };
    let all = frame.link("/traces", &[("service", service), ("status", "error")]);
    view! {
        <div class="scroll"><table class="list"><thead><tr><th>"Start"</th><th>"Span"</th><th class="num">"Duration"</th><th>"Of trace"</th></tr></thead><tbody>{rows}</tbody></table></div>
        {list_note(&shown, "failed trace", "newest first", frame)}
        {page.truncated.then(|| view! { <p class="note"><a href=all>"All failed traces →"</a></p> })}
    }
    .into_any()
}
