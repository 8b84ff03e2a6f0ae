//! Versions of a service side by side, and whether the newest fails more often than the one before.

use leptos::prelude::*;
use tripline_storage::analysis::z_score;
use tripline_storage::model::VersionSummary;

use super::ServicePart;
use crate::frame::Frame;
use crate::parts::error_share;
use crate::units;

/// Two or more versions side by side; the newest against the one before.
pub(super) fn versions(part: &ServicePart, id: String, frame: &Frame) -> Option<AnyView> {
    let detail = &part.detail;
    if detail.versions.len() < 2 {
        return None;
    }
    let base = &detail.versions[1];
    let rows = detail
        .versions
        .iter()
        .enumerate()
        .map(|(at, version)| {
            let name = version.version.clone().unwrap_or_else(|| "not reported".to_owned());
            let verdict = (at == 0).then(|| verdict(version, base));
            view! {
                <tr>
                    <td><b>{name}</b></td><td class="num" data-head="calls">{units::count(version.calls)}</td>
                    <td class="num" data-head="errors">{error_share(version.counts())}</td>
                    <td class="num" data-head="p50">{units::duration_or_dash(version.latency.p50_ns)}</td><td class="num" data-head="p95">{units::duration_or_dash(version.latency.p95_ns)}</td>
                    <td class="num" data-head="p99">{units::duration_or_dash(version.latency.p99_ns)}</td><td>{verdict}</td>
                </tr>
            }
        })
        .collect_view();
    let shares = units::percent(detail.versions[0].counts().share());
    Some(
        view! {
            <section class="panel" id=id data-live>
                <div class="panel-head"><h2>"Versions side by side"</h2><p class="quiet">"newest first; it fails " {shares} " of its calls"</p>{frame.how(&part.how.versions)}</div>
                <div class="scroll"><table class="list folds">
                    <thead><tr><th>"Version"</th><th class="num">"Calls"</th><th class="num">"Errors"</th><th class="num">"p50"</th><th class="num">"p95"</th><th class="num">"p99"</th><th>"Against the one before"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
            </section>
        }
        .into_any(),
    )
}

/// Calls below which two versions are not compared.
const CALLS_MIN: u64 = 20;

/// Whether the newer version fails more often than chance explains: a two-proportion z-test at 95 %.
fn verdict(new: &VersionSummary, old: &VersionSummary) -> AnyView {
    if new.calls < CALLS_MIN || old.calls < CALLS_MIN {
        return view! { <span class="quiet">{format!("too few calls to tell (at least {CALLS_MIN} each)")}</span> }.into_any();
    }
    let z = z_score(new.counts(), old.counts());
    let (class, words) = match z {
        z if z > 1.96 => ("share bad", "fails more often"),
        z if z < -1.96 => ("share fine", "fails less often"),
        _ => ("quiet", "fails as often, as far as can be told"),
    };
    view! { <span class=class>{words}</span> }.into_any()
}
