//! `/breakers`: every breaker that is known, those that refuse first, with the trace that tripped each; and, in a tab, a
//! review of what they did in the range.

mod encodings;
mod review;

use leptos::prelude::*;
use tripline_storage::model::{Breaker, BreakerReview, Encodings, Lane, Page};

use self::review::review;
use super::breaker_marks::{inferred_by, named, page_of, path_of, severity};
use super::ejection::{hosts_named, is_ejection, lane_key, lane_of, mark_of};
use crate::address::segment;
use crate::chart::lanes;
use crate::frame::Frame;
use crate::parts::{
    list_note, moment, narrowed, nothing, positive, service_link, service_link_in, since,
};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct BreakersPage {
    /// Every breaker as it was at the end of the range.
    pub breakers: Page<Breaker>,
    /// Those that did something in the range, through time.
    pub lanes: Page<Lane>,
    /// Numbers that no recogniser knows, and what was said of them.
    pub encodings: Encodings,
    /// What they did in the range, when that is asked for: then nothing else is shown.
    pub review: Option<Page<BreakerReview>>,
    /// SQL of its numbers.
    pub how: BreakersHow,
}

/// SQL of the numbers of breakers.
#[derive(Debug, Clone, Default)]
pub struct BreakersHow {
    /// Of the list.
    pub states: String,
    /// Of what they did through time.
    pub lanes: String,
    /// Of the review.
    pub review: String,
    /// Of numbers of unknown meaning.
    pub numbers: String,
}

/// The page.
pub fn breakers(data: &BreakersPage, frame: &Frame) -> AnyView {
    if let Some(page) = &data.review {
        return review(page, &data.how.review, frame);
    }
    let page = &data.breakers;
    let body = if page.items.is_empty() {
        let ended = as_of_end(frame);
        let sentence = if ended.is_some() {
            "No evidence of a circuit breaker is stored from before this range ended."
        } else {
            "No evidence of a circuit breaker is stored."
        };
        let none = nothing(
            sentence,
            "Breakers are known by the telemetry they or their libraries send: state changes as events or logs, states and outcomes on spans, gauges and counters.",
        );
        view! { {ended}{none}{narrowed(frame)} }.into_any()
    } else {
        view! {
            {as_of_end(frame)}
            {table(page.items.iter(), frame)}
            {list_note(page, "breaker", "refusing first", frame)}
        }
        .into_any()
    };
    view! {
        <h1 class="visually-hidden">"Breakers"</h1>
        {tabs(frame)}
        {swimlanes(&data.lanes, &data.how.lanes, frame)}
        <section class="panel" id="breakers" data-live><div class="panel-head"><h2>"Breakers"</h2>{frame.how(&data.how.states)}</div>{body}</section>
        {encodings::section(&data.encodings, &data.how.numbers, frame)}
    }
    .into_any()
}

/// What the page can show: the address says which.
fn tabs(frame: &Frame) -> AnyView {
    let current = |name: &str| (frame.param("tab").unwrap_or_default() == name).then_some("page");
    view! {
        <nav class="tabs" aria-label="Views of the breakers">
            <a href=frame.with(&[("tab", "")]) aria-current=current("")>"States"</a>
            <a href=frame.with(&[("tab", "review")]) aria-current=current("review")>"Review"</a>
        </nav>
    }
    .into_any()
}

/// Breakers through time, grouped by service; those that never refused fold into a sentence.
fn swimlanes(page: &Page<Lane>, how: &str, frame: &Frame) -> Option<AnyView> {
    if page.items.is_empty() {
        return None;
    }
    let range = frame.bounds();
    let is_quiet = |lane: &&Lane| {
        lane.segments
            .iter()
            .all(|segment| severity(&segment.state) == "fine")
    };
    let mut loud: Vec<&Lane> = page.items.iter().filter(|lane| !is_quiet(lane)).collect();
    // The service with the most refusing time first, its breakers together.
    let weight = |service: &str| -> u64 {
        let of_it = page
            .items
            .iter()
            .filter(|lane| lane.service_name == service);
        // A few breakers that refuse until the end of time are more than can be counted.
        of_it.fold(0_u64, |sum, lane| sum.saturating_add(lane.refusing_ns))
    };
    loud.sort_by_key(|lane| {
        (
            std::cmp::Reverse(weight(&lane.service_name)),
            lane.service_name.clone(),
            std::cmp::Reverse(lane.refusing_ns),
        )
    });
    let rows = loud
        .iter()
        .map(|lane| {
            let callee = lane.peer_service.clone().unwrap_or_default();
            let guards = (!callee.is_empty()).then(|| format!(" → {callee}"));
            let refusing = lane.segments.last().map(|end| refusing(&lane.pattern, &end.state, (end.open, end.of)));
            view! {
                <tr>
                    <td>{service_link(frame, Some(&lane.service_name))}</td>
                    <td><div class="lane-name"><a href=page_of(&lane.service_name, &lane.name, lane.key.as_deref(), frame)>{named(&lane.name, lane.key.as_deref())}</a><span class="quiet">{guards}</span></div></td>
                    <td class="num" data-head="trips">{units::count(u64::from(lane.trips))}</td>
                    <td class="num nowrap" data-head="at the end">{refusing}</td>
                    <td class="lane-cell">{lanes::lane(&lane_of(&lane.pattern, &lane.segments), range)}</td>
                </tr>
            }
        })
        .collect_view();
    let quiet = page.items.len() - loud.len();
    let folded = (quiet > 0).then(|| {
        let breakers = units::counted(quiet as u64, "breaker");
        view! { <p class="note">{format!("{breakers} stayed closed.")}</p> }
    });
    let shown = loud.iter();
    let key = lane_key(shown.map(|lane| (lane.pattern.as_str(), lane.segments.as_slice())));
    let table = (!loud.is_empty()).then(|| view! {
        <div class="scroll"><table class="list folds">
            <thead><tr><th>"Service"</th><th>"Breaker"</th><th class="num">"Trips"</th><th class="num">"At the end"</th><th>{lanes::axis(range)}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    });
    Some(view! { <section class="panel" id="lanes" data-live><div class="panel-head"><h2>"Through time"</h2>{frame.how(how)}</div>{key}{table}{folded}</section> }.into_any())
}

/// Above states of a page whose range ended before: that they are those of its end.
pub(super) fn as_of_end(frame: &Frame) -> Option<AnyView> {
    let (_, end) = frame.bounds();
    if end >= frame.now_ns {
        return None;
    }
    let until_now = frame.with(&[("to", "now")]);
    Some(
        view! { <p class="note">"States are those of "{moment(Some(end), frame)}", when this range ended. "<a href=until_now>"Up to now"</a></p> }
            .into_any(),
    )
}

fn table<'a>(breakers: impl Iterator<Item = &'a Breaker>, frame: &Frame) -> AnyView {
    let rows = breakers.map(|breaker| row(breaker, frame)).collect_view();
    view! {
        <div class="scroll"><table class="list folds">
            <thead><tr><th>"State"</th><th>"Service"</th><th>"Breaker"</th><th>"Guards"</th><th>"Since"</th><th>"Instances"</th><th>"Evidence"</th><th>"Tripped by"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn row(breaker: &Breaker, frame: &Frame) -> AnyView {
    let name = named(&breaker.name, breaker.key.as_deref());
    let own = frame.link_in(
        &breaker.scope,
        &path_of(&breaker.service_name, &breaker.name, breaker.key.as_deref()),
        &[],
    );
    let other = (breaker.pattern != "breaker")
        .then(|| view! { " " <span class="tag">{breaker.pattern.replace('_', " ")}</span> });
    let peer = breaker
        .peer_service
        .as_ref()
        .or(breaker.peer_address.as_ref())
        .cloned();
    let guess = inferred_by(breaker.peer_evidence.as_deref())
        .map(|by| view! { " " <span class="tag" title="Inferred, not reported">{by}</span> });
    let moment = since(positive(breaker.since_unix_nano), frame);
    let inferred = (!breaker.since_exact && breaker.since_unix_nano.is_some())
        .then(|| view! { <span class="quiet" title="Inferred, not reported">"≈ "</span> });
    let title = format!("{} % sure, by {}", breaker.confidence, breaker.origin);
    view! {
        <tr>
            <td class="nowrap">{mark_of(breaker)}{hosts_named(breaker)}</td>
            <td>{service_link_in(frame, &breaker.scope, Some(&breaker.service_name))}</td>
            <td class="folds-main"><a data-row href=own>{name}</a>{other}</td>
            <td data-head="guards">{peer.map_or_else(|| view! { <span class="quiet">"not known"</span> }.into_any(), |peer| view! { {peer}{guess} }.into_any())}</td>
            <td class="nowrap" data-head="since">{inferred}{moment}</td>
            <td class="num" data-head="instances">{refusing(&breaker.pattern, &breaker.state, (breaker.instances_open, breaker.instances))}</td>
            <td class="quiet" title=title data-head="evidence">{breaker.evidence.replace('_', " ")}</td>
            <td data-head="tripped by">{trip_link(breaker, frame)}</td>
        </tr>
    }
    .into_any()
}

/// How many instances refuse of a breaker in a state; those that fell silent do not count.
fn refusing(pattern: &str, state: &str, (open, all): (u32, u32)) -> AnyView {
    if all == 0 {
        return view! { <span class="quiet">"none heard"</span> }.into_any();
    }
    // Nobody knows whether these refuse.
    if state == "unknown" {
        return format!("not known of {all}").into_any();
    }
    format!("{open} of {all} {}", refusing_word(pattern)).into_any()
}

/// What instances do that refuse: those of an ejection refuse no call while a host is left.
fn refusing_word(pattern: &str) -> &'static str {
    if is_ejection(pattern) {
        "ejecting"
    } else {
        "open"
    }
}

fn trip_link(breaker: &Breaker, frame: &Frame) -> AnyView {
    let Some(trip) = &breaker.last_trip else {
        return view! { <span class="quiet">"no trace"</span> }.into_any();
    };
    let span = trip.span_id.as_deref().unwrap_or_default();
    let params: &[(&str, &str)] = if span.is_empty() {
        &[]
    } else {
        &[("span", span)]
    };
    let link = frame.link(&format!("/traces/{}", segment(&trip.trace_id)), params);
    let short: String = trip.trace_id.chars().take(8).collect();
    let inferred = (trip.trace_evidence.as_deref() != Some("exact"))
        .then(|| view! { " " <span class="tag">{trip.trace_evidence.clone().unwrap_or_else(|| "inferred".to_owned())}</span> });
    view! { <a href=link><code class="id">{short}</code></a>{inferred} }.into_any()
}

/// The breakers a service owns, and those others hold against it; nothing when there are none.
pub(super) fn panel_of(service: &str, breakers: &[Breaker], frame: &Frame) -> Option<AnyView> {
    let is_about = |breaker: &&Breaker| {
        breaker.service_name == service || breaker.peer_service.as_deref() == Some(service)
    };
    if !breakers.iter().any(|breaker| is_about(&breaker)) {
        return None;
    }
    let table = table(breakers.iter().filter(is_about), frame);
    Some(
        view! { <section class="panel" id="own-breakers" data-live><h2>"Its breakers, and those held against it"</h2>{as_of_end(frame)}{table}</section> }
            .into_any(),
    )
}

#[cfg(test)]
mod tests {
    use tripline_storage::model::TripTrace;

    use super::*;
    use crate::range::{Edge, Range};

    #[test]
    fn hostile_names_are_escaped_and_the_trip_is_linked() {
        let breaker = Breaker {
            service_name: "<script>".to_owned(),
            name: "\"><img src=x>".to_owned(),
            pattern: "breaker".to_owned(),
            state: "open".to_owned(),
            instances: 3,
            instances_open: 2,
            last_trip: Some(TripTrace {
                trace_id: "ab".repeat(16),
                span_id: Some("cd".repeat(8)),
                trace_evidence: Some("exact".to_owned()),
                time_unix_nano: 1,
            }),
            ..Breaker::default()
        };
        let html = breakers(
            &BreakersPage {
                breakers: Page::whole(vec![breaker]),
                ..BreakersPage::default()
            },
            &Frame::default(),
        )
        .to_html();
        assert!(
            !html.contains("<script>") && !html.contains("<img"),
            "{html}"
        );
        assert!(html.contains(&format!(
            "/traces/{}?span={}",
            "ab".repeat(16),
            "cd".repeat(8)
        )));
        assert!(html.contains("2 of 3 open"));
    }

    #[test]
    fn a_callee_that_is_inferred_says_from_what() {
        let shown = |evidence: &str| {
            let breaker = Breaker {
                name: "inventory-cb".to_owned(),
                peer_service: Some("inventory".to_owned()),
                peer_evidence: Some(evidence.to_owned()),
                ..Breaker::default()
            };
            row(&breaker, &Frame::default()).to_html()
        };
        assert!(shown("name").contains("by name"), "{}", shown("name"));
        assert!(shown("edge").contains("the only callee"));
        assert!(shown("user_rule").contains("by your rule"));
        assert!(!shown("reported").contains("by name"));
    }

    #[test]
    fn states_of_a_range_that_ended_say_that_they_are_of_its_end() {
        let shown = |to: Edge, items: Vec<Breaker>| {
            let page = BreakersPage {
                breakers: Page::whole(items),
                ..BreakersPage::default()
            };
            let hour = 3_600_000_000_000;
            let frame = Frame {
                path: "/breakers".to_owned(),
                range: Range {
                    from: Edge::At(hour),
                    to,
                },
                now_ns: 20 * hour,
                ..Frame::default()
            };
            breakers(&page, &frame).to_html()
        };
        let ended = Edge::At(7_200_000_000_000);
        let past = shown(ended, vec![Breaker::default()]);
        for words in ["States are those of", "02:00:00", "to=now"] {
            assert!(past.contains(words), "{words}\n{past}");
        }
        // Some may be known since then.
        let none = shown(ended, Vec::new());
        for words in ["is stored from before this range ended", "to=now"] {
            assert!(none.contains(words), "{words}\n{none}");
        }
        for to in [Edge::Ago(0), Edge::At(u64::MAX)] {
            let html = shown(to, vec![Breaker::default()]);
            assert!(!html.contains("States are those of"), "{html}");
        }
    }

    #[test]
    fn without_breakers_the_page_says_what_would_show_them() {
        let html = breakers(&BreakersPage::default(), &Frame::default()).to_html();
        assert!(html.contains("No evidence of a circuit breaker is stored."));
    }
}
