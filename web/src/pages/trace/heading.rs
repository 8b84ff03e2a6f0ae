//! What a trace is: its name, its length, its files, and what is missing of it.

use leptos::prelude::*;
use tripline_storage::model::TraceDetail;

use crate::address::segment;
use crate::frame::Frame;
use crate::pages::trace_clocks;
use crate::pages::waterfall::Waterfall;
use crate::parts::{copied_id, figure, moment, service_link_in};
use crate::units;

/// Above every view of the trace.
pub(super) fn heading(trace: &TraceDetail, waterfall: &Waterfall<'_>, frame: &Frame) -> AnyView {
    let root = waterfall.rows.first().map(|row| row.span);
    let name = root.map_or_else(|| "Trace".to_owned(), |span| span.name.clone());
    let errors = trace
        .spans
        .iter()
        .filter(|span| span.status_code == "error")
        .count() as u64;
    let error_class = if errors > 0 { "share bad" } else { "quiet" };
    let how = format!(
        "SELECT start_time, duration_ns, service_name, name, kind, status_code\nFROM spans\nWHERE trace_id = '{}'\nORDER BY start_time",
        trace.trace_id
    );
    let how = trace
        .trace_id
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| frame.how(&how));
    let service = root
        .and_then(|span| span.service_name.as_deref())
        .unwrap_or_default();
    let linked = root.map(|span| service_link_in(frame, &span.scope, span.service_name.as_deref()));
    let duration = match root {
        Some(_) => units::duration(waterfall.length_ns),
        None => "–".to_owned(),
    };
    let failed = match errors {
        0 => "none",
        1 => "failed span",
        _ => "failed spans",
    };
    let elsewhere = frame.elsewhere(
        &["trace_id"],
        &[("trace_id", &trace.trace_id), ("service", service)],
    );
    let download = format!("/api/v1/traces/{}", segment(&trace.trace_id));
    // Of log records alone there is no request of spans.
    let otlp = (!trace.spans.is_empty()).then(|| {
        let otlp = format!("{download}/otlp");
        view! { " · " <a href=otlp download>"OTLP JSON"</a> }
    });
    view! {
        <div class="trace-head">
            <div class="trace-title">
                <h1>{linked} " " {name}</h1>
                <p class="quiet">{copied_id(&trace.trace_id)} " · " <a href=download>"JSON"</a> {otlp} " · " {how} " " {elsewhere}</p>
            </div>
            <div class="figures small">
                {figure("Duration", duration, moment(Some(waterfall.start_ns), frame))}
                {figure("Spans", units::count(trace.total_spans.max(trace.spans.len() as u64)), view! { {units::counted(trace.total_logs.max(trace.logs.len() as u64), "log record")} }.into_any())}
                {figure("Errors", units::count(errors), view! { <span class=error_class>{failed}</span> }.into_any())}
            </div>
        </div>
        {cut(trace)}
        {trace_clocks::note(&trace.spans)}
    }
    .into_any()
}

/// That the trace is larger than a page may be, and what is missing of it.
fn cut(trace: &TraceDetail) -> Option<AnyView> {
    let of = |shown: usize, total: u64, word: &str| {
        let shown = shown as u64;
        let all = units::counted(total, word);
        (shown < total).then(|| format!("{} of {all}", units::count(shown)))
    };
    let spans = of(trace.spans.len(), trace.total_spans, "span");
    let logs = of(trace.logs.len(), trace.total_logs, "log record");
    let files = spans
        .is_some()
        .then_some(" The downloads have no more spans than that.");
    let missing: Vec<String> = spans.into_iter().chain(logs).collect();
    let missing = (!missing.is_empty()).then(|| missing.join(" and "))?;
    let text =
        format!("Only {missing} are shown, the earliest; this trace is larger than a page may be.");
    Some(view! { <p class="note amber">{text}{files}</p> }.into_any())
}
