//! Spans as a tree of intervals on one clock.

use std::collections::HashMap;

use crate::model::SpanRecord;

/// The spans of a trace with parents resolved and clocks aligned.
pub(super) struct Tree {
    /// By span: its interval on the clock of its root, `start <= end`.
    pub intervals: Vec<(u64, u64)>,
    /// By span: its children, by start.
    pub children: Vec<Vec<usize>>,
    /// Spans without a stored parent, by start; one of each cycle among them.
    pub roots: Vec<usize>,
    /// Each span after its parent.
    pub order: Vec<usize>,
}

impl Tree {
    pub(super) fn of(spans: &[SpanRecord]) -> Self {
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        for (at, span) in spans.iter().enumerate() {
            by_id.entry(span.span_id.as_str()).or_insert(at);
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
        let mut roots = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            let parent = span
                .parent_span_id
                .as_deref()
                .and_then(|id| by_id.get(id).copied());
            match parent.filter(|parent| *parent != at) {
                Some(parent) => children[parent].push(at),
                None => roots.push(at),
            }
        }
        let (order, mut roots) = walk(spans.len(), &children, roots);
        let mut intervals: Vec<(u64, u64)> = spans
            .iter()
            .map(|s| {
                (
                    s.start_time_unix_nano,
                    s.end_time_unix_nano.max(s.start_time_unix_nano),
                )
            })
            .collect();
        // A child reached twice (a cycle) hangs below the parent that was met first alone.
        let mut position = vec![0; spans.len()];
        for (at, span) in order.iter().enumerate() {
            position[*span] = at;
        }
        for (parent, below) in children.iter_mut().enumerate() {
            below.retain(|child| position[parent] < position[*child]);
        }
        align(spans, &order, &children, &mut intervals);
        for below in &mut children {
            below.sort_by_key(|child| (intervals[*child], *child));
        }
        roots.sort_by_key(|root| {
            (
                spans[*root].parent_span_id.is_some(),
                intervals[*root],
                *root,
            )
        });
        Self {
            intervals,
            children,
            roots,
            order,
        }
    }
}

/// Parents before children, siblings in the order given; spans only a cycle reaches start at the first of them.
fn walk(spans: usize, children: &[Vec<usize>], mut roots: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
    let mut seen = vec![false; spans];
    let mut order = Vec::with_capacity(spans);
    let mut next: Vec<usize> = roots.iter().rev().copied().collect();
    for rest in 0..=spans {
        while let Some(at) = next.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                order.push(at);
                next.extend(children[at].iter().rev());
            }
        }
        if rest < spans && !seen[rest] {
            roots.push(rest);
            next.push(rest);
        }
    }
    (order, roots)
}

/// Moves spans of another process whose clock disagrees: a call that is answered lies inside the call that
/// waits for it. As Jaeger does it, it is put in the middle of its parent (half the difference each way);
/// one that is longer than its parent starts with it. Everything below moves along.
fn align(
    spans: &[SpanRecord],
    order: &[usize],
    children: &[Vec<usize>],
    intervals: &mut [(u64, u64)],
) {
    let mut shift = vec![0_i128; spans.len()];
    for &at in order {
        for &child in &children[at] {
            shift[child] = shift[at];
            let (start, end) = moved(intervals[child], shift[child]);
            let (parent_start, parent_end) = intervals[at];
            let is_answered = spans[at].kind == "client" && spans[child].kind == "server";
            let is_other_process = spans[at].service_name != spans[child].service_name
                || spans[at].service_instance_id != spans[child].service_instance_id;
            let is_outside = start < parent_start || end > parent_end;
            if is_answered && is_other_process && is_outside {
                let (length, room) = (end - start, parent_end - parent_start);
                let target = parent_start + room.saturating_sub(length) / 2;
                shift[child] += i128::from(target) - i128::from(start);
            }
            intervals[child] = moved(intervals[child], shift[child]);
        }
    }
}

fn moved((start, end): (u64, u64), shift: i128) -> (u64, u64) {
    let by = |time: u64| u64::try_from((i128::from(time) + shift).max(0)).unwrap_or(u64::MAX);
    (by(start), by(end))
}
