//! The filter's input with completion: asks `/api/v1/complete` what may come at the cursor.

use leptos::prelude::*;

use super::offers::OfferList;

/// The input. Without the bundle it is a plain one.
#[island]
pub fn FilterBox(signal: String, value: String, placeholder: String) -> impl IntoView {
    let offers = OfferList::closed();
    let input = NodeRef::<leptos::html::Input>::new();
    let ask = move || {
        #[cfg(feature = "hydrate")]
        browser::ask(&signal, input, offers);
        #[cfg(not(feature = "hydrate"))]
        let _ = &signal;
    };
    let take = {
        let ask = ask.clone();
        move |at: usize| {
            #[cfg(feature = "hydrate")]
            browser::take(at, input, offers);
            #[cfg(not(feature = "hydrate"))]
            let _ = at;
            offers.close();
            ask();
        }
    };
    let keys = {
        let take = take.clone();
        move |event: leptos::ev::KeyboardEvent| {
            if let Some(at) = offers.key(&event) {
                take(at);
            }
        }
    };
    let on_input = {
        let ask = ask.clone();
        move |_| ask()
    };
    view! {
        <div class="filter-box">
            <input
                node_ref=input name="q" value=value placeholder=placeholder aria-label="Filter" data-search
                autocomplete="off" spellcheck="false" role="combobox" aria-autocomplete="list" aria-controls="offers"
                aria-expanded=move || offers.expanded()
                aria-activedescendant=move || offers.active()
                on:input=on_input on:keydown=keys on:focus=move |_| ask() on:blur=move |_| offers.close()
            />
            {offers.view(take)}
        </div>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;
    use leptos::wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::{JsFuture, spawn_local};

    use crate::islands::offers::{OFFERS_MAX, Offer, OfferList, characters_before};

    type Input = NodeRef<leptos::html::Input>;

    /// The text of the input and the cursor in it, in characters.
    fn written(input: Input) -> Option<(String, usize)> {
        let element = input.get_untracked()?;
        let text = element.value();
        let units = element.selection_start().ok().flatten().unwrap_or(0) as usize;
        let at = characters_before(&text, units);
        Some((text, at))
    }

    pub(super) fn ask(signal: &str, input: Input, offers: OfferList) {
        let Some((text, at)) = written(input) else {
            return;
        };
        let Ok(query) = web_sys::UrlSearchParams::new() else {
            return;
        };
        query.set("signal", signal);
        query.set("q", &text);
        query.set("at", &at.to_string());
        let address = format!("/api/v1/complete?{}", String::from(query.to_string()));
        spawn_local(async move {
            let Some(answer) = json(&address).await else {
                return;
            };
            // An answer to what was written before is no answer.
            if written(input) != Some((text, at)) {
                return;
            }
            let number = |name: &str| {
                js_sys::Reflect::get(&answer, &name.into())
                    .ok()
                    .and_then(|v| v.as_f64())
                    .unwrap_or(0.0) as usize
            };
            let items = js_sys::Reflect::get(&answer, &"items".into()).unwrap_or(JsValue::NULL);
            let said = |item: &JsValue, name: &str| {
                js_sys::Reflect::get(item, &name.into())
                    .ok()
                    .and_then(|v| v.as_string())
                    .unwrap_or_default()
            };
            let found = js_sys::Array::from(&items)
                .iter()
                .take(OFFERS_MAX)
                .map(|item| {
                    let text = said(&item, "text");
                    Offer {
                        is_spaced: !text.ends_with('('),
                        text,
                        detail: said(&item, "detail"),
                    }
                })
                .collect();
            offers.show(found, (number("from"), number("to")));
        });
    }

    async fn json(address: &str) -> Option<JsValue> {
        let response = JsFuture::from(window().fetch_with_str(address))
            .await
            .ok()?;
        let response: web_sys::Response = response.dyn_into().ok()?;
        if !response.ok() {
            return None;
        }
        JsFuture::from(response.json().ok()?).await.ok()
    }

    pub(super) fn take(at: usize, input: Input, offers: OfferList) {
        let Some(element) = input.get_untracked() else {
            return;
        };
        if let Some((text, cursor)) = offers.taken(at, &element.value()) {
            element.set_value(&text);
            let _ = element.set_selection_range(cursor, cursor);
        }
    }
}
