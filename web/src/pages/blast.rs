//! Who is hurt by an incident: requests at the entry points, and what share crosses it.

use leptos::prelude::*;
use tripline_storage::model::BlastRadius;

use crate::frame::Frame;
use crate::parts::{nothing, service_link};
use crate::units;

/// Requests it takes to estimate a share.
const COUNTED_MIN: u64 = 30;

/// Who is hurt.
pub(super) fn blast(blast: &BlastRadius, frame: &Frame) -> AnyView {
    let minutes = blast
        .range
        .map_or(1.0, |range| (range.seconds() / 60.0).max(1.0 / 60.0));
    let body = if blast.entry_points.is_empty() {
        nothing(
            "No request at an entry point is stored for this time.",
            "An entry point is a root span.",
        )
    } else {
        let rows = blast
            .entry_points
            .iter()
            .map(|entry| {
                let per_minute = |count: f64| units::compact(count / minutes);
                view! {
                    <tr>
                        <td>{service_link(frame, Some(&entry.service))}</td><td class="wide">{entry.name.clone()}</td>
                        <td class="num share bad" data-head="failed / min">{per_minute(entry.failed)}</td><td class="num share warn" data-head="degraded / min">{per_minute(entry.degraded)}</td>
                        <td class="num" data-head="unaffected / min">{per_minute(entry.unaffected)}</td>
                        <td class="num" data-head="crosses">{units::percent(if entry.requests > 0.0 { entry.crossing / entry.requests } else { 0.0 })}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <div class="scroll"><table class="list folds"><thead><tr><th>"Entry point"</th><th>"Operation"</th><th class="num">"Failed / min"</th><th class="num">"Degraded / min"</th><th class="num">"Unaffected / min"</th><th class="num">"Crosses"</th></tr></thead><tbody>{rows}</tbody></table></div>
            <p class="note">{crossing(blast)}</p>
        }
        .into_any()
    };
    view! { <section class="panel"><h2>"Who is hurt"</h2>{body}</section> }.into_any()
}

/// What share crosses the incident, and how sure that is.
fn crossing(blast: &BlastRadius) -> String {
    let basis = basis(&blast.basis);
    let read = match blast.one_in {
        0 | 1 => String::new(),
        one_in => format!(", estimated from one trace in {one_in}"),
    };
    let Some((low, high)) = blast.crossing_interval else {
        let share = units::percent(blast.crossing_share);
        return format!(
            "{share} of requests cross an edge of the incident. Counted from spans: {basis}{read}."
        );
    };
    if blast.counted < COUNTED_MIN {
        return format!(
            "What share of requests crosses an edge of the incident cannot be said: {} were read, and it takes {COUNTED_MIN} to \
             estimate. Counted from spans: {basis}{read}.",
            units::counted(blast.counted, "request")
        );
    }
    format!(
        "{} of requests cross an edge of the incident ({} to {} with 95 % confidence). Counted from spans: {basis}{read}.",
        units::percent(blast.crossing_share),
        units::percent(low),
        units::percent(high)
    )
}

fn basis(word: &str) -> &'static str {
    match word {
        "all" => "every span stands for itself",
        "sampled" => "sampled, weights were used",
        _ => "how they were sampled is not known",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_says_how_it_is_known_or_that_it_is_not() {
        let mut radius = BlastRadius {
            crossing_share: 0.25,
            basis: "all".to_owned(),
            one_in: 1,
            counted: 400,
            ..BlastRadius::default()
        };
        assert_eq!(
            crossing(&radius),
            "25 % of requests cross an edge of the incident. Counted from spans: every span stands for itself."
        );
        radius.one_in = 16;
        radius.crossing_interval = Some((0.21, 0.29));
        assert_eq!(
            crossing(&radius),
            "25 % of requests cross an edge of the incident (21 % to 29 % with 95 % confidence). Counted from spans: \
             every span stands for itself, estimated from one trace in 16."
        );
        radius.counted = 1;
        assert!(crossing(&radius).starts_with(
            "What share of requests crosses an edge of the incident cannot be said: 1 request"
        ));
    }
}
