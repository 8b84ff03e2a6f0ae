//! A slider over steps of time and a button that plays them: each step is a change of URL, and the live parts of the
//! page are asked for again.

use leptos::prelude::*;

/// How long a step is shown while playing, milliseconds.
#[cfg(feature = "hydrate")]
const SHOWN_MS: u64 = 900;

/// `starts` are the values of the parameter `at`, oldest first; `chosen` is the one that is shown. On a live page the
/// steps move on, and their starts with them.
#[island]
pub fn StepSlider(starts: Vec<String>, chosen: Option<usize>) -> impl IntoView {
    let last = starts.len().saturating_sub(1);
    let at = RwSignal::new(chosen.unwrap_or(last));
    let is_playing = RwSignal::new(false);
    let starts = StoredValue::new(starts);
    let show = move |step: usize| {
        at.set(step);
        #[cfg(feature = "hydrate")]
        starts.with_value(|starts| show_step(starts.get(step).map_or("", String::as_str)));
        #[cfg(not(feature = "hydrate"))]
        let _ = starts;
    };
    let slide = move |event| {
        if let Ok(step) = event_target_value(&event).parse() {
            show(step);
        }
    };
    let play = move |_| {
        is_playing.update(|is| *is = !*is);
        if is_playing.get_untracked() && at.get_untracked() >= last {
            show(0);
        }
    };
    #[cfg(feature = "hydrate")]
    {
        let handle = window_event_listener_untyped("tripline:renewed", move |_| {
            let now = starts_of_strip();
            if now.len() == last + 1 {
                starts.set_value(now);
            }
        });
        on_cleanup(move || handle.remove());
    }
    #[cfg(feature = "hydrate")]
    if let Ok(handle) = set_interval_with_handle(
        move || {
            if !is_playing.get_untracked() {
                return;
            }
            match at.get_untracked() + 1 {
                next if next <= last => show(next),
                _ => is_playing.set(false),
            }
        },
        std::time::Duration::from_millis(SHOWN_MS),
    ) {
        on_cleanup(move || handle.clear());
    }
    view! {
        <div class="step-slider needs-wasm">
            <button type="button" class="button plain" aria-pressed=move || is_playing.get().to_string() on:click=play>
                {move || if is_playing.get() { "Stop" } else { "Play" }}
            </button>
            <input type="range" min="0" max=last step="1" aria-label="Step of time" prop:value=move || at.get().to_string() value=at.get_untracked() on:input=slide/>
        </div>
    }
}

#[cfg(feature = "hydrate")]
fn show_step(start: &str) {
    use leptos::wasm_bindgen::JsValue;
    let search = window().location().search().unwrap_or_default();
    let (Ok(query), Ok(history)) = (
        web_sys::UrlSearchParams::new_with_str(&search),
        window().history(),
    ) else {
        return;
    };
    query.set("at", start);
    let address = format!("?{}", String::from(query.to_string()));
    let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address));
    wasm_bindgen_futures::spawn_local(async {
        super::renewal::renew().await;
    });
}

/// The same values as the links of the strip above have them.
#[cfg(feature = "hydrate")]
fn starts_of_strip() -> Vec<String> {
    use leptos::wasm_bindgen::JsCast;
    let Ok(links) = document().query_selector_all(".scrubber-steps a") else {
        return Vec::new();
    };
    (0..links.length())
        .filter_map(|at| {
            let link: web_sys::Element = links.item(at)?.dyn_into().ok()?;
            let address = link.get_attribute("href")?;
            let (_, query) = address.split_once('?')?;
            web_sys::UrlSearchParams::new_with_str(query)
                .ok()?
                .get("at")
        })
        .collect()
}
