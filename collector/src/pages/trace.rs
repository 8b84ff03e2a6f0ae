//! One trace, alone or beside another.

use axum::extract::{Path, State};
use axum::response::Response;
use tripline_storage::analysis::without_sidecars;
use tripline_storage::model::TraceDetail;
use tripline_storage::query;
use tripline_web::pages as views;

use super::answer::problem_page;
use super::by_id::{hour_around, show_found};
use super::request::PageRequest;
use super::span_beside::beside;
use crate::api::AppState;
use crate::api::params::hex_id;
use crate::api::problem::Problem;

/// `/traces/{id}`.
pub(super) async fn trace(
    State(state): State<AppState>,
    Path(trace_id): Path<String>,
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
    let title = format!("Trace {}", &id[..8]);
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
            let beside = match &open {
                Some(span_id) => beside(session, &trace, span_id)?,
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
        .and_then(|found| found.ok_or_else(|| Problem::not_found(missing)));
    let answer = answer.map(|page| {
        let hour = hour_around(&frame, &page.trace);
        (page, hour)
    });
    show_found(frame, &title, answer, views::trace)
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
