//! Metrics: listed, and one of them over time.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::query::{self, how};
use tripline_web::frame::Frame;
use tripline_web::pages as views;
use tripline_web::parts::Complaint;

use super::answer::{complained, show};
use super::find::pasted_trace;
use super::request::PageRequest;
use super::traces::HEATMAP_COLUMNS;
use crate::api::AppState;

/// Streams or groups on the page.
const METRIC_LINES_MAX: usize = 20;

/// `/explore`.
pub(super) async fn explore(State(state): State<AppState>, request: PageRequest) -> Response {
    let PageRequest { frame, params } = request;
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let name = frame.param("metric").map(str::to_owned);
    let questions = params.metrics().and_then(|list| {
        let points = name
            .as_deref()
            .map(|name| params.metric(name))
            .transpose()?;
        Ok((list, points))
    });
    let (mut of_list, of_points) = match questions {
        Ok(questions) => questions,
        Err(problem) => return complained(&frame, "Metrics", &problem, refused),
    };
    of_list.limit = 2_000;
    let wants_heatmap = frame.param("view") == Some("heatmap");
    let answer = state
        .ask(move |session| {
            let metrics = query::metrics(session, &of_list)?;
            let mut how = views::ExploreHow {
                metrics: how::metrics(&of_list),
                points: String::new(),
            };
            let (mut points, mut heatmap) = (None, None);
            if let Some(mut question) = of_points {
                question.series_max = METRIC_LINES_MAX;
                how.points = how::metric_points(&question);
                points = Some(query::metric_points(session, &question)?);
                if wants_heatmap {
                    let found = query::metric_heatmap(session, &question, HEATMAP_COLUMNS)?;
                    heatmap = Some(found);
                }
            }
            Ok(views::Explore {
                metrics,
                chosen: name.zip(points),
                heatmap,
                complaint: None,
                how,
            })
        })
        .await;
    match answer {
        Err(problem) if problem.is_of_filter() => complained(&frame, "Metrics", &problem, refused),
        answer => show(&frame, "Metrics", answer, views::explore),
    }
}

/// The page of a question that cannot be asked.
fn refused(complaint: Complaint, frame: &Frame) -> views::View {
    let data = views::Explore {
        complaint: Some(complaint),
        ..views::Explore::default()
    };
    views::explore(&data, frame)
}
