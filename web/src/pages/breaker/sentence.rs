//! What is known of a breaker, in one sentence: how it stands, why it tripped, what came of it.

use tripline_storage::model::{BreakerTransition, IncidentBreaker, IncidentDetail};

use super::BreakerPage;
use crate::pages::ejection::{is_ejection, of_hosts};
use crate::parts::positive;
use crate::units;

/// "checkout → payment is OPEN on 9 of 12 pods since 03:02:14 UTC; 62 of 100 calls failed (limit 50 %), …"
pub(super) fn sentence(data: &BreakerPage) -> String {
    let member = member(data);
    let mut text = standing(data, member);
    let is_ejection = is_ejection(&data.detail.breaker.pattern);
    let has_window = |trip: &&BreakerTransition| !is_ejection || trip.failure_rate.is_some();
    if let Some(trip) = trip(data, member).filter(has_window) {
        text.push_str(&window(trip));
    }
    if let Some(found) = &data.incident {
        text.push_str(&aftermath(found, &data.detail.breaker.breaker_id));
    }
    text.push('.');
    text
}

/// The breaker as part of its incident.
fn member(data: &BreakerPage) -> Option<&IncidentBreaker> {
    let id = &data.detail.breaker.breaker_id;
    let mut members = data.incident.as_ref()?.incident.breakers.iter();
    members.find(|member| member.breaker_id == *id)
}

/// The transition the sentence is about: the trip of the incident, else the newest one to open.
fn trip<'a>(
    data: &'a BreakerPage,
    member: Option<&'a IncidentBreaker>,
) -> Option<&'a BreakerTransition> {
    let newest = || {
        data.transitions
            .items
            .iter()
            .find(|change| change.to_state == "open")
    };
    member.map(|member| &member.trip).or_else(newest)
}

/// "03:02:14 UTC": no browser turns what stands in a sentence into its own time.
fn told_time(ns: u64) -> String {
    format!("{} UTC", units::time_of_day(ns, 0))
}

/// How much earlier a trip may have been that nobody reported.
fn doubt(trip: &BreakerTransition) -> String {
    match u64::try_from(trip.time_unix_nano - trip.time_lo_unix_nano) {
        Ok(width) if width > 0 => format!(" (up to {} earlier)", units::duration(width)),
        _ => String::new(),
    }
}

/// Whom it guards, and whether it refuses; of a range that is over, whether it did when that ended.
fn standing(data: &BreakerPage, member: Option<&IncidentBreaker>) -> String {
    let breaker = data.shown();
    let callee = member
        .and_then(|member| member.peer.clone())
        .or_else(|| breaker.peer_service.clone())
        .or_else(|| breaker.peer_address.clone())
        .unwrap_or_else(|| breaker.name.clone());
    let edge = format!("{} → {callee}", breaker.service_name);
    let time = |ns: i64| told_time(u64::try_from(ns).unwrap_or(0));
    let is_open = breaker.instances_open > 0;
    let (is, ended, at_last) = if data.then.is_some() {
        (
            "was",
            " when this range ended",
            "when this range ended it was",
        )
    } else {
        ("is", "", "now it is")
    };
    match (member, is_open) {
        _ if is_ejection(&breaker.pattern) => ejection(data, &edge),
        (_, true) => {
            let inferred = if breaker.since_exact {
                ""
            } else {
                " (inferred)"
            };
            let since = positive(breaker.since_unix_nano).map_or_else(
                || "a time that is not reported".to_owned(),
                |ns| format!("{}{inferred}", told_time(ns)),
            );
            let open = match breaker.state.as_str() {
                "forced_open" => "FORCED OPEN",
                _ => "OPEN",
            };
            format!(
                "{edge} {is} {open} on {} of {} since {since}{ended}",
                breaker.instances_open,
                instances_in_all(breaker.instances)
            )
        }
        (Some(member), false) => {
            // More trips than instances: one of them closed in between.
            let (trips, has_gaps) = (member.trips, member.trips > member.instances);
            let until = match member.closed_unix_nano.map(time) {
                Some(end) if has_gaps => format!("until {end}, not all the while ({trips} trips)"),
                Some(end) => format!("until {end}"),
                None if has_gaps => format!("and has not closed since the last of {trips} trips"),
                None => "and has not closed since".to_owned(),
            };
            format!(
                "{edge} was OPEN on {} from {}{} {until}; {at_last} {}",
                instances_in_all(member.instances),
                time(member.trip.time_unix_nano),
                doubt(&member.trip),
                breaker.state.replace('_', " ")
            )
        }
        (None, false) if breaker.state == "unknown" => format!(
            "{edge} {is} unknown on {}{ended}: what they report is not understood, so it may have opened in this range",
            instances_in_all(breaker.instances)
        ),
        // Instances that fell silent do not count.
        (None, false) if breaker.instances == 0 => format!(
            "{edge} {is} {}{ended}; it did not open in this range",
            breaker.state.replace('_', " ")
        ),
        (None, false) => format!(
            "{edge} {is} {} on {}{ended}; it did not open in this range",
            breaker.state.replace('_', " "),
            instances_in_all(breaker.instances)
        ),
    }
}

/// "checkout → payment: 1 of 12 hosts out, by 2 of 3 instances, since 03:02:14 UTC"; of one host whether it gets calls.
fn ejection(data: &BreakerPage, edge: &str) -> String {
    let breaker = data.shown();
    let what = match (&breaker.key, &breaker.hosts) {
        (Some(host), _) if breaker.state == "open" => format!("host {host} is out"),
        (Some(host), _) if breaker.state == "closed" => format!("host {host} gets calls"),
        (Some(host), _) => format!("host {host} is {}", breaker.state.replace('_', " ")),
        (None, Some(hosts)) => of_hosts(hosts),
        (None, None) => "hosts out: not reported".to_owned(),
    };
    if breaker.instances_open == 0 {
        return format!("{edge}: {what}");
    }
    let since = positive(breaker.since_unix_nano)
        .map(|ns| format!(", since {}", told_time(ns)))
        .unwrap_or_default();
    format!(
        "{edge}: {what}, by {} of {}{since}",
        breaker.instances_open,
        instances_in_all(breaker.instances)
    )
}

fn instances_in_all(count: u32) -> String {
    units::counted(u64::from(count), "instance")
}

/// "; 62 of 100 calls failed (limit 50 %)"; what is not known reads "not reported", never a default.
fn window(trip: &BreakerTransition) -> String {
    let limit = trip.threshold.map_or_else(
        || "limit not reported".to_owned(),
        |limit| format!("limit {}", units::percent(limit)),
    );
    let is_slow = trip.reason.as_deref() == Some("slow_rate");
    let (rate, what) = if is_slow {
        (trip.slow_rate, "were slow")
    } else {
        (trip.failure_rate, "failed")
    };
    match (rate, trip.window_calls) {
        (Some(rate), Some(calls)) => format!(
            "; {:.0} of {} calls {what} ({limit})",
            rate * f64::from(calls),
            units::count(u64::from(calls))
        ),
        (Some(rate), None) => format!("; {} of calls {what} ({limit})", units::percent(rate)),
        (None, _) => "; its window was not reported".to_owned(),
    }
}

/// How calls failed near the trip, how many were refused, and who was answered all the same.
fn aftermath(found: &IncidentDetail, breaker_id: &str) -> String {
    let mut text = String::new();
    let top = found
        .error_classes
        .iter()
        .find(|class| class.breaker_id == breaker_id);
    if let Some(class) = top {
        text.push_str(&format!(
            ", most often near it: {} ({})",
            class.class,
            units::counted(class.count, "call")
        ));
    }
    let rejected = found.recovery.rejected_max();
    if rejected > 0 {
        // They are counted of the incident, whose breakers may be several.
        let by = match found.incident.breakers.len() {
            0 | 1 => String::new(),
            several => format!(" by the {several} breakers of its incident together"),
        };
        text.push_str(&format!(
            "; up to {} calls/min rejected{by}",
            units::count(rejected)
        ));
    }
    let (failed, degraded) = found
        .blast
        .entry_points
        .iter()
        .fold((0.0, 0.0), |sum, entry| {
            (sum.0 + entry.failed, sum.1 + entry.degraded)
        });
    if failed + degraded > 0.0 {
        let answered = if degraded > 0.0 {
            units::percent(degraded / (failed + degraded))
        } else {
            "none".to_owned()
        };
        text.push_str(&format!(
            "; {answered} of the requests hurt were answered all the same"
        ));
    }
    text
}
