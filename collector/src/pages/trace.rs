//! One trace, alone or beside another, and one span of it.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::analysis::without_sidecars;
use tripline_storage::model::TraceDetail;
use tripline_storage::query;
use tripline_web::pages as views;

use super::answer::problem_page;
use super::by_id::{hour_around, hour_of, show_found};
use super::path::PagePath;
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::params::hex_id;
use crate::api::problem::Problem;

/// `/traces/{id}`.
pub(super) async fn trace(
    State(state): State<AppState>,
    PagePath(trace_id): PagePath<String>,
    request: PageRequest,
) -> Response {
    let frame = request.frame;
    let id = match hex_id("trace id", &trace_id, 32) {
        Ok(id) => id,
        Err(problem) => return problem_page(&frame, &problem),
    };
    let other = frame
        .param("with")
        .map(|text| hex_id("with", text.trim(), 32));
    let hides_sidecars = frame.hides_sidecars();
    // The tabs have no panel.
    let is_waterfall = frame.param("view").unwrap_or_default().is_empty();
    let open = frame.param("span").filter(|_| is_waterfall);
    let open = open.map(str::to_owned);
    let title = title_of(&id);
    let missing = format!("No trace {id} is stored. It may have expired, or never arrived.");
    let answer = state
        .ask(move |session| {
            let Some(trace) = query::trace(session, &id)? else {
                return Ok(None);
            };
            let other = match other {
                None => None,
                Some(Err(problem)) => Some(Err(problem.detail)),
                Some(Ok(other)) => Some(
                    query::trace(session, &other)?
                        .map(|other| seen(other, hides_sidecars))
                        .ok_or_else(|| format!("no trace {other} is stored")),
                ),
            };
            let proxies = trace.spans.iter().filter(|span| span.sidecar).count() as u64;
            let trace = seen(trace, hides_sidecars);
            let open = open.and_then(|id| trace.spans.iter().find(|span| span.span_id == id));
            let beside = match open {
                Some(span) => query::beside(session, span, &trace.spans)?,
                None => None,
            };
            Ok(Some(views::TracePage {
                trace,
                other,
                proxies,
                beside,
            }))
        })
        .await
        .map_err(Problem::without_range)
        .and_then(|found| found.ok_or_else(|| Problem::not_found(missing)));
    let answer = answer.map(|page| {
        let hour = hour_around(&frame, &page.trace);
        (page, hour)
    });
    show_found(frame, &title, answer, views::trace)
}

/// `/traces/{id}/spans/{id}`: the panel of one span by itself, its links those of the trace's page.
pub(super) async fn span(
    State(state): State<AppState>,
    PagePath((trace_id, span_id)): PagePath<(String, String)>,
    request: PageRequest,
) -> Response {
    let mut frame = request.frame;
    let ids = hex_id("trace id", &trace_id, 32)
        .and_then(|trace_id| Ok((trace_id, hex_id("span id", &span_id, 16)?)));
    let (trace_id, span_id) = match ids {
        Ok(ids) => ids,
        Err(problem) => return problem_page(&frame, &problem),
    };
    frame.path = format!("/traces/{trace_id}");
    frame.params.retain(|(name, _)| name != "span");
    frame.params.push(("span".to_owned(), span_id.clone()));
    let title = title_of(&trace_id);
    let missing = format!(
        "No span {span_id} of trace {trace_id} is stored. It may have expired, or never arrived."
    );
    let answer = state
        .ask(move |session| query::span(session, &trace_id, &span_id))
        .await
        .map_err(Problem::without_range)
        .and_then(|found| found.ok_or_else(|| Problem::not_found(missing)));
    let answer = answer.map(|detail| {
        let bounds = (detail.trace_start_unix_nano, detail.trace_end_unix_nano);
        let hour = hour_of(&frame, bounds);
        (detail, hour)
    });
    show_found(frame, &title, answer, views::span)
}

fn title_of(trace_id: &str) -> String {
    format!("Trace {}", &trace_id[..8])
}

/// A trace as the page shows it: with the spans of proxies or without. What is hidden is not left out of what is shown.
fn seen(trace: TraceDetail, hides_sidecars: bool) -> TraceDetail {
    if !hides_sidecars {
        return trace;
    }
    let all = trace.spans.len();
    let spans = without_sidecars(trace.spans);
    let hidden = (all - spans.len()) as u64;
    TraceDetail {
        spans,
        total_spans: trace.total_spans.saturating_sub(hidden),
        ..trace
    }
}
