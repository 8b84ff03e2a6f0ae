//! A service as text for a chat or a report: the numbers of its page, times frozen to UTC.

use std::fmt::Write as _;

use tripline_storage::model::{CallCounts, Latency};

use super::{ServicePage, ServicePart};
use crate::frame::Frame;
use crate::parts::{failed_of, place, share_or_dash};
use crate::units;

/// What its page shows, as Markdown.
pub fn service_markdown(data: &ServicePage, frame: &Frame) -> String {
    let (from, to) = frame.bounds();
    let [from, to] = [from, to].map(|ns| units::timestamp(ns, 0));
    let mut out = format!("# {}\n\n{from} to {to}\n", data.name);
    if data.summaries.is_empty() {
        out.push_str("\nNot seen in this range and scope.\n");
        return out;
    }
    let figures = data.summaries.iter().map(|summary| {
        let instances = match data.instances_of(summary) {
            0 => "not reported".to_owned(),
            instances => units::count(instances),
        };
        let mut cells = vec![place(&summary.scope), units::rate(summary.rate_per_second)];
        cells.extend(told(summary.counts(), summary.latency));
        let versions = match summary.versions.is_empty() {
            true => "not reported".to_owned(),
            false => summary.versions.join(", "),
        };
        cells.extend([versions, instances]);
        cells
    });
    let heads = [
        "scope",
        "rate",
        "calls",
        "errors",
        "failed",
        "p50",
        "p95",
        "p99",
        "versions",
        "instances",
    ];
    table(&mut out, "In this range", &heads, figures.collect());
    for part in &data.parts {
        let place = match data.parts.len() {
            1 => String::new(),
            _ => format!(" in {}", place(&part.scope)),
        };
        of_part(&mut out, part, &place);
    }
    let named = |at: usize| {
        data.graph
            .nodes
            .get(at)
            .map_or("", |node| node.name.as_str())
    };
    let edges = data.graph.edges.iter().map(|edge| {
        let rate = edge.counts().all() / frame.seconds();
        let mut cells = vec![
            named(edge.caller).to_owned(),
            named(edge.callee).to_owned(),
            units::rate(rate),
        ];
        cells.extend(told(edge.counts(), edge.latency));
        cells
    });
    let heads = [
        "caller", "callee", "rate", "calls", "errors", "failed", "p50", "p95", "p99",
    ];
    table(&mut out, "Callers and callees", &heads, edges.collect());
    let instances = data.instances.items.iter().map(|instance| {
        let name = instance.instance_id.as_deref().unwrap_or("not reported");
        let mut cells = vec![name.to_owned()];
        cells.extend(told(instance.counts(), instance.latency));
        cells
    });
    let heads = ["instance", "calls", "errors", "failed", "p50", "p95", "p99"];
    table(&mut out, "Instances", &heads, instances.collect());
    out
}

/// Its operations and versions in one scope; `place` says which where there are several.
fn of_part(out: &mut String, part: &ServicePart, place: &str) {
    let numbers = ["calls", "errors", "failed", "p50", "p95", "p99"];
    let operations = part.detail.operations.iter().map(|operation| {
        let mut cells = vec![operation.name.clone()];
        cells.extend(told(operation.counts(), operation.latency));
        cells
    });
    let mut heads = vec!["operation"];
    heads.extend(numbers);
    table(
        out,
        &format!("Operations{place}"),
        &heads,
        operations.collect(),
    );
    // One version alone is compared with nothing.
    if part.detail.versions.len() < 2 {
        return;
    }
    let versions = part.detail.versions.iter().map(|version| {
        let name = version.version.as_deref().unwrap_or("not reported");
        let mut cells = vec![name.to_owned()];
        cells.extend(told(version.counts(), version.latency));
        cells
    });
    let mut heads = vec!["version"];
    heads.extend(numbers);
    table(out, &format!("Versions{place}"), &heads, versions.collect());
}

/// Calls, failed share, failures in words, and three quantiles.
fn told(counts: CallCounts, latency: Latency) -> [String; 6] {
    [
        units::count(counts.calls),
        share_or_dash(counts),
        failed_of(counts),
        units::duration_or_dash(latency.p50_ns),
        units::duration_or_dash(latency.p95_ns),
        units::duration_or_dash(latency.p99_ns),
    ]
}

/// A table under its heading; nothing without a row.
fn table(out: &mut String, name: &str, heads: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## {name}\n\n| {} |", heads.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(heads.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell_of(cell)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

/// A text that ends neither its cell nor its row.
fn cell_of(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
