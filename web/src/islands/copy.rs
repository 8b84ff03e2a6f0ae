//! A button beside an id; Copy link and Copy as Markdown: relative ranges are frozen to absolute UTC first, by the server.

use leptos::prelude::*;

/// What is said where neither way of copying is allowed.
const FORBIDDEN: &str = "The browser forbids copying";

/// Two buttons. What they copy stands hidden on the page and is renewed with it, so that it is of what is shown.
#[island]
pub fn Copy() -> impl IntoView {
    let said = RwSignal::new("");
    let say = move |is_copied: bool, what: &'static str| {
        said.set(if is_copied { what } else { FORBIDDEN });
    };
    let link = move |_| {
        let (path, _) = this_page();
        copied("{link}", &path, move |is_copied| {
            say(is_copied, "Link copied");
        });
    };
    let text = move |_| {
        let (path, markdown) = this_page();
        copied(&markdown, &path, move |is_copied| {
            say(is_copied, "Markdown copied");
        });
    };
    view! {
        <button type="button" class="button plain needs-wasm" on:click=link>"Copy link"</button>
        <button type="button" class="button plain needs-wasm" on:click=text>"Copy as Markdown"</button>
        <output class="quiet">{move || said.get()}</output>
    }
}

#[cfg(feature = "hydrate")]
use self::browser::this_page;

/// This page with its range frozen, and what it says in Markdown, `{link}` in it the link.
#[cfg(not(feature = "hydrate"))]
fn this_page() -> (String, String) {
    Default::default()
}

/// A button beside an id.
#[island]
pub fn CopyId(id: String) -> impl IntoView {
    let sign = RwSignal::new("");
    let label = format!("Copy {id}");
    let copy = move |_| {
        copied(&id, "", move |is_copied| {
            sign.set(if is_copied { "✓" } else { FORBIDDEN });
        });
    };
    // Drawn: few fonts have a sign for it.
    view! {
        <button type="button" class="copy-id needs-wasm" title="Copy" aria-label=label on:click=copy>
            <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true"><path d="M6 5h7v9H6zM3 11V2h7" fill="none" stroke="currentColor" stroke-width="1.4"></path></svg>
            {move || sign.get()}
        </button>
    }
}

/// Copies a text, `{link}` in it the address of `path`; says whether it did.
fn copied(text: &str, path: &str, say: impl Fn(bool) + 'static) {
    #[cfg(feature = "hydrate")]
    browser::copy(text, path, say);
    #[cfg(not(feature = "hydrate"))]
    let _ = (text, path, say);
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;
    use leptos::wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::{JsFuture, spawn_local};

    /// This page with its range frozen, and what it says in Markdown, `{link}` in it the link.
    pub(super) fn this_page() -> (String, String) {
        let said = |link: web_sys::Element| {
            let path = link.get_attribute("href")?;
            Some((path, link.text_content()?))
        };
        let link = document().query_selector("#this-page a").ok().flatten();
        link.and_then(said).unwrap_or_default()
    }

    pub(super) fn copy(text: &str, path: &str, say: impl Fn(bool) + 'static) {
        let origin = window().location().origin().unwrap_or_default();
        let text = text.replace("{link}", &format!("{origin}{path}"));
        spawn_local(async move { say(by_clipboard(&text).await || by_selection(&text)) });
    }

    /// Pages that came over plain http from another machine have no clipboard.
    async fn by_clipboard(text: &str) -> bool {
        let navigator = window().navigator();
        let clipboard = js_sys::Reflect::get(&navigator, &JsValue::from_str("clipboard"));
        clipboard.is_ok_and(|clipboard| !clipboard.is_undefined())
            && JsFuture::from(navigator.clipboard().write_text(text))
                .await
                .is_ok()
    }

    /// The old way: what is selected is copied.
    fn by_selection(text: &str) -> bool {
        let document = document();
        let before = document.active_element();
        let Some((area, body)) = document
            .create_element("textarea")
            .ok()
            .and_then(|area| area.dyn_into::<web_sys::HtmlTextAreaElement>().ok())
            .zip(document.body())
        else {
            return false;
        };
        area.set_value(text);
        let _ = body.append_child(&area);
        area.select();
        let is_copied = document
            .unchecked_into::<web_sys::HtmlDocument>()
            .exec_command("copy")
            .unwrap_or(false);
        area.remove();
        if let Some(before) =
            before.and_then(|before| before.dyn_into::<web_sys::HtmlElement>().ok())
        {
            let _ = before.focus();
        }
        is_copied
    }
}
