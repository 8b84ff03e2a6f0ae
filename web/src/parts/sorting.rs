//! Heads of columns that a list can be ordered by: links, for the order is part of the address.

use leptos::prelude::*;

use crate::frame::Frame;

/// The head of a column; `word` is what `sort` says for it, greatest first. The default order needs no parameter.
pub fn sort_head(
    name: &'static str,
    word: &'static str,
    default: &'static str,
    is_number: bool,
    frame: &Frame,
) -> AnyView {
    let is_current = frame.param("sort").unwrap_or(default) == word;
    let asked = if word == default { "" } else { word };
    let link = frame.with(&[("sort", asked), ("cursor", "")]);
    let class = is_number.then_some("num");
    let direction = if word == "name" {
        "ascending"
    } else {
        "descending"
    };
    let sorted = is_current.then_some(direction);
    let mark = is_current.then(|| if word == "name" { " ▴" } else { " ▾" });
    view! { <th class=class aria-sort=sorted><a class="sort" href=link>{name}{mark}</a></th> }
        .into_any()
}
