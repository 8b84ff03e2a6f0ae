//! The figures of a service in one scope: what metrics, spans and its sidecar count.

use leptos::prelude::*;
use tripline_storage::model::{ProxyCalls, ServiceSummary};

use super::ServicePage;
use crate::address::name_segment;
use crate::frame::Frame;
use crate::pages::last_week;
use crate::parts::{
    basis_tag, durations_note, error_share, failed_of, figure, place, service_basis, service_link,
    severity_of_share, share_or_dash,
};
use crate::units;

/// Its rate, failures and durations, beside last week's if they are compared.
pub(super) fn figures(
    summary: &ServiceSummary,
    data: &ServicePage,
    id: String,
    frame: &Frame,
) -> AnyView {
    let place = place(&summary.scope);
    // Where it lives in several, each leads to itself alone.
    let place = if data.summaries.len() > 1 && !place.is_empty() {
        let path = format!("/services/{}", name_segment(&data.name));
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
    let instances = match data.instances_of(summary) {
        0 => "not reported".to_owned(),
        instances => units::count(instances),
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
    let counts = summary.counts();
    let failed = failed_of(counts);
    let failed_class = format!("share {}", severity_of_share(summary.error_ratio));
    let counted_by = match summary.requests {
        Some(_) => &data.how.requests,
        None => &data.how.figures,
    };
    view! {
        <div id=id data-live>
            <section class="figures" aria-label="In this range">
                {figure("Rate", units::rate(summary.rate_per_second), view! { {units::counted(counts.calls, "call")} " " {service_basis(summary)} " " {place} " " {frame.how(counted_by)}{was_rate} }.into_any())}
                {figure("Errors", share_or_dash(counts), view! { <span class=failed_class>{failed}</span> " " {frame.how(counted_by)}{was_share} }.into_any())}
                {figure("p50", units::duration_or_dash(summary.latency.p50_ns), view! { "median " {frame.how(&data.how.figures)}{was_p50} }.into_any())}
                {figure("p95", units::duration_or_dash(summary.latency.p95_ns), view! { {was_p95} " p99 " {units::duration_or_dash(summary.latency.p99_ns)} " " {frame.how(&data.how.figures)} }.into_any())}
                {figure("Instances", instances, view! { {versions} }.into_any())}
            </section>
            {by_spans(summary, data, frame)}
            {durations_note(std::iter::once(summary.basis))}
            {alone}
            {proxy.map(|proxy| proxy_figures(&proxy))}
        </div>
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
    let counts = proxy.counts();
    view! {
        <section class="figures" aria-label="By its sidecar">
            {figure("Sidecar: rate", units::rate(proxy.rate_per_second), view! { {units::count(proxy.calls)} " " {what} }.into_any())}
            {figure("Sidecar: errors", share_or_dash(counts), error_share(counts))}
            {figure("Sidecar: p95", units::duration_or_dash(proxy.latency.p95_ns), view! { "p99 " {units::duration_or_dash(proxy.latency.p99_ns)} }.into_any())}
        </section>
    }
    .into_any()
}
