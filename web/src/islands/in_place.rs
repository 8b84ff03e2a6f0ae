//! Links and forms that lead to this same page, followed without loading it anew.
//!
//! They work without this. Where a part of the page is marked `data-in-place`, a click on such a link changes the address,
//! shows at once what the page itself knows (which span is chosen, what is folded), asks the server for what it does not
//! know, and puts that in place of the parts that were there ([`super::renewal`]). The way back does the same.

use std::cell::{Cell, RefCell};

use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, Event, UrlSearchParams};

use super::rebase::{differ_in, rebased};
use super::renewal::{Brought, Manner, bring, elements};
use super::{ahead, folds};

thread_local! {
    /// The address whose state is shown or asked for.
    static SHOWN: RefCell<String> = const { RefCell::new(String::new()) };
    /// The whole page was asked for and has not come: until then, the answer for a part alone would leave the rest stale.
    static IS_OWED: Cell<bool> = const { Cell::new(false) };
    /// Requests whose answers have not come.
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

/// Fields of a form that a person fills in.
const FIELDS: &str = "input[name]:not([type=hidden]), select[name]";

/// Height of what stands at the top of the window whatever is scrolled, and a little more.
const HEADER: f64 = 70.0;

/// Listens for as long as the page is there.
pub(crate) fn listen() {
    SHOWN.set(here());
    window_event_listener_untyped("click", |event| follow(&event));
    // A link that is opened beside this page, or copied, has to be right too.
    window_event_listener_untyped("auxclick", |event| settle(&event));
    window_event_listener_untyped("contextmenu", |event| settle(&event));
    window_event_listener_untyped("submit", |event| submit(&event));
    window_event_listener_untyped("popstate", |_| return_to());
}

/// Path and query of this page.
fn here() -> String {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    path + &location.search().unwrap_or_default()
}

fn param(name: &str) -> Option<String> {
    let search = window().location().search().ok()?;
    let query = UrlSearchParams::new_with_str(&search).ok()?;
    query.get(name).filter(|value| !value.is_empty())
}

/// The link in a marked part that an event is of.
fn link_of(event: &Event) -> Option<Element> {
    let target: Element = event.target()?.dyn_into().ok()?;
    let link = target.closest("a[href]").ok().flatten()?;
    let part = link.closest("[data-in-place]").ok().flatten();
    part.map(|_| link)
}

/// Where a link leads from here; `None` if to another page.
fn meant(link: &Element) -> Option<String> {
    if let Some(span) = link.get_attribute("data-folds") {
        return folds::turned(&span);
    }
    let now = here();
    let part = link.closest("[data-of]").ok().flatten();
    let made = part.and_then(|part| part.get_attribute("data-of"));
    rebased(
        &link.get_attribute("href")?,
        made.as_deref().unwrap_or(&now),
        &now,
    )
}

/// Gives a link the address that it means by now, for who opens it beside this page or copies it.
fn settle(event: &Event) {
    if let Some(link) = link_of(event)
        && let Some(address) = meant(&link)
    {
        let _ = link.set_attribute("href", &address);
        let _ = link.set_attribute("data-of", &here());
    }
}

/// Follows a link in place where a plain click asks for it.
fn follow(event: &Event) {
    let is_plain = event.dyn_ref::<web_sys::MouseEvent>().is_some_and(|mouse| {
        let is_held = mouse.ctrl_key() || mouse.meta_key() || mouse.shift_key() || mouse.alt_key();
        mouse.button() == 0 && !is_held
    });
    if !is_plain || event.default_prevented() {
        settle(event);
        return;
    }
    let Some(link) = link_of(event) else {
        return;
    };
    let Some(address) = meant(&link) else {
        return;
    };
    event.prevent_default();
    let before = here();
    if !go(&address) {
        return;
    }
    if link.has_attribute("data-folds") {
        folds::turn_sign(&link);
        folds::show();
        spawn_local(whole());
    } else if differ_in("span", &before, &address) {
        choose();
    } else {
        ahead::show_link(&link);
        spawn_local(all_in_view());
    }
}

/// Changes the address; where that cannot be, the page is loaded.
fn go(address: &str) -> bool {
    let history = window().history();
    let pushed =
        history.and_then(|history| history.push_state_with_url(&JsValue::NULL, "", Some(address)));
    if pushed.is_err() {
        let _ = window().location().set_href(address);
        return false;
    }
    SHOWN.set(here());
    true
}

/// Marks the row of the span that the address says, and has its panel come.
fn choose() {
    for row in elements(document().query_selector_all(".wf-row.chosen")) {
        row.set_class_name(&row.class_name().replace(" chosen", ""));
        mark(&row, Element::remove_attribute);
    }
    let span = param("span");
    let row = span
        .as_ref()
        .and_then(|span| document().get_element_by_id(&format!("s-{span}")));
    if let Some(row) = &row {
        row.set_class_name(&format!("{} chosen", row.class_name()));
        mark(row, |link, name| link.set_attribute(name, "true"));
    }
    if span.is_none()
        && let Some(place) = document().get_element_by_id("span-place")
    {
        place.set_inner_html("");
    }
    // Without proxies, what is below a span is read off the whole trace.
    let is_plain = param("sidecars").is_none() && !IS_OWED.get();
    match span {
        Some(span) if row.is_some() && is_plain => spawn_local(panel(span)),
        Some(_) => spawn_local(all_in_view()),
        None => spawn_local(whole()),
    }
}

fn mark(row: &Element, with: impl Fn(&Element, &str) -> Result<(), JsValue>) {
    if let Ok(Some(link)) = row.query_selector(".wf-op") {
        let _ = with(&link, "aria-current");
    }
}

/// Has the panel of a span come by itself.
async fn panel(span: String) {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    let search = location.search().unwrap_or_default();
    let address = format!("{path}/spans/{span}{search}");
    ask(&address, Manner::Some).await;
}

/// Has all of the page come.
async fn whole() {
    IS_OWED.set(true);
    if ask(&here(), Manner::All).await {
        IS_OWED.set(false);
        fill_in();
    }
}

async fn all_in_view() {
    whole().await;
    reveal();
}

/// Whether what was asked for came in time; where nothing came, the page is loaded.
async fn ask(address: &str, manner: Manner) -> bool {
    waits(1);
    let brought = bring(address, manner).await;
    waits(-1);
    if matches!(brought, Brought::Nothing) {
        let _ = window().location().reload();
    }
    matches!(brought, Brought::Renewed(_))
}

/// Counts an answer that is waited for, or one that came; while there is one, the page says so.
fn waits(step: i32) {
    let left = ASKED.get().saturating_add_signed(step);
    ASKED.set(left);
    let Some(root) = document().document_element() else {
        return;
    };
    let _ = root.toggle_attribute_with_force("data-asking", left > 0);
}

/// Brings into view what the address names, else the span that is open, else where the rows begin.
fn reveal() {
    let hash = window().location().hash().unwrap_or_default();
    let named = hash
        .strip_prefix('#')
        .and_then(|id| document().get_element_by_id(id));
    let chosen = || document().query_selector(".wf-row.chosen").ok().flatten();
    if let Some(one) = named.or_else(chosen) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        one.scroll_into_view_with_scroll_into_view_options(&options);
        return;
    }
    let view = document().query_selector("#trace-view > section");
    let top = view
        .ok()
        .flatten()
        .map_or(0.0, |view| view.get_bounding_client_rect().top());
    if top < 0.0 {
        window().scroll_by_with_x_and_y(0.0, top - HEADER);
    }
}

/// A form that asks this page: its fields change the address, and parameters that it names go.
fn submit(event: &Event) {
    let target = event
        .target()
        .and_then(|one| one.dyn_into::<Element>().ok());
    let Some(form) = target.filter(|form| form.matches("form[data-in-place]") == Ok(true)) else {
        return;
    };
    let location = window().location();
    let (Ok(path), Ok(search)) = (location.pathname(), location.search()) else {
        return;
    };
    let Ok(query) = UrlSearchParams::new_with_str(&search) else {
        return;
    };
    let gone = form.get_attribute("data-in-place").unwrap_or_default();
    gone.split_whitespace().for_each(|name| query.delete(name));
    for (field, name) in fields(&form) {
        match value_of(&field) {
            Some(value) if !value.is_empty() => query.set(&name, &value),
            _ => query.delete(&name),
        }
    }
    event.prevent_default();
    let sought = param("find");
    if go(&format!("{path}?{}", String::from(query.to_string()))) {
        let word = param("find");
        if word != sought {
            ahead::show_found(word.as_deref());
        }
        spawn_local(all_in_view());
    }
}

/// The fields of a form, with their names.
fn fields(form: &Element) -> impl Iterator<Item = (Element, String)> + use<> {
    let fields = elements(form.query_selector_all(FIELDS)).into_iter();
    fields.filter_map(|field| {
        let name = field.get_attribute("name")?;
        Some((field, name))
    })
}

fn value_of(field: &Element) -> Option<String> {
    let value = js_sys::Reflect::get(field, &"value".into()).ok()?;
    value.as_string()
}

/// Forms that stayed say what the address says.
fn fill_in() {
    for form in elements(document().query_selector_all("form[data-in-place]")) {
        for (field, name) in fields(&form) {
            let value = param(&name).unwrap_or_default();
            if value_of(&field).as_ref() != Some(&value) {
                let _ = js_sys::Reflect::set(&field, &"value".into(), &value.into());
            }
        }
    }
}

/// Back, or forward: a fragment alone is no other state.
fn return_to() {
    let now = here();
    if SHOWN.replace(now.clone()) != now {
        folds::show();
        spawn_local(whole());
    }
}
