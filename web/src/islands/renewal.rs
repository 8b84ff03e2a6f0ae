//! This page asked again, and what it says now put where it said something else.
//!
//! A part is what has an id and the mark `data-live`. Parts come and go as they do in a page that is loaded anew; of one
//! that holds others, those are renewed and the rest stays as it is. What somebody is at waits: a part under the pointer,
//! with the focus, or with something unfolded or filled in. What is under the pointer stays where it is on the screen.
//! Where somebody asked for what comes, nothing waits.

use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Document, Element, NodeList};

/// Every part; the mark of the document itself says that its islands live.
const PARTS: &str = "body [data-live][id]";
/// A page with such a part waits for something, and is loaded anew when that comes.
pub(super) const WAITING: &str = "body [data-live=reload]";
/// The innermost of what is under the pointer.
const POINTED: &str = "main :hover:not(:has(:hover))";
/// What somebody has unfolded or filled in.
const TOUCHED: &str = "details[open], [data-touched]";
/// What scrolls by itself, within a part.
const SCROLLERS: &str = ".scroll, .pick";

/// What asking again brought.
pub(super) struct Renewed {
    /// When the page was made: UTC, RFC 3339.
    pub(super) moment: String,
    /// Some of it was left as it is, for somebody is at it.
    pub(super) waits: bool,
}

/// How an answer is put in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Around what somebody is at.
    Around,
    /// All of it: somebody asked for it.
    All,
    /// The same, and what the answer has not stays: it is of a part of the page alone.
    Some,
}

/// What came of asking.
pub(super) enum Brought {
    /// The parts are renewed.
    Renewed(Renewed),
    /// The address has changed meanwhile, as while a slider moves: this was no answer to it.
    Overtaken,
    /// There was no answer, or none that fits into this page.
    Nothing,
}

/// Asks this page again and renews its parts; `None` if it was not answered.
pub(super) async fn renew() -> Option<Renewed> {
    let address = window().location().href().ok()?;
    match bring(&address, Manner::Around).await {
        Brought::Renewed(renewed) => Some(renewed),
        Brought::Overtaken | Brought::Nothing => None,
    }
}

/// Asks for a page and renews the parts of this one by it.
pub(super) async fn bring(address: &str, manner: Manner) -> Brought {
    let here = window().location().href().ok();
    let html = text(address).await;
    if window().location().href().ok() != here {
        return Brought::Overtaken;
    }
    let renewed = html.and_then(|html| place(&html, manner));
    renewed.map_or(Brought::Nothing, Brought::Renewed)
}

/// Renews the parts of this page by the text of a fresh one.
fn place(html: &str, manner: Manner) -> Option<Renewed> {
    let parser = web_sys::DomParser::new().ok()?;
    let fresh = parser
        .parse_from_string(html, web_sys::SupportedType::TextHtml)
        .ok()?;
    let is_waiting = |page: &Document| matches!(page.query_selector(WAITING), Ok(Some(_)));
    if is_waiting(&document()) != is_waiting(&fresh) {
        let _ = window().location().reload();
        return None;
    }
    // Read first: what is put in place is taken from the fresh page.
    let made = fresh.query_selector("footer time").ok().flatten();
    let moment = made.and_then(|time| time.get_attribute("datetime"))?;
    let pointed = document().query_selector(POINTED).ok().flatten();
    let top = pointed.as_ref().map(top_of);
    let focused = focused_place();
    let mut waits = false;
    for part in elements(document().query_selector_all(PARTS)) {
        waits |= !is_brought_up_to_date(&part, &fresh, manner);
    }
    for part in elements(fresh.query_selector_all(PARTS)) {
        put(&part);
    }
    if let Ok(event) = web_sys::Event::new("tripline:renewed") {
        let _ = window().dispatch_event(&event);
    }
    if let Some(focused) = focused {
        refocus(&focused);
    }
    if let (Some(pointed), Some(top)) = (pointed, top) {
        hold(&pointed, top);
    }
    Some(Renewed { moment, waits })
}

async fn text(address: &str) -> Option<String> {
    let response = JsFuture::from(window().fetch_with_str(address))
        .await
        .ok()?;
    let response: web_sys::Response = response.dyn_into().ok()?;
    if !response.ok() {
        return None;
    }
    JsFuture::from(response.text().ok()?)
        .await
        .ok()?
        .as_string()
}

/// What a selector found.
pub(super) fn elements(found: Result<NodeList, JsValue>) -> Vec<Element> {
    let Ok(list) = found else {
        return Vec::new();
    };
    (0..list.length())
        .filter_map(|at| list.item(at)?.dyn_into().ok())
        .collect()
}

/// Makes a part say what it says in the fresh page, or go as it has there; not while somebody is at it.
fn is_brought_up_to_date(part: &Element, fresh: &Document, manner: Manner) -> bool {
    // What it was in may have gone before.
    if !part.is_connected() {
        return true;
    }
    let new = fresh.get_element_by_id(&part.id());
    if new.as_ref().is_some_and(holds_parts) && holds_parts(part) {
        return true;
    }
    if manner == Manner::Around && is_in_use(part) {
        return false;
    }
    match new {
        Some(new) => replace(part, &new),
        None if manner == Manner::Some => {}
        None => part.remove(),
    }
    true
}

fn holds_parts(part: &Element) -> bool {
    matches!(part.query_selector(PARTS), Ok(Some(_)))
}

/// The focus is kept though the window has lost it.
fn is_in_use(part: &Element) -> bool {
    let focused = document().active_element();
    part.matches(":hover").unwrap_or(false)
        || focused.is_some_and(|focused| part.contains(Some(&focused)))
        || matches!(part.query_selector(TOUCHED), Ok(Some(_)))
}

/// The element itself stays, and with it whether it is unfolded; what scrolls in it stays where it was scrolled to.
fn replace(part: &Element, new: &Element) {
    let places: Vec<(i32, i32)> = elements(part.query_selector_all(SCROLLERS))
        .iter()
        .map(|scroller| (scroller.scroll_left(), scroller.scroll_top()))
        .collect();
    part.set_class_name(&new.class_name());
    // Moved: written as text and read again, a thousand rows would take longer than all the rest.
    part.replace_children_with_node(&js_sys::Array::from(&new.child_nodes()));
    let scrollers = elements(part.query_selector_all(SCROLLERS));
    for (scroller, (left, top)) in scrollers.iter().zip(places) {
        scroller.set_scroll_left(left);
        scroller.set_scroll_top(top);
    }
}

/// What can have the focus.
const FOCUSABLE: &str = "a, button, input, select, textarea, summary";

/// What has the focus, and where that is: the id of the nearest element around it that has one, and its index among what can
/// have the focus there.
fn focused_place() -> Option<(Element, String, usize)> {
    let focused = document().active_element()?;
    let around = focused.closest("[id]").ok().flatten()?;
    let mut there = elements(around.query_selector_all(FOCUSABLE)).into_iter();
    let at = there.position(|one| one == focused)?;
    Some((focused, around.id(), at))
}

/// Gives the focus back to what stands where it was, if that was replaced.
fn refocus((focused, id, at): &(Element, String, usize)) {
    if focused.is_connected() {
        return;
    }
    let around = document().get_element_by_id(id);
    let there = around.map(|around| elements(around.query_selector_all(FOCUSABLE)));
    let one = there.and_then(|there| there.into_iter().nth(*at));
    if let Some(one) = one.and_then(|one| one.dyn_into::<web_sys::HtmlElement>().ok()) {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        let _ = one.focus_with_options(&options);
    }
}

/// Puts a part of the fresh page that is new beside what it stands beside there.
fn put(new: &Element) {
    if here(new).is_some() {
        return;
    }
    // A copy: what comes after it is put beside it in turn.
    let Ok(part) = new.clone_node_with_deep(true) else {
        return;
    };
    let beside = |step: Step| siblings(new, step).find_map(|other| here(&other));
    if let Some(before) = beside(Element::previous_element_sibling) {
        let _ = before.after_with_node_1(&part);
    } else if let Some(after) = beside(Element::next_element_sibling) {
        let _ = after.before_with_node_1(&part);
    }
}

/// The element of this page that has the id of one of the fresh page.
fn here(other: &Element) -> Option<Element> {
    document().get_element_by_id(&other.id())
}

/// One step between siblings.
type Step = fn(&Element) -> Option<Element>;

/// The elements on one side of another, the nearest first.
fn siblings(of: &Element, step: Step) -> impl Iterator<Item = Element> {
    std::iter::successors(step(of), step)
}

fn top_of(element: &Element) -> f64 {
    element.get_bounding_client_rect().top()
}

/// Scrolls the page so that an element is where it was.
fn hold(element: &Element, place: f64) {
    let moved = top_of(element) - place;
    if element.is_connected() && moved.abs() >= 1.0 {
        window().scroll_by_with_x_and_y(0.0, moved);
    }
}
