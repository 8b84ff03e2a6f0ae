//! What belongs together: episodes close in time whose breakers lie on one call path, or guard the same callee.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use duckdb::Connection;

use super::episodes::Episode;
use super::{Peers, QueryError, SECOND};
use crate::model::{Scope, TimeRange};
use crate::store::SegmentSet;

/// A service in its scope, or an inferred peer.
pub(super) type Node = (Scope, String);

/// Two episodes are close in time when less than this lies between them.
const LINK_NS: i64 = 30 * SECOND;
/// Calls deeper than this are not followed.
const DEPTH_MAX: usize = 12;

/// Who calls whom. Nodes are numbered: a day has thousands of episodes, and each is compared with those near it.
pub(super) struct CallPaths {
    nodes: Vec<Node>,
    numbers: HashMap<Node, usize>,
    /// Of each node those it calls, in the nodes' order.
    callees: Vec<Vec<usize>>,
    /// Of a node asked for before, whether calls lead to each other one.
    reached: RefCell<Vec<Option<Vec<bool>>>>,
}

impl CallPaths {
    /// The edges of a range.
    pub(super) fn load(
        set: &SegmentSet,
        conn: &Connection,
        range: TimeRange,
    ) -> Result<Self, QueryError> {
        let sums = set.edge_sums(conn, range, |_| true)?;
        let edges: Vec<_> = sums
            .into_iter()
            .map(|sum| (sum.of.caller, sum.of.callee))
            .collect();
        Ok(Self::of(&edges))
    }

    /// These edges.
    pub(super) fn of(edges: &[(Node, Node)]) -> Self {
        let all: BTreeSet<&Node> = edges.iter().flat_map(|(a, b)| [a, b]).collect();
        let nodes: Vec<Node> = all.into_iter().cloned().collect();
        let numbers: HashMap<Node, usize> = nodes.iter().cloned().zip(0..).collect();
        let mut callees = vec![BTreeSet::new(); nodes.len()];
        for (caller, callee) in edges {
            callees[numbers[caller]].insert(numbers[callee]);
        }
        Self {
            nodes,
            callees: callees
                .into_iter()
                .map(|callees| callees.into_iter().collect())
                .collect(),
            reached: RefCell::new(vec![None; numbers.len()]),
            numbers,
        }
    }

    /// Whom a service calls.
    pub(super) fn callees(&self, caller: &Node) -> Vec<&Node> {
        let Some(number) = self.numbers.get(caller) else {
            return Vec::new();
        };
        let callees = self.callees[*number].iter();
        callees.map(|callee| &self.nodes[*callee]).collect()
    }

    /// Whether calls lead from one to the other; everybody reaches itself.
    pub(super) fn reaches(&self, from: &Node, to: &Node) -> bool {
        if from == to {
            return true;
        }
        match (self.numbers.get(from), self.numbers.get(to)) {
            (Some(from), Some(to)) => self.leads(*from, *to),
            _ => false,
        }
    }

    /// The same of numbers; one that is no node's reaches nobody.
    fn leads(&self, from: usize, to: usize) -> bool {
        if from >= self.nodes.len() || to >= self.nodes.len() {
            return false;
        }
        let reached = &mut self.reached.borrow_mut()[from];
        reached.get_or_insert_with(|| self.reached_from(from))[to]
    }

    fn reached_from(&self, from: usize) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        reached[from] = true;
        let mut edge = vec![from];
        for _ in 0..DEPTH_MAX {
            let mut next = Vec::new();
            for callee in edge.iter().flat_map(|node| &self.callees[*node]) {
                if !std::mem::replace(&mut reached[*callee], true) {
                    next.push(*callee);
                }
            }
            edge = next;
        }
        reached
    }
}

/// An episode as far as it matters to what it belongs to.
struct Ends {
    breaker: usize,
    owner: usize,
    peer: Option<usize>,
}

/// Groups of episodes (in the order they begin), by index, in order of their first; each index is in exactly one.
pub(super) fn groups(
    episodes: &[Episode],
    peers: &Peers,
    paths: &CallPaths,
    now: i64,
) -> Vec<Vec<usize>> {
    let numbered = numbered(episodes, peers, paths);
    let mut leader: Vec<usize> = (0..episodes.len()).collect();
    // Those that later ones may still be close to.
    let mut recent: Vec<usize> = Vec::new();
    for (later, episode) in episodes.iter().enumerate() {
        recent.retain(|earlier| {
            let Episode { start, end, .. } = episodes[*earlier];
            episode.start <= end.unwrap_or(now).max(start).saturating_add(LINK_NS)
        });
        for &earlier in &recent {
            let (a, b) = (find(&mut leader, earlier), find(&mut leader, later));
            if a != b && is_linked(&numbered[earlier], &numbered[later], paths) {
                leader[a.max(b)] = a.min(b);
            }
        }
        recent.push(later);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..episodes.len() {
        groups.entry(find(&mut leader, at)).or_default().push(at);
    }
    groups.into_values().collect()
}

/// Breakers and nodes as numbers; nodes that are on no path have numbers after those that are.
fn numbered(episodes: &[Episode], peers: &Peers, paths: &CallPaths) -> Vec<Ends> {
    let mut breakers: HashMap<&str, usize> = HashMap::new();
    let mut others: HashMap<Node, usize> = HashMap::new();
    let mut node = |node: Node| {
        paths.numbers.get(&node).copied().unwrap_or_else(|| {
            let next = paths.nodes.len() + others.len();
            *others.entry(node).or_insert(next)
        })
    };
    episodes
        .iter()
        .map(|episode| {
            let id = &episode.head().breaker_id;
            let next = breakers.len();
            Ends {
                breaker: *breakers.entry(id).or_insert(next),
                owner: node(episode.owner()),
                peer: peers.get(id).map(|(peer, _)| node(peer.clone())),
            }
        })
        .collect()
}

fn find(leader: &mut [usize], mut at: usize) -> usize {
    while leader[at] != at {
        leader[at] = leader[leader[at]];
        at = leader[at];
    }
    at
}

fn is_linked(a: &Ends, b: &Ends, paths: &CallPaths) -> bool {
    let leads = |peer: Option<usize>, owner: usize| {
        peer.is_some_and(|peer| peer == owner || paths.leads(peer, owner))
    };
    a.breaker == b.breaker
        || a.peer.is_some() && a.peer == b.peer
        || leads(a.peer, b.owner)
        || leads(b.peer, a.owner)
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
        let paths = CallPaths::of(&edges.map(|(a, b)| (node(a), node(b))));
        assert!(paths.reaches(&node("a"), &node("d")));
        assert!(paths.reaches(&node("d"), &node("d")));
        assert!(!paths.reaches(&node("d"), &node("a")));
        assert!(!paths.reaches(&node("a"), &node("x")));
    }
}
