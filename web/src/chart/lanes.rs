//! Swimlanes: states through time, one row a breaker or instance. Data in, SVG out.
//!
//! Closed is thin, half-open hatched, open solid; a trip is never under three pixels, and what lies within as many is one
//! mark that carries the count of its trips. A state is told by its shape, its words (title) and its colour; no two of the ten
//! look alike. The bounds of an inferred beginning are drawn as a thin line before it.

use std::collections::BTreeSet;

use leptos::prelude::*;
use tripline_storage::model::{LaneSegment, STATES};

use super::time_label;
use crate::units;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 18.0;
/// Narrower and a trip would be missed.
const MIN: f64 = 3.0;
/// Nobody listens to more of them: the label of a lane sums up what is more often not closed.
const TOLD_MAX: usize = 12;

/// Finer than anybody sees: the digits after these were a twelfth of a page of lanes.
fn hundredths(pixels: f64) -> f64 {
    (pixels * 100.0).round() / 100.0
}

/// One lane over `[from, to)`.
pub fn lane(segments: &[LaneSegment], (from, to): (u64, u64)) -> AnyView {
    let length = to.saturating_sub(from).max(1) as f64;
    let x = |ns: i64| {
        let ns = u64::try_from(ns).unwrap_or(0).clamp(from, to);
        hundredths((ns - from) as f64 / length * WIDTH)
    };
    let bars = marks(segments, |segment| (x(segment.from_unix_nano), x(segment.to_unix_nano)))
        .map(|mark| {
            let (first, drawn) = (&mark[0], worst(mark));
            let (left, right) = (x(first.from_unix_nano), x(mark[mark.len() - 1].to_unix_nano));
            let width = hundredths((right - left).max(if is_trip(drawn) { MIN } else { 0.0 }));
            let left = hundredths(left.min(WIDTH - width));
            let (y, height) = shape(&drawn.state);
            let earliest = x(first.from_lo_unix_nano);
            let doubt = (earliest < left - 0.5).then(|| {
                view! { <rect class="lane-doubt" x=earliest y=HEIGHT / 2.0 - 1.0 width=hundredths(left - earliest) height="2"></rect> }
            });
            let class = format!("lane-bar lane-{}", drawn.state);
            let trips = trips(mark);
            let count = (trips > 1).then(|| {
                view! { <text class="lane-count" x=hundredths(left + width + 1.0) y="13">{trips}</text> }
            });
            view! { {doubt}<rect class=class x=left y=y width=width height=height><title>{told(mark)}</title></rect>{count} }
        })
        .collect_view();
    let label = label(segments);
    view! { <svg class="lane" viewBox="0 0 1000 18" preserveAspectRatio="none" role="img" aria-label=label>{bars}</svg> }.into_any()
}

fn is_trip(segment: &LaneSegment) -> bool {
    segment.open > 0 || segment.state == "half_open"
}

/// The segments of each mark: one, or all from a trip on that end within the width of the narrowest, up to the last of a trip.
fn marks(
    mut segments: &[LaneSegment],
    ends: impl Fn(&LaneSegment) -> (f64, f64),
) -> impl Iterator<Item = &[LaneSegment]> {
    std::iter::from_fn(move || {
        let first = segments.first()?;
        let mut length = 1;
        if is_trip(first) {
            let left = ends(first).0;
            let near = segments
                .iter()
                .take_while(|segment| ends(segment).1 - left <= MIN);
            let last = near
                .enumerate()
                .filter(|(_, segment)| is_trip(segment))
                .last();
            length = last.map_or(1, |(at, _)| at + 1);
        }
        let (mark, rest) = segments.split_at(length);
        segments = rest;
        Some(mark)
    })
}

/// What a mark is drawn as.
fn worst(mark: &[LaneSegment]) -> &LaneSegment {
    mark.iter()
        .find(|segment| segment.open > 0)
        .unwrap_or(&mark[0])
}

/// How often calls began to be refused.
fn trips(segments: &[LaneSegment]) -> usize {
    let refuses = |at: usize| segments[at].open > 0;
    let is_beginning = |at: &usize| refuses(*at) && (*at == 0 || !refuses(*at - 1));
    (0..segments.len()).filter(is_beginning).count()
}

/// How long the segments that are not closed last together, in words.
fn not_closed(segments: &[LaneSegment]) -> String {
    let apart = segments.iter().filter(|segment| segment.state != "closed");
    let lengths = apart.map(|s| u64::try_from(s.to_unix_nano - s.from_unix_nano).unwrap_or(0));
    units::duration(lengths.sum())
}

/// A mark in words: its segments, or where it has several trips how many.
fn told(mark: &[LaneSegment]) -> String {
    let count = trips(mark);
    if count < 2 {
        let words: Vec<String> = mark.iter().map(words).collect();
        return words.join("; ");
    }
    let time = |ns: i64| units::time_of_day(u64::try_from(ns).unwrap_or(0), 3);
    format!(
        "{count} trips from {} UTC to {} UTC, not closed for {} in all",
        time(mark[0].from_unix_nano),
        time(mark[mark.len() - 1].to_unix_nano),
        not_closed(mark)
    )
}

/// The lane for those who do not see it: everything that was not closed, and where nobody knows, that.
fn label(segments: &[LaneSegment]) -> String {
    let apart = segments.iter().filter(|segment| segment.state != "closed");
    let apart: Vec<&LaneSegment> = apart.collect();
    match apart.as_slice() {
        [] => "never open in this range".to_owned(),
        [.., last] if apart.len() > TOLD_MAX => format!(
            "{} trips, not closed for {} in all; last {}",
            trips(segments),
            not_closed(segments),
            words(last)
        ),
        _ => {
            let words: Vec<String> = apart.into_iter().map(words).collect();
            words.join("; ")
        }
    }
}

/// What the bars of lanes mean: of each state that is drawn a sample and its words, in the order of [`STATES`]. `None` where
/// nothing but closed is drawn.
pub fn key<'a>(segments: impl Iterator<Item = &'a LaneSegment>) -> Option<AnyView> {
    let drawn: BTreeSet<&str> = segments.map(|segment| segment.state.as_str()).collect();
    if drawn.iter().all(|state| *state == "closed") {
        return None;
    }
    let samples = STATES
        .into_iter()
        .chain(["ejecting"])
        .filter(|state| drawn.contains(state))
        .map(|state| {
            let (y, height) = shape(state);
            let class = format!("lane-bar lane-{state}");
            view! { <li><svg class="lane-sample" viewBox="0 0 24 18" aria-hidden="true"><rect class=class x="1" y=y width="22" height=height></rect></svg>{meaning(state)}</li> }
        })
        .collect_view();
    Some(
        view! { <ul class="legend lane-key" aria-label="What the bars mean">{samples}</ul> }
            .into_any(),
    )
}

/// A state in words for who meets it for the first time.
fn meaning(state: &str) -> &'static str {
    match state {
        "closed" => "closed: calls pass",
        "open" => "open: calls are refused",
        "half_open" => "half open: a few calls try",
        "forced_open" => "forced open by hand",
        "disabled" => "disabled: calls pass",
        "metrics_only" => "metrics only: calls pass",
        "saturated" => "saturated",
        "throttling" => "throttling",
        "ejecting" => "hosts are out",
        "stale" => "stale: nothing is heard",
        _ => "unknown",
    }
}

/// The two ends of the range of lanes.
pub fn axis((from, to): (u64, u64)) -> AnyView {
    let length = to.saturating_sub(from);
    view! { {time_label(from, length)} " – " {time_label(to, length)} }.into_any()
}

/// Top and height of a state's bar: the more it refuses, the higher. Those of one height differ in how they are filled.
fn shape(state: &str) -> (f64, f64) {
    match state {
        "open" | "forced_open" => (1.0, 16.0),
        "half_open" | "saturated" | "ejecting" => (4.0, 10.0),
        "throttling" | "metrics_only" | "unknown" => (6.0, 6.0),
        _ => (7.5, 3.0),
    }
}

/// `open (3 of 12 open) from 03:02:14.000 UTC for 8 s`.
pub fn words(segment: &LaneSegment) -> String {
    let from = u64::try_from(segment.from_unix_nano).unwrap_or(0);
    let length = u64::try_from(segment.to_unix_nano - segment.from_unix_nano).unwrap_or(0);
    let doubt = u64::try_from(segment.from_unix_nano - segment.from_lo_unix_nano).unwrap_or(0);
    let (open, all) = (segment.open, segment.of);
    let of = match segment.state.as_str() {
        _ if all < 2 => String::new(),
        // Nobody knows whether these refuse.
        "unknown" => format!(" ({all} instances)"),
        "ejecting" => format!(" ({open} of {all} instances)"),
        _ => format!(" ({open} of {all} open)"),
    };
    let inferred = if doubt > 0 {
        format!(", inferred: up to {} earlier", units::duration(doubt))
    } else {
        String::new()
    };
    format!(
        "{}{of} from {} UTC for {}{inferred}",
        segment.state.replace('_', " "),
        units::time_of_day(from, 3),
        units::duration(length)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the stylesheet says of a state: the declarations of every rule that names its class.
    fn style_of(state: &str) -> String {
        let class = format!(".lane-{state}");
        let rules = crate::STYLE.split('}');
        let declared = rules.filter_map(|rule| {
            let (selectors, declarations) = rule.rsplit_once('{')?;
            let is_named = selectors.split(',').any(|one| one.trim() == class);
            is_named.then_some(declarations)
        });
        declared.collect()
    }

    #[test]
    fn no_two_states_look_alike_and_each_says_its_name() {
        let looks: Vec<_> = STATES
            .iter()
            .map(|state| (shape(state), style_of(state)))
            .collect();
        for (at, look) in looks.iter().enumerate() {
            let is_new = looks[..at].iter().all(|other| other != look);
            assert!(is_new, "{}: {look:?}", STATES[at]);
        }
        for state in STATES {
            let segment = LaneSegment {
                to_unix_nano: 1_000_000_000,
                state: state.to_owned(),
                ..LaneSegment::default()
            };
            let html = lane(&[segment], (0, 2_000_000_000)).to_html();
            let said = format!("{} from 00:00:00.000 UTC for 1 s", state.replace('_', " "));
            assert!(html.contains(&format!("<title>{said}")), "{html}");
            assert!(html.contains(&format!("lane-bar lane-{state}")), "{html}");
            let label = match state {
                "closed" => "never open in this range",
                _ => said.as_str(),
            };
            assert!(html.contains(&format!("aria-label=\"{label}\"")), "{html}");
        }
    }

    #[test]
    fn the_key_has_each_state_that_is_drawn_once_and_no_other() {
        let drawn = |states: &[&str]| {
            let segments: Vec<LaneSegment> = states
                .iter()
                .map(|state| LaneSegment {
                    state: (*state).to_owned(),
                    ..LaneSegment::default()
                })
                .collect();
            let key = key(segments.iter())?;
            Some(key.to_html())
        };
        let html = drawn(&["half_open", "open", "closed", "open", "ejecting"]).expect("a key");
        assert_eq!(html.matches("<svg").count(), 4, "{html}");
        for words in [
            "open: calls are refused",
            "half open: a few calls try",
            "hosts are out",
        ] {
            assert!(html.contains(words), "{words}\n{html}");
        }
        assert!(!html.contains("stale"), "{html}");
        assert_eq!(drawn(&["closed", "closed"]), None);
        for state in STATES {
            let said = meaning(state);
            assert!(
                said.starts_with(&state.replace('_', " ")),
                "{state}: {said}"
            );
        }
    }

    #[test]
    fn trips_within_the_width_of_the_narrowest_are_one_mark_that_carries_their_count() {
        let second = |at: i64| at * 1_000_000_000;
        let lasting = |from: i64, to: i64, state: &str| LaneSegment {
            from_unix_nano: second(from),
            from_lo_unix_nano: second(from),
            to_unix_nano: second(to),
            state: state.to_owned(),
            open: u32::from(state == "open"),
            of: 1,
        };
        // A pixel is 86.4 s.
        let trip = |at: i64| {
            [
                lasting(at, at + 10, "open"),
                lasting(at + 10, at + 11, "half_open"),
            ]
        };
        let day = (0, 86_400_000_000_000);
        let mut segments = vec![lasting(0, 1_000, "closed")];
        segments.extend(trip(1_000));
        segments.push(lasting(1_011, 1_100, "closed"));
        segments.extend(trip(1_100));
        segments.push(lasting(1_111, 9_000, "closed"));
        segments.extend(trip(9_000));
        let html = lane(&segments, day).to_html();
        assert_eq!(html.matches("lane-bar lane-open").count(), 2, "{html}");
        assert_eq!(html.matches("lane-bar lane-closed").count(), 2, "{html}");
        assert!(!html.contains("lane-bar lane-half_open"), "{html}");
        let several =
            "<title>2 trips from 00:16:40.000 UTC to 00:18:31.000 UTC, not closed for 22 s in all";
        assert!(html.contains(several), "{html}");
        assert_eq!(html.matches("lane-count").count(), 1, "{html}");
        let alone =
            "<title>open from 02:30:00.000 UTC for 10 s; half open from 02:30:10.000 UTC for 1 s<";
        assert!(html.contains(alone), "{html}");
        // Apart they are marks of their own, and many of them are summed up for those who listen.
        let many: Vec<LaneSegment> = (0..20).flat_map(|n| trip(n * 4_000)).collect();
        let html = lane(&many, day).to_html();
        assert_eq!(html.matches("lane-bar").count(), 20, "{html}");
        let label = "aria-label=\"20 trips, not closed for 3 min 40 s in all; last half open from 21:06:50.000 UTC for 1 s\"";
        assert!(html.contains(label), "{html}");
    }

    #[test]
    fn a_short_trip_is_wide_enough_to_see_and_says_its_doubt() {
        let segment = |from, to, state: &str, open| LaneSegment {
            from_unix_nano: from,
            from_lo_unix_nano: from - i64::from(open) * 1_000_000,
            to_unix_nano: to,
            state: state.to_owned(),
            open,
            of: 3,
        };
        let segments = [
            segment(0, 500_000_000, "closed", 0),
            segment(500_000_000, 500_000_001, "open", 1),
        ];
        let html = lane(&segments, (0, 3_600_000_000_000)).to_html();
        assert!(html.contains("lane-open"), "{html}");
        assert!(html.contains("width=\"3\""), "{html}");
        assert!(html.contains("x=\"0.14\""), "{html}");
        assert!(
            html.contains("open (1 of 3 open) from 00:00:00.500 UTC for"),
            "{html}"
        );
        assert!(html.contains("inferred: up to 1 ms earlier"), "{html}");
        // Its ends are times that a browser turns into its own, as on every other axis.
        let ends = axis((0, 3_600_000_000_000)).to_html();
        assert_eq!(ends.matches("data-clock=\"m\"").count(), 2, "{ends}");
    }
}
