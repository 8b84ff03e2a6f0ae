//! The calls of an incident as a graph, at the moment most of its instances refused.
//!
//! Drawn are the services the breakers are of, those they guard, the likely root, the entry points whose requests cross one
//! of their edges, and the services that calls between these pass through. The moment is the last one at which so many
//! instances refused.

use std::collections::BTreeSet;

use super::links::Node;
use super::windows::begins;
use super::{QueryError, Session};
use crate::model::{EntryPoint, Incident, OpenAt, TimeRange, WorstMoment};
use crate::query::graph::graph_among;

/// Edges drawn, busiest first.
const EDGES_MAX: usize = 100;

/// The calls between `nodes` and by crossing entry points, with the services that they pass through, from where the incident
/// begins to the moment most refused.
pub(super) fn worst_moment(
    session: &Session<'_>,
    incident: &Incident,
    nodes: &BTreeSet<Node>,
    entries: &[EntryPoint],
    open: &[OpenAt],
    now: i64,
) -> Result<WorstMoment, QueryError> {
    let (time_unix_nano, instances_open) = moment(open, incident.start_unix_nano, now);
    let crossing = entries.iter().filter(|entry| entry.crossing > 0.0);
    let among: BTreeSet<Node> = crossing
        .map(|entry| (entry.scope.clone(), entry.service.clone()))
        .chain(nodes.iter().cloned())
        .collect();
    let range = TimeRange {
        from_unix_nano: begins(incident),
        to_unix_nano: time_unix_nano,
    };
    Ok(WorstMoment {
        time_unix_nano,
        instances_open,
        range: Some(range),
        graph: graph_among(session, range, &among, EDGES_MAX)?,
    })
}

/// The last moment at which most instances refused, and how many: just before the next change, or now.
fn moment(open: &[OpenAt], start: i64, now: i64) -> (i64, u32) {
    let Some((at, most)) = open
        .iter()
        .enumerate()
        .max_by_key(|(at, step)| (step.open, *at))
    else {
        return (start, 0);
    };
    let until = match open.get(at + 1) {
        Some(next) => next.time_unix_nano - 1,
        None => now.max(most.time_unix_nano),
    };
    (until, most.open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_just_before_fewer_refuse_again_for_the_last_time() {
        let steps = |steps: &[(i64, u32)]| -> Vec<OpenAt> {
            let steps = steps.iter().map(|(time_unix_nano, open)| OpenAt {
                time_unix_nano: *time_unix_nano,
                open: *open,
            });
            steps.collect()
        };
        let of = |changes: &[(i64, u32)]| moment(&steps(changes), 5, 100);
        assert_eq!(of(&[(10, 1), (20, 3), (30, 2), (40, 3), (50, 0)]), (49, 3));
        assert_eq!(of(&[(10, 1), (20, 3), (30, 2)]), (29, 3));
        assert_eq!(of(&[(10, 1), (20, 3)]), (100, 3));
        assert_eq!(of(&[]), (5, 0));
    }
}
