//! Times of the page in the reader's own zone. The server writes UTC; what stands in a title stays so.

use leptos::prelude::*;

/// Rewrites every `<time data-clock>`, and again after live parts were replaced.
#[island]
pub fn LocalTimes() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::start();
    view! { <span hidden></span> }
}

#[cfg(feature = "hydrate")]
pub(super) use browser::local;

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;
    use leptos::wasm_bindgen::{JsCast, JsValue};

    pub(super) fn start() {
        convert();
        let handle = window_event_listener_untyped("tripline:renewed", |_| convert());
        on_cleanup(move || handle.remove());
    }

    fn convert() {
        let Ok(times) = document().query_selector_all("time[data-clock]") else {
            return;
        };
        for at in 0..times.length() {
            let Some(time) = times
                .item(at)
                .and_then(|node| node.dyn_into::<web_sys::Element>().ok())
            else {
                continue;
            };
            let iso = time.get_attribute("datetime").unwrap_or_default();
            let form = time.get_attribute("data-clock").unwrap_or_default();
            if let Some(text) = local(&iso, &form) {
                time.set_text_content(Some(&text));
            }
            // Once: what was replaced comes with the attribute again.
            let _ = time.remove_attribute("data-clock");
        }
    }

    /// The same forms as the server's: `m` and `s` are times of day, `d` has the day, anything else is a row's.
    pub(in crate::islands) fn local(iso: &str, form: &str) -> Option<String> {
        let date = js_sys::Date::new(&JsValue::from_str(iso));
        if date.get_time().is_nan() {
            return None;
        }
        let minutes = format!("{:02}:{:02}", date.get_hours(), date.get_minutes());
        let seconds = format!("{minutes}:{:02}", date.get_seconds());
        let day = format!("{:02}-{:02}", date.get_month() + 1, date.get_date());
        Some(match form {
            "m" => minutes,
            "s" => seconds,
            "d" => format!("{day} {minutes}"),
            _ => {
                let exact = format!("{seconds}.{:03}", date.get_milliseconds());
                let now = js_sys::Date::new_0();
                let day_of =
                    |date: &js_sys::Date| (date.get_full_year(), date.get_month(), date.get_date());
                if day_of(&date) == day_of(&now) {
                    exact
                } else {
                    format!("{}-{day} {exact}", date.get_full_year())
                }
            }
        })
    }
}
