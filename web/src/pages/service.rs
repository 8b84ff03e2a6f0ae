//! `/services/{name}`: how one service does, whom it calls and who calls it, its newest failures.

use leptos::prelude::*;
use tripline_storage::model::{Breaker, Graph, Page, ServiceSummary, TraceSummary};

use super::breakers::panel_of;
use super::graph::{edge_table, picture};
use crate::parts::{Frame, colour, error_share, figure, moment, nothing, positive, segment};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct ServicePage {
    /// Its name.
    pub name: String,
    /// It, once a scope it lives in.
    pub summaries: Vec<ServiceSummary>,
    /// The edges that touch it.
    pub graph: Graph,
    /// Every breaker.
    pub breakers: Vec<Breaker>,
    /// Its newest failed traces.
    pub failed: Page<TraceSummary>,
}

/// The page.
pub fn service(data: &ServicePage, frame: &Frame) -> AnyView {
    let traces = frame.link("/traces", &[("service", &data.name)]);
    let logs = frame.link("/logs", &[("service", &data.name)]);
    let metrics = frame.link("/explore", &[("service", &data.name)]);
    let summaries = data
        .summaries
        .iter()
        .map(|summary| figures(summary, frame))
        .collect_view();
    view! {
        <div class="trace-head"><div class="trace-title">
            <h1><i class=format!("dot {}", colour(&data.name))></i>{data.name.clone()}</h1>
            <p><a href=traces>"Traces"</a> " · " <a href=logs>"Logs"</a> " · " <a href=metrics>"Metrics"</a></p>
        </div></div>
        {if data.summaries.is_empty() {
            view! { <section class="panel">{nothing("This service sent no span in this range.", "Widen the range, or look at its logs and metrics.")}</section> }.into_any()
        } else { summaries.into_any() }}
        <section class="panel"><h2>"Callers and callees"</h2>
            {if data.graph.edges.is_empty() {
                nothing("No call to or from it in this range.", "Edges come from client and server spans that share a trace.")
            } else {
                view! { <div class="scroll">{picture(&data.graph, frame)}</div>{edge_table(&data.graph, frame)} }.into_any()
            }}
        </section>
        {panel_of(&data.name, &data.breakers, frame)}
        <section class="panel"><h2>"Newest failures"</h2>{failures(&data.failed, frame)}</section>
    }
    .into_any()
}

fn figures(summary: &ServiceSummary, _frame: &Frame) -> AnyView {
    let place = [
        &summary.scope.environment,
        &summary.scope.service_namespace,
        &summary.scope.cluster,
    ]
    .into_iter()
    .flatten()
    .cloned()
    .collect::<Vec<_>>()
    .join(" / ");
    let versions = if summary.versions.is_empty() {
        "version not reported".to_owned()
    } else {
        summary.versions.join(", ")
    };
    view! {
        <section class="figures" aria-label="In this range">
            {figure("Rate", units::rate(summary.rate_per_second), view! { {units::count(summary.calls)} " calls " {place} }.into_any())}
            {figure("Errors", units::percent(summary.error_ratio), error_share(summary.errors, summary.calls))}
            {figure("p50", units::duration_or_dash(summary.latency.p50_ns), view! { "median" }.into_any())}
            {figure("p95", units::duration_or_dash(summary.latency.p95_ns), view! { "p99 " {units::duration_or_dash(summary.latency.p99_ns)} }.into_any())}
            {figure("Instances", units::count(summary.instances), view! { {versions} }.into_any())}
        </section>
    }
    .into_any()
}

fn failures(page: &Page<TraceSummary>, frame: &Frame) -> AnyView {
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
    view! { <div class="scroll"><table class="list"><thead><tr><th>"Start"</th><th>"Span"</th><th class="num">"Duration"</th><th>"Of trace"</th></tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
}
