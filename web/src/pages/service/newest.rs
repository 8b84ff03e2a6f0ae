//! The newest failures of a service, and its newest warnings and errors.

use leptos::prelude::*;
use tripline_storage::model::{Page, TraceSummary};

use super::ServicePage;
use crate::address::segment;
use crate::frame::Frame;
use crate::pages::logs::severity;
use crate::parts::{list_note, log_line_text, moment, nothing, positive};
use crate::units;

/// Its newest failed traces, and the way to all of them.
pub(super) fn failures(service: &str, page: &Page<TraceSummary>, frame: &Frame) -> AnyView {
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
                    <td class="wide folds-main"><a data-row href=link>{trace.matched.name.clone()}</a></td>
                    <td class="num" data-head="duration">{positive(trace.matched.duration_ns).map_or_else(|| "–".to_owned(), units::duration)}</td>
                    <td class="quiet" data-head="of trace">{trace.root.name.clone()}</td>
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
        <div class="scroll"><table class="list folds"><thead><tr><th>"Start"</th><th>"Span"</th><th class="num">"Duration"</th><th>"Of trace"</th></tr></thead><tbody>{rows}</tbody></table></div>
        {list_note(&shown, "failed trace", "newest first", frame)}
        {page.truncated.then(|| view! { <p class="note"><a href=all>"All failed traces →"</a></p> })}
    }
    .into_any()
}

/// Its newest warnings and errors, and the way to all of its records.
pub(super) fn log_table(data: &ServicePage, frame: &Frame) -> AnyView {
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
            let text = log_line_text(log);
            let trace = log.trace_id.as_deref().map(|id| {
                let span = log.span_id.as_deref().unwrap_or_default();
                let link = frame.link(&format!("/traces/{}", segment(id)), &[("span", span)]);
                view! { <a href=link>"trace →"</a> }
            });
            view! {
                <tr>
                    <td class="nowrap">{moment(positive(log.time_unix_nano), frame)}</td>
                    <td><span class=format!("severity {class}")>{word}</span></td>
                    <td class="wide folds-main">{text}</td><td class="nowrap">{trace}</td>
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
        <div class="scroll"><table class="list folds"><thead><tr><th>"Time"</th><th>"Severity"</th><th>"Message"</th><th>"Trace"</th></tr></thead><tbody>{rows}</tbody></table></div>
        {list_note(&shown, "log record", "newest first", frame)}
        <p><a href=all>"All its warnings and errors →"</a></p>
    }
    .into_any()
}
