//! Numbers with their meaning: a figure with its name, a share with its weight.

use leptos::prelude::*;
use tripline_storage::model::CallCounts;

use crate::units;

/// A number with its name under it.
pub fn figure(name: &str, value: String, detail: AnyView) -> AnyView {
    view! {
        <div class="figure"><span class="figure-name">{name.to_owned()}</span><span class="figure-value">{value}</span>
        <span class="figure-detail">{detail}</span></div>
    }
    .into_any()
}

/// The failed share of what calls stand for, marked by weight of colour and by a word for those who do not see it.
pub fn error_share(counts: CallCounts) -> AnyView {
    let class = severity_of_share(counts.share());
    let title = failed_of(counts);
    view! { <span class=format!("share {class}") title=title>{share_or_dash(counts)}</span> }
        .into_any()
}

/// The failed share as a percentage; where nothing was called, there is none.
pub fn share_or_dash(counts: CallCounts) -> String {
    match counts.calls {
        0 => "–".to_owned(),
        _ => units::percent(counts.share()),
    }
}

/// `3 of 40 failed`; of a sample also how many they stand for.
pub fn failed_of(counts: CallCounts) -> String {
    let recorded = format!(
        "{} of {}",
        units::count(counts.errors),
        units::count(counts.calls)
    );
    if !counts.is_sample() {
        return format!("{recorded} failed");
    }
    let [failed, all] =
        [counts.failed(), counts.all()].map(|calls| units::count(calls.round() as u64));
    format!("{recorded} recorded failed, which stand for {failed} of {all}")
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
