//! Live: one stream of ticks; at each, this same page is asked again and its parts marked `data-live` replaced.
//!
//! Nothing moves under the pointer or the focus: while either is on such a part, it waits. A part marked
//! `data-live="reload"` waits for something: the page is live from the start, and loaded anew when that part is gone.

use leptos::prelude::*;

/// The switch.
#[island]
pub fn Live() -> impl IntoView {
    let is_on = RwSignal::new(false);
    let as_of = RwSignal::new(String::new());
    let turn = move |_| {
        is_on.update(|on| *on = !*on);
        #[cfg(feature = "hydrate")]
        browser::turn(is_on, as_of);
    };
    let word = move || if is_on.get() { "Pause" } else { "Live" };
    #[cfg(feature = "hydrate")]
    browser::begin(is_on, as_of);
    view! {
        <button type="button" class="button plain needs-wasm live" aria-pressed=move || is_on.get().to_string() on:click=turn>{word}</button>
        <output class="quiet live-as-of">{move || as_of.get()}</output>
    }
}

#[cfg(feature = "hydrate")]
pub(super) use browser::renew;

#[cfg(feature = "hydrate")]
mod browser {
    use std::cell::RefCell;

    use leptos::prelude::*;
    use leptos::wasm_bindgen::JsCast;
    use leptos::wasm_bindgen::closure::Closure;
    use wasm_bindgen_futures::{JsFuture, spawn_local};

    type Handler = Closure<dyn FnMut(web_sys::MessageEvent)>;

    thread_local! {
        static STREAM: RefCell<Option<(web_sys::EventSource, Handler)>> = const { RefCell::new(None) };
    }

    pub(super) fn turn(is_on: RwSignal<bool>, as_of: RwSignal<String>) {
        STREAM.with_borrow_mut(|stream| {
            if let Some((source, _)) = stream.take() {
                source.close();
            }
            if !is_on.get_untracked() {
                return;
            }
            let Ok(source) = web_sys::EventSource::new("/api/v1/ticks") else {
                is_on.set(false);
                return;
            };
            let handler = Closure::new(move |event: web_sys::MessageEvent| {
                let time = event.data().as_string().unwrap_or_default();
                spawn_local(async move {
                    if renew().await {
                        as_of.set(format!("as of {time}"));
                    }
                });
            });
            source.set_onmessage(Some(handler.as_ref().unchecked_ref()));
            *stream = Some((source, handler));
        });
    }

    /// Goes live where the page waits for something; once the switch stands as the server drew it.
    pub(super) fn begin(is_on: RwSignal<bool>, as_of: RwSignal<String>) {
        spawn_local(async move {
            if let Ok(Some(_)) = document().query_selector("[data-live=reload]") {
                is_on.set(true);
                turn(is_on, as_of);
            }
        });
    }

    /// Asks this page again; whether its live parts were replaced.
    pub(in crate::islands) async fn renew() -> bool {
        let Ok(address) = window().location().href() else {
            return false;
        };
        let Some(html) = text(&address).await else {
            return false;
        };
        let Ok(parser) = web_sys::DomParser::new() else {
            return false;
        };
        let Ok(fresh) = parser.parse_from_string(&html, web_sys::SupportedType::TextHtml) else {
            return false;
        };
        let Ok(parts) = document().query_selector_all("[data-live]") else {
            return false;
        };
        let mut is_renewed = false;
        for at in 0..parts.length() {
            let Some(part) = parts
                .item(at)
                .and_then(|node| node.dyn_into::<web_sys::Element>().ok())
            else {
                continue;
            };
            let new = fresh.get_element_by_id(&part.id());
            let is_waiting = part.get_attribute("data-live").as_deref() == Some("reload");
            if new.is_none() && is_waiting {
                let _ = window().location().reload();
                return true;
            }
            let is_held = part.matches(":hover").unwrap_or(false)
                || part
                    .query_selector(":focus, details[open]")
                    .ok()
                    .flatten()
                    .is_some();
            if is_held {
                continue;
            }
            if let Some(new) = new {
                part.set_inner_html(&new.inner_html());
                is_renewed = true;
            }
        }
        if let (true, Ok(event)) = (is_renewed, web_sys::Event::new("tripline:renewed")) {
            let _ = window().dispatch_event(&event);
        }
        is_renewed
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
}
