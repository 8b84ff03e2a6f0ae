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
    let line = move || at.get().map_or(0.0, |share| share * 1000.0);
    // The drawing may reach beyond its box: where no pointer is, no place is out of sight.
    let line_class = move || match at.get() {
        Some(_) => "lens-line",
        None => "lens-line away",
    };
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
            <line class=line_class x1=line x2=line y1="0" y2="100"></line>
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
    change(&[
        ("from", &format!("{}", (from_ms * 1e6).round() as u64)),
        ("to", &format!("{}", (to_ms * 1e6).round() as u64)),
        ("box", ""),
    ]);
}

/// Goes to the same page with some parameters changed; an empty value takes one away.
fn change(changes: &[(&str, &str)]) {
    let Ok(query) =
        web_sys::UrlSearchParams::new_with_str(&window().location().search().unwrap_or_default())
    else {
        return;
    };
    query.delete("cursor");
    for (name, value) in changes {
        if value.is_empty() {
            query.delete(name);
        } else {
            query.set(name, value);
        }
    }
    let _ = window()
        .location()
        .set_search(&String::from(query.to_string()));
}

/// A box dragged over the heatmap becomes the parameter `box` of this page: `from,to,min,max` in nanoseconds.
/// A click without dragging takes the cell under it. Rows are half powers of two nanoseconds from `low` up.
#[island]
pub fn BoxSelect(from_ns: f64, length_ns: f64, low: u32, rows: u32, columns: u32) -> impl IntoView {
    let corner = RwSignal::new(None::<(f64, f64)>);
    let at = RwSignal::new(None::<(f64, f64)>);
    let area = move || match (corner.get(), at.get()) {
        (Some((x1, y1)), Some((x2, y2))) => {
            (x1.min(x2), y1.min(y2), (x1 - x2).abs(), (y1 - y2).abs())
        }
        _ => (0.0, 0.0, 0.0, 0.0),
    };
    let release = move |_: leptos::ev::PointerEvent| {
        if let (Some((x1, y1)), Some((x2, y2))) = (corner.get_untracked(), at.get_untracked()) {
            let is_click = (x1 - x2).abs() < 0.005 && (y1 - y2).abs() < 0.02;
            let (columns, rows) = (f64::from(columns), f64::from(rows));
            // To whole cells outwards, so that what is inside is what one sees inside.
            let left = (x1.min(x2) * columns).floor();
            let right = (x1.max(x2) * columns).ceil().max(left + 1.0);
            let bottom = ((1.0 - y1.max(y2)) * rows).floor();
            let top = ((1.0 - y1.min(y2)) * rows).ceil().max(bottom + 1.0);
            let (right, top) = if is_click {
                (left + 1.0, bottom + 1.0)
            } else {
                (right, top)
            };
            let time = |column: f64| (from_ns + length_ns / columns * column) as u64;
            let duration = |row: f64| {
                let row = f64::from(low) + row;
                if row < 1.0 {
                    0
                } else {
                    2_f64.powf(row / 2.0).ceil() as u64
                }
            };
            change(&[(
                "box",
                &format!(
                    "{},{},{},{}",
                    time(left),
                    time(right),
                    duration(bottom),
                    duration(top)
                ),
            )]);
        }
        corner.set(None);
    };
    view! {
        <svg
            class="lens" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true"
            on:pointerdown=move |event| { let here = place_of(&event); corner.set(Some(here)); at.set(Some(here)); }
            on:pointermove=move |event| at.set(Some(place_of(&event)))
            on:pointerleave=move |_| corner.set(None)
            on:pointerup=release
        >
            <rect class="lens-selection" x=move || area().0 y=move || area().1 width=move || area().2 height=move || area().3></rect>
        </svg>
    }
}

/// How far right and down the pointer is, 0 to 1.
fn place_of(event: &leptos::ev::PointerEvent) -> (f64, f64) {
    use leptos::wasm_bindgen::JsCast;
    let Some(element) = event
        .current_target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
    else {
        return (0.0, 0.0);
    };
    let area = element.get_bounding_client_rect();
    let share = |at: f64, from: f64, length: f64| ((at - from) / length.max(1.0)).clamp(0.0, 1.0);
    (
        share(f64::from(event.client_x()), area.left(), area.width()),
        share(f64::from(event.client_y()), area.top(), area.height()),
    )
}
