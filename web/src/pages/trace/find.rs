//! Finding spans of a trace by a word, and the ways to those found.

use leptos::prelude::*;

use super::rows::Rows;
use crate::address::segment;
use crate::frame::Frame;
use crate::parts::other_fields;
use crate::units;

/// Hits that get a link of their own.
const FOUND_LINKS_MAX: usize = 12;

/// The form, and links to what it found.
pub(super) fn find(rows: &Rows<'_, '_>, frame: &Frame) -> AnyView {
    let found = rows.wanted.is_some().then(|| {
        let links = rows
            .found
            .iter()
            .take(FOUND_LINKS_MAX)
            .enumerate()
            .map(|(at, row)| {
                let span = rows.open[*row].span;
                let link = format!("{}#s-{}", frame.with(&[("row", &row.saturating_sub(5).to_string()), ("span", &span.span_id)]), segment(&span.span_id));
                view! { <a href=link>{at + 1}</a> " " }
            })
            .collect_view();
        let more = rows.found.len().saturating_sub(FOUND_LINKS_MAX);
        view! {
            <span class="quiet">{format!("{} found ", units::count(rows.found.len() as u64))}</span>
            <span class="found">{links}{(more > 0).then(|| format!("and {} more", units::count(more as u64)))}</span>
            " "<a href=frame.with(&[("find", ""), ("row", "")])>"clear"</a>
        }
    });
    view! {
        <form method="get" action=frame.path.clone() class="find-span" role="search" data-in-place="row span">
            {other_fields(frame, &["find", "row", "span"])}
            <input type="search" name="find" value=frame.param("find").unwrap_or_default().to_owned() placeholder="Find in this trace" aria-label="Find in this trace"/>
            <button class="button plain">"Find"</button>
            {found}
        </form>
    }
    .into_any()
}
