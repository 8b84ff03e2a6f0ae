//! Episodes: one breaker from the first instance that refuses to the last that closed, or fell silent. Pure.

use std::collections::BTreeMap;

use super::links::Node;
use super::silences::STALE;
use crate::model::{BreakerTransition, IncidentBreaker};

/// One breaker's time of trouble.
#[derive(Debug, Clone)]
pub(super) struct Episode {
    /// The first trip.
    pub start: i64,
    /// When the last instance closed, or was last heard of.
    pub end: Option<i64>,
    /// The last instance did not close: it fell silent.
    fell_silent: bool,
    /// All of it, oldest first; never empty.
    pub transitions: Vec<BreakerTransition>,
    trips: u32,
    reopenings: u32,
    /// Whether each instance that tripped refuses, probes (`false`), or is closed or silent (absent).
    held: BTreeMap<String, bool>,
    instances: std::collections::BTreeSet<String>,
}

/// Cuts transitions and silences, oldest first, into episodes in the order they begin.
pub(super) fn episodes(transitions: Vec<BreakerTransition>) -> Vec<Episode> {
    let mut running: BTreeMap<String, Episode> = BTreeMap::new();
    let mut done: Vec<Episode> = Vec::new();
    for change in transitions {
        let refuses = matches!(change.to_state.as_str(), "open" | "forced_open");
        if !running.contains_key(&change.breaker_id) {
            if !refuses {
                continue;
            }
            running.insert(change.breaker_id.clone(), Episode::begin(&change));
        }
        let id = change.breaker_id.clone();
        if let Some(episode) = running.get_mut(&id) {
            episode.take(change);
            if episode.end.is_some() {
                done.extend(running.remove(&id));
            }
        }
    }
    done.extend(running.into_values());
    done.sort_by(|a, b| (a.start, &a.head().breaker_id).cmp(&(b.start, &b.head().breaker_id)));
    done
}

impl Episode {
    fn begin(change: &BreakerTransition) -> Self {
        Self {
            start: change.time_unix_nano,
            end: None,
            fell_silent: false,
            transitions: Vec::new(),
            trips: 0,
            reopenings: 0,
            held: BTreeMap::new(),
            instances: Default::default(),
        }
    }

    fn take(&mut self, change: BreakerTransition) {
        let instance = change.service_instance_id.clone().unwrap_or_default();
        match change.to_state.as_str() {
            "open" | "forced_open" => {
                let again = change.from_state.as_deref() == Some("half_open");
                if again && self.held.contains_key(&instance) {
                    self.reopenings += 1;
                } else {
                    self.trips += 1;
                }
                self.instances.insert(instance.clone());
                self.held.insert(instance, true);
            }
            "half_open" => {
                if let Some(refuses) = self.held.get_mut(&instance) {
                    *refuses = false;
                }
            }
            STALE => {
                if self.held.remove(&instance).is_none() {
                    return;
                }
                if self.held.is_empty() {
                    self.end = Some(change.time_unix_nano);
                    self.fell_silent = true;
                }
            }
            _ => {
                self.held.remove(&instance);
                if self.held.is_empty() {
                    self.end = Some(change.time_unix_nano);
                }
            }
        }
        self.transitions.push(change);
    }

    /// The first trip.
    pub(super) fn head(&self) -> &BreakerTransition {
        &self.transitions[0]
    }

    /// The service that owns the breaker.
    pub(super) fn owner(&self) -> Node {
        (self.head().scope.clone(), self.head().service_name.clone())
    }

    /// As a member of an incident.
    pub(super) fn as_member(&self, peer: Option<&(Node, String)>) -> IncidentBreaker {
        let head = self.head();
        IncidentBreaker {
            breaker_id: head.breaker_id.clone(),
            scope: head.scope.clone(),
            service_name: head.service_name.clone(),
            name: head.name.clone(),
            key: head.key.clone(),
            peer: peer.map(|((_, name), _)| name.clone()),
            peer_evidence: peer.map(|(_, evidence)| evidence.clone()),
            trip: head.clone(),
            closed_unix_nano: self.end,
            fell_silent: self.fell_silent,
            trips: self.trips,
            reopenings: self.reopenings,
            instances: u32::try_from(self.instances.len()).unwrap_or(u32::MAX),
            instances_open: self.open(),
            downstream: Vec::new(),
        }
    }

    /// A later episode of the same breaker in the same incident.
    pub(super) fn add_to(&self, member: &mut IncidentBreaker) {
        member.trips += self.trips;
        member.reopenings += self.reopenings;
        member.instances = member
            .instances
            .max(u32::try_from(self.instances.len()).unwrap_or(u32::MAX));
        if self.start < member.trip.time_unix_nano {
            member.trip = self.head().clone();
        }
        member.instances_open = self.open().max(member.instances_open);
        if self.end.is_none() || self.end >= member.closed_unix_nano {
            member.fell_silent = self.fell_silent;
        }
        member.closed_unix_nano = match (member.closed_unix_nano, self.end) {
            (Some(one), Some(other)) => Some(one.max(other)),
            _ => None,
        };
    }

    fn open(&self) -> u32 {
        let open = self.held.values().filter(|refuses| **refuses).count();
        u32::try_from(open).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: i64, instance: &str, from: &str, to: &str) -> BreakerTransition {
        BreakerTransition {
            time_unix_nano: at,
            breaker_id: "b".to_owned(),
            service_instance_id: Some(instance.to_owned()),
            from_state: Some(from.to_owned()),
            to_state: to.to_owned(),
            ..BreakerTransition::default()
        }
    }

    #[test]
    fn an_episode_lasts_until_the_last_instance_closed() {
        let found = episodes(vec![
            change(0, "x", "half_open", "closed"),
            change(1, "a", "closed", "open"),
            change(2, "b", "closed", "open"),
            change(3, "a", "open", "half_open"),
            change(4, "a", "half_open", "open"),
            change(5, "a", "open", "half_open"),
            change(6, "a", "half_open", "closed"),
            change(7, "b", "half_open", "closed"),
            change(9, "a", "closed", "open"),
        ]);
        let short: Vec<_> = found
            .iter()
            .map(|e| (e.start, e.end, e.trips, e.reopenings, e.open()))
            .collect();
        assert_eq!(short, [(1, Some(7), 2, 1, 0), (9, None, 1, 0, 1)]);
    }

    #[test]
    fn an_episode_ends_when_the_last_instance_that_refuses_falls_silent() {
        let silent = |at, instance| change(at, instance, "open", STALE);
        type Told = (i64, Option<i64>, bool, u32);
        let told = |changes: Vec<BreakerTransition>| -> Vec<Told> {
            let found = episodes(changes);
            let short = |e: &Episode| (e.start, e.end, e.fell_silent, e.open());
            found.iter().map(short).collect()
        };
        // Killed while open; another pod trips later, and that is another episode.
        let killed = vec![
            change(1, "a", "closed", "open"),
            silent(3, "a"),
            change(9, "b", "closed", "open"),
        ];
        assert_eq!(told(killed), [(1, Some(3), true, 0), (9, None, false, 1)]);
        // One of two: the other one holds on, and closes.
        let one_of_two = vec![
            change(1, "a", "closed", "open"),
            change(2, "b", "closed", "open"),
            silent(3, "a"),
            change(5, "b", "open", "closed"),
        ];
        assert_eq!(told(one_of_two), [(1, Some(5), false, 0)]);
        // Killed while it probed.
        let probing = vec![
            change(1, "a", "closed", "open"),
            change(2, "a", "open", "half_open"),
            silent(4, "a"),
        ];
        assert_eq!(told(probing), [(1, Some(4), true, 0)]);
        // Whoever is closed, or was never open, ends nothing by falling silent.
        let others = vec![
            change(1, "a", "closed", "open"),
            change(2, "b", "closed", "open"),
            change(3, "b", "open", "closed"),
            silent(4, "b"),
            silent(5, "c"),
        ];
        assert_eq!(told(others), [(1, None, false, 1)]);
        assert!(told(vec![silent(1, "a")]).is_empty());
    }

    #[test]
    fn a_breaker_of_several_episodes_fell_silent_if_it_did_in_the_last() {
        let cycle = |from: i64, end: &str| {
            vec![
                change(from, "a", "closed", "open"),
                change(from + 1, "a", "open", end),
            ]
        };
        let folded = |ends: [&str; 2]| {
            let changes = [cycle(1, ends[0]), cycle(5, ends[1])].concat();
            let found = episodes(changes);
            let mut member = found[0].as_member(None);
            found[1].add_to(&mut member);
            (member.closed_unix_nano, member.fell_silent)
        };
        assert_eq!(folded([STALE, "closed"]), (Some(6), false));
        assert_eq!(folded(["closed", STALE]), (Some(6), true));
        assert_eq!(folded([STALE, "half_open"]), (None, false));
    }
}
