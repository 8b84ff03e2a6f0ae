//! Where the boxes of a call graph go: layers from callers to callees, the same picture for the same graph.
//!
//! Pure and deterministic: names decide every tie, so a refresh never shuffles what one is looking at. A layer is ordered
//! by its callers alone, never by what it calls: a service that calls one more leaves everything before it where it was.
//! Cycles are cut at the edge that closes them in name order; positions are in SVG user units.

use std::collections::BTreeMap;

/// Width of a node.
pub const NODE_WIDTH: f64 = 176.0;
/// Height of a node.
pub const NODE_HEIGHT: f64 = 52.0;
/// Between the boxes of neighbouring layers.
pub const GAP_X: f64 = 216.0;
const GAP_Y: f64 = 26.0;
const MARGIN: f64 = 16.0;

/// What gets a place.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// Decides ties.
    pub name: &'a str,
    /// Known from others only: it stands below the services of its layer.
    pub is_peer: bool,
}

/// Where one node is: its top left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// The places of all nodes, in the order given, and the size of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// One place a node.
    pub places: Vec<Place>,
    /// Width of everything.
    pub width: f64,
    /// Height of everything.
    pub height: f64,
}

/// Lays out `nodes` joined by `edges` (indices of caller and callee).
pub fn layered(nodes: &[Node<'_>], edges: &[(usize, usize)]) -> Picture {
    let forward = without_cycles(nodes, edges);
    let ranks = longest_paths(nodes.len(), &forward);
    let layers = order_layers(nodes, &forward, &ranks);
    let tallest = layers.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let height = (tallest * (NODE_HEIGHT + GAP_Y) - GAP_Y).max(NODE_HEIGHT) + 2.0 * MARGIN;
    let mut places = vec![
        Place {
            x: MARGIN,
            y: MARGIN
        };
        nodes.len()
    ];
    for (column, layer) in layers.iter().enumerate() {
        let used = layer.len() as f64 * (NODE_HEIGHT + GAP_Y) - GAP_Y;
        let top = (height - used) / 2.0;
        for (row, &node) in layer.iter().enumerate() {
            places[node] = Place {
                x: MARGIN + column as f64 * (NODE_WIDTH + GAP_X),
                y: top + row as f64 * (NODE_HEIGHT + GAP_Y),
            };
        }
    }
    let width = layers.len().max(1) as f64 * (NODE_WIDTH + GAP_X) - GAP_X + 2.0 * MARGIN;
    Picture {
        places,
        width,
        height,
    }
}

/// Drops self-edges and the edges that close a cycle, met depth first in name order.
fn without_cycles(nodes: &[Node<'_>], edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut callees: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut has_caller = vec![false; nodes.len()];
    for &(from, to) in edges {
        if from != to {
            callees[from].push(to);
            has_caller[to] = true;
        }
    }
    for list in &mut callees {
        list.sort_by_key(|&node| nodes[node].name);
        list.dedup();
    }
    let mut starts: Vec<usize> = (0..nodes.len()).collect();
    starts.sort_by_key(|&node| (has_caller[node], nodes[node].name));
    let mut kept = Vec::new();
    let mut state = vec![0_u8; nodes.len()];
    for start in starts {
        visit(start, &callees, &mut state, &mut kept);
    }
    kept
}

/// Depth first with its own stack: a graph from outside may be deeper than the thread's.
fn visit(start: usize, callees: &[Vec<usize>], state: &mut [u8], kept: &mut Vec<(usize, usize)>) {
    const ON_PATH: u8 = 1;
    const DONE: u8 = 2;
    if state[start] != 0 {
        return;
    }
    state[start] = ON_PATH;
    let mut stack = vec![(start, 0)];
    while let Some((node, next)) = stack.pop() {
        let Some(&callee) = callees[node].get(next) else {
            state[node] = DONE;
            continue;
        };
        stack.push((node, next + 1));
        match state[callee] {
            ON_PATH => {}
            DONE => kept.push((node, callee)),
            _ => {
                kept.push((node, callee));
                state[callee] = ON_PATH;
                stack.push((callee, 0));
            }
        }
    }
}

/// The layer of each node: the longest way to it from a node nobody calls.
fn longest_paths(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut ranks = vec![0; nodes];
    for _ in 0..nodes {
        let mut moved = false;
        for &(from, to) in edges {
            if ranks[to] < ranks[from] + 1 {
                ranks[to] = ranks[from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    ranks
}

/// Nodes by layer, each layer sorted by the middle of its callers, peers after services, then by name.
fn order_layers(nodes: &[Node<'_>], edges: &[(usize, usize)], ranks: &[usize]) -> Vec<Vec<usize>> {
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for &(from, to) in edges {
        callers[to].push(from);
    }
    let mut by_rank: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (node, &rank) in ranks.iter().enumerate() {
        by_rank.entry(rank).or_default().push(node);
    }
    // Rows from the middle of a layer, which the layers share.
    let mut position = vec![0.0; nodes.len()];
    let mut layers = Vec::with_capacity(by_rank.len());
    for mut layer in by_rank.into_values() {
        let middle = |node: usize| {
            let of = &callers[node];
            let sum: f64 = of.iter().map(|&caller| position[caller]).sum();
            sum / of.len().max(1) as f64
        };
        layer.sort_by(|&a, &b| {
            let (one, other) = (nodes[a], nodes[b]);
            one.is_peer
                .cmp(&other.is_peer)
                .then_with(|| middle(a).total_cmp(&middle(b)))
                .then_with(|| one.name.cmp(other.name))
        });
        let half = (layer.len() as f64 - 1.0) / 2.0;
        for (row, &node) in layer.iter().enumerate() {
            position[node] = row as f64 - half;
        }
        layers.push(layer);
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services<'a>(names: &[&'a str]) -> Vec<Node<'a>> {
        let service = |&name: &&'a str| Node {
            name,
            is_peer: false,
        };
        names.iter().map(service).collect()
    }

    #[test]
    fn callers_stand_left_of_callees_whatever_the_order_of_the_input() {
        let picture = layered(&services(&["web", "cart", "db"]), &[(0, 1), (1, 2), (0, 2)]);
        assert!(picture.places[0].x < picture.places[1].x);
        assert!(picture.places[1].x < picture.places[2].x);
        let reversed = layered(&services(&["db", "cart", "web"]), &[(2, 0), (1, 0), (2, 1)]);
        assert_eq!(picture.places[0], reversed.places[2]);
        assert_eq!(picture.places[2], reversed.places[0]);
    }

    #[test]
    fn cycles_and_self_calls_end() {
        let picture = layered(&services(&["a", "b"]), &[(0, 1), (1, 0), (0, 0)]);
        assert!(picture.places[0].x < picture.places[1].x);
        assert_eq!(layered(&[], &[]).places.len(), 0);
    }

    #[test]
    fn inferred_peers_stand_below_the_services_of_their_layer() {
        let mut nodes = services(&["web", "a-peer", "cart", "zoo"]);
        nodes[1].is_peer = true;
        let places = layered(&nodes, &[(0, 1), (0, 2), (0, 3)]).places;
        assert_eq!(places[1].x, places[3].x, "one layer");
        assert!(
            places[1].y > places[3].y && places[3].y > places[2].y,
            "{places:?}"
        );
    }

    /// Two ways of callers to the last layer: `web` to `cart` and `pay`, `api` to `user` and `mail`, these to three stores.
    const SHOP: [&str; 9] = [
        "api", "web", "cart", "mail", "pay", "user", "carts", "ledger", "users",
    ];
    const CALLS: [(usize, usize); 8] = [
        (1, 2),
        (1, 4),
        (0, 5),
        (0, 3),
        (2, 6),
        (4, 7),
        (5, 8),
        (3, 8),
    ];

    #[test]
    fn one_call_more_at_the_far_end_moves_nothing_before_it() {
        let before = layered(&services(&SHOP), &CALLS);
        // Each service of the last layer but one comes to call each store, or a new one.
        for caller in [2, 3, 4, 5] {
            for callee in [6, 7, 8, 9] {
                let mut names = SHOP.to_vec();
                names.push("vault");
                let mut calls = CALLS.to_vec();
                // It is there from the beginning, so that its layer is as high as before.
                let there = layered(&services(&names), &[&calls[..], &[(4, 9)][..]].concat());
                calls.extend([(4, 9), (caller, callee)]);
                let after = layered(&services(&names), &calls);
                assert_eq!(
                    there.places[..6],
                    after.places[..6],
                    "{} calls {}",
                    names[caller],
                    names[callee]
                );
            }
        }
        // A layer more is a layer more to the right.
        let names: Vec<&str> = SHOP.iter().copied().chain(["disk"]).collect();
        let calls: Vec<(usize, usize)> = CALLS.iter().copied().chain([(7, 9)]).collect();
        let deeper = layered(&services(&names), &calls);
        assert_eq!(deeper.places[..9], before.places[..]);
        assert!(deeper.places[9].x > before.width - MARGIN);
    }

    #[test]
    fn no_two_nodes_overlap_at_sixty_services_and_two_hundred_edges() {
        let names: Vec<String> = (0..60).map(|n| format!("service-{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let edges: Vec<(usize, usize)> = (0..200).map(|n| (n * 7 % 60, n * 13 % 60)).collect();
        let places = layered(&services(&names), &edges).places;
        for (i, a) in places.iter().enumerate() {
            for b in &places[i + 1..] {
                assert!((a.x - b.x).abs() >= NODE_WIDTH || (a.y - b.y).abs() >= NODE_HEIGHT);
            }
        }
    }
}
