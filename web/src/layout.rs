//! Where the boxes of a call graph go: layers from callers to callees, the same picture for the same graph.
//!
//! Pure and deterministic: names decide every tie, so a refresh never shuffles what one is looking at.
//! Cycles are cut at the edge that closes them in name order; positions are in SVG user units.

use std::collections::BTreeMap;

/// Width of a node.
pub const NODE_WIDTH: f64 = 176.0;
/// Height of a node.
pub const NODE_HEIGHT: f64 = 52.0;
const GAP_X: f64 = 216.0;
const GAP_Y: f64 = 26.0;
const MARGIN: f64 = 16.0;

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

/// Lays out `names` joined by `edges` (indices of caller and callee).
pub fn layered(names: &[&str], edges: &[(usize, usize)]) -> Picture {
    let forward = without_cycles(names, edges);
    let ranks = longest_paths(names.len(), &forward);
    let layers = order_layers(names, &forward, &ranks);
    let tallest = layers.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let height = (tallest * (NODE_HEIGHT + GAP_Y) - GAP_Y).max(NODE_HEIGHT) + 2.0 * MARGIN;
    let mut places = vec![
        Place {
            x: MARGIN,
            y: MARGIN
        };
        names.len()
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
fn without_cycles(names: &[&str], edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut callees: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    let mut has_caller = vec![false; names.len()];
    for &(from, to) in edges {
        if from != to {
            callees[from].push(to);
            has_caller[to] = true;
        }
    }
    for list in &mut callees {
        list.sort_by_key(|&node| names[node]);
        list.dedup();
    }
    let mut starts: Vec<usize> = (0..names.len()).collect();
    starts.sort_by_key(|&node| (has_caller[node], names[node]));
    let mut kept = Vec::new();
    let mut state = vec![0_u8; names.len()];
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

/// Nodes by layer, each layer sorted by the middle of its neighbours (four sweeps), then by name.
fn order_layers(names: &[&str], edges: &[(usize, usize)], ranks: &[usize]) -> Vec<Vec<usize>> {
    let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (node, &rank) in ranks.iter().enumerate() {
        layers.entry(rank).or_default().push(node);
    }
    let mut layers: Vec<Vec<usize>> = layers.into_values().collect();
    for layer in &mut layers {
        layer.sort_by_key(|&node| names[node]);
    }
    let mut position = vec![0.0; names.len()];
    for sweep in 0..4 {
        let order: Vec<usize> = if sweep % 2 == 0 {
            (0..layers.len()).collect()
        } else {
            (0..layers.len()).rev().collect()
        };
        for at in order {
            place_layer(&mut layers[at], names, edges, &mut position);
        }
    }
    layers
}

fn place_layer(
    layer: &mut [usize],
    names: &[&str],
    edges: &[(usize, usize)],
    position: &mut [f64],
) {
    let middle = |node: usize, position: &[f64]| {
        let (mut sum, mut found) = (0.0, 0.0);
        for &(from, to) in edges {
            let other = if to == node {
                from
            } else if from == node {
                to
            } else {
                continue;
            };
            sum += position[other];
            found += 1.0;
        }
        if found > 0.0 { sum / found } else { 0.0 }
    };
    let mut keyed: Vec<(f64, usize)> = layer
        .iter()
        .map(|&node| (middle(node, position), node))
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| names[a.1].cmp(names[b.1])));
    let half = (keyed.len() as f64 - 1.0) / 2.0;
    for (row, (slot, (_, node))) in layer.iter_mut().zip(keyed).enumerate() {
        *slot = node;
        position[node] = row as f64 - half;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_stand_left_of_callees_whatever_the_order_of_the_input() {
        let names = ["web", "cart", "db"];
        let picture = layered(&names, &[(0, 1), (1, 2), (0, 2)]);
        assert!(picture.places[0].x < picture.places[1].x);
        assert!(picture.places[1].x < picture.places[2].x);
        let reversed = layered(&["db", "cart", "web"], &[(2, 0), (1, 0), (2, 1)]);
        assert_eq!(picture.places[0], reversed.places[2]);
        assert_eq!(picture.places[2], reversed.places[0]);
    }

    #[test]
    fn cycles_and_self_calls_end() {
        let picture = layered(&["a", "b"], &[(0, 1), (1, 0), (0, 0)]);
        assert!(picture.places[0].x < picture.places[1].x);
        assert_eq!(layered(&[], &[]).places.len(), 0);
    }

    #[test]
    fn no_two_nodes_overlap_at_sixty_services_and_two_hundred_edges() {
        let names: Vec<String> = (0..60).map(|n| format!("service-{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let edges: Vec<(usize, usize)> = (0..200).map(|n| (n * 7 % 60, n * 13 % 60)).collect();
        let places = layered(&names, &edges).places;
        for (i, a) in places.iter().enumerate() {
            for b in &places[i + 1..] {
                assert!((a.x - b.x).abs() >= NODE_WIDTH || (a.y - b.y).abs() >= NODE_HEIGHT);
            }
        }
    }
}
