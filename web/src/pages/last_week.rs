//! The same time last week: what each number was, and by how much it changed.

use leptos::prelude::*;
use tripline_storage::model::{
    EarlierCalls, Graph, GraphEdge, GraphNode, RedPoint, ServiceSummary,
};

use crate::chart::Line;
use crate::frame::Frame;
use crate::range::WEEK;
use crate::units;

/// The call graph a week before the range.
#[derive(Debug, Clone, Default)]
pub struct GraphThen {
    /// The calls of then.
    pub calls: EarlierCalls,
    /// What their rates are over.
    pub seconds: f64,
    /// From and to, nanoseconds since 1970.
    pub bounds: (u64, u64),
}

impl GraphThen {
    /// Whether there is anything to compare with.
    pub(super) fn has_calls(&self) -> bool {
        self.calls.total_edges > 0
    }
}

/// What is compared with, or that there is nothing to compare with.
pub(super) fn note(has_data: bool, frame: &Frame) -> AnyView {
    let (from, to) = frame.bounds();
    note_of(
        has_data,
        (from.saturating_sub(WEEK), to.saturating_sub(WEEK)),
    )
}

/// The same of a time of last week.
pub(super) fn note_of(has_data: bool, (from, to): (u64, u64)) -> AnyView {
    let time = |ns: u64| units::timestamp(ns, 0).replace('T', " ").replace('Z', "");
    let range = format!("{} → {} UTC", time(from), time(to));
    let text = if has_data {
        format!("Compared with the same time last week, {range}.")
    } else {
        format!(
            "No data last week: no call of {range} is stored, so there is nothing to compare with."
        )
    };
    view! { <p class="note last-week">{text}</p> }.into_any()
}

/// Whether any of them was called.
pub(super) fn any_calls(services: &[ServiceSummary]) -> bool {
    services.iter().any(|service| service.counted().0 > 0)
}

/// The service of the same name and scope, then.
pub(super) fn same<'a>(
    now: &ServiceSummary,
    then: &'a [ServiceSummary],
) -> Option<&'a ServiceSummary> {
    then.iter()
        .find(|other| other.scope == now.scope && other.service_name == now.service_name)
        .filter(|other| other.counted().0 > 0)
}

/// The edge between the same two, then.
pub(super) fn same_edge<'a>(
    now: &GraphEdge,
    graph: &Graph,
    then: &'a Graph,
) -> Option<&'a GraphEdge> {
    let is_same = |a: Option<&GraphNode>, b: Option<&GraphNode>| {
        a.zip(b)
            .is_some_and(|(a, b)| a.scope == b.scope && a.name == b.name && a.kind == b.kind)
    };
    then.edges
        .iter()
        .filter(|edge| edge.kind == now.kind && edge.is_async == now.is_async)
        .find(|edge| {
            is_same(graph.nodes.get(now.caller), then.nodes.get(edge.caller))
                && is_same(graph.nodes.get(now.callee), then.nodes.get(edge.callee))
        })
        .filter(|edge| edge.calls > 0)
}

/// `+12 %, was 3.1/s`, below a rate; `None` had no calls.
pub(super) fn rate(now: f64, then: Option<f64>) -> AnyView {
    said(then.map(|then| told(units::change(then, now), &units::rate(then))))
}

/// `was 3.1 %`, below a share of failures: its own change in per cent would only confuse.
pub(super) fn share(then: Option<f64>) -> AnyView {
    said(then.map(|then| format!("was {}", units::percent(then))))
}

/// `+12 %, was 20 ms`, below a quantile.
pub(super) fn latency(now: Option<f64>, then: Option<f64>) -> Option<AnyView> {
    let then = then?;
    let change = now.and_then(|now| units::change(then, now));
    Some(said(Some(told(
        change,
        &units::duration_or_dash(Some(then)),
    ))))
}

fn told(change: Option<String>, was: &str) -> String {
    match change {
        Some(change) => format!("{change}, was {was}"),
        None => format!("was {was}"),
    }
}

fn said(text: Option<String>) -> AnyView {
    let text = text.unwrap_or_else(|| "no calls last week".to_owned());
    view! { <span class="was">{text}</span> }.into_any()
}

/// A line of then on the axis of now.
pub(super) fn line(
    name: &str,
    points: &[RedPoint],
    value: impl Fn(&RedPoint) -> Option<f64>,
) -> Line {
    let time = |point: &RedPoint| u64::try_from(point.time_unix_nano).unwrap_or(0) + WEEK;
    Line {
        name: name.to_owned(),
        points: points
            .iter()
            .map(|point| (time(point), value(point)))
            .collect(),
    }
}
