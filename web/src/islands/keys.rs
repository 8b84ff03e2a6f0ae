//! The keyboard: `?` shows the map, `/` goes to the search box, `g` and a letter goes to a page.

use leptos::prelude::*;

/// Letters after `g`, and where they lead: every page of the navigation.
pub const PLACES: [(&str, &str, &str); 9] = [
    ("o", "/", "overview"),
    ("g", "/graph", "graph"),
    ("t", "/traces", "traces"),
    ("l", "/logs", "logs"),
    ("m", "/explore", "metrics"),
    ("b", "/breakers", "breakers"),
    ("i", "/incidents", "incidents"),
    ("q", "/sql", "SQL"),
    ("s", "/status", "status"),
];

/// Listens for the keys of the whole page and shows their map.
#[island]
pub fn Keys() -> impl IntoView {
    let open = RwSignal::new(false);
    #[cfg(feature = "hydrate")]
    listen(open);
    view! {
        <div class="keys" role="dialog" aria-label="Keyboard" hidden=move || !open.get()>
            <h2>"Keyboard"</h2>
            <dl>
                <dt><kbd>"?"</kbd></dt><dd>"this map"</dd>
                <dt><kbd>"/"</kbd></dt><dd>"search"</dd>
                <dt><kbd>"j"</kbd>" "<kbd>"k"</kbd></dt><dd>"next, previous row"</dd>
                <dt><kbd>"Esc"</kbd></dt><dd>"close"</dd>
                {PLACES
                    .iter()
                    .map(|(key, _, name)| view! { <dt><kbd>"g"</kbd>" "<kbd>{*key}</kbd></dt><dd>{*name}</dd> })
                    .collect_view()}
            </dl>
        </div>
    }
}

#[cfg(feature = "hydrate")]
fn listen(open: RwSignal<bool>) {
    use leptos::wasm_bindgen::JsCast;
    let after_g = RwSignal::new(false);
    let handle = window_event_listener(leptos::ev::keydown, move |event| {
        let typing = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .is_some_and(|element| {
                matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
            });
        let key = event.key();
        if key == "Escape" {
            open.set(false);
            return;
        }
        if typing || event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        if after_g.get_untracked() {
            after_g.set(false);
            if let Some((_, path, _)) = PLACES.iter().find(|(letter, _, _)| *letter == key) {
                let _ = window().location().set_href(&address_of(path));
            }
            return;
        }
        match key.as_str() {
            "?" => open.update(|open| *open = !*open),
            "g" => after_g.set(true),
            "/" => {
                event.prevent_default();
                // The filter of this page, or what finds a trace from anywhere.
                let _ = focus("main [data-search]") || focus("[data-search]");
            }
            "j" => step(1),
            "k" => step(-1),
            _ => {}
        }
    });
    on_cleanup(move || handle.remove());
}

/// Where the navigation leads to a page: range and scope go along.
#[cfg(feature = "hydrate")]
fn address_of(path: &str) -> String {
    document()
        .query_selector(&format!("header nav a[data-page='{path}']"))
        .ok()
        .flatten()
        .and_then(|link| link.get_attribute("href"))
        .unwrap_or_else(|| path.to_owned())
}

#[cfg(feature = "hydrate")]
fn focus(selector: &str) -> bool {
    use leptos::wasm_bindgen::JsCast;
    if let Ok(Some(element)) = document().query_selector(selector)
        && let Ok(element) = element.dyn_into::<web_sys::HtmlElement>()
    {
        return element.focus().is_ok();
    }
    false
}

/// Moves the focus among the links marked as rows.
#[cfg(feature = "hydrate")]
fn step(by: i32) {
    use leptos::wasm_bindgen::JsCast;
    let Ok(rows) = document().query_selector_all("[data-row]") else {
        return;
    };
    let focused = document().active_element();
    let at = (0..rows.length()).find(|&row| {
        let node = rows
            .item(row)
            .and_then(|node| node.dyn_into::<web_sys::Element>().ok());
        node.is_some() && node == focused
    });
    let next = at.map_or(0, |at| {
        (at as i32 + by).clamp(0, rows.length() as i32 - 1) as u32
    });
    if let Some(element) = rows
        .item(next)
        .and_then(|node| node.dyn_into::<web_sys::HtmlElement>().ok())
    {
        let _ = element.focus();
    }
}
