//! The other ways to look at a trace: critical path, flame graph, statistics, trace graph, comparison.

mod graph;

use std::collections::BTreeMap;

use leptos::prelude::*;
use tripline_storage::analysis::{Flame, compare, critical_path, flame, statistics};
use tripline_storage::model::{SpanRecord, TraceDetail};

pub(super) use self::graph::trace_graph;
use super::trace_scopes::TraceScopes;
use crate::frame::Frame;
use crate::parts::{WayOn, colour, cut_note, failure, nothing, other_fields, service_link_in};
use crate::units;

/// Rows of a table at most.
const ROWS_MAX: usize = 500;
/// Blocks narrower than this share of the width are not drawn.
const BLOCK_SHARE_MIN: f64 = 0.000_5;

/// In the place of what is made of spans.
pub(super) fn without_spans(has_logs: bool) -> AnyView {
    let advice = if has_logs { "Its logs are below." } else { "" };
    nothing("No span of this trace is stored.", advice)
}

/// Spans by their time on the critical path.
pub(super) fn critical(trace: &TraceDetail, frame: &Frame) -> AnyView {
    if trace.spans.is_empty() {
        return without_spans(false);
    }
    let path = critical_path(&trace.spans);
    if path.length_ns == 0 {
        return nothing("No critical path.", "The root span has no length.");
    }
    let mut by_span: BTreeMap<usize, u64> = BTreeMap::new();
    for section in &path.sections {
        *by_span.entry(section.span).or_default() += section.to_unix_nano - section.from_unix_nano;
    }
    let mut spans: Vec<(usize, u64)> = by_span.into_iter().collect();
    spans.sort_by_key(|(_, ns)| std::cmp::Reverse(*ns));
    let total = spans.len() as u64;
    let cut = cut_note(
        ROWS_MAX as u64,
        total,
        "span",
        "most time on the path first",
    );
    let rows = spans
        .into_iter()
        .take(ROWS_MAX)
        .map(|(at, ns)| {
            let span = &trace.spans[at];
            let share = ns as f64 / path.length_ns as f64;
            let link = frame.with(&[("view", ""), ("span", &span.span_id)]);
            view! {
                <tr>
                    <td>{service_link_in(frame, &span.scope, span.service_name.as_deref())}</td>
                    <td class="wide folds-main"><a data-row href=link>{span.name.clone()}</a></td>
                    <td class="bar-cell"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="bar" width=share * 100.0 height="8"></rect></svg></td>
                    <td class="num" data-head="share"><b>{units::percent(share)}</b></td>
                    <td class="num" data-head="on the path">{units::duration(ns)}</td>
                    <td class="num quiet" data-head="duration">{units::duration(length(span))}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <p class="quiet">"What the end of the trace waited for, moment by moment: making one of these faster makes the trace faster, anything else does not. Consumers of messages are not waited for; clocks that disagree are set right."</p>
        <div class="scroll"><table class="list folds">
            <thead><tr><th>"Service"</th><th>"Span"</th><th class="bar-head"></th><th class="num">"Share"</th><th class="num">"On the path"</th><th class="num">"Duration"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="note">{format!("{} on a path of {}", units::counted(total, "span"), units::duration(path.length_ns))}</p>
        {cut}
    }
    .into_any()
}

fn length(span: &SpanRecord) -> u64 {
    span.end_time_unix_nano
        .saturating_sub(span.start_time_unix_nano)
}

/// Calls of one operation under one parent as one block.
pub(super) fn flame_graph(trace: &TraceDetail, frame: &Frame) -> AnyView {
    if trace.spans.is_empty() {
        return without_spans(false);
    }
    let (blocks, width) = flame(&trace.spans);
    let depth = blocks.iter().map(|block| block.depth).max().unwrap_or(0);
    let share = |ns: u64| ns as f64 / width as f64;
    let is_wide = |block: &&Flame| share(block.total_ns) >= BLOCK_SHARE_MIN;
    let wide = blocks.iter().filter(is_wide).count() as u64;
    let all = units::counted(blocks.len() as u64, "block");
    let note = match blocks.len() as u64 - wide {
        0 => all,
        _ => format!(
            "{} of {all}, the others are too narrow to be drawn",
            units::count(wide)
        ),
    };
    let drawn = blocks
        .iter()
        .filter(is_wide)
        .map(|block| {
            let (x, w) = (
                share(block.left_ns) * 1000.0,
                share(block.total_ns) * 1000.0,
            );
            let y = block.depth as f64 * 22.0;
            let class = format!(
                "flame-block {}{}",
                colour(&block.service_name),
                if block.errors > 0 { " bad" } else { "" }
            );
            let title = format!(
                "{} · {}: {} in {}, {} failed",
                block.service_name,
                block.name,
                units::duration(block.total_ns),
                units::counted(block.spans, "span"),
                units::count(block.errors)
            );
            let link = frame.with(&[("view", ""), ("span", &trace.spans[block.longest].span_id)]);
            // Seven units and a half a character, wide ones included, and room before and after.
            let text = fitting(&block.name, ((w - 8.0) / 7.5).max(0.0) as usize);
            view! {
                <a href=link class=class><title>{title}</title>
                    <rect x=x y=y width=w.max(0.6) height="20"></rect>
                    <text x=x + 4.0 y=y + 14.0>{text}</text></a>
            }
        })
        .collect_view();
    let view_box = format!("0 0 1000 {}", (depth + 1) * 22);
    view! {
        <p class="quiet">"Width is time: calls of the same operation under the same parent are one block. Calls in parallel stand side by side, so a row can be wider than the trace was long."</p>
        <div class="scroll"><svg class="flame" viewBox=view_box role="group" aria-label="Flame graph; the statistics have the same numbers as a table">{drawn}</svg></div>
        <p class="note">{note}</p>
    }
    .into_any()
}

/// A name in so many characters; nothing where it could not be told.
fn fitting(name: &str, characters: usize) -> String {
    if name.chars().count() <= characters {
        return name.to_owned();
    }
    match characters {
        0..3 => String::new(),
        _ => name.chars().take(characters - 1).chain(['…']).collect(),
    }
}

/// One row an operation.
pub(super) fn statistics_table(trace: &TraceDetail, frame: &Frame) -> AnyView {
    if trace.spans.is_empty() {
        return without_spans(false);
    }
    let rows = statistics(&trace.spans);
    // Spans of odd clocks can be centuries long, each.
    let total = rows
        .iter()
        .fold(0_u64, |total, row| total.saturating_add(row.self_ns));
    let count = rows.len();
    let scopes = TraceScopes::of(&trace.spans);
    let rows = rows
        .into_iter()
        .take(ROWS_MAX)
        .map(|row| {
            let share = row.self_ns as f64 / total.max(1) as f64;
            let failed = (row.errors > 0).then(|| view! { <span class="share bad">{units::count(row.errors)}</span> });
            let find = frame.with(&[("view", ""), ("find", &row.name)]);
            view! {
                <tr>
                    <td>{scopes.link(frame, &row.service_name)}</td><td class="wide folds-main"><a data-row href=find>{row.name}</a></td>
                    <td class="num" data-head="spans">{units::count(row.spans)}</td><td class="num" data-head="failed">{failed}</td>
                    <td class="bar-cell"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="bar" width=share * 100.0 height="8"></rect></svg></td>
                    <td class="num" data-head="own time"><b>{units::duration(row.self_ns)}</b></td><td class="num" data-head="total">{units::duration(row.total_ns)}</td>
                    <td class="num" data-head="mean">{units::duration(row.total_ns / row.spans.max(1))}</td><td class="num" data-head="longest">{units::duration(row.max_ns)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <p class="quiet">"Own time is the time in which no child of the span was running."</p>
        <div class="scroll"><table class="list folds">
            <thead><tr><th>"Service"</th><th>"Operation"</th><th class="num">"Spans"</th><th class="num">"Failed"</th><th class="bar-head"></th>
                <th class="num">"Own time"</th><th class="num">"Total"</th><th class="num">"Mean"</th><th class="num">"Longest"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="note">{format!("{} of {}", units::count(count.min(ROWS_MAX) as u64), units::counted(count as u64, "operation"))}</p>
    }
    .into_any()
}

/// This trace beside another one.
pub(super) fn comparison(
    trace: &TraceDetail,
    other: Option<&Result<TraceDetail, String>>,
    frame: &Frame,
) -> AnyView {
    let with = frame.param("with").unwrap_or_default().to_owned();
    let form = view! {
        <form method="get" action=frame.path.clone() class="filters inline">
            {other_fields(frame, &["with"])}
            <input name="with" value=with placeholder="trace id of the other trace" aria-label="Trace id of the other trace" autocomplete="off"/>
            <button class="button">"Compare"</button>
        </form>
    };
    let result = match other {
        None => nothing(
            "Compare with which trace?",
            "Paste its id above: a fast one beside a slow one shows where the time went.",
        ),
        Some(Err(why)) => failure(
            "The other trace cannot be shown",
            why,
            Some(WayOn::without("with", frame)),
        ),
        Some(Ok(other)) => compared(trace, other, frame),
    };
    view! { {form}{result} }.into_any()
}

fn compared(trace: &TraceDetail, other: &TraceDetail, frame: &Frame) -> AnyView {
    let rows = compare(&trace.spans, &other.spans);
    let count = rows.len();
    let scopes = TraceScopes::of(trace.spans.iter().chain(&other.spans));
    let widest = rows
        .iter()
        .map(|row| row.first.self_ns.max(row.second.self_ns))
        .max()
        .unwrap_or(1)
        .max(1);
    let rows = rows
        .into_iter()
        .take(ROWS_MAX)
        .map(|row| {
            let difference = row.difference_ns();
            let sign = if difference < 0 { "−" } else { "+" };
            let size = u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX);
            let class = if difference > 0 { "num share bad" } else { "num share fine" };
            let width = |ns: u64| ns as f64 / widest as f64 * 100.0;
            let only = match (row.first.spans, row.second.spans) {
                (0, _) => Some("only in the other"),
                (_, 0) => Some("only here"),
                _ => None,
            };
            view! {
                <tr>
                    <td>{scopes.link(frame, &row.service_name)}</td>
                    <td class="wide folds-main">{row.name.clone()} " " {only.map(|only| view! { <span class="tag">{only}</span> })}</td>
                    <td class="num" data-head="spans here">{units::count(row.first.spans)}</td><td class="num" data-head="there">{units::count(row.second.spans)}</td>
                    <td class="bar-cell"><svg viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">
                        <rect class="bar" width=width(row.first.self_ns) height="6"></rect><rect class="bar others" y="8" width=width(row.second.self_ns) height="6"></rect></svg></td>
                    <td class="num" data-head="own time here">{units::duration(row.first.self_ns)}</td><td class="num" data-head="there">{units::duration(row.second.self_ns)}</td>
                    <td class=class data-head="difference">{if size == 0 { "0".to_owned() } else { format!("{sign}{}", units::duration(size)) }}</td>
                </tr>
            }
        })
        .collect_view();
    let path = format!("/traces/{}", crate::address::segment(&other.trace_id));
    // Seen as this one is: with the spans of proxies or without.
    let sidecars = ("sidecars", frame.param("sidecars").unwrap_or_default());
    let kept: Vec<(&str, &str)> = [sidecars]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let there = frame.link(&path, &kept);
    let mut swapped = vec![("view", "compare"), ("with", trace.trace_id.as_str())];
    swapped.extend_from_slice(&kept);
    let back = frame.link(&path, &swapped);
    view! {
        <p class="quiet">"Own time of each operation here and in " <a href=there><code class="id">{other.trace_id.clone()}</code></a> ", the greatest difference first. " <a href=back>"Swap"</a></p>
        <div class="scroll"><table class="list folds">
            <thead><tr><th>"Service"</th><th>"Operation"</th><th class="num">"Spans here"</th><th class="num">"There"</th><th class="bar-head"></th>
                <th class="num">"Own time here"</th><th class="num">"There"</th><th class="num">"Difference"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="note">{format!("{} of {}", units::count(count.min(ROWS_MAX) as u64), units::counted(count as u64, "operation"))}</p>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centuries_of_many_spans_have_a_table() {
        let span = |name: &str| SpanRecord {
            name: name.to_owned(),
            span_id: name.repeat(16),
            start_time_unix_nano: 1,
            end_time_unix_nano: u64::MAX >> 1,
            ..SpanRecord::default()
        };
        let trace = TraceDetail {
            spans: vec![span("a"), span("b"), span("c")],
            ..TraceDetail::default()
        };
        let html = statistics_table(&trace, &Frame::default()).to_html();
        assert!(html.contains("3 of 3 operations"), "{html}");
    }

    #[test]
    fn a_cut_name_says_so() {
        let cut = [20, 9, 8, 3, 2].map(|characters| fitting("recommend", characters));
        assert_eq!(cut, ["recommend", "recommend", "recomme…", "re…", ""]);
        assert_eq!(fitting("GO", 2), "GO");
    }
}
