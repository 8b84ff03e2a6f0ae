//! The box on every page: an id or a name leads to where it is; any other address to nothing.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use tripline_web::frame::Frame;

use super::answer::problem_page;
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::params::hex_id;
use crate::api::problem::Problem;
use crate::api::senders::senders;

/// `/find`: a trace id leads to its trace, also out of a `traceparent`, an address or a line of a log; a span id alone to
/// the traces that have it; any other text to the service of that name, or the only one whose name has it.
pub(super) async fn find(State(state): State<AppState>, request: PageRequest) -> Redirect {
    let frame = request.frame;
    let text = frame.param("q").unwrap_or_default().trim();
    let target = match (trace_in(text), hex_id("q", text, 16)) {
        (Some(id), _) => frame.link(&format!("/traces/{id}"), &[]),
        // No range: a span is found whenever it was.
        (None, Ok(id)) => {
            let filter = format!("span_id = \"{id}\"");
            frame.timeless_link("/traces", &[("q", &filter)])
        }
        (None, Err(_)) if text.is_empty() => frame.link("/traces", &[]),
        (None, Err(_)) => {
            let known = senders(&state);
            let names = known.heard.iter().map(|one| one.service_name.as_str());
            frame.link("/traces", &[("service", service_meant(names, text))])
        }
    };
    Redirect::to(&target)
}

/// The name among these that a text stands for; the text itself where that is none, or any of several.
fn service_meant<'a>(names: impl Iterator<Item = &'a str>, text: &'a str) -> &'a str {
    let wanted = text.to_lowercase();
    let mut found: Vec<&str> = names
        .filter(|name| name.to_lowercase().contains(&wanted))
        .collect();
    // A service may live in several scopes.
    found.sort_unstable();
    found.dedup();
    match found[..] {
        [only] => only,
        _ => text,
    }
}

/// The one trace id that stands in a text.
fn trace_in(text: &str) -> Option<String> {
    let mut ids = text
        .split(|letter: char| !letter.is_ascii_hexdigit())
        .filter_map(|digits| hex_id("q", digits, 32).ok());
    let id = ids.next()?;
    ids.all(|other| other == id).then_some(id)
}

/// The trace id of a `traceparent` of the W3C: version, trace, span and flags.
fn of_traceparent(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_one = parts.iter().map(|part| part.len()).eq([2, 32, 16, 2]);
    is_one.then(|| trace_in(text)).flatten()
}

/// The boxes of pages that are not about a trace id, any of which somebody pastes one into.
const BOXES: [&str; 6] = ["q", "text", "name", "service", "attr", "find"];

/// A trace id or a `traceparent` alone, whatever box it was pasted into and whatever stands in the others.
pub(super) fn pasted_trace(frame: &Frame) -> Option<Response> {
    let id = frame
        .params
        .iter()
        .filter(|(name, _)| BOXES.contains(&name.as_str()))
        .map(|(name, text)| (name, text.trim().trim_matches('"')))
        .find_map(|(name, text)| hex_id(name, text, 32).ok().or_else(|| of_traceparent(text)))?;
    Some(Redirect::to(&frame.link(&format!("/traces/{id}"), &[])).into_response())
}

/// Any other address.
pub(super) async fn nothing_here(request: PageRequest) -> Response {
    let detail = format!("There is no page at {}", request.frame.path);
    problem_page(&request.frame, &Problem::not_found(detail))
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    const ID: &str = "5b8aa5a2d2c872e8321cf37308d69df2";

    /// Where these parameters lead, if anywhere.
    fn led_to(params: &[(&str, &str)]) -> Option<String> {
        let params = params
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let frame = Frame {
            path: "/logs".to_owned(),
            params: params.collect(),
            ..Frame::default()
        };
        let response = pasted_trace(&frame)?;
        let place = response.headers().get(header::LOCATION)?;
        Some(place.to_str().ok()?.to_owned())
    }

    #[test]
    fn a_trace_id_is_found_in_any_box_whatever_stands_in_the_others() {
        let trace = Some(format!("/traces/{ID}"));
        for name in BOXES {
            assert_eq!(led_to(&[(name, ID)]), trace, "{name}");
        }
        assert_eq!(led_to(&[("q", "severity >= error"), ("text", ID)]), trace);
        assert_eq!(led_to(&[("service", "cart"), ("attr", ID)]), trace);
        let quoted = format!(" \"{}\" ", ID.to_uppercase());
        assert_eq!(led_to(&[("q", &quoted)]), trace);
    }

    #[test]
    fn a_part_of_a_name_is_enough_where_one_service_has_it() {
        let names = ["checkout", "payment", "payment-canary", "search", "search"];
        for (text, meant) in [
            ("Check", "checkout"),
            ("search", "search"),
            ("sear", "search"),
            ("canary", "payment-canary"),
            // That of its own name is not the only one that has it.
            ("payment", "payment"),
            ("pay", "pay"),
            ("nobody", "nobody"),
        ] {
            assert_eq!(service_meant(names.into_iter(), text), meant);
        }
    }

    #[test]
    fn a_traceparent_is_found_in_any_box() {
        let traceparent = format!("00-{ID}-051581bf3cb55c13-01");
        for name in BOXES {
            let trace = Some(format!("/traces/{ID}"));
            assert_eq!(led_to(&[(name, &traceparent)]), trace, "{name}");
        }
        for other in [&traceparent[3..], &traceparent[..52], "00-1-2-01"] {
            assert_eq!(led_to(&[("q", other)]), None, "{other}");
        }
    }

    #[test]
    fn the_box_of_every_page_takes_the_id_out_of_what_it_was_copied_with() {
        let upper = ID.to_uppercase();
        for text in [
            ID.to_owned(),
            format!("traceparent: 00-{ID}-051581bf3cb55c13-01"),
            format!("https://jaeger.example/trace/{ID}?uiFind=051581bf3cb55c13"),
            format!("level=error trace_id={upper} trace={ID}"),
            format!("{{\"traceId\":\"{ID}\"}}"),
        ] {
            assert_eq!(trace_in(&text).as_deref(), Some(ID), "{text}");
        }
        let two = format!("{ID} {}", ID.replace('5', "6"));
        let longer = format!("{ID}0");
        for text in ["", "payment", &ID[1..], two.as_str(), longer.as_str()] {
            assert_eq!(trace_in(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_about_a_trace_id_or_holds_more_is_no_pasted_one() {
        assert_eq!(led_to(&[("trace", ID), ("q", "severity >= error")]), None);
        assert_eq!(led_to(&[("q", &format!("trace_id = {ID}"))]), None);
        assert_eq!(led_to(&[("text", &ID[1..])]), None);
        assert_eq!(led_to(&[]), None);
    }
}
