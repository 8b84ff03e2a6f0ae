//! `/explore`: the list of metrics, and one of them over time with its exemplars.

use leptos::prelude::*;
use tripline_storage::filter::Signal;
use tripline_storage::model::{MetricPoint, MetricPoints, MetricSeries, MetricSummary, Page};

use super::filter::bar;
use crate::chart::{Line, Mark, time_series};
use crate::parts::{
    Complaint, Frame, complaint, list_note, nothing, nothing_of, positive, segment,
};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct Explore {
    /// All metrics that fit.
    pub metrics: Page<MetricSummary>,
    /// The one in the URL, with its points.
    pub chosen: Option<(String, MetricPoints)>,
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
            <section class="panel">{complaint(why, frame)}</section>
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
            <section class="panel metric-list">{list(data, frame)}</section>
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
            let link = frame.with(&[("metric", &metric.name), ("show", "")]);
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

/// Which number of a point is drawn.
fn views_of(series: &MetricSeries) -> &'static [&'static str] {
    match series.kind.as_str() {
        "gauge" => &["value"],
        "sum" if series.is_monotonic == Some(true) => &["rate", "value"],
        "sum" => &["value"],
        _ => &["p95", "p50", "p99", "rate", "max"],
    }
}

fn value_of(point: &MetricPoint, show: &str) -> Option<f64> {
    match show {
        "rate" => point.rate,
        "p50" => point.p50,
        "p95" => point.p95,
        "p99" => point.p99,
        "max" => point.max,
        _ => point.value,
    }
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
    let views = views_of(first);
    let show = frame
        .param("show")
        .filter(|show| views.contains(show))
        .unwrap_or(views[0]);
    let unit = if show == "rate" {
        "/s"
    } else {
        first.unit.as_str()
    };
    let names = names_of(&points.series);
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
    let description = data
        .metrics
        .items
        .iter()
        .find(|m| m.name == name)
        .map(|m| m.description.clone());
    let tabs = views
        .iter()
        .map(|view_name| view! { <a href=frame.with(&[("show", view_name)]) aria-current=(*view_name == show).then_some("true")>{*view_name}</a> })
        .collect_view();
    view! {
        <div class="panel-head"><div><h2>{name.to_owned()}</h2><p class="quiet">{description}</p></div><nav class="tabs" aria-label="What is drawn">{tabs}</nav>{frame.how(&data.how.points)}</div>
        {time_series(&lines, &marks, frame.bounds(), unit)}
        {table(points, &names, show, unit)}
        {points.truncated.then(|| view! { <p class="note amber">{format!("{} of {} streams are shown, with their newest points.", points.series.len(), points.total_series)}</p> })}
    }
    .into_any()
}

/// What tells the streams of one metric apart: only the attributes that differ.
fn names_of(series: &[MetricSeries]) -> Vec<String> {
    let differs = |key: &str| {
        let value = |s: &MetricSeries| {
            s.attributes
                .iter()
                .find(|a| a.key == key)
                .map(|a| a.value.to_string())
        };
        series
            .windows(2)
            .any(|pair| value(&pair[0]) != value(&pair[1]))
    };
    let services_differ = series
        .windows(2)
        .any(|pair| pair[0].service_name != pair[1].service_name);
    series
        .iter()
        .map(|stream| {
            let mut parts: Vec<String> = Vec::new();
            if services_differ || series.len() == 1 {
                parts.extend(stream.service_name.clone());
            }
            parts.extend(
                stream
                    .attributes
                    .iter()
                    .filter(|a| differs(&a.key))
                    .map(|a| format!("{}={}", a.key, a.value)),
            );
            if parts.is_empty() {
                parts.push(
                    stream
                        .service_instance_id
                        .clone()
                        .unwrap_or_else(|| stream.series_id.clone()),
                );
            }
            parts.join(" ")
        })
        .collect()
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
    .take(200)
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
                    <td class="wide"><i class=format!("dot c{}", at % 10)></i> {name.clone()}</td>
                    <td class="num">{text(values.last().copied())}</td>
                    <td class="num">{text(values.iter().copied().reduce(f64::min))}</td>
                    <td class="num">{text(values.iter().copied().reduce(f64::max))}</td>
                    <td class="num">{units::count(series.points.len() as u64)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll"><table class="list">
            <thead><tr><th>"Stream"</th><th class="num">"Last"</th><th class="num">"Min"</th><th class="num">"Max"</th><th class="num">"Points"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}
