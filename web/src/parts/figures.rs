//! Numbers with their meaning: a figure with its name, a share with its weight.

use leptos::prelude::*;

use crate::units;

/// A number with its name under it.
pub fn figure(name: &str, value: String, detail: AnyView) -> AnyView {
    view! {
        <div class="figure"><span class="figure-name">{name.to_owned()}</span><span class="figure-value">{value}</span>
        <span class="figure-detail">{detail}</span></div>
    }
    .into_any()
}

/// A failed share, marked by weight of colour and by a word for those who do not see it.
pub fn error_share(errors: u64, calls: u64) -> AnyView {
    let share = if calls == 0 {
        0.0
    } else {
        errors as f64 / calls as f64
    };
    let class = severity_of_share(share);
    let title = format!("{} of {} failed", units::count(errors), units::count(calls));
    view! { <span class=format!("share {class}") title=title>{units::percent(share)}</span> }
        .into_any()
}

/// `bad` from 5 %, `warn` above zero, else `fine`.
pub fn severity_of_share(share: f64) -> &'static str {
    if share >= 0.05 {
        "bad"
    } else if share > 0.0 {
        "warn"
    } else {
        "fine"
    }
}
