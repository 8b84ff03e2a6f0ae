//! The tab *Review* of `/breakers`: what each breaker did in the range, those that were open longest first.

use leptos::prelude::*;
use tripline_storage::model::{BreakerReview, Page};

use super::tabs;
use crate::frame::Frame;
use crate::pages::breaker_marks::{named, page_of};
use crate::parts::{figure, list_note, nothing, service_link};
use crate::units;

/// From here on a breaker flaps: routers suppress a route at twice the penalty of one flap.
const FLAPPING: f64 = 2.0;

/// The tab.
pub(super) fn review(page: &Page<BreakerReview>, how: &str, frame: &Frame) -> AnyView {
    let (did, quiet): (Vec<&BreakerReview>, Vec<&BreakerReview>) = page
        .items
        .iter()
        .partition(|one| one.minutes_open > 0.0 || one.trips > 0 || one.restarts > 0);
    let body = if did.is_empty() {
        nothing(
            "No breaker refused or tripped in this range.",
            "Widen the range to look further back.",
        )
    } else {
        table(&did, frame)
    };
    let folded = (!quiet.is_empty() && !did.is_empty()).then(|| {
        let what = units::counted(quiet.len() as u64, "breaker");
        view! { <p class="note">{format!("{what} never refused.")}</p> }
    });
    view! {
        <h1 class="visually-hidden">"Breakers"</h1>
        {tabs(frame)}
        {fleet(&did)}
        <section class="panel" id="review" data-live>
            <div class="panel-head"><h2>"Review"</h2>{frame.how(how)}</div>
            {body}{folded}
            {list_note(page, "breaker", "open longest first", frame)}
        </section>
    }
    .into_any()
}

/// All of them in four numbers.
fn fleet(did: &[&BreakerReview]) -> Option<AnyView> {
    if did.is_empty() {
        return None;
    }
    let minutes: f64 = did.iter().map(|one| one.minutes_open).sum();
    let trips: u64 = did.iter().map(|one| u64::from(one.trips)).sum();
    let flapping = did.iter().filter(|one| one.flap_score >= FLAPPING).count();
    let needlessly: Option<u64> = did
        .iter()
        .filter_map(|one| one.refused_needlessly)
        .reduce(|a, b| a + b);
    let detail = |words: &'static str| view! { {words} }.into_any();
    Some(
        view! {
            <section class="figures" id="fleet" data-live aria-label="In this range">
                {figure("Minutes open", minutes_of(minutes), detail("added up over breakers"))}
                {figure("Trips", units::count(trips), detail("of every instance"))}
                {figure("Flapping", units::count(flapping as u64), detail("a flap score of 2 or more"))}
                {figure("Over-protection", needlessly.map_or_else(dash, about), detail("calls refused while the callee answered well"))}
            </section>
        }
        .into_any(),
    )
}

fn table(did: &[&BreakerReview], frame: &Frame) -> AnyView {
    let rows = did.iter().map(|one| row(one, frame)).collect_view();
    view! {
        <div class="scroll"><table class="list">
            <thead><tr>
                <th>"Service"</th><th>"Breaker"</th><th class="num">"Minutes open"</th><th class="num">"Trips"</th>
                <th class="num" title="Each trip of an instance adds 1; what has added up halves every 15 minutes (RFC 2439). The highest in the range.">"Flap score"</th>
                <th class="num" title="From the first failures of its edge to the trip, on average; to ten seconds.">"Time to detect"</th>
                <th class="num" title="From when the callee answered well again to closing, on average; to ten seconds.">"Time to recover"</th>
                <th class="num" title="Calls refused while the callee answered well, by the share of the time open.">"Over-protection"</th>
                <th class="num">"Refused"</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="note">"≈ is an estimate: from state changes that were inferred, or from roll-ups of ten seconds. – is not known."</p>
    }
    .into_any()
}

fn row(one: &BreakerReview, frame: &Frame) -> AnyView {
    let own = page_of(&one.service_name, &one.name, one.key.as_deref(), frame);
    let guards = one
        .peer_service
        .as_ref()
        .map(|callee| view! { <span class="quiet">{format!(" → {callee}")}</span> });
    let estimate = if one.trips_inferred > 0 { "≈ " } else { "" };
    let restarts = (one.restarts > 0).then(|| {
        let title = format!(
            "Began anew: {}",
            units::counted(u64::from(one.restarts), "time")
        );
        view! { " " <span class="tag" title=title>"restart"</span> }
    });
    let flaps =
        (one.flap_score >= FLAPPING).then(|| view! { " " <span class="tag">"flaps"</span> });
    let time = |ns: Option<f64>| match ns {
        Some(_) => format!("≈ {}", units::duration_or_dash(ns)),
        None => dash(),
    };
    view! {
        <tr>
            <td>{service_link(frame, Some(&one.service_name))}</td>
            <td class="nowrap"><a data-row href=own>{named(&one.name, one.key.as_deref())}</a>{guards}{restarts}</td>
            <td class="num">{format!("{estimate}{}", minutes_of(one.minutes_open))}</td>
            <td class="num">{units::count(u64::from(one.trips))}</td>
            <td class="num nowrap">{format!("{:.1}", one.flap_score)}{flaps}</td>
            <td class="num nowrap">{time(one.detect_ns)}</td>
            <td class="num nowrap">{time(one.recover_ns)}</td>
            <td class="num">{one.refused_needlessly.map_or_else(dash, about)}</td>
            <td class="num">{one.refused.map_or_else(dash, units::count)}</td>
        </tr>
    }
    .into_any()
}

fn minutes_of(minutes: f64) -> String {
    format!("{minutes:.1}")
}

fn about(calls: u64) -> String {
    format!("≈ {}", units::count(calls))
}

fn dash() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reviewed() -> BreakerReview {
        BreakerReview {
            service_name: "checkout".to_owned(),
            name: "payment".to_owned(),
            peer_service: Some("payment".to_owned()),
            minutes_open: 12.345,
            trips: 3,
            trips_inferred: 1,
            restarts: 2,
            flap_score: 2.3,
            detect_ns: Some(15e9),
            refused: Some(1_200),
            refused_needlessly: Some(300),
            ..BreakerReview::default()
        }
    }

    #[test]
    fn estimates_are_marked_and_what_is_not_known_is_a_dash() {
        let quiet = BreakerReview {
            service_name: "cart".to_owned(),
            name: "stock".to_owned(),
            ..BreakerReview::default()
        };
        let html = review(
            &Page::whole(vec![reviewed(), quiet]),
            "SELECT 12.3",
            &Frame::default(),
        )
        .to_html();
        for words in [
            "≈ 12.3",
            "≈ 15 s",
            "≈ 300",
            "1,200",
            "2.3",
            "flaps",
            "1 breaker never refused.",
            "/breakers/checkout/payment",
            "/sql?q=SELECT%2012.3",
        ] {
            assert!(html.contains(words), "{words}\n{html}");
        }
        // The time to recover, and the note that says what a dash is.
        assert_eq!(html.matches('–').count(), 2, "{html}");
        assert!(!html.contains("/breakers/cart/stock"), "{html}");
    }

    #[test]
    fn a_quiet_range_is_a_sentence_with_the_way_back() {
        let html = review(&Page::default(), "", &Frame::default()).to_html();
        assert!(html.contains("No breaker refused or tripped in this range."));
        assert!(html.contains(">States</a>"), "{html}");
    }
}
