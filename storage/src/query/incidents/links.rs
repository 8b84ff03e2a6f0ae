//! What belongs together: episodes close in time whose breakers lie on one call path, or guard the same callee.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use duckdb::{Connection, params};

use super::episodes::Episode;
use super::{Peers, QueryError, SECOND};
use crate::ask::Ask;
use crate::model::{Scope, TimeRange};
use crate::store::SegmentSet;

/// A service in its scope, or an inferred peer.
pub(super) type Node = (Scope, String);

/// Two episodes are close in time when less than this lies between them.
const LINK_NS: i64 = 30 * SECOND;
/// Calls deeper than this are not followed.
const DEPTH_MAX: usize = 12;

const PATHS: &str = include_str!("paths.sql");

/// Who calls whom.
pub(super) struct CallPaths {
    callees: BTreeMap<Node, BTreeSet<Node>>,
    known: RefCell<HashMap<(Node, Node), bool>>,
}

impl CallPaths {
    /// The edges of a range.
    pub(super) fn load(
        set: &SegmentSet,
        conn: &Connection,
        range: TimeRange,
    ) -> Result<Self, QueryError> {
        let mut statement = conn.ask(&PATHS.replace("{edges}", &set.service_edges_sql()))?;
        let mut rows = statement.query(params![range.from_unix_nano, range.to_unix_nano])?;
        let mut edges = Vec::new();
        while let Some(row) = rows.next()? {
            let scope =
                |at: usize| -> duckdb::Result<Scope> { super::super::breakers::scope(row, at) };
            edges.push(((scope(0)?, row.get(3)?), (scope(4)?, row.get(7)?)));
        }
        Ok(Self::of(edges))
    }

    /// These edges.
    pub(super) fn of(edges: Vec<(Node, Node)>) -> Self {
        let mut callees: BTreeMap<Node, BTreeSet<Node>> = BTreeMap::new();
        for (caller, callee) in edges {
            callees.entry(caller).or_default().insert(callee);
        }
        Self {
            callees,
            known: RefCell::default(),
        }
    }

    /// Whom a service calls.
    pub(super) fn callees(&self, caller: &Node) -> Vec<Node> {
        self.callees
            .get(caller)
            .map(|callees| callees.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Whether calls lead from one to the other; everybody reaches itself.
    pub(super) fn reaches(&self, from: &Node, to: &Node) -> bool {
        if from == to {
            return true;
        }
        let key = (from.clone(), to.clone());
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        let mut seen: BTreeSet<&Node> = BTreeSet::from([from]);
        let mut edge = vec![from];
        let mut found = false;
        for _ in 0..DEPTH_MAX {
            let next: Vec<&Node> = edge
                .iter()
                .filter_map(|node| self.callees.get(*node))
                .flatten()
                .filter(|callee| !seen.contains(callee))
                .collect();
            found = next.contains(&to);
            if found || next.is_empty() {
                break;
            }
            seen.extend(next.iter().copied());
            edge = next;
        }
        self.known.borrow_mut().insert(key, found);
        found
    }
}

/// Groups of episodes, by index, in order of their first; each index is in exactly one.
pub(super) fn groups(
    episodes: &[Episode],
    peers: &Peers,
    paths: &CallPaths,
    now: i64,
) -> Vec<Vec<usize>> {
    let mut leader: Vec<usize> = (0..episodes.len()).collect();
    let ends: Vec<i64> = episodes
        .iter()
        .map(|e| e.end.unwrap_or(now).max(e.start))
        .collect();
    for later in 0..episodes.len() {
        for earlier in 0..later {
            let is_close = episodes[later].start <= ends[earlier].saturating_add(LINK_NS);
            if is_close && is_linked(&episodes[earlier], &episodes[later], peers, paths) {
                let (a, b) = (find(&mut leader, earlier), find(&mut leader, later));
                leader[a.max(b)] = a.min(b);
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..episodes.len() {
        groups.entry(find(&mut leader, at)).or_default().push(at);
    }
    groups.into_values().collect()
}

fn find(leader: &mut [usize], mut at: usize) -> usize {
    while leader[at] != at {
        leader[at] = leader[leader[at]];
        at = leader[at];
    }
    at
}

fn is_linked(a: &Episode, b: &Episode, peers: &Peers, paths: &CallPaths) -> bool {
    let (id_a, id_b) = (&a.head().breaker_id, &b.head().breaker_id);
    if id_a == id_b {
        return true;
    }
    let peer = |id: &String| peers.get(id).map(|(node, _)| node);
    let (peer_a, peer_b) = (peer(id_a), peer(id_b));
    let leads = |peer: Option<&Node>, owner: Node| peer.is_some_and(|p| paths.reaches(p, &owner));
    peer_a.is_some() && peer_a == peer_b || leads(peer_a, b.owner()) || leads(peer_b, a.owner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> Node {
        (Scope::default(), name.to_owned())
    }

    #[test]
    fn calls_are_followed_through_cycles_and_never_backwards() {
        let edges = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("x", "d")];
        let paths = CallPaths::of(edges.map(|(a, b)| (node(a), node(b))).to_vec());
        assert!(paths.reaches(&node("a"), &node("d")));
        assert!(paths.reaches(&node("d"), &node("d")));
        assert!(!paths.reaches(&node("d"), &node("a")));
        assert!(!paths.reaches(&node("a"), &node("x")));
    }
}
