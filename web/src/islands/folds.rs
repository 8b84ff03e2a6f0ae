//! Rows of the waterfall that stand on the page, hidden and shown as its address says which are folded.

use leptos::prelude::*;
use web_sys::Element;

use super::renewal::elements;

/// The address of this page with what is below a span folded, or unfolded if it is.
pub(super) fn turned(span: &str) -> Option<String> {
    let location = window().location();
    let path = location.pathname().ok()?;
    let query = web_sys::UrlSearchParams::new_with_str(&location.search().ok()?).ok()?;
    let mut spans = folded(&query);
    match spans.iter().position(|one| one == span) {
        Some(at) => {
            spans.remove(at);
        }
        None => spans.push(span.to_owned()),
    }
    if spans.is_empty() {
        query.delete("fold");
    } else {
        query.set("fold", &spans.join(","));
    }
    Some(format!("{path}?{}", String::from(query.to_string())))
}

/// Shows the rows that the address shows. What was folded when the page was made has to come from the server.
pub(super) fn show() {
    let search = window().location().search().unwrap_or_default();
    let Ok(query) = web_sys::UrlSearchParams::new_with_str(&search) else {
        return;
    };
    let spans = folded(&query);
    let mut hidden_below: Option<u32> = None;
    let mut is_hidden = false;
    // Log records stand below the row of their span and share its lot.
    for one in elements(document().query_selector_all(".waterfall > *")) {
        let depth = one.get_attribute("data-depth");
        if let Some(depth) = depth.and_then(|depth| depth.parse::<u32>().ok()) {
            is_hidden = hidden_below.is_some_and(|above| depth > above);
            if !is_hidden {
                let id = one.id();
                let is_folded = spans
                    .iter()
                    .any(|span| id.strip_prefix("s-") == Some(span.as_str()));
                hidden_below = is_folded.then_some(depth);
            }
        }
        if one.has_attribute("hidden") != is_hidden {
            let _ = one.toggle_attribute("hidden");
        }
    }
}

/// Makes a row's sign say the other thing.
pub(super) fn turn_sign(toggle: &Element) {
    let sign = toggle.text_content().unwrap_or_default();
    let label = toggle.get_attribute("aria-label").unwrap_or_default();
    let other = |name: &str| toggle.get_attribute(name).unwrap_or_default();
    let (other_sign, other_label) = (other("data-other-sign"), other("data-other-label"));
    toggle.set_text_content(Some(&other_sign));
    for (name, value) in [
        ("aria-label", &other_label),
        ("title", &other_label),
        ("data-other-sign", &sign),
        ("data-other-label", &label),
    ] {
        let _ = toggle.set_attribute(name, value);
    }
}

fn folded(query: &web_sys::UrlSearchParams) -> Vec<String> {
    let spans = query.get("fold").unwrap_or_default();
    let spans = spans.split(',').filter(|span| !span.is_empty());
    spans.map(str::to_owned).collect()
}
