//! Ejections in words: hosts of a cluster that get no calls, as fractions ("1 of 12 hosts out") and never as an open
//! breaker. What nobody reports is said to be not reported.

use std::borrow::Cow;

use leptos::prelude::*;
use tripline_storage::model::{Breaker, BreakerInstance, EdgeBreaker, EjectedHosts, LaneSegment};

use super::breaker_marks::{glyph, severity, state_mark};
use crate::chart::lanes;
use crate::units;

/// Whether a policy takes hosts out, and does not refuse calls.
pub(super) fn is_ejection(pattern: &str) -> bool {
    pattern == "ejection"
}

/// "1 of 12 hosts out"; who counts them may not know of how many, and who names them may not count.
pub(super) fn fraction(out: Option<u32>, all: Option<u32>, named: usize) -> String {
    let hosts = |count: u64| units::counted(count, "host");
    match (out, all) {
        (Some(out), Some(all)) => format!("{out} of {} out", hosts(u64::from(all))),
        (Some(out), None) => format!("{} out", hosts(u64::from(out))),
        (None, _) if named > 0 => format!("{} out by name", hosts(named as u64)),
        (None, _) => "hosts out: not reported".to_owned(),
    }
}

/// The same of a list of hosts.
pub(super) fn of_hosts(hosts: &EjectedHosts) -> String {
    let text = fraction(hosts.ejected, hosts.total, hosts.named.len());
    let is_of_unknown =
        hosts.total.is_none() && (hosts.ejected.is_some() || !hosts.named.is_empty());
    if is_of_unknown {
        text + "; of how many is not reported"
    } else {
        text
    }
}

/// The state of a breaker as a mark; of an ejection its fraction, of one of its hosts whether it gets calls.
pub(super) fn mark_of(breaker: &Breaker) -> AnyView {
    if !is_ejection(&breaker.pattern) {
        return state_mark(&breaker.state);
    }
    match (&breaker.key, &breaker.hosts) {
        (None, Some(hosts)) if is_known(&breaker.state) => {
            let text = fraction(hosts.ejected, hosts.total, hosts.named.len());
            mark(&breaker.state, (hosts.ejected, hosts.total), text)
        }
        _ => mark(&breaker.state, (None, None), host_word(&breaker.state)),
    }
}

/// Hosts named in a row of a list.
const NAMED: usize = 3;

/// The hosts that logs say are out, beside the fraction of an ejection; nothing where none is named.
pub(super) fn hosts_named(breaker: &Breaker) -> Option<AnyView> {
    let hosts = breaker.hosts.as_ref()?;
    if breaker.key.is_some() || hosts.named.is_empty() {
        return None;
    }
    let first: Vec<&str> = hosts.named.iter().take(NAMED).map(String::as_str).collect();
    let more = match hosts.named.len() - first.len() {
        0 => String::new(),
        more => format!(" and {} more", units::count(more as u64)),
    };
    let text = format!("{}{more}", first.join(", "));
    Some(view! { " " <span class="quiet">{text}</span> }.into_any())
}

/// The state of one instance's breaker as a mark.
pub(super) fn mark_of_instance(breaker: &Breaker, instance: &BreakerInstance) -> AnyView {
    let state = &instance.state;
    if !is_ejection(&breaker.pattern) {
        return state_mark(state);
    }
    let counted = (instance.hosts_ejected, instance.hosts_total);
    if breaker.key.is_none() && is_known(state) {
        mark(state, counted, fraction(counted.0, counted.1, 0))
    } else {
        mark(state, counted, host_word(state))
    }
}

/// A state that something came into as a mark; of an ejection what became of a host.
pub(super) fn mark_of_state(pattern: &str, state: &str) -> AnyView {
    if is_ejection(pattern) {
        mark(state, (None, None), host_word(state))
    } else {
        state_mark(state)
    }
}

/// The state of a breaker on an edge as a mark.
pub(super) fn mark_of_edge(breaker: &EdgeBreaker) -> AnyView {
    if !is_ejection(&breaker.pattern) {
        return state_mark(&breaker.state);
    }
    let counted = (breaker.hosts_ejected, breaker.hosts_total);
    mark(&breaker.state, counted, words_of_edge(breaker))
}

/// What a breaker on an edge is in, in few words.
pub(super) fn words_of_edge(breaker: &EdgeBreaker) -> String {
    if !is_ejection(&breaker.pattern) {
        return breaker.state.replace('_', " ");
    }
    if breaker.key.is_none() && is_known(&breaker.state) {
        fraction(breaker.hosts_ejected, breaker.hosts_total, 0)
    } else {
        host_word(&breaker.state)
    }
}

/// `bad`, `warn`, `fine` or `quiet` of a breaker on an edge: while a host is left, calls go on.
pub(super) fn severity_of_edge(breaker: &EdgeBreaker) -> &'static str {
    if is_ejection(&breaker.pattern) {
        severity_of(&breaker.state, (breaker.hosts_ejected, breaker.hosts_total))
    } else {
        severity(&breaker.state)
    }
}

/// The shape of a breaker on an edge.
pub(super) fn glyph_of_edge(breaker: &EdgeBreaker) -> &'static str {
    if is_ejection(&breaker.pattern) {
        glyph_of(&breaker.state)
    } else {
        glyph(&breaker.state)
    }
}

/// `bad`, `warn`, `fine` or `quiet` of a breaker.
pub(super) fn severity_of_breaker(breaker: &Breaker) -> &'static str {
    if !is_ejection(&breaker.pattern) {
        return severity(&breaker.state);
    }
    let counted = match (&breaker.key, &breaker.hosts) {
        (None, Some(hosts)) => (hosts.ejected, hosts.total),
        _ => (None, None),
    };
    severity_of(&breaker.state, counted)
}

/// A lane as it is drawn: an ejection with hosts out is `ejecting`.
pub(super) fn lane_of<'a>(pattern: &str, segments: &'a [LaneSegment]) -> Cow<'a, [LaneSegment]> {
    if !is_ejection(pattern) {
        return Cow::Borrowed(segments);
    }
    let drawn = |segment: &LaneSegment| {
        let is_open = segment.state == "open";
        let state = if is_open {
            "ejecting"
        } else {
            segment.state.as_str()
        };
        LaneSegment {
            state: state.to_owned(),
            ..segment.clone()
        }
    };
    segments.iter().map(drawn).collect()
}

/// What the bars of some lanes mean, each given by the pattern of its breaker and its segments.
pub(super) fn lane_key<'a>(
    all: impl Iterator<Item = (&'a str, &'a [LaneSegment])>,
) -> Option<AnyView> {
    let drawn: Vec<Cow<'a, [LaneSegment]>> = all
        .map(|(pattern, segments)| lane_of(pattern, segments))
        .collect();
    lanes::key(drawn.iter().flat_map(|segments| segments.iter()))
}

/// Whether something is said of hosts, not only that nobody knows.
fn is_known(state: &str) -> bool {
    !matches!(state, "stale" | "unknown")
}

fn severity_of(state: &str, counted: (Option<u32>, Option<u32>)) -> &'static str {
    match (state, counted) {
        ("open", (Some(out), Some(all))) if out >= all => "bad",
        ("open", _) => "warn",
        _ => severity(state),
    }
}

fn glyph_of(state: &str) -> &'static str {
    match state {
        "open" => "◔",
        _ => glyph(state),
    }
}

/// What a host is in.
fn host_word(state: &str) -> String {
    match state {
        "open" => "host out".to_owned(),
        "closed" => "host in".to_owned(),
        other => other.replace('_', " "),
    }
}

fn mark(state: &str, counted: (Option<u32>, Option<u32>), text: String) -> AnyView {
    let class = format!("breaker-state {}", severity_of(state, counted));
    view! { <span class=class><span aria-hidden="true">{glyph_of(state)}</span>" "{text}</span> }
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ejection(state: &str, hosts: EjectedHosts) -> Breaker {
        Breaker {
            name: "payment".to_owned(),
            pattern: "ejection".to_owned(),
            state: state.to_owned(),
            hosts: Some(hosts),
            ..Breaker::default()
        }
    }

    fn hosts(ejected: Option<u32>, total: Option<u32>, named: &[&str]) -> EjectedHosts {
        EjectedHosts {
            ejected,
            total,
            named: named.iter().map(|host| (*host).to_owned()).collect(),
            ..EjectedHosts::default()
        }
    }

    #[test]
    fn an_ejection_is_a_fraction_of_hosts_and_never_an_open_breaker() {
        for (of, text, severity) in [
            (hosts(Some(1), Some(12), &[]), "1 of 12 hosts out", "warn"),
            (hosts(Some(12), Some(12), &[]), "12 of 12 hosts out", "bad"),
            (hosts(Some(3), None, &[]), "3 hosts out", "warn"),
            (hosts(None, None, &["a:80"]), "1 host out by name", "warn"),
            (hosts(None, None, &[]), "hosts out: not reported", "warn"),
        ] {
            let breaker = ejection("open", of);
            let html = mark_of(&breaker).to_html();
            assert!(html.contains(text) && !html.contains("open"), "{html}");
            assert!(html.contains(severity), "{html}");
            assert_eq!(severity_of_breaker(&breaker), severity);
        }
        let none = ejection("closed", hosts(Some(0), Some(12), &[]));
        let html = mark_of(&none).to_html();
        assert!(
            html.contains("0 of 12 hosts out") && html.contains("fine"),
            "{html}"
        );
        let silent = ejection("stale", hosts(None, None, &[]));
        assert!(mark_of(&silent).to_html().contains("stale"));
    }

    #[test]
    fn of_how_many_is_said_to_be_unknown_where_it_is() {
        assert_eq!(
            of_hosts(&hosts(Some(1), Some(12), &[])),
            "1 of 12 hosts out"
        );
        assert_eq!(
            of_hosts(&hosts(Some(2), None, &[])),
            "2 hosts out; of how many is not reported"
        );
        assert_eq!(of_hosts(&hosts(None, None, &[])), "hosts out: not reported");
    }

    #[test]
    fn a_lane_with_hosts_out_is_none_of_an_open_breaker() {
        let segments = ["closed", "open"].map(|state| LaneSegment {
            state: state.to_owned(),
            ..LaneSegment::default()
        });
        let states = |pattern: &str| -> Vec<String> {
            let drawn = lane_of(pattern, &segments);
            drawn.iter().map(|segment| segment.state.clone()).collect()
        };
        assert_eq!(states("ejection"), ["closed", "ejecting"]);
        assert_eq!(states("breaker"), ["closed", "open"]);
    }

    #[test]
    fn a_host_is_in_or_out() {
        let host = |state: &str| Breaker {
            key: Some("10.0.0.7:8080".to_owned()),
            ..ejection(state, hosts(Some(1), Some(12), &["10.0.0.7:8080"]))
        };
        assert!(mark_of(&host("open")).to_html().contains("host out"));
        assert!(mark_of(&host("closed")).to_html().contains("host in"));
    }
}
