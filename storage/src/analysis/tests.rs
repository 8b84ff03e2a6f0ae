//! Hand-computed paths: synchronous, asynchronous, overlapping, skewed; and what must hold for any trace.

use proptest::prelude::*;

use super::*;
use crate::model::{Scope, SpanRecord};

pub(super) fn span(
    id: &str,
    parent: Option<&str>,
    kind: &str,
    (start, end): (u64, u64),
) -> SpanRecord {
    SpanRecord {
        trace_id: "1".repeat(32),
        span_id: id.to_owned(),
        parent_span_id: parent.map(str::to_owned),
        trace_state: None,
        flags: 0,
        scope: Scope::default(),
        // The first letter names the process.
        service_name: Some(id[..1].to_owned()),
        service_version: None,
        service_instance_id: None,
        name: id.to_owned(),
        kind: kind.to_owned(),
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        duration_ns: i64::try_from(end)
            .ok()
            .zip(i64::try_from(start).ok())
            .map(|(e, s)| e - s),
        status_code: "unset".to_owned(),
        status_message: None,
        attributes: Vec::new(),
        resource_attributes: Vec::new(),
        scope_name: None,
        scope_version: None,
        events: Vec::new(),
        links: Vec::new(),
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
        sidecar: false,
        copies: 1,
    }
}

fn path(spans: &[SpanRecord]) -> Vec<(String, u64, u64)> {
    critical_path(spans)
        .sections
        .iter()
        .map(|s| {
            (
                spans[s.span].span_id.clone(),
                s.from_unix_nano,
                s.to_unix_nano,
            )
        })
        .collect()
}

fn expected(rows: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    rows.iter()
        .map(|(id, from, to)| ((*id).to_owned(), *from, *to))
        .collect()
}

#[test]
fn calls_one_after_the_other_are_all_on_the_path() {
    let spans = [
        span("a", None, "server", (0, 100)),
        span("a1", Some("a"), "client", (10, 40)),
        span("b1", Some("a1"), "server", (15, 35)),
        span("a2", Some("a"), "client", (50, 90)),
    ];
    let by_hand = [
        ("a", 0, 10),
        ("a1", 10, 15),
        ("b1", 15, 35),
        ("a1", 35, 40),
        ("a", 40, 50),
        ("a2", 50, 90),
        ("a", 90, 100),
    ];
    assert_eq!(path(&spans), expected(&by_hand));
}

#[test]
fn of_calls_at_the_same_time_the_last_to_finish_counts() {
    let spans = [
        span("a", None, "server", (0, 100)),
        span("a1", Some("a"), "client", (10, 60)),
        span("a2", Some("a"), "client", (20, 90)),
        span("a3", Some("a"), "client", (5, 15)),
    ];
    // a1 overlaps a2, which finished later; a3 finished before a2 began.
    let by_hand = [
        ("a", 0, 5),
        ("a3", 5, 15),
        ("a", 15, 20),
        ("a2", 20, 90),
        ("a", 90, 100),
    ];
    assert_eq!(path(&spans), expected(&by_hand));
}

#[test]
fn nobody_waits_for_messages_nor_for_what_starts_after_the_end() {
    let spans = [
        span("a", None, "server", (0, 100)),
        span("a1", Some("a"), "producer", (10, 20)),
        span("b1", Some("a1"), "consumer", (15, 500)),
        span("b2", Some("a"), "consumer", (30, 80)),
        span("a2", Some("a"), "internal", (200, 300)),
        // Outlives its parent: counts up to the parent's end.
        span("a3", Some("a"), "internal", (70, 400)),
    ];
    let by_hand = [("a", 0, 10), ("a1", 10, 20), ("a", 20, 70), ("a3", 70, 100)];
    assert_eq!(path(&spans), expected(&by_hand));
    assert_eq!(critical_path(&spans).length_ns, 100);
}

#[test]
fn a_skewed_clock_is_set_right_with_everything_below_it() {
    let spans = [
        span("a", None, "server", (1000, 1100)),
        span("a1", Some("a"), "client", (1010, 1090)),
        // 500 early; 60 long in a call of 80: the middle is 1020.
        span("b1", Some("a1"), "server", (510, 570)),
        span("b2", Some("b1"), "internal", (520, 540)),
        // Longer than its call: starts with it.
        span("a2", Some("a"), "client", (1092, 1098)),
        span("c1", Some("a2"), "server", (9000, 9010)),
    ];
    let by_hand = [
        ("a", 1000, 1010),
        ("a1", 1010, 1020),
        ("b1", 1020, 1030),
        ("b2", 1030, 1050),
        ("b1", 1050, 1080),
        ("a1", 1080, 1090),
        ("a", 1090, 1092),
        ("c1", 1092, 1098),
        ("a", 1098, 1100),
    ];
    assert_eq!(path(&spans), expected(&by_hand));
}

#[test]
fn missing_parents_and_cycles_still_have_a_path() {
    assert_eq!(critical_path(&[]).sections, []);
    let orphan = [span("a", Some("gone"), "server", (5, 9))];
    assert_eq!(path(&orphan), expected(&[("a", 5, 9)]));
    let cycle = [
        span("a", Some("b"), "server", (0, 9)),
        span("b", Some("a"), "server", (2, 4)),
    ];
    assert_eq!(
        path(&cycle),
        expected(&[("a", 0, 2), ("b", 2, 4), ("a", 4, 9)])
    );
}

#[test]
fn own_time_is_what_no_child_covers() {
    let spans = [
        span("a", None, "server", (0, 100)),
        span("a1", Some("a"), "client", (10, 40)),
        span("a2", Some("a"), "client", (30, 60)),
        span("a3", Some("a"), "client", (90, 150)),
    ];
    assert_eq!(self_times(&spans), [40, 30, 30, 60]);
    let rows = statistics(&spans);
    assert_eq!((rows[0].name.as_str(), rows[0].self_ns), ("a3", 60));
}

#[test]
fn a_comparison_leads_with_what_became_slower() {
    let first = [
        span("a", None, "server", (0, 50)),
        span("a1", Some("a"), "client", (10, 20)),
    ];
    let second = [
        span("a", None, "server", (0, 150)),
        span("a1", Some("a"), "client", (10, 115)),
        span("a2", Some("a"), "client", (120, 121)),
    ];
    let rows = compare(&first, &second);
    assert_eq!((rows[0].name.as_str(), rows[0].difference_ns()), ("a1", 95));
    let new = rows
        .iter()
        .find(|row| row.name == "a2")
        .expect("only in the second");
    assert_eq!((new.first.spans, new.second.spans), (0, 1));
}

#[test]
fn equal_calls_share_a_block_of_the_flame_graph() {
    let mut twice = span("x2", Some("a"), "client", (40, 60));
    twice.name = "x1".to_owned();
    let spans = [
        span("a", None, "server", (0, 100)),
        span("x1", Some("a"), "client", (10, 40)),
        twice,
        span("a9", Some("a"), "internal", (60, 70)),
    ];
    let (blocks, width) = flame(&spans);
    assert_eq!(width, 100);
    let x = blocks
        .iter()
        .find(|block| block.name == "x1")
        .expect("a block");
    assert_eq!((x.spans, x.total_ns, x.depth, x.longest), (2, 50, 1, 1));
    // What began first stands first.
    let lefts: Vec<(&str, u64)> = blocks
        .iter()
        .map(|block| (block.name.as_str(), block.left_ns))
        .collect();
    assert_eq!(lefts, [("a", 0), ("x1", 0), ("a9", 50)]);
}

fn any_trace() -> impl Strategy<Value = Vec<SpanRecord>> {
    let kinds = ["server", "client", "internal", "producer", "consumer"];
    prop::collection::vec(
        (0_usize..20, 0_u64..200, 0_u64..100, 0_usize..5, 0_usize..3),
        1..20,
    )
    .prop_map(move |rows| {
        rows.into_iter()
            .enumerate()
            .map(|(at, (parent, start, length, kind, service))| {
                let parent = format!("{parent:02}");
                let mut one = span(
                    &format!("{at:02}"),
                    (at > 0).then_some(parent.as_str()),
                    kinds[kind],
                    (start, start + length),
                );
                one.service_name = Some(service.to_string());
                one
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_path_covers_its_root_without_gap_or_overlap(spans in any_trace()) {
        let found = critical_path(&spans);
        let total: u64 = found.sections.iter().map(|s| s.to_unix_nano - s.from_unix_nano).sum();
        prop_assert_eq!(total, found.length_ns);
        for pair in found.sections.windows(2) {
            prop_assert_eq!(pair[0].to_unix_nano, pair[1].from_unix_nano);
        }
        let (blocks, width) = flame(&spans);
        prop_assert_eq!(blocks.iter().map(|b| b.spans).sum::<u64>(), spans.len() as u64);
        prop_assert!(blocks.iter().all(|b| b.left_ns + b.total_ns <= width));
        prop_assert_eq!(self_times(&spans).len(), spans.len());
    }
}
