//! A button beside an id; Copy link and Copy as Markdown: relative ranges are frozen to absolute UTC first, by the server.

use leptos::prelude::*;

/// Two buttons. `path` is this page with its range frozen; `markdown` is what it says, `{link}` in it the link.
#[island]
pub fn Copy(path: String, markdown: String) -> impl IntoView {
    let said = RwSignal::new("");
    let link = {
        let path = path.clone();
        move |_| {
            #[cfg(feature = "hydrate")]
            browser::copy("{link}", &path);
            #[cfg(not(feature = "hydrate"))]
            let _ = &path;
            said.set("Link copied");
        }
    };
    let text = move |_| {
        #[cfg(feature = "hydrate")]
        browser::copy(&markdown, &path);
        #[cfg(not(feature = "hydrate"))]
        let _ = (&markdown, &path);
        said.set("Markdown copied");
    };
    view! {
        <button type="button" class="button plain needs-wasm" on:click=link>"Copy link"</button>
        <button type="button" class="button plain needs-wasm" on:click=text>"Copy as Markdown"</button>
        <output class="quiet">{move || said.get()}</output>
    }
}

/// A button beside an id.
#[island]
pub fn CopyId(id: String) -> impl IntoView {
    let is_done = RwSignal::new(false);
    let label = format!("Copy {id}");
    let copy = move |_| {
        #[cfg(feature = "hydrate")]
        browser::copy(&id, "");
        #[cfg(not(feature = "hydrate"))]
        let _ = &id;
        is_done.set(true);
    };
    let sign = move || if is_done.get() { "✓" } else { "" };
    // Drawn: few fonts have a sign for it.
    view! {
        <button type="button" class="copy-id needs-wasm" title="Copy" aria-label=label on:click=copy>
            <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true"><path d="M6 5h7v9H6zM3 11V2h7" fill="none" stroke="currentColor" stroke-width="1.4"></path></svg>
            {sign}
        </button>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;

    pub(super) fn copy(text: &str, path: &str) {
        let origin = window().location().origin().unwrap_or_default();
        let text = text.replace("{link}", &format!("{origin}{path}"));
        let _ = window().navigator().clipboard().write_text(&text);
    }
}
