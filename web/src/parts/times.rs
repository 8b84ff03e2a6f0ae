//! Moments, as people read them.

use leptos::prelude::*;

use crate::frame::Frame;
use crate::units;

/// A moment: its time of day in a row, the whole of it (UTC) on hover. UTC until the browser knows better.
pub fn moment(unix_nano: Option<u64>, frame: &Frame) -> AnyView {
    let Some(ns) = unix_nano.filter(|ns| *ns > 0) else {
        return view! { <span class="quiet">"no time"</span> }.into_any();
    };
    let is_today = ns / 86_400_000_000_000 == frame.now_ns / 86_400_000_000_000;
    let text = if is_today {
        units::time_of_day(ns, 3)
    } else {
        units::timestamp(ns, 3).replace('T', " ").replace('Z', "")
    };
    let exact = units::timestamp(ns, 9);
    view! { <time datetime=exact.clone() title=exact data-clock="row">{text}</time> }.into_any()
}

/// How long ago, the exact time on hover.
pub fn since(unix_nano: Option<u64>, frame: &Frame) -> AnyView {
    let Some(ns) = unix_nano.filter(|ns| *ns > 0) else {
        return view! { <span class="quiet">"never"</span> }.into_any();
    };
    let exact = units::timestamp(ns, 0);
    view! { <time datetime=exact.clone() title=exact>{units::ago(ns, frame.now_ns)}</time> }
        .into_any()
}

/// Nanoseconds of a signed time, if it is one.
pub fn positive(ns: Option<i64>) -> Option<u64> {
    ns.and_then(|ns| u64::try_from(ns).ok())
}
