//! How much there is of the range and scope: one figure a signal, and one of who sent it.

use leptos::prelude::*;
use tripline_storage::model::ServiceCoverage;

use super::OverviewHow;
use crate::frame::Frame;
use crate::parts::{figure, positive, since};
use crate::units;

/// How much of each signal is stored of the range and scope, and from how many services.
pub(super) fn stored(sent: &[ServiceCoverage], how: &OverviewHow, frame: &Frame) -> AnyView {
    let sum = |of: fn(&ServiceCoverage) -> u64| sent.iter().map(of).sum::<u64>();
    let newest =
        |of: fn(&ServiceCoverage) -> Option<i64>| positive(sent.iter().filter_map(of).max());
    let [of_spans, of_logs, of_points] = &how.stored;
    let words = ["in range, resent ones counted again", "in range"];
    let spans = detail(
        words[0],
        newest(|one| one.newest_span_unix_nano),
        of_spans,
        frame,
    );
    let logs = detail(
        words[1],
        newest(|one| one.newest_log_unix_nano),
        of_logs,
        frame,
    );
    let points = detail(
        words[1],
        newest(|one| one.newest_metric_unix_nano),
        of_points,
        frame,
    );
    let services = view! { "in range, " <a href=frame.link("/graph", &[])>"see the graph"</a> " " {frame.how(&how.senders)} };
    view! {
        <section class="figures" id="stored" data-live aria-label="Stored in this range">
            {figure("Spans", units::count(sum(|one| one.spans)), spans)}
            {figure("Log records", units::count(sum(|one| one.logs)), logs)}
            {figure("Metric points", units::count(sum(|one| one.metric_points)), points)}
            {figure("Services", units::count(sent.len() as u64), services.into_any())}
        </section>
    }
    .into_any()
}

/// How a signal was counted, in words and in SQL, and how old the newest of it is.
fn detail(words: &'static str, newest: Option<u64>, sql: &str, frame: &Frame) -> AnyView {
    let newest = newest.map(|newest| view! { ", newest " {since(Some(newest), frame)} });
    view! { {words} {newest} " " {frame.how(sql)} }.into_any()
}
