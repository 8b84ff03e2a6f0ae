//! The critical path: what the trace's end waited for, moment by moment.
//!
//! From the root's end backwards: the child that finished last before this moment is what the span waited
//! for, down to that child's start, and so on (Eaton et al., "Critical path analysis"; the same rule as
//! Jaeger's and CRISP's). A child that outlives its parent counts up to the parent's end. Nobody waits for a
//! consumer of a message, nor for a child that starts after its parent ended. The sections cover the root
//! span exactly: their lengths add up to its length.

use super::tree::Tree;
use crate::model::SpanRecord;

/// The critical path of a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// In order of time, without gaps.
    pub sections: Vec<Section>,
    /// Of the root; nanoseconds.
    pub length_ns: u64,
}

/// A stretch of time in which this span itself was what everything waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Index into the spans given.
    pub span: usize,
    /// Nanoseconds since the epoch, on the root's clock.
    pub from_unix_nano: u64,
    /// The same, exclusive.
    pub to_unix_nano: u64,
}

/// Of the root: the earliest span without a parent, else the earliest whose parent is missing.
pub fn critical_path(spans: &[SpanRecord]) -> CriticalPath {
    let tree = Tree::of(spans);
    let Some(&root) = tree.roots.first() else {
        return CriticalPath::default();
    };
    let (start, end) = tree.intervals[root];
    let mut sections = Vec::new();
    // Windows still to be explained: a span, and the part of it that counts.
    let mut windows = vec![(root, start, end)];
    while let Some((span, from, to)) = windows.pop() {
        let mut until = to;
        for (child, child_start, child_end) in awaited(spans, &tree, span, to) {
            if child_end > until || child_end <= from || child_start >= until {
                continue;
            }
            push(&mut sections, span, child_end, until);
            let begins = child_start.max(from);
            windows.push((child, begins, child_end));
            until = begins;
        }
        push(&mut sections, span, from, until);
    }
    sections.sort_by_key(|section| section.from_unix_nano);
    CriticalPath {
        sections,
        length_ns: end - start,
    }
}

/// Children somebody waits for, the last to finish first, with their ends cut at `to`.
fn awaited(spans: &[SpanRecord], tree: &Tree, span: usize, to: u64) -> Vec<(usize, u64, u64)> {
    let mut children: Vec<(usize, u64, u64)> = tree.children[span]
        .iter()
        .filter(|child| spans[**child].kind != "consumer")
        .map(|&child| {
            let (start, end) = tree.intervals[child];
            (child, start, end.min(to))
        })
        .filter(|(_, start, end)| start < end)
        .collect();
    // Of those that finish together the one that started first explains more.
    children.sort_by_key(|(child, start, end)| (std::cmp::Reverse(*end), *start, *child));
    children
}

fn push(sections: &mut Vec<Section>, span: usize, from: u64, to: u64) {
    if from < to {
        sections.push(Section {
            span,
            from_unix_nano: from,
            to_unix_nano: to,
        });
    }
}
