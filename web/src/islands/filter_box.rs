//! The filter's input with completion: asks `/api/v1/complete` what may come at the cursor.

use leptos::prelude::*;

/// What may be put at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What to put there.
    pub text: String,
    /// What it is.
    pub detail: String,
}

/// The input. Without the bundle it is a plain one.
#[island]
pub fn FilterBox(signal: String, value: String, placeholder: String) -> impl IntoView {
    let offers = RwSignal::new(Vec::<Offer>::new());
    let chosen = RwSignal::new(None::<usize>);
    // Characters of the input an offer replaces.
    let place = RwSignal::new((0_usize, 0_usize));
    let input = NodeRef::<leptos::html::Input>::new();
    let close = move || {
        offers.set(Vec::new());
        chosen.set(None);
    };
    let ask = move || {
        #[cfg(feature = "hydrate")]
        browser::ask(&signal, input, offers, chosen, place);
        #[cfg(not(feature = "hydrate"))]
        let _ = (&signal, place);
    };
    let take = {
        let ask = ask.clone();
        move |at: usize| {
            #[cfg(feature = "hydrate")]
            browser::take(at, input, offers, place);
            #[cfg(not(feature = "hydrate"))]
            let _ = at;
            close();
            ask();
        }
    };
    let keys = {
        let take = take.clone();
        move |event: leptos::ev::KeyboardEvent| {
            let count = offers.with_untracked(Vec::len);
            match (event.key().as_str(), chosen.get_untracked()) {
                ("Escape", _) => close(),
                ("ArrowDown", at) if count > 0 => {
                    event.prevent_default();
                    chosen.set(Some(at.map_or(0, |at| (at + 1) % count)));
                }
                ("ArrowUp", at) if count > 0 => {
                    event.prevent_default();
                    chosen.set(Some(at.map_or(count - 1, |at| (at + count - 1) % count)));
                }
                ("Enter" | "Tab", Some(at)) => {
                    event.prevent_default();
                    take(at);
                }
                _ => {}
            }
        }
    };
    let on_input = {
        let ask = ask.clone();
        move |_| ask()
    };
    let rows = move || {
        offers.with(|offers| {
            offers
                .iter()
                .enumerate()
                .map(|(at, offer)| {
                    let take = take.clone();
                    let id = format!("offer-{at}");
                    view! {
                        <li role="option" id=id aria-selected=move || (chosen.get() == Some(at)).to_string()
                            on:pointerdown=move |event: leptos::ev::PointerEvent| { event.prevent_default(); take(at); }>
                            <code>{offer.text.clone()}</code> <span class="quiet">{offer.detail.clone()}</span>
                        </li>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <div class="filter-box">
            <input
                node_ref=input name="q" value=value placeholder=placeholder aria-label="Filter" data-search
                autocomplete="off" spellcheck="false" role="combobox" aria-autocomplete="list" aria-controls="offers"
                aria-expanded=move || (!offers.with(Vec::is_empty)).to_string()
                aria-activedescendant=move || chosen.get().map(|at| format!("offer-{at}"))
                on:input=on_input on:keydown=keys on:focus=move |_| ask() on:blur=move |_| close()
            />
            <ul id="offers" class="offers" role="listbox" aria-label="Completions" hidden=move || offers.with(Vec::is_empty)>{rows}</ul>
        </div>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;
    use leptos::wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::{JsFuture, spawn_local};

    use super::Offer;

    type Input = NodeRef<leptos::html::Input>;

    /// The text of the input and the cursor in it, in characters.
    fn written(input: Input) -> Option<(String, usize)> {
        let element = input.get_untracked()?;
        let text = element.value();
        // The browser counts in UTF-16.
        let units = element.selection_start().ok().flatten().unwrap_or(0) as usize;
        let before: Vec<u16> = text.encode_utf16().take(units).collect();
        let at = String::from_utf16_lossy(&before).chars().count();
        Some((text, at))
    }

    pub(super) fn ask(
        signal: &str,
        input: Input,
        offers: RwSignal<Vec<Offer>>,
        chosen: RwSignal<Option<usize>>,
        place: RwSignal<(usize, usize)>,
    ) {
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
            place.set((number("from"), number("to")));
            let items = js_sys::Reflect::get(&answer, &"items".into()).unwrap_or(JsValue::NULL);
            let said = |item: &JsValue, name: &str| {
                js_sys::Reflect::get(item, &name.into())
                    .ok()
                    .and_then(|v| v.as_string())
                    .unwrap_or_default()
            };
            let found = js_sys::Array::from(&items)
                .iter()
                .take(12)
                .map(|item| Offer {
                    text: said(&item, "text"),
                    detail: said(&item, "detail"),
                })
                .collect();
            chosen.set(None);
            offers.set(found);
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

    pub(super) fn take(
        at: usize,
        input: Input,
        offers: RwSignal<Vec<Offer>>,
        place: RwSignal<(usize, usize)>,
    ) {
        let (Some(element), Some(offer)) = (
            input.get_untracked(),
            offers.with_untracked(|offers| offers.get(at).cloned()),
        ) else {
            return;
        };
        let text = element.value();
        let (from, to) = place.get_untracked();
        let before: String = text.chars().take(from).collect();
        let after: String = text.chars().skip(to).collect();
        let gap = if offer.text.ends_with('(') || after.starts_with(' ') {
            ""
        } else {
            " "
        };
        let head = format!("{before}{}{gap}", offer.text);
        let cursor = head.encode_utf16().count() as u32;
        element.set_value(&format!("{head}{after}"));
        let _ = element.set_selection_range(cursor, cursor);
    }
}
