//! `/services/{name}`: how one service does, whom it calls and who calls it, its instances, its newest failures.

mod figures;
mod instances;
mod markdown;
mod newest;
mod over_time;
mod versions;

use leptos::prelude::*;
use tripline_storage::model::{
    Breaker, Graph, InstanceSummary, LogRecord, Page, RedPoint, Scope, ServiceCoverage,
    ServiceDetail, ServiceSummary, TraceSummary,
};

use self::figures::figures;
pub use self::markdown::service_markdown;
use self::newest::{failures, log_table};
use self::over_time::over_time;
use self::versions::versions;
use super::breakers::panel_of;
use super::graph::{edge_table, picture};
use super::{LastHeard, last_week, own_breakers, proxies};
use crate::address::segment;
use crate::frame::{Frame, SCOPES};
use crate::parts::{
    colour, cut_note, error_share, narrowed, nothing, place as place_of, rates_note,
    service_link_in,
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
    /// What was seen instead, where it was not: each service that sent anything in the range and scope.
    pub seen: Vec<ServiceCoverage>,
    /// When it was last heard, once a scope it is stored in.
    pub heard: Vec<LastHeard>,
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
    /// Of its instances.
    pub instances: String,
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

impl ServicePage {
    /// How many instances it has in a scope: those of its list, in which no sidecar is one. Where the list names none, or
    /// not all, as many as are stored.
    fn instances_of(&self, summary: &ServiceSummary) -> u64 {
        let listed = &self.instances;
        if listed.truncated || listed.items.is_empty() {
            return summary.instances;
        }
        let named = listed
            .items
            .iter()
            .filter(|one| one.instance_id.is_some() && one.scope == summary.scope);
        named.count() as u64
    }
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
    let was_called = data
        .summaries
        .iter()
        .any(|summary| summary.counts().calls > 0);
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
        <div class="trace-head" id="service-head" data-live><div class="trace-title">
            <h1><i class=format!("dot {}", colour(&data.name))></i>{data.name.clone()}</h1>
            <p><a href=traces>"Traces"</a> " · " <a href=logs>"Logs"</a> " · " <a href=metrics>"Metrics"</a> " " {elsewhere}</p>
        </div></div>
        {if data.summaries.is_empty() {
            unseen(data, frame)
        } else { view! {
            <div id="service-notes" data-live>{compared}{proxies::line(&proxies::folded_in(&data.summaries), frame)}</div>
            {scopes}
            <div id="service-cut" data-live>{cut}{rates_note(frame).filter(|_| was_called)}</div>
        }.into_any() }}
        {instances::panel(data, frame)}
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

/// Services offered where the one asked for was not seen.
const SEEN_MAX: usize = 30;

/// That nobody of this name sent anything, and who did.
fn unseen(data: &ServicePage, frame: &Frame) -> AnyView {
    let is_narrowed = SCOPES.iter().any(|name| frame.param(name).is_some());
    let place = if is_narrowed {
        "range and scope"
    } else {
        "range"
    };
    let sentence = format!(
        "No service called {} sent anything in this {place}.",
        data.name
    );
    let advice = "Widen the range, choose another scope, or check the name.";
    let links = data
        .seen
        .iter()
        .take(SEEN_MAX)
        .map(|seen| {
            let told = place_of(&seen.scope);
            view! { <li>{service_link_in(frame, &seen.scope, Some(&seen.service_name))} " " <span class="quiet">{told}</span></li> }
        })
        .collect_view();
    let cut = cut_note(
        data.seen.len().min(SEEN_MAX) as u64,
        data.seen.len() as u64,
        "service",
        "by scope and name",
    );
    let seen = (!data.seen.is_empty()).then(|| {
        view! { <h2>{format!("Seen in this {place}")}</h2><ul class="legend">{links}</ul>{cut} }
    });
    // When the newest span came, of whomever, says nothing of this one.
    view! { <section class="panel" id="no-calls" data-live>{nothing(&sentence, advice)}{narrowed(frame)}{seen}</section> }
        .into_any()
}

/// It in one scope: its figures, and over time if it was called there.
fn in_scope(summary: &ServiceSummary, data: &ServicePage, frame: &Frame) -> AnyView {
    let place = place_in_id(&summary.scope);
    // An id is of one scope, whichever comes first: live parts are renewed by it.
    let id = |name: &str| match data.summaries.len() {
        1 => name.to_owned(),
        _ => format!("{name}-{place}"),
    };
    let mut parts = data.parts.iter();
    let part = parts.find(|part| part.scope == summary.scope);
    let over_time = part.map(|part| {
        view! {
            {over_time(data, part, &id, frame)}
            {operations(&data.name, part, id("operations"), frame)}
            {versions(part, id("versions"), frame)}
        }
    });
    view! {
        <div id=id("silence") data-live>{silence(summary, data, frame)}</div>
        {figures(summary, data, id("figures"), frame)}{over_time}
    }
    .into_any()
}

/// That it sent no span in this range, and when it was last heard at all. What metrics count of it has its own words.
fn silence(summary: &ServiceSummary, data: &ServicePage, frame: &Frame) -> Option<AnyView> {
    if summary.spans > 0 || summary.requests.is_some() {
        return None;
    }
    let last = data.heard.iter().find(|one| one.scope == summary.scope);
    let advice = last.map_or_else(
        || "Widen the range.".to_owned(),
        |one| {
            let ago = units::ago(one.newest_ns, frame.now_ns);
            format!("Last seen {ago}: its newest span, log record or metric point.")
        },
    );
    Some(nothing("It sent no span in this range.", &advice))
}

/// A scope as a part of an id, in which no blank may be.
fn place_in_id(scope: &Scope) -> String {
    let names = [&scope.environment, &scope.service_namespace, &scope.cluster];
    let encoded = names.map(|name| segment(name.as_deref().unwrap_or_default()));
    encoded.join("/")
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
                    <td class="wide folds-main"><a data-row href=traces>{operation.name.clone()}</a></td>
                    <td class="num" data-head="calls">{units::count(operation.calls)}</td><td class="num" data-head="rate">{units::rate(operation.weight / seconds)}</td>
                    <td class="num" data-head="errors">{error_share(operation.counts())}</td>
                    <td class="num" data-head="p50">{units::duration_or_dash(operation.latency.p50_ns)}</td><td class="num" data-head="p95">{units::duration_or_dash(operation.latency.p95_ns)}</td>
                    <td class="num" data-head="p99">{units::duration_or_dash(operation.latency.p99_ns)}</td>
                </tr>
            }
        })
        .collect_view();
    Some(
        view! {
            <section class="panel" id=id data-live><div class="panel-head"><h2>"Operations"</h2>{frame.how(&part.how.operations)}</div><div class="scroll"><table class="list folds">
                <thead><tr><th>"Name"</th><th class="num">"Calls"</th><th class="num">"Rate"</th><th class="num">"Errors"</th>
                <th class="num">"p50"</th><th class="num">"p95"</th><th class="num">"p99"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {cut_note(detail.operations.len() as u64, detail.operations_total, "operation", "busiest first")}</section>
        }
        .into_any(),
    )
}
