//! `/breakers/{service}/{name}[/{key}]`: one breaker: the sentence, its instances, settings, trips and their traces.

mod activity;
mod sentence;

use leptos::prelude::*;
use tripline_storage::model::{
    Breaker, BreakerActivity, BreakerConfig, BreakerDetail, BreakerTransition, IncidentDetail,
    Lane, Page,
};

use super::blast::blast;
use super::breaker_marks::{inferred_by, named, path_of};
use super::breakers::as_of_end;
use super::ejection::{lane_key, lane_of, mark_of, mark_of_instance, mark_of_state, of_hosts};
use super::error_classes::class_table;
use super::incidents::{chain, link, verdict_word};
use crate::address::segment;
use crate::chart::lanes;
use crate::frame::Frame;
use crate::parts::{list_note, moment, nothing, positive, service_link};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct BreakerPage {
    /// The breaker with its instances and settings.
    pub detail: BreakerDetail,
    /// The breaker as it stood at the end of a range that is over, if it was known by then.
    pub then: Option<Breaker>,
    /// Its states through the range.
    pub lane: Option<Lane>,
    /// Its transitions in the range.
    pub transitions: Page<BreakerTransition>,
    /// Its windows, calls and probes in the range.
    pub activity: BreakerActivity,
    /// The incident nearest to the time asked for.
    pub incident: Option<IncidentDetail>,
    /// The time asked for.
    pub at: Option<u64>,
    /// SQL of its numbers.
    pub how: BreakerHow,
}

impl BreakerPage {
    /// The breaker as the head of the page tells it: as it stood when its range ended, else as it is by now.
    fn shown(&self) -> &Breaker {
        self.then.as_ref().unwrap_or(&self.detail.breaker)
    }
}

/// SQL of the numbers of one breaker, of the page's range.
#[derive(Debug, Clone, Default)]
pub struct BreakerHow {
    /// Of the states of its instances.
    pub instances: String,
    /// Of its windows.
    pub windows: String,
    /// Of its calls by outcome.
    pub calls: String,
    /// Of its transitions.
    pub transitions: String,
    /// Of the hosts it counts.
    pub hosts: String,
}

/// The page.
pub fn breaker(data: &BreakerPage, frame: &Frame) -> AnyView {
    let breaker = &data.detail.breaker;
    let name = named(&breaker.name, breaker.key.as_deref());
    let address = path_of(&breaker.service_name, &breaker.name, breaker.key.as_deref());
    let what_if = frame.link_in(&breaker.scope, &format!("{address}/whatif"), &[]);
    view! {
        <div class="trace-head"><div class="trace-title">
            <h1>{service_link(frame, Some(&breaker.service_name))}" · "{name}</h1>
            <p class="lead" role="status">{sentence::sentence(data)}</p>
            <p>{mark_of(data.shown())}" "<span class="quiet">{evidence(data)}</span>" · "<a href=what_if>"What if it had other settings?"</a></p>
            {data.then.as_ref().and_then(|_| as_of_end(frame))}
            {incident_line(data, frame)}
        </div></div>
        {data.then.is_none().then(|| activity::next_probe(&data.activity, &data.detail, frame)).flatten()}
        {hosts(data, frame)}
        {instances(data, frame)}
        {activity::windows(&data.activity, &data.how, frame)}
        {data.incident.as_ref().map(|incident| view! {
            <section class="panel"><h2>"How calls failed"</h2>{
                let own: Vec<_> = incident.error_classes.iter().filter(|class| class.breaker_id == breaker.breaker_id).cloned().collect();
                class_table(&own, &incident.incident, frame)
            }</section>
            {blast(&incident.blast, frame)}
        })}
        {trips(data, frame)}
        {activity::trials(&data.activity, frame)}
        {settings(&data.detail.configs, frame)}
        {activity::settings_history(&data.activity, frame)}
    }
    .into_any()
}

fn evidence(data: &BreakerPage) -> String {
    let breaker = data.shown();
    let how = if breaker.since_exact {
        "exact"
    } else {
        "inferred"
    };
    let callee = inferred_by(breaker.peer_evidence.as_deref())
        .map(|by| format!("; callee inferred: {by}"))
        .unwrap_or_default();
    format!(
        "{how}, from {} of {} ({} % sure){callee}",
        breaker.evidence.replace('_', " "),
        breaker.origin,
        breaker.confidence
    )
}

fn incident_line(data: &BreakerPage, frame: &Frame) -> Option<AnyView> {
    let found = data.incident.as_ref()?;
    let incident = &found.incident;
    let text = if incident.breakers.len() > 1 {
        let first = incident
            .root
            .as_ref()
            .map(|root| format!(", likely root {}", root.service))
            .unwrap_or_default();
        format!(
            "part of {}: {}{first}",
            units::counted(u64::from(incident.trips), "trip"),
            chain(incident)
        )
    } else {
        let root = incident
            .root
            .as_ref()
            .map_or_else(|| "not known".to_owned(), |root| root.service.clone());
        format!(
            "its incident: likely root {root}, {}",
            verdict_word(&found.recovery)
        )
    };
    Some(view! { <p><a href=link(incident, frame)>{text}</a></p> }.into_any())
}

/// Of an ejection: how many hosts are out, and which, as far as that is told.
fn hosts(data: &BreakerPage, frame: &Frame) -> Option<AnyView> {
    let breaker = data.shown();
    let hosts = breaker.hosts.as_ref()?;
    let healthy = hosts
        .healthy
        .map(|healthy| format!("; {} healthy", units::count(u64::from(healthy))));
    let links = hosts
        .named
        .iter()
        .map(|host| {
            let address = path_of(&breaker.service_name, &breaker.name, Some(host.as_str()));
            let link = frame.link_in(&breaker.scope, &address, &[]);
            view! { <li><a href=link><code class="id">{host.clone()}</code></a></li> }
        })
        .collect_view();
    let named = (!hosts.named.is_empty()).then(|| view! { <ul>{links}</ul> });
    // Logs may have begun later than the counting, and name some only.
    let unnamed = hosts
        .ejected
        .map_or(0, |out| (out as usize).saturating_sub(hosts.named.len()));
    let rest = if hosts.named.is_empty() {
        (hosts.ejected != Some(0)).then(|| {
            "Which hosts is not reported; logs of outlier events would name them.".to_owned()
        })
    } else {
        (unnamed > 0).then(|| {
            let others = units::count(unnamed as u64);
            format!("{others} more, which no log names.")
        })
    };
    Some(
        view! {
            <section class="panel" id="hosts"><div class="panel-head"><h2>"Hosts out"</h2>{frame.how(&data.how.hosts)}</div>
            <p>{of_hosts(hosts)}{healthy}</p>{named}{rest.map(|text| view! { <p class="note">{text}</p> })}</section>
        }
        .into_any(),
    )
}

fn instances(data: &BreakerPage, frame: &Frame) -> AnyView {
    let range = frame.bounds();
    let lanes = data.lane.as_ref().map(|lane| {
        lane.instances
            .iter()
            .map(|instance| {
                let id = instance.service_instance_id.clone().unwrap_or_else(|| "no instance id".to_owned());
                let known = data
                    .detail
                    .instances
                    .iter()
                    .find(|known| known.service_instance_id == instance.service_instance_id);
                let state = known.map(|known| mark_of_instance(&data.detail.breaker, known));
                let version = known.and_then(|known| known.service_version.clone());
                view! {
                    <tr><td class="nowrap"><code class="id">{id}</code>" "<span class="quiet">{version}</span></td><td class="nowrap" data-head="now">{state}</td>
                    <td class="lane-cell">{lanes::lane(&lane_of(&data.detail.breaker.pattern, &instance.segments), range)}</td></tr>
                }
            })
            .collect_view()
    });
    let pattern = data.detail.breaker.pattern.as_str();
    let instances = data.lane.iter().flat_map(|lane| &lane.instances);
    let key = lane_key(instances.map(|instance| (pattern, instance.segments.as_slice())));
    let body = match lanes {
        Some(rows) => view! { {key}<div class="scroll"><table class="list folds"><thead><tr><th>"Instance"</th><th>"Now"</th><th>{lanes::axis(range)}</th></tr></thead><tbody>{rows}</tbody></table></div> }.into_any(),
        None => nothing("Nothing is known of it in this range.", "Widen the range."),
    };
    view! { <section class="panel"><div class="panel-head"><h2>"Instances"</h2>{frame.how(&data.how.instances)}</div>{body}</section> }.into_any()
}

fn trips(data: &BreakerPage, frame: &Frame) -> AnyView {
    if data.transitions.items.is_empty() {
        return view! { <section class="panel"><h2>"Transitions"</h2>{nothing("It did not change its state in this range.", "Widen the range.")}</section> }.into_any();
    }
    let rows = data
        .transitions
        .items
        .iter()
        .map(|change| row(change, &data.detail.breaker.pattern, frame))
        .collect_view();
    view! {
        <section class="panel"><div class="panel-head"><h2>"Transitions"</h2>{frame.how(&data.how.transitions)}</div>
        <div class="scroll"><table class="list folds"><thead><tr><th>"When"</th><th>"Instance"</th><th>"To"</th><th>"Reason"</th><th class="num">"Failed"</th><th class="num">"Slow"</th><th class="num">"Calls"</th><th>"Trace"</th><th>"Contributed"</th><th>"Evidence"</th></tr></thead><tbody>{rows}</tbody></table></div>
        {list_note(&data.transitions, "transition", "newest first", frame)}</section>
    }
    .into_any()
}

/// Traces named that contributed to a trip.
const CONTRIBUTING_MAX: usize = 8;

fn row(change: &BreakerTransition, pattern: &str, frame: &Frame) -> AnyView {
    let width = u64::try_from(change.time_unix_nano - change.time_lo_unix_nano).unwrap_or(0);
    let doubt = (width > 0).then(|| view! { " " <span class="tag">{format!("up to {} earlier", units::duration(width))}</span> });
    let trace = change.trace_id.as_ref().map(|id| {
        let span = change.span_id.clone().unwrap_or_default();
        let params: &[(&str, &str)] = if span.is_empty() { &[] } else { &[("span", &span)] };
        let link = frame.link(&format!("/traces/{}", segment(id)), params);
        let short: String = id.chars().take(8).collect();
        let evidence = change.trace_evidence.clone().unwrap_or_else(|| "inferred".to_owned());
        // A trace of a probe, or of the call that closed it, did something else.
        let tripped_it = is_trip(change).then(|| view! { " "<span class="tag">"tripped it"</span> });
        view! { <a href=link><code class="id">{short}</code></a>{tripped_it}" "<span class="tag">{evidence}</span> }
    });
    let contributing = change
        .contributing_trace_ids
        .iter()
        .take(CONTRIBUTING_MAX)
        .map(|id| {
            let link = frame.link(&format!("/traces/{}", segment(id)), &[]);
            let short: String = id.chars().take(6).collect();
            view! { <a href=link><code class="id">{short}</code></a>" " }
        })
        .collect_view();
    let left = change
        .contributing_trace_ids
        .len()
        .saturating_sub(CONTRIBUTING_MAX);
    let more = (left > 0).then(|| format!("and {left} more"));
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), units::percent);
    view! {
        <tr>
            <td class="nowrap">{moment(positive(Some(change.time_unix_nano)), frame)}{doubt}</td>
            <td><code class="id">{change.service_instance_id.clone()}</code></td>
            <td class="nowrap">{mark_of_state(pattern, &change.to_state)}</td>
            <td>{change.reason.clone().map_or_else(|| "not reported".to_owned(), |reason| reason.replace('_', " "))}</td>
            <td class="num" data-head="failed">{share(change.failure_rate)}</td><td class="num" data-head="slow">{share(change.slow_rate)}</td>
            <td class="num" data-head="calls">{change.window_calls.map_or_else(|| "–".to_owned(), |calls| units::count(u64::from(calls)))}</td>
            <td class="nowrap" data-head="trace">{trace}</td><td data-head="contributed">{contributing}{more}</td>
            <td class="quiet" title=format!("{} % sure", change.confidence) data-head="evidence">{change.evidence.replace('_', " ")}</td>
        </tr>
    }
    .into_any()
}

/// Whether it opened, and not after a probe that failed.
fn is_trip(change: &BreakerTransition) -> bool {
    change.to_state == "open" && change.from_state.as_deref() != Some("half_open")
}

fn settings(configs: &[BreakerConfig], frame: &Frame) -> AnyView {
    let mut distinct: Vec<(&BreakerConfig, usize)> = Vec::new();
    for config in configs {
        match distinct
            .iter_mut()
            .find(|(known, _)| known.config == config.config)
        {
            Some((_, count)) => *count += 1,
            None => distinct.push((config, 1)),
        }
    }
    let drift = (distinct.len() > 1).then(|| view! { <p class="note amber">{format!("Its instances run under {} different settings.", distinct.len())}</p> });
    let body = if distinct.is_empty() {
        nothing(
            "Its settings are not reported.",
            "Our SDK reports them when a breaker is made; other libraries seldom do.",
        )
    } else {
        distinct
            .into_iter()
            .map(|(config, count)| {
                view! {
                    <p class="quiet">{units::counted(count as u64, "instance")}", since "{moment(positive(Some(config.valid_from_unix_nano)), frame)}" · "<code class="id">{config.config_hash.clone()}</code></p>
                    <pre class="wraps"><code>{config.config.clone()}</code></pre>
                }
            })
            .collect_view()
            .into_any()
    };
    view! { <section class="panel"><h2>"Settings"</h2>{drift}{body}</section> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_said_to_have_tripped_it_where_it_did() {
        let shown = |from: &str, to: &str| {
            let change = BreakerTransition {
                from_state: Some(from.to_owned()),
                to_state: to.to_owned(),
                trace_id: Some("ab".repeat(16)),
                ..BreakerTransition::default()
            };
            row(&change, "breaker", &Frame::default()).to_html()
        };
        let tripped = shown("closed", "open");
        assert!(tripped.contains("tripped it"), "{tripped}");
        for (from, to) in [
            ("open", "half_open"),
            ("half_open", "open"),
            ("half_open", "closed"),
        ] {
            let html = shown(from, to);
            assert!(
                html.contains("data-head=\"trace\"") && html.contains("abababab"),
                "{html}"
            );
            assert!(!html.contains("ripped"), "{from} {to}: {html}");
        }
    }
}
