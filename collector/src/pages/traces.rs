//! Traces: listed, their durations over time, and what those in a box have in common.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::model::{DifferencesQuery, HeatmapQuery, Selection, TraceQuery};
use tripline_storage::query::{self, QueryError, Session, how};
use tripline_web::frame::Frame;
use tripline_web::pages as views;
use tripline_web::parts::Complaint;

use super::answer::complained;
use super::by_id::{has_range, show_found, time_of_traces};
use super::find::pasted_trace;
use super::request::PageRequest;
use crate::api::AppState;

/// Steps of time in a heatmap.
pub(super) const HEATMAP_COLUMNS: u32 = 72;

/// `/traces`.
pub(super) async fn traces(State(state): State<AppState>, request: PageRequest) -> Response {
    let PageRequest { frame, params } = request;
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let asked = params
        .traces()
        .and_then(|question| Ok((question, params.selection()?)));
    let (question, selection) = match asked {
        Ok(asked) => asked,
        Err(problem) => return complained(&frame, "Traces", &problem, refused),
    };
    let is_timeless = !has_range(&frame) && question.names_an_id();
    let answer = state
        .ask(move |session| {
            let found = if is_timeless {
                time_of_traces(session, &question)?
            } else {
                None
            };
            let question = TraceQuery {
                range: found.or(question.range),
                ..question
            };
            Ok((traces_page(session, question, selection)?, found))
        })
        .await;
    match answer {
        Err(problem) if problem.is_of_filter() => complained(&frame, "Traces", &problem, refused),
        answer => show_found(frame, "Traces", answer, views::traces),
    }
}

/// The page of a question that cannot be asked.
fn refused(complaint: Complaint, frame: &Frame) -> views::View {
    let data = views::TracesPage {
        complaint: Some(complaint),
        ..views::TracesPage::default()
    };
    views::traces(&data, frame)
}

/// The traces of a question, and how long their spans took over time; with a box, those with spans in it, and what
/// tells these from the others.
fn traces_page(
    session: &Session<'_>,
    question: TraceQuery,
    selection: Option<Selection>,
) -> Result<views::TracesPage, QueryError> {
    let of_heatmap = HeatmapQuery {
        spans: question.clone(),
        columns: HEATMAP_COLUMNS,
    };
    let durations = how::heatmap(&of_heatmap)?;
    let of_selection = selection.map(|selection| DifferencesQuery {
        spans: question.clone(),
        selection,
    });
    let services = query::service_names(session, &question.scope)?;
    let listed = inside(question, selection);
    let (found, (heatmap, differences)) = session.both(
        |session| {
            let mut found = query::traces(session, &listed)?;
            if found.truncated && found.total.is_none() {
                found.total = query::trace_count(session, &listed)?;
            }
            Ok(found)
        },
        |session| {
            let differences = of_selection.map(|asked| query::differences(session, &asked));
            Ok((
                query::heatmap(session, &of_heatmap)?,
                differences.transpose()?,
            ))
        },
    )?;
    let selected = selection.zip(differences);
    Ok(views::TracesPage {
        found,
        services,
        heatmap,
        selected,
        complaint: None,
        order: listed.order,
        how: views::TracesHow {
            durations,
            traces: how::traces(&listed)?,
        },
    })
}

/// The same question, of the spans in the box alone.
pub(super) fn inside(question: TraceQuery, selection: Option<Selection>) -> TraceQuery {
    let Some(selection) = selection else {
        return question;
    };
    let shortest = question.duration_min_ns.unwrap_or(0).max(selection.min_ns);
    let longest = question
        .duration_max_ns
        .unwrap_or(i64::MAX)
        .min(selection.max_ns - 1);
    TraceQuery {
        range: Some(selection.range()),
        duration_min_ns: Some(shortest),
        duration_max_ns: Some(longest),
        ..question
    }
}
