//! `/breakers/{service}/{name}[/{key}]/whatif`: recorded calls under other settings, baseline first.

use leptos::prelude::*;
use tripline_storage::model::{Outcome, Proposal, WhatIf};

use crate::frame::Frame;
use crate::parts::{nothing, other_fields};
use crate::units;

/// Settings the form edits: name, label.
const EDITED: [(&str, &str); 11] = [
    ("minimum_calls", "Minimum calls"),
    ("failure_ratio_threshold", "Failed share that trips"),
    (
        "consecutive_failures_threshold",
        "Failures in a row that trip",
    ),
    ("slow_ratio_threshold", "Slow share that trips"),
    ("slow_call_s", "Slow from, s"),
    ("window.length_s", "Window, s"),
    ("window.size", "Window, calls"),
    ("open.base_s", "Open time, s"),
    ("open.max_s", "Longest open time, s"),
    ("half_open.permits", "Probes"),
    ("mode", "Mode"),
];

/// The page.
pub fn what_if(data: &WhatIf, frame: &Frame) -> AnyView {
    if let Some(why) = &data.refused {
        return refused(data, why, frame);
    }
    let baseline = &data.baseline;
    let is_weak = baseline.is_weak();
    let class = if is_weak {
        "verdict warn"
    } else {
        "verdict fine"
    };
    let warning = is_weak.then(|| {
        view! { <p class="note amber">"Under 90 %: what follows says little about this breaker."</p> }
    });
    let differs = (!baseline.differs.is_empty()).then(|| {
        let rules = baseline.differs.iter().map(|rule| view! { <li>{rule.clone()}</li> }).collect_view();
        view! { <details open=is_weak><summary>"Rules that differ"</summary><ul class="clues">{rules}</ul></details> }
    });
    let cut = data.truncated.then(|| view! { <p class="note amber">"More calls are stored than were replayed: narrow the range."</p> });
    let limits = data
        .limits
        .iter()
        .map(|limit| view! { <li>{limit.clone()}</li> })
        .collect_view();
    let body = if data.calls == 0 {
        nothing(
            "No call of this breaker is stored in this range.",
            "Calls are known by the spans our SDK marks, or by client spans to its callee.",
        )
    } else {
        view! { {table(data)} {proposals(&data.proposals, frame)} }.into_any()
    };
    view! {
        {head(data)}
        <p class="quiet">{format!("{} of {}{}, replayed by the SDK's own state machine. Settings from: {}.", units::counted(data.calls, "call"), units::counted(u64::from(data.instances), "instance"), covered(data), data.settings_source)}</p>
        <p class=class role="status"><strong>"Baseline"</strong>": "{baseline.sentence.clone()}"."</p>
        {warning}{differs}{cut}
        {form(data, frame)}
        <section class="panel"><h2>"Against what happened"</h2>{body}</section>
        <section class="panel"><h2>"What this cannot know"</h2><ul class="clues">{limits}</ul></section>
    }
    .into_any()
}

fn head(data: &WhatIf) -> AnyView {
    view! {
        <div class="trace-head"><div class="trace-title"><h1>"What if " {data.service_name.clone()} " · " {data.name.clone()} " had other settings?"</h1></div></div>
    }
    .into_any()
}

/// How many calls those that were replayed stand for, where it is more.
fn covered(data: &WhatIf) -> String {
    if data.coverage.basis != "sampled" {
        return String::new();
    }
    format!(
        " ({} of about {:.0} calls)",
        units::percent(data.coverage.share),
        data.coverage.estimated_calls
    )
}

/// Why settings were refused, as the form calls the field that it names.
pub fn what_if_refusal(detail: &str) -> String {
    let told = EDITED.iter().find_map(|(name, label)| {
        let rest = detail.strip_prefix(*name)?;
        rest.starts_with(' ')
            .then(|| format!("{label} ({name}){rest}"))
    });
    told.unwrap_or_else(|| detail.to_owned())
}

/// Too little is stored to replay it: said instead of numbers.
fn refused(data: &WhatIf, why: &str, frame: &Frame) -> AnyView {
    let advice =
        "Send every span of this service's calls, or choose a range in which all were kept.";
    view! {
        {head(data)}
        <div class="failure" role="alert"><strong>"Not replayed"</strong><p>{why.to_owned()}</p><p>{advice}</p></div>
        {form(data, frame)}
    }
    .into_any()
}

fn form(data: &WhatIf, frame: &Frame) -> AnyView {
    let fields = EDITED
        .iter()
        .map(|(name, label)| {
            let value = frame.param(name).unwrap_or_default().to_owned();
            let recorded = data.settings.get(*name).cloned().unwrap_or_else(|| "not set".to_owned());
            let keys = if *name == "mode" { "text" } else { "decimal" };
            view! { <label>{*label}<input name=*name value=value placeholder=recorded inputmode=keys/></label> }
        })
        .collect_view();
    let own: Vec<&str> = EDITED
        .iter()
        .map(|(name, _)| *name)
        .chain(["propose"])
        .collect();
    view! {
        <section class="panel"><h2>"Other settings"</h2>
        <form class="filters" method="get" action=frame.path.clone()>
            {other_fields(frame, &own)}
            {fields}
            <button class="button">"Replay"</button>
            <button class="button plain" name="propose" value="true">"Propose settings"</button>
        </form></section>
    }
    .into_any()
}

fn table(data: &WhatIf) -> AnyView {
    let mut columns: Vec<(&str, &Outcome)> =
        vec![("Happened", &data.happened), ("Replayed", &data.recorded)];
    if let Some(edited) = &data.edited {
        columns.push(("Edited", edited));
    }
    let head = columns
        .iter()
        .map(|(name, _)| view! { <th class="num">{*name}</th> })
        .collect_view();
    let row = |name: &'static str, of: fn(&Outcome) -> String, known_of_recorded: bool| {
        let cells = columns
            .iter()
            .enumerate()
            .map(|(at, (_, outcome))| {
                let text = if at == 0 && !known_of_recorded {
                    "–".to_owned()
                } else {
                    of(outcome)
                };
                view! { <td class="num">{text}</td> }
            })
            .collect_view();
        view! { <tr><th scope="row">{name}</th>{cells}</tr> }
    };
    view! {
        <div class="scroll" tabindex="0"><table class="list"><thead><tr><th></th>{head}</tr></thead><tbody>
            {row("Trips", |o| units::count(o.trips), true)}
            {row("Calls let through", |o| units::count(o.admitted), true)}
            {row("Calls refused", |o| units::count(o.rejected), true)}
            {row("of these: would have succeeded (lost)", |o| units::count(o.rejected_good), false)}
            {row("of these: would have failed (saved)", |o| units::count(o.avoided_failures), false)}
            {row("Let through, outcome not known", |o| units::count(o.admitted_unknown), false)}
            {row("Time to detect, mean", |o| mean(o.detect_ns), true)}
            {row("Time to recover, mean", |o| mean(o.recover_ns), true)}
            {row("Time from trip to closed", |o| units::duration(o.open_ns), true)}
        </tbody></table></div>
    }
    .into_any()
}

fn mean(ns: Option<u64>) -> String {
    ns.map_or_else(|| "–".to_owned(), |ns| format!("≈ {}", units::duration(ns)))
}

fn proposals(proposals: &[Proposal], frame: &Frame) -> Option<AnyView> {
    if proposals.is_empty() {
        return None;
    }
    let rows = proposals
        .iter()
        .map(|proposal| {
            let edits: Vec<(&str, &str)> = proposal.edits.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let words: Vec<String> = proposal.edits.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            let words = if words.is_empty() { "as recorded".to_owned() } else { words.join(", ") };
            let link = frame.with(&[&[("propose", "")], edits.as_slice()].concat());
            view! {
                <tr><td class="wide"><a data-row href=link>{words}</a></td>
                <td class="num">{units::count(proposal.outcome.trips)}</td><td class="num">{units::count(proposal.outcome.rejected_good)}</td>
                <td class="num">{units::count(proposal.outcome.avoided_failures)}</td><td class="num">{mean(proposal.outcome.detect_ns)}</td></tr>
            }
        })
        .collect_view();
    Some(view! {
        <h3>"On the Pareto front"</h3>
        <div class="scroll" tabindex="0"><table class="list"><thead><tr><th>"Settings"</th><th class="num">"Trips"</th><th class="num">"Good calls lost"</th><th class="num">"Failures saved"</th><th class="num">"Time to detect"</th></tr></thead><tbody>{rows}</tbody></table></div>
    }.into_any())
}
