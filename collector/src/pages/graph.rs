//! `/graph`: the range, or one step of it.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::model::{GraphQuery, PulsePoint, ServicePulse, TimeRange};
use tripline_storage::query::{self, QueryError, Session};
use tripline_web::pages as views;
use tripline_web::parts::Frame;
use tripline_web::range::WEEK;

use super::handlers::{last_week_of, range_of, scope_of, services_of, show};
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::when::When;

/// What to draw.
pub(super) fn question(frame: &Frame, service: Option<String>) -> GraphQuery {
    GraphQuery {
        range: range_of(frame),
        scope: scope_of(frame),
        service,
        edges_max: 300,
    }
}

/// `/graph`.
pub(super) async fn graph(State(state): State<AppState>, request: PageRequest) -> Response {
    let mut frame = request.frame;
    let when = request.params.when;
    let question = question(&frame, frame.param("service").map(str::to_owned));
    let range = range_of(&frame);
    let steps = query::pulse_steps(range);
    let chosen = frame.param("at").and_then(|at| step_at(at, steps, when));
    let step = chosen.map(|step| TimeRange {
        from_unix_nano: steps.from + steps.width * step,
        to_unix_nano: steps.from + steps.width * (step + 1),
    });
    let last_week = last_week_of(&frame);
    let of_services = services_of(&frame);
    let answer = state
        .ask(move |session| {
            let then = last_week
                .map(|range| graph_then(session, range, &question, step))
                .transpose()?;
            let graph = match step {
                Some(step) => query::graph_in_step(session, &question, step)?,
                None => query::graph(session, &question)?,
            };
            Ok((
                graph,
                then,
                query::pulses(session, &of_services)?,
                query::covered(session, range)?,
            ))
        })
        .await;
    let answer = answer.map(|(graph, last_week, pulses, covered)| {
        let width_ns = u64::try_from(steps.width).unwrap_or(0);
        frame.covered_seconds = match chosen {
            Some(_) => Some(width_ns as f64 / 1e9),
            None => Some(covered.seconds()),
        };
        let scrubber = views::Scrubber {
            from_ns: u64::try_from(steps.from).unwrap_or(0),
            width_ns,
            steps: together(&pulses),
            chosen: chosen.and_then(|step| usize::try_from(step).ok()),
        };
        views::GraphPage {
            graph,
            scrubber,
            last_week,
        }
    });
    show(&frame, "Graph", answer, views::graph)
}

/// The graph a week before: of `range`, or of the same step of it.
fn graph_then(
    session: &Session<'_>,
    range: TimeRange,
    question: &GraphQuery,
    step: Option<TimeRange>,
) -> Result<views::GraphThen, QueryError> {
    let week = i64::try_from(WEEK).unwrap_or(i64::MAX);
    let range = step.map_or(range, |step| step.earlier_by(week));
    let question = GraphQuery {
        range,
        ..question.clone()
    };
    let seconds = match step {
        Some(_) => range.seconds(),
        None => query::covered(session, range)?.seconds(),
    };
    Ok(views::GraphThen {
        graph: query::graph(session, &question)?,
        seconds,
        bounds: [range.from_unix_nano, range.to_unix_nano]
            .map(|ns| u64::try_from(ns).unwrap_or(0))
            .into(),
    })
}

/// The step of the range that a moment lies in.
fn step_at(text: &str, steps: query::PulseSteps, when: When) -> Option<i64> {
    let at = i64::try_from(when.moment(text)?).ok()?;
    (at >= steps.from && at < steps.from + steps.width * steps.count)
        .then(|| (at - steps.from) / steps.width)
}

/// All services' calls by step.
fn together(pulses: &[ServicePulse]) -> Vec<PulsePoint> {
    let mut all: Vec<PulsePoint> = Vec::new();
    for pulse in pulses {
        all.resize(all.len().max(pulse.points.len()), PulsePoint::default());
        for (sum, point) in all.iter_mut().zip(&pulse.points) {
            sum.calls += point.calls;
            sum.errors += point.errors;
        }
    }
    all
}
