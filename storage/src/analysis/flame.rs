//! A flame graph: calls of the same operation under the same parent become one block as wide as their sum.

use std::collections::HashMap;

use super::tree::Tree;
use crate::model::SpanRecord;

/// One block.
#[derive(Debug, Clone, PartialEq)]
pub struct Flame {
    /// Service; empty when not reported.
    pub service_name: String,
    /// Name of the spans.
    pub name: String,
    /// How many spans it stands for.
    pub spans: u64,
    /// Of these, failed.
    pub errors: u64,
    /// The sum of their durations, or of what they contain where that is more (children in parallel).
    pub total_ns: u64,
    /// Where it begins, nanoseconds from the left.
    pub left_ns: u64,
    /// Row, from 0.
    pub depth: usize,
    /// The longest span in it: index into the spans given.
    pub longest: usize,
}

struct Node {
    flame: Flame,
    children: Vec<usize>,
    longest_ns: u64,
}

/// Blocks, parents before children, and the width of everything in nanoseconds.
pub fn flame(spans: &[SpanRecord]) -> (Vec<Flame>, u64) {
    let tree = Tree::of(spans);
    let mut nodes: Vec<Node> = Vec::new();
    let mut by_path: HashMap<(Option<usize>, &str, &str), usize> = HashMap::new();
    let mut node_of: Vec<Option<usize>> = vec![None; spans.len()];
    let mut parent_of: Vec<Option<usize>> = vec![None; spans.len()];
    for (parent, children) in tree.children.iter().enumerate() {
        for &child in children {
            parent_of[child] = Some(parent);
        }
    }
    for &at in &tree.order {
        let span = &spans[at];
        let above = parent_of[at].and_then(|parent| node_of[parent]);
        let service = span.service_name.as_deref().unwrap_or("");
        let length = span
            .end_time_unix_nano
            .saturating_sub(span.start_time_unix_nano);
        let node = *by_path
            .entry((above, service, &span.name))
            .or_insert_with(|| {
                nodes.push(Node {
                    flame: Flame {
                        service_name: service.to_owned(),
                        name: span.name.clone(),
                        spans: 0,
                        errors: 0,
                        total_ns: 0,
                        left_ns: 0,
                        depth: above.map_or(0, |above| nodes[above].flame.depth + 1),
                        longest: at,
                    },
                    children: Vec::new(),
                    longest_ns: 0,
                });
                let node = nodes.len() - 1;
                if let Some(above) = above {
                    nodes[above].children.push(node);
                }
                node
            });
        let entry = &mut nodes[node];
        entry.flame.spans += 1;
        entry.flame.errors += u64::from(span.status_code == "error");
        entry.flame.total_ns = entry.flame.total_ns.saturating_add(length);
        if length > entry.longest_ns {
            (entry.longest_ns, entry.flame.longest) = (length, at);
        }
        node_of[at] = Some(node);
    }
    let width = place(&mut nodes);
    (nodes.into_iter().map(|node| node.flame).collect(), width)
}

/// Widens parents to what they contain (children come after parents), then puts each beside its siblings.
fn place(nodes: &mut [Node]) -> u64 {
    for at in (0..nodes.len()).rev() {
        let inside = nodes[at].children.iter().fold(0_u64, |sum, child| {
            sum.saturating_add(nodes[*child].flame.total_ns)
        });
        nodes[at].flame.total_ns = nodes[at].flame.total_ns.max(inside).max(1);
    }
    let mut width = 0_u64;
    for at in 0..nodes.len() {
        if nodes[at].flame.depth == 0 {
            nodes[at].flame.left_ns = width;
            width = width.saturating_add(nodes[at].flame.total_ns);
        }
        let mut left = nodes[at].flame.left_ns;
        for child in nodes[at].children.clone() {
            nodes[child].flame.left_ns = left;
            left = left.saturating_add(nodes[child].flame.total_ns);
        }
    }
    width.max(1)
}
