//! A trace as a tree in time: which span stands where. Pure; [`super::trace`] draws it.

use std::collections::HashMap;

use tripline_storage::model::{LogRecord, Refusal, SpanRecord, TraceDetail};

use crate::parts::positive;

/// One row of the waterfall.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// The span.
    pub(super) span: &'a SpanRecord,
    /// Its index in the trace.
    pub(super) index: usize,
    /// How deep in the tree.
    pub(super) depth: usize,
    /// Spans below it, all levels.
    pub(super) descendants: usize,
    /// Its parent is named but not stored.
    pub(super) is_orphan: bool,
}

/// The whole picture.
#[derive(Debug)]
pub(super) struct Waterfall<'a> {
    /// Rows from top to bottom: each span before its children, siblings by start.
    pub(super) rows: Vec<Row<'a>>,
    /// Start of the trace: of its first span, of its first log record if it has no span.
    pub(super) start_ns: u64,
    /// Its length.
    pub(super) length_ns: u64,
    /// Logs of each span, oldest first.
    pub(super) logs: HashMap<&'a str, Vec<&'a LogRecord>>,
    /// Logs that name no span of this trace.
    pub(super) loose_logs: Vec<&'a LogRecord>,
    /// Who refused, by span.
    pub(super) refusals: HashMap<&'a str, &'a Refusal>,
}

impl<'a> Waterfall<'a> {
    /// Arranges the spans of a trace. Parents missing, cycles and clocks that disagree are all survived.
    pub(super) fn of(trace: &'a TraceDetail) -> Self {
        let known = |span: &&SpanRecord| span.start_time_unix_nano > 0;
        let first = trace.spans.iter().filter(known);
        // Without any span's time, records are told apart by the first of them.
        let first_log = || {
            trace
                .logs
                .iter()
                .filter_map(|log| positive(log.time_unix_nano))
                .min()
        };
        let start_ns = first
            .map(|span| span.start_time_unix_nano)
            .min()
            .or_else(first_log)
            .unwrap_or(0);
        let end_ns = trace
            .spans
            .iter()
            .map(|s| s.end_time_unix_nano.max(s.start_time_unix_nano))
            .max()
            .unwrap_or(0);
        let mut by_span: HashMap<&str, usize> = HashMap::new();
        for (at, span) in trace.spans.iter().enumerate() {
            by_span.entry(span.span_id.as_str()).or_insert(at);
        }
        let mut logs: HashMap<&str, Vec<&LogRecord>> = HashMap::new();
        let mut loose_logs = Vec::new();
        for log in &trace.logs {
            match log.span_id.as_deref().filter(|id| by_span.contains_key(id)) {
                Some(id) => logs.entry(id).or_default().push(log),
                None => loose_logs.push(log),
            }
        }
        Self {
            rows: rows(&trace.spans, &by_span),
            start_ns,
            length_ns: end_ns.saturating_sub(start_ns),
            logs,
            loose_logs,
            refusals: trace
                .refusals
                .iter()
                .map(|refusal| (refusal.span_id.as_str(), refusal))
                .collect(),
        }
    }

    /// Where a moment is, as a share of the whole, 0 to 1.
    pub(super) fn share(&self, unix_nano: u64) -> f64 {
        let length_ns = self.length_ns.max(1) as f64;
        (unix_nano.saturating_sub(self.start_ns) as f64 / length_ns).clamp(0.0, 1.0)
    }
}

fn rows<'a>(spans: &'a [SpanRecord], by_span: &HashMap<&str, usize>) -> Vec<Row<'a>> {
    let parent_of = |at: usize| {
        let parent = spans[at].parent_span_id.as_deref()?;
        by_span.get(parent).copied().filter(|parent| *parent != at)
    };
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let mut roots = Vec::new();
    for at in 0..spans.len() {
        match parent_of(at) {
            Some(parent) => children[parent].push(at),
            None => roots.push(at),
        }
    }
    let mut rows: Vec<Row<'a>> = Vec::with_capacity(spans.len());
    let mut seen = vec![false; spans.len()];
    // Spans that only a cycle reaches come last, each as a root of its own.
    for start in roots.into_iter().chain(0..spans.len()) {
        let mut stack = vec![(start, 0)];
        while let Some((at, depth)) = stack.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let is_orphan = depth == 0 && spans[at].parent_span_id.is_some();
            rows.push(Row {
                span: &spans[at],
                index: at,
                depth,
                descendants: 0,
                is_orphan,
            });
            stack.extend(children[at].iter().rev().map(|&child| (child, depth + 1)));
        }
    }
    count_descendants(&mut rows);
    rows
}

/// In this order a subtree is the run of deeper rows that follows.
fn count_descendants(rows: &mut [Row<'_>]) {
    let mut open: Vec<usize> = Vec::new();
    for at in 0..rows.len() {
        while open
            .last()
            .is_some_and(|&above| rows[above].depth >= rows[at].depth)
        {
            open.pop();
        }
        for &above in &open {
            rows[above].descendants += 1;
        }
        open.push(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>, start: u64, end: u64) -> SpanRecord {
        let json = format!(
            r#"{{"trace_id":"t","span_id":"{id}","parent_span_id":{},"trace_state":null,"flags":0,"service_name":"s","service_version":null,
            "service_instance_id":null,"name":"{id}","kind":"server","start_time_unix_nano":{start},"end_time_unix_nano":{end},"duration_ns":1,
            "status_code":"unset","status_message":null,"attributes":[],"resource_attributes":[],"scope_name":null,"scope_version":null,
            "events":[],"links":[],"dropped_attributes_count":0,"dropped_events_count":0,"dropped_links_count":0,"sidecar":false,"copies":1}}"#,
            parent.map_or("null".to_owned(), |parent| format!("\"{parent}\""))
        );
        leptos::serde_json::from_str(&json).expect("the shape of a span")
    }

    fn shape(spans: Vec<SpanRecord>) -> Vec<(String, usize, usize)> {
        let trace = TraceDetail {
            spans,
            ..TraceDetail::default()
        };
        Waterfall::of(&trace)
            .rows
            .iter()
            .map(|row| (row.span.span_id.clone(), row.depth, row.descendants))
            .collect()
    }

    #[test]
    fn children_follow_their_parent_in_order_of_start() {
        let rows = shape(vec![
            span("a", None, 1, 9),
            span("b", Some("a"), 2, 3),
            span("d", Some("b"), 2, 3),
            span("c", Some("a"), 4, 5),
        ]);
        let expected = [("a", 0, 3), ("b", 1, 1), ("d", 2, 0), ("c", 1, 0)];
        assert_eq!(
            rows,
            expected.map(|(id, depth, below)| (id.to_owned(), depth, below))
        );
    }

    #[test]
    fn cycles_and_missing_parents_lose_no_span() {
        let rows = shape(vec![
            span("a", Some("b"), 1, 2),
            span("b", Some("a"), 1, 2),
            span("c", Some("gone"), 1, 2),
            span("d", Some("d"), 0, 0),
        ]);
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn a_trace_that_took_no_time_says_so() {
        let trace = TraceDetail {
            spans: vec![span("a", None, 7, 7)],
            ..TraceDetail::default()
        };
        let waterfall = Waterfall::of(&trace);
        assert_eq!(waterfall.length_ns, 0);
        assert_eq!((waterfall.share(7), waterfall.share(8)), (0.0, 1.0));
    }
}
