//! Light, dark or as the system says. Kept in a cookie, so that the server renders the right one at once.

use leptos::prelude::*;

/// The button that turns light into dark and back.
#[island]
pub fn ThemeToggle() -> impl IntoView {
    let turn = move |_| {
        #[cfg(feature = "hydrate")]
        turn_theme();
    };
    view! {
        <button type="button" class="icon-button needs-wasm" title="Light or dark" aria-label="Light or dark" on:click=turn>
            <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
                <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5"></circle>
                <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor"></path>
            </svg>
        </button>
    }
}

#[cfg(feature = "hydrate")]
fn turn_theme() {
    use leptos::wasm_bindgen::JsCast;
    let Some(root) = document().document_element() else {
        return;
    };
    let dark_by_system = window()
        .match_media("(prefers-color-scheme: dark)")
        .ok()
        .flatten()
        .is_some_and(|query| query.matches());
    let dark = match root.get_attribute("data-theme").as_deref() {
        Some("dark") => true,
        Some("light") => false,
        _ => dark_by_system,
    };
    let theme = if dark { "light" } else { "dark" };
    let _ = root.set_attribute("data-theme", theme);
    if let Some(document) = document().dyn_ref::<web_sys::HtmlDocument>() {
        let _ = document.set_cookie(&format!(
            "theme={theme}; Path=/; Max-Age=31536000; SameSite=Strict"
        ));
    }
}
