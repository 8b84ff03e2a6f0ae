//! All ten states, in words and by a shape, wherever a breaker's state is shown: nobody reads a colour.

use leptos::prelude::RenderHtml;
use tripline_storage::model::{Breaker, Lane, STATES};

use super::incident_data::{breaker_of, breaker_page, lane_of};
use super::*;
use crate::pages::breaker_marks::{glyph, state_mark};

/// How a state reads, with the glyph that screen readers skip.
fn told(state: &str) -> (&'static str, String) {
    (glyph(state), state.replace('_', " "))
}

/// A breaker in a state: instances that fell silent do not count, and only two states refuse.
fn breaker_in(state: &str) -> Breaker {
    Breaker {
        state: state.to_owned(),
        instances: if state == "stale" { 0 } else { 2 },
        instances_open: if state.ends_with("open") && state != "half_open" {
            2
        } else {
            0
        },
        ..breaker_of("payment")
    }
}

fn lane_in(state: &str) -> Lane {
    let mut lane = lane_of("payment");
    for instance in &mut lane.instances {
        instance.segments[0].state = state.to_owned();
    }
    let at = breaker_in(state);
    lane.segments[0].state = state.to_owned();
    (lane.segments[0].open, lane.segments[0].of) = (at.instances_open, at.instances);
    lane
}

#[test]
fn each_state_has_a_glyph_of_its_own() {
    let mut glyphs: Vec<&str> = STATES.iter().map(|state| glyph(state)).collect();
    glyphs.sort_unstable();
    glyphs.dedup();
    assert_eq!(glyphs.len(), STATES.len(), "{glyphs:?}");
    // A word nobody defined is no state of another name.
    assert_eq!(glyph("ajar"), glyph("unknown"));
}

#[test]
fn breakers_that_refuse_until_the_end_of_time_are_listed() {
    let for_ever = Lane {
        refusing_ns: i64::MAX.unsigned_abs(),
        ..lane_in("open")
    };
    let page = BreakersPage {
        lanes: Page::whole(vec![for_ever; 3]),
        ..BreakersPage::default()
    };
    let html = render(&frame("/breakers", &[]), "Breakers", |f| breakers(&page, f));
    let through_time = html.split("id=\"lanes\"").nth(1).expect("lanes");
    assert!(through_time.contains("lane-bar lane-open"), "{html}");
}

#[test]
fn the_breakers_page_tells_all_ten() {
    for state in STATES {
        let page = BreakersPage {
            breakers: Page::whole(vec![breaker_in(state)]),
            lanes: Page::whole(vec![lane_in(state)]),
            ..BreakersPage::default()
        };
        let html = render(&frame("/breakers", &[]), "Breakers", |f| breakers(&page, f));
        let (shape, words) = told(state);
        let table = html.split("id=\"breakers\"").nth(1).expect("the table");
        assert!(
            table.contains(&state_mark(state).to_html()),
            "{state}\n{table}"
        );
        assert!(table.contains(shape) && table.contains(&words), "{table}");
        let instances = match state {
            "open" | "forced_open" => "2 of 2 open",
            "stale" => "none heard",
            "unknown" => "not known of 2",
            _ => "0 of 2 open",
        };
        assert!(table.contains(instances), "{state}\n{table}");
        let through_time = html.split("id=\"lanes\"").nth(1).expect("lanes");
        if state == "closed" {
            assert!(through_time.contains("1 breaker stayed closed."), "{html}");
        } else {
            let bar = format!("lane-bar lane-{state}");
            assert!(through_time.contains(&bar), "{state}\n{html}");
            let rows = through_time.split("id=\"breakers\"").next();
            let rows = rows.expect("what comes before the list");
            assert!(rows.contains(instances), "{state}\n{rows}");
            // What nobody understands refuses or does not.
            let is_told = !["unknown", "stale"].contains(&state);
            assert_eq!(rows.contains("of 2 open"), is_told, "{state}\n{rows}");
            assert!(
                through_time.contains(&format!("{words} ")),
                "{state}\n{html}"
            );
            assert!(!through_time.contains("stayed closed"), "{state}\n{html}");
            assert!(!through_time.contains("never open"), "{state}\n{html}");
        }
    }
}

#[test]
fn the_page_of_a_breaker_tells_all_ten() {
    for state in STATES {
        let mut page = breaker_page("payment");
        page.incident = None;
        page.detail.breaker = breaker_in(state);
        for instance in &mut page.detail.instances {
            instance.state = state.to_owned();
        }
        page.lane = Some(lane_in(state));
        for change in &mut page.transitions.items {
            change.to_state = state.to_owned();
        }
        let html = render(&frame("/breakers/payment/payment", &[]), "payment", |f| {
            breaker(&page, f)
        });
        let mark = state_mark(state).to_html();
        // Of the breaker, of an instance now, of what it came into.
        assert!(html.matches(&mark).count() >= 3, "{state}: {mark}\n{html}");
        assert!(html.contains(&format!("lane-bar lane-{state}")), "{html}");
        let sentence = match state {
            "open" => "is OPEN on 2 of 2 instances since".to_owned(),
            "forced_open" => "is FORCED OPEN on 2 of 2 instances since".to_owned(),
            "stale" => "is stale; it did not open in this range".to_owned(),
            "unknown" => "is unknown on 2 instances: what they report is not understood".to_owned(),
            _ => format!(
                "is {} on 2 instances; it did not open in this range",
                told(state).1
            ),
        };
        assert!(html.contains(&sentence), "{state}: {sentence}\n{html}");
    }
}
