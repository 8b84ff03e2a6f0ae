//! `/graph`: the range, or one step of it.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::model::{Graph, GraphQuery, PulsePoint, ServicePulse, TimeRange};
use tripline_storage::query::{self, QueryError, Session, how};
use tripline_web::frame::Frame;
use tripline_web::pages as views;

use super::answer::{problem_page, show};
use super::find::pasted_trace;
use super::questions::{moment_of, range_of, scope_of, services_of, week_before};
use super::request::PageRequest;
use crate::api::AppState;

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
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let when = request.params.when;
    let question = question(&frame, frame.param("service").map(str::to_owned));
    let range = range_of(&frame);
    let steps = query::pulse_steps(range);
    let chosen = match moment_of(&frame, "at", when) {
        Ok(at) => at.and_then(|at| step_at(at, steps)),
        Err(problem) => return problem_page(&frame, &problem),
    };
    let step = chosen.map(|step| TimeRange {
        from_unix_nano: steps.from + steps.width * step,
        to_unix_nano: steps
            .from
            .saturating_add(steps.width.saturating_mul(step + 1))
            .min(TimeRange::LAST_UNIX_NANO),
    });
    let compares = frame.compares();
    let of_services = services_of(&frame);
    let shows_mesh = frame.shows_proxies();
    let answer = state
        .ask(move |session| {
            let (drawn, pulses) = session.both(
                |session| match (compares, step) {
                    (true, step) => {
                        let (graph, then) = beside_last_week(session, &question, step)?;
                        Ok((graph, Some(then)))
                    }
                    (false, Some(step)) => {
                        Ok((query::graph_in_step(session, &question, step)?, None))
                    }
                    (false, None) => Ok((query::graph(session, &question)?, None)),
                },
                |session| query::pulses(session, &of_services),
            )?;
            let (graph, then) = drawn;
            let shown = GraphQuery {
                range: step.unwrap_or(range),
                ..question
            };
            let mesh = match shows_mesh {
                true => query::mesh_calls(session, &shown, &graph)?,
                false => Vec::new(),
            };
            let seconds = match step {
                Some(step) => step.seconds(),
                None => query::covered(session, range)?.seconds(),
            };
            Ok((
                (graph, mesh),
                then,
                pulses,
                seconds,
                [
                    how::edges(&shown, seconds),
                    how::requests(&of_services, None, seconds),
                ],
            ))
        })
        .await;
    let answer = answer.map(
        |((graph, mesh), last_week, pulses, seconds, [how, how_requests])| {
            let width_ns = u64::try_from(steps.width).unwrap_or(0);
            frame.covered_seconds = Some(seconds);
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
                how,
                how_requests,
                mesh,
            }
        },
    );
    show(&frame, "Graph", answer, views::graph)
}

/// The graph, and the calls a week before: of its range, or of the same step of it.
fn beside_last_week(
    session: &Session<'_>,
    question: &GraphQuery,
    step: Option<TimeRange>,
) -> Result<(Graph, views::GraphThen), QueryError> {
    let earlier = week_before(step.unwrap_or(question.range));
    let seconds = match step {
        Some(_) => earlier.seconds(),
        None => query::covered(session, earlier)?.seconds(),
    };
    let (graph, calls) = query::graph_beside(session, question, step, earlier)?;
    let then = views::GraphThen {
        calls,
        seconds,
        bounds: [earlier.from_unix_nano, earlier.to_unix_nano]
            .map(|ns| u64::try_from(ns).unwrap_or(0))
            .into(),
    };
    Ok((graph, then))
}

/// The step of the range that a moment lies in.
fn step_at(at: u64, steps: query::PulseSteps) -> Option<i64> {
    let at = i64::try_from(at).ok()?;
    // All three are of one range, but the end of its last step may lie beyond what a number holds.
    (at >= steps.from)
        .then(|| (at - steps.from) / steps.width)
        .filter(|step| *step < steps.count)
}

/// All services' calls by step.
fn together(pulses: &[ServicePulse]) -> Vec<PulsePoint> {
    let mut all: Vec<PulsePoint> = Vec::new();
    for pulse in pulses {
        all.resize(all.len().max(pulse.points.len()), PulsePoint::default());
        for (sum, point) in all.iter_mut().zip(&pulse.points) {
            sum.calls += point.calls;
            sum.errors += point.errors;
            sum.weight += point.weight;
            sum.error_weight += point.error_weight;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::when::When;

    #[test]
    fn a_moment_lies_in_a_step_of_the_longest_range_too() {
        let steps = query::pulse_steps(TimeRange {
            from_unix_nano: 0,
            to_unix_nano: TimeRange::LAST_UNIX_NANO,
        });
        let step_of = |text: &str| step_at(When::default().moment(text)?, steps);
        assert_eq!(step_of("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(step_of("2262-04-11T23:47:16Z"), Some(steps.count - 1));
    }
}
