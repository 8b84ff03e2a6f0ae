//! `/explore`: the list of metrics, and one of them over time: its streams or groups of them with their exemplars, or
//! the buckets of a histogram.

mod names;

use leptos::prelude::*;
use tripline_storage::filter::Signal;
use tripline_storage::model::{
    EXEMPLARS_COUNTED_MAX, MetricHeatmap, MetricPoint, MetricPoints, MetricSeries, MetricSummary,
    Page,
};

use self::names::names_of;
use super::filter::bar;
use crate::address::segment;
use crate::chart::{Line, Mark, bounds, buckets, time_series};
use crate::frame::Frame;
use crate::parts::{
    Complaint, complaint, export_links, list_note, nothing, nothing_of, other_fields, positive,
};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct Explore {
    /// All metrics that fit.
    pub metrics: Page<MetricSummary>,
    /// The one in the URL, with its points.
    pub chosen: Option<(String, MetricPoints)>,
    /// Its buckets over time, if they are asked for.
    pub heatmap: Option<MetricHeatmap>,
    /// What is wrong with the question, if anything; then there is nothing else.
    pub complaint: Option<Complaint>,
    /// SQL of its numbers.
    pub how: ExploreHow,
}

/// SQL of the numbers of metrics.
#[derive(Debug, Clone, Default)]
pub struct ExploreHow {
    /// Of the list.
    pub metrics: String,
    /// Of the points that are drawn.
    pub points: String,
}

/// The page.
pub fn explore(data: &Explore, frame: &Frame) -> AnyView {
    if let Some(why) = &data.complaint {
        return view! {
            <h1 class="visually-hidden">"Metrics"</h1>
            {bar(Signal::Metrics, &EXAMPLES, form(frame), frame)}
            {complaint(why, frame)}
        }
        .into_any();
    }
    let chart = match &data.chosen {
        Some((name, points)) => chosen(name, points, data, frame),
        None => nothing(
            "Choose a metric.",
            "Its streams are drawn here, over the range above.",
        ),
    };
    view! {
        <h1 class="visually-hidden">"Metrics"</h1>
        {bar(Signal::Metrics, &EXAMPLES, form(frame), frame)}
        <div class="explore">
            <section class="panel metric-list" id="metric-list" data-live>{list(data, frame)}</section>
            <section class="panel" id="chart" data-live>{chart}</section>
        </div>
    }
    .into_any()
}

fn list(data: &Explore, frame: &Frame) -> AnyView {
    let chosen = data.chosen.as_ref().map(|(name, _)| name.as_str());
    let rows = data
        .metrics
        .items
        .iter()
        .map(|metric| {
            let link = frame.with(&[("metric", &metric.name), ("show", ""), ("by", ""), ("view", "")]);
            let current = (chosen == Some(metric.name.as_str())).then_some("true");
            let detail = format!("{} · {}", metric.kind.replace('_', " "), units::counted(metric.streams, "stream"));
            view! {
                <li><a data-row href=link aria-current=current title=metric.description.clone()>
                    <span class="metric-name">{metric.name.clone()}</span><span class="quiet">{detail}</span></a></li>
            }
        })
        .collect_view();
    let body = if data.metrics.items.is_empty() {
        nothing_of(
            "metrics",
            "No metric fits.",
            "Exporters send metrics about once a minute.",
            frame,
        )
    } else {
        view! { <ul class="pick">{rows}</ul> {list_note(&data.metrics, "metric", "by name", frame)} {frame.how(&data.how.metrics)} }
            .into_any()
    };
    view! {
        {body}
    }
    .into_any()
}

const EXAMPLES: [&str; 3] = [
    "name ~ \"^http\\.\"",
    "kind = histogram AND service = checkout",
    "unit = s",
];

fn form(frame: &Frame) -> AnyView {
    view! {
        <label>"Part of a name" <input type="search" name="text" value=frame.param("text").unwrap_or_default().to_owned()/></label>
        <label>"Service" <input name="service" value=frame.param("service").unwrap_or_default().to_owned()/></label>
    }
    .into_any()
}

/// Which numbers of a point can be drawn, as the address and as people call them.
fn views_of(series: &MetricSeries, is_grouped: bool) -> &'static [(&'static str, &'static str)] {
    const VALUE: (&str, &str) = ("value", "value");
    const RATE: (&str, &str) = ("rate", "rate");
    match series.kind.as_str() {
        "gauge" if is_grouped => &[
            ("value", "mean"),
            ("sum", "sum"),
            ("min", "min"),
            ("max", "max"),
        ],
        "gauge" => &[VALUE],
        "sum" if series.is_monotonic == Some(true) => &[RATE, VALUE],
        "sum" => &[VALUE],
        "summary" if is_grouped => &[RATE],
        _ => &[
            ("p95", "p95"),
            ("p50", "p50"),
            ("p99", "p99"),
            RATE,
            ("max", "max"),
        ],
    }
}

fn value_of(point: &MetricPoint, show: &str) -> Option<f64> {
    match show {
        "rate" => point.rate,
        "p50" => point.p50,
        "p95" => point.p95,
        "p99" => point.p99,
        "min" => point.min,
        "max" => point.max,
        "sum" => point.sum,
        _ => point.value,
    }
}

/// Whether any point has this number.
fn has_values(points: &MetricPoints, show: &str) -> bool {
    let mut all = points.series.iter().flat_map(|series| &series.points);
    all.any(|point| value_of(point, show).is_some())
}

fn chosen(name: &str, points: &MetricPoints, data: &Explore, frame: &Frame) -> AnyView {
    let Some(first) = points.series.first() else {
        return nothing_of(
            "metrics",
            &format!("{name} has no point in this range."),
            "Widen the range.",
            frame,
        );
    };
    let views = views_of(first, points.grouping.is_some());
    // A summary has the quantiles its sender chose: the first that is there.
    let usual = || {
        let found = views.iter().find(|(word, _)| has_values(points, word));
        found.unwrap_or(&views[0]).0
    };
    let show = frame
        .param("show")
        .filter(|show| views.iter().any(|(word, _)| word == show))
        .unwrap_or_else(usual);
    let description = data
        .metrics
        .items
        .iter()
        .find(|m| m.name == name)
        .map(|m| m.description.clone());
    let wants_heatmap = data.heatmap.is_some();
    let current = |word: &str| (!wants_heatmap && word == show).then_some("true");
    let tabs = views
        .iter()
        .map(|(word, label)| view! { <a href=frame.with(&[("show", word), ("view", "")]) aria-current=current(word)>{*label}</a> })
        .collect_view();
    let heatmap_tab = first.kind.ends_with("histogram").then(|| {
        let link = frame.with(&[("view", "heatmap"), ("show", "")]);
        view! { <a href=link aria-current=wants_heatmap.then_some("true")>"heatmap"</a> }
    });
    let drawing = match &data.heatmap {
        Some(map) => heat(map),
        None => lines(points, show, frame),
    };
    view! {
        <div class="panel-head"><div><h2>{name.to_owned()}</h2><p class="quiet">{description}</p></div><nav class="tabs" aria-label="What is drawn">{tabs}{heatmap_tab}</nav>{frame.how(&data.how.points)}</div>
        {(!wants_heatmap).then(|| grouping_form(points, frame))}
        {drawing}
        {export_links(frame, "metrics")}
    }
    .into_any()
}

/// The choice of a key that makes groups of streams.
fn grouping_form(points: &MetricPoints, frame: &Frame) -> Option<AnyView> {
    let chosen = frame.param("by").unwrap_or_default();
    if points.keys.is_empty() && chosen.is_empty() {
        return None;
    }
    // A key written by hand stays to be seen.
    let is_unlisted = !chosen.is_empty() && !points.keys.iter().any(|key| key == chosen);
    let options = points
        .keys
        .iter()
        .map(String::as_str)
        .chain(is_unlisted.then_some(chosen))
        .map(|key| {
            let is_chosen = key == chosen;
            view! { <option value=key.to_owned() selected=is_chosen>{key.to_owned()}</option> }
        })
        .collect_view();
    Some(
        view! {
            <form class="filters" method="get" action="/explore">
                {other_fields(frame, &["by"])}
                <label>"Group by" <select name="by"><option value="" selected=chosen.is_empty()>"nothing: each stream"</option>{options}</select></label>
                <button class="button">"Group"</button>
            </form>
        }
        .into_any(),
    )
}

/// Streams, or groups of them, as lines, and a table of them.
fn lines(points: &MetricPoints, show: &str, frame: &Frame) -> AnyView {
    let unit = match (show, points.series.first()) {
        // A sum grows in its unit, a histogram by values.
        ("rate", Some(first)) if first.kind == "sum" => format!("{}/s", first.unit),
        ("rate", _) | (_, None) => "/s".to_owned(),
        (_, Some(first)) => first.unit.clone(),
    };
    let unit = unit.as_str();
    let names: Vec<String> = if points.grouping.is_some() {
        points.series.iter().map(group_name).collect()
    } else {
        names_of(&points.series)
    };
    let lines: Vec<Line> = points
        .series
        .iter()
        .zip(&names)
        .map(|(series, name)| Line {
            name: name.clone(),
            points: series
                .points
                .iter()
                .filter_map(|point| {
                    Some((
                        u64::try_from(point.time_unix_nano).ok()?,
                        value_of(point, show),
                    ))
                })
                .collect(),
        })
        .collect();
    let marks = if show == "rate" {
        Vec::new()
    } else {
        exemplars(points, frame)
    };
    view! {
        {time_series(&lines, &marks, frame.bounds(), unit)}
        {(!marks.is_empty()).then(|| exemplars_note(marks.len() as u64, points.total_exemplars))}
        {table(points, &names, show, unit)}
        {cut_note(points)}
    }
    .into_any()
}

/// What was left out, and what a group is.
fn cut_note(points: &MetricPoints) -> AnyView {
    let shown = units::count(points.series.len() as u64);
    let all = units::count(points.total_series);
    let Some(grouping) = &points.grouping else {
        return points
            .truncated
            .then(|| view! { <p class="note amber">{format!("{shown} of {all} streams are shown, with their newest points.")}</p> })
            .into_any();
    };
    let text = format!(
        "{} in {} by {}, a point every {}. Sums and rates are added up, gauges averaged; quantiles are those of all buckets together.",
        units::counted(grouping.streams, "stream"),
        units::counted(points.series.len() as u64, "group"),
        grouping.by,
        units::duration(u64::try_from(grouping.step_ns).unwrap_or(0)),
    );
    let cut = format!(
        "{shown} of {all} groups are shown, {} of {} streams are in them, with their newest points.",
        units::count(grouping.streams),
        units::count(grouping.total_streams)
    );
    view! {
        <p class="note">{text}</p>
        {points.truncated.then(|| view! { <p class="note amber">{cut}</p> })}
    }
    .into_any()
}

fn group_name(group: &MetricSeries) -> String {
    group
        .attributes
        .first()
        .map_or_else(|| "(none)".to_owned(), |one| one.value.to_string())
}

/// Buckets over time, and how many values each has in all.
fn heat(map: &MetricHeatmap) -> AnyView {
    let Some(drawing) = buckets(map) else {
        return nothing(
            "No value was counted in this range.",
            "A cumulative histogram needs two points in the range to say what came between them.",
        );
    };
    let rows = map
        .rows
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(at, row)| {
            let values: f64 = map
                .cells
                .iter()
                .filter(|cell| usize::try_from(cell.row).is_ok_and(|row| row == at))
                .map(|cell| cell.values)
                .sum();
            (values > 0.0).then(|| view! {
                <tr><td class="wide">{bounds(row, &map.unit)}</td><td class="num">{units::count(values.round() as u64)}</td>
                <td class="num quiet">{units::percent(values / map.values.max(1.0))}</td></tr>
            })
        })
        .collect_view();
    let cut = (map.streams < map.total_streams).then(|| {
        let text = format!(
            "{} of {} streams are in it.",
            units::count(map.streams),
            units::count(map.total_streams)
        );
        view! { <p class="note amber">{text}</p> }
    });
    view! {
        {drawing}
        <div class="scroll"><table class="list">
            <thead><tr><th>"Bucket"</th><th class="num">"Values"</th><th class="num">"Share"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        {cut}
    }
    .into_any()
}

/// Exemplars drawn as dots: more would hide the lines.
const EXEMPLARS_DRAWN_MAX: usize = 200;

/// How many exemplars are drawn, where there are more.
fn exemplars_note(drawn: u64, total: u64) -> Option<AnyView> {
    if drawn >= total {
        return None;
    }
    let at_least = if total >= EXEMPLARS_COUNTED_MAX {
        " or more"
    } else {
        ""
    };
    let text = format!(
        "{} of {}{at_least} exemplars are drawn: of those that name a trace, the newest of each stream.",
        units::count(drawn),
        units::count(total)
    );
    Some(view! { <p class="note">{text}</p> }.into_any())
}

fn exemplars(points: &MetricPoints, frame: &Frame) -> Vec<Mark> {
    let all = points.series.iter().flat_map(|series| &series.exemplars);
    all.filter_map(|exemplar| {
        let trace = exemplar.trace_id.as_deref()?;
        let path = format!("/traces/{}", segment(trace));
        let value = exemplar.value?;
        Some(Mark {
            time_ns: positive(exemplar.time_unix_nano)?,
            value,
            href: frame.link(
                &path,
                &[("span", exemplar.span_id.as_deref().unwrap_or_default())],
            ),
            title: format!(
                "{}: open its trace",
                units::with_unit(value, &exemplar.unit)
            ),
        })
    })
    .take(EXEMPLARS_DRAWN_MAX)
    .collect()
}

fn table(points: &MetricPoints, names: &[String], show: &str, unit: &str) -> AnyView {
    let rows = points
        .series
        .iter()
        .zip(names)
        .enumerate()
        .map(|(at, (series, name))| {
            let values: Vec<f64> = series
                .points
                .iter()
                .filter_map(|p| value_of(p, show))
                .filter(|v| v.is_finite())
                .collect();
            let text = |value: Option<f64>| {
                value.map_or_else(|| "–".to_owned(), |value| units::with_unit(value, unit))
            };
            view! {
                <tr>
                    <td class="wide folds-main"><i class=format!("dot c{}", at % 10)></i> {name.clone()}</td>
                    <td class="num" data-head="last">{text(values.last().copied())}</td>
                    <td class="num" data-head="min">{text(values.iter().copied().reduce(f64::min))}</td>
                    <td class="num" data-head="max">{text(values.iter().copied().reduce(f64::max))}</td>
                    <td class="num" data-head="points">{units::count(series.points.len() as u64)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll"><table class="list folds">
            <thead><tr><th>"Stream"</th><th class="num">"Last"</th><th class="num">"Min"</th><th class="num">"Max"</th><th class="num">"Points"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}
