//! The lens over a chart: values under the pointer, and zooming by dragging, which is a change of URL.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// One line of a chart as the lens needs it: its name and its values as they read, one a time step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LensSeries {
    /// Name in the legend.
    pub name: String,
    /// Values, formatted; empty where there is none.
    pub values: Vec<String>,
}

/// Covers a chart. `times` are the steps as they read, `edges` the range in nanoseconds as text
/// (a browser's numbers do not hold them).
#[island]
pub fn Lens(
    times: Vec<String>,
    series: Vec<LensSeries>,
    from_ms: f64,
    to_ms: f64,
) -> impl IntoView {
    let at = RwSignal::new(None::<f64>);
    let grabbed = RwSignal::new(None::<f64>);
    let steps = times.len();
    let reading = move || {
        let share = at.get()?;
        let step = ((share * steps as f64) as usize).min(steps.checked_sub(1)?);
        let mut text = times[step].clone();
        for line in &series {
            if let Some(value) = line.values.get(step).filter(|value| !value.is_empty()) {
                text.push_str(" · ");
                if !line.name.is_empty() {
                    text.push_str(&line.name);
                    text.push(' ');
                }
                text.push_str(value);
            }
        }
        Some(text)
    };
    let line = move || at.get().map_or(-10.0, |share| share * 1000.0);
    let selection = move || match (grabbed.get(), at.get()) {
        (Some(a), Some(b)) => (a.min(b) * 1000.0, (a - b).abs() * 1000.0),
        _ => (0.0, 0.0),
    };
    let release = move |_: leptos::ev::PointerEvent| {
        if let (Some(a), Some(b)) = (grabbed.get_untracked(), at.get_untracked())
            && (a - b).abs() > 0.01
        {
            let ms = |share: f64| from_ms + (to_ms - from_ms) * share;
            zoom(ms(a.min(b)), ms(a.max(b)));
        }
        grabbed.set(None);
    };
    view! {
        <svg
            class="lens" viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true"
            on:pointermove=move |event| at.set(Some(share_of(&event)))
            on:pointerleave=move |_| { at.set(None); grabbed.set(None); }
            on:pointerdown=move |event| grabbed.set(Some(share_of(&event)))
            on:pointerup=release
        >
            <rect class="lens-selection" x=move || selection().0 y="0" width=move || selection().1 height="100"></rect>
            <line class="lens-line" x1=line x2=line y1="0" y2="100"></line>
        </svg>
        <output class="lens-reading">{move || reading().unwrap_or_default()}</output>
    }
}

/// How far along the chart the pointer is, 0 to 1.
fn share_of(event: &leptos::ev::PointerEvent) -> f64 {
    use leptos::wasm_bindgen::JsCast;
    let Some(element) = event
        .current_target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
    else {
        return 0.0;
    };
    let area = element.get_bounding_client_rect();
    ((f64::from(event.client_x()) - area.left()) / area.width().max(1.0)).clamp(0.0, 1.0)
}

/// Goes to the same page over `from..to`, both in milliseconds since the epoch.
fn zoom(from_ms: f64, to_ms: f64) {
    let Ok(query) =
        web_sys::UrlSearchParams::new_with_str(&window().location().search().unwrap_or_default())
    else {
        return;
    };
    query.set("from", &format!("{}", (from_ms * 1e6).round() as u64));
    query.set("to", &format!("{}", (to_ms * 1e6).round() as u64));
    let _ = window()
        .location()
        .set_search(&String::from(query.to_string()));
}
