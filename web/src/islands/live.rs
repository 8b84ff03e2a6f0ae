//! Live: one stream of ticks; at each, this same page is asked again and its parts are renewed (`renewal`).
//!
//! A page that waits for something is live from the start.

use leptos::prelude::*;

/// The moment of what is shown.
#[derive(Debug, Clone, Default)]
struct AsOf {
    /// In UTC, as RFC 3339 has it.
    utc: String,
    /// In the reader's own time.
    words: String,
}

/// The switch.
#[island]
pub fn Live() -> impl IntoView {
    let is_on = RwSignal::new(false);
    let as_of = RwSignal::new(AsOf::default());
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
        <output class="quiet live-as-of" title=move || as_of.with(|as_of| as_of.utc.clone())>{move || as_of.with(|as_of| as_of.words.clone())}</output>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use std::cell::{Cell, RefCell};

    use leptos::prelude::*;
    use leptos::wasm_bindgen::JsCast;
    use leptos::wasm_bindgen::closure::Closure;
    use wasm_bindgen_futures::spawn_local;

    use super::AsOf;
    use crate::islands::local_times::local;
    use crate::islands::renewal::{Renewed, WAITING, renew};

    type Handler = Closure<dyn FnMut(web_sys::MessageEvent)>;

    thread_local! {
        static STREAM: RefCell<Option<(web_sys::EventSource, Handler)>> = const { RefCell::new(None) };
        /// A renewal is under way.
        static IS_RENEWING: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn turn(is_on: RwSignal<bool>, as_of: RwSignal<AsOf>) {
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
            // A page that takes longer than a tick is not asked for again meanwhile: the questions would pile up, and an
            // older answer could come after a newer one.
            let handler = Closure::new(move |_: web_sys::MessageEvent| {
                if IS_RENEWING.replace(true) {
                    return;
                }
                spawn_local(async move {
                    if let Some(renewed) = renew().await {
                        as_of.set(said(renewed));
                    }
                    IS_RENEWING.set(false);
                });
            });
            source.set_onmessage(Some(handler.as_ref().unchecked_ref()));
            *stream = Some((source, handler));
        });
    }

    /// What a renewal says of itself, in the reader's own time as all of the page is.
    fn said(renewed: Renewed) -> AsOf {
        let time = local(&renewed.moment, "s").unwrap_or_else(|| renewed.moment.clone());
        let waits = if renewed.waits {
            ", paused where you are"
        } else {
            ""
        };
        AsOf {
            utc: renewed.moment,
            words: format!("as of {time}{waits}"),
        }
    }

    /// Marks what is filled in, and goes live where the page waits for something; that once the switch stands as the
    /// server drew it.
    pub(super) fn begin(is_on: RwSignal<bool>, as_of: RwSignal<AsOf>) {
        let handle = window_event_listener_untyped("input", |event| {
            let target = event.target();
            if let Some(field) = target.and_then(|one| one.dyn_into::<web_sys::Element>().ok()) {
                let _ = field.set_attribute("data-touched", "");
            }
        });
        on_cleanup(move || handle.remove());
        spawn_local(async move {
            if let Ok(Some(_)) = document().query_selector(WAITING) {
                is_on.set(true);
                turn(is_on, as_of);
            }
        });
    }
}
