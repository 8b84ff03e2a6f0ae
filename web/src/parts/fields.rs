//! Fields of forms. The address is the whole state of a page, so a GET form sends along what it does not set.

use leptos::prelude::*;

use crate::frame::{Frame, KEPT};

/// For a form that leads to another page: what [`Frame::link`] takes along.
pub fn kept_fields(frame: &Frame) -> AnyView {
    ["from", "to"]
        .into_iter()
        .chain(KEPT)
        .filter_map(|name| Some(hidden(name, frame.param(name)?)))
        .collect_view()
        .into_any()
}

/// For a form that leads to this very page: what [`Frame::with`] keeps, but for the form's own fields and those that
/// end with what it sets.
pub fn other_fields(frame: &Frame, own: &[&str]) -> AnyView {
    frame
        .params
        .iter()
        .filter(|(name, value)| !value.is_empty() && !own.contains(&name.as_str()))
        .map(|(name, value)| hidden(name, value))
        .collect_view()
        .into_any()
}

fn hidden(name: &str, value: &str) -> AnyView {
    view! { <input type="hidden" name=name.to_owned() value=value.to_owned()/> }.into_any()
}

/// Text as HTML that shows it. For `inner_html` of a `<textarea>` alone: Leptos takes such an element's
/// children for raw text and writes them unescaped, everywhere else it escapes by itself. The first line
/// break is one that HTML drops.
pub fn text_as_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    html.push('\n');
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            other => html.push(other),
        }
    }
    html
}
