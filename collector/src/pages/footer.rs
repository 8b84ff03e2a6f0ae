//! What stands at the foot of every page: how old the newest data is, what was refused in the range and why, how much
//! is sampled, who has fallen silent. Amber is what deserves a look.

use tripline_storage::model::ScopeFilter;
use tripline_web::frame::FooterFact;
use tripline_web::units;

use crate::api::AppState;
use crate::api::facts::Facts;
use crate::api::senders::{Heard, Sampling, senders};
use crate::operations::ingest_history::{Counted, Since};
use crate::receive::Transport;

const MINUTE: u64 = 60 * 1_000_000_000;
/// Silence of a signal that deserves a look.
const SIGNAL_SILENCE_MAX: u64 = 5 * MINUTE;
/// Silence of a service that does.
const SERVICE_SILENCE_MAX: u64 = 15 * MINUTE;
/// Services named; the rest is counted.
const NAMES_MAX: usize = 5;
/// Characters of a reason; `/status` has more.
const REASON_CHARS_MAX: usize = 160;

/// Signals and what their items are called here.
const SIGNALS: [(&str, &str); 3] = [
    ("traces", "spans"),
    ("logs", "log records"),
    ("metrics", "points"),
];
const DOORS: [(Transport, &str); 2] = [
    (Transport::Grpc, "OTLP/gRPC"),
    (Transport::Http, "OTLP/HTTP"),
];

/// The foot of a page about the range `bounds`, nanoseconds since the epoch.
pub(super) fn footer(
    state: &AppState,
    facts: &Facts,
    scope: &ScopeFilter,
    bounds: (u64, u64),
    now_ns: u64,
) -> Vec<FooterFact> {
    if state.config.bundle.is_some() {
        // Nothing comes in any more, and nothing of it falls silent.
        let calm = |fact: FooterFact| FooterFact {
            is_bad: false,
            ..fact
        };
        return signals(facts, None, now_ns).into_iter().map(calm).collect();
    }
    let counters = state.receiver.counters();
    let counted = state.ingest.counted(bounds, now_ns, counters);
    let mut foot = signals(facts, counted.as_ref(), now_ns);
    if let Some(counted) = &counted {
        // The last reason is of this range when it lasts until now.
        let lasts = bounds.1.saturating_add(MINUTE) >= now_ns;
        foot.extend(DOORS.iter().filter_map(|(transport, name)| {
            let reason = counters.door(*transport).last_reason.filter(|_| lasts);
            door(name, counted.tally.requests(*transport), reason.as_deref())
        }));
    }
    foot.push(since(counted.as_ref(), now_ns));
    let senders = senders(state);
    foot.extend(sampled(&senders.sampling));
    let kept = state.config.store.retention_age.get().as_nanos();
    let kept_ns = u64::try_from(kept).unwrap_or(u64::MAX);
    foot.extend(silent(&senders.heard, scope, kept_ns, now_ns));
    if let Some(error) = state.store.stats().last_error {
        foot.push(FooterFact {
            name: "store".to_owned(),
            value: error,
            is_bad: true,
        });
    }
    foot
}

/// Age and numbers of each signal.
fn signals(facts: &Facts, counted: Option<&Counted>, now_ns: u64) -> Vec<FooterFact> {
    let fact = |(signal, name): &(&str, &str)| {
        let newest = facts
            .counts
            .ages
            .iter()
            .find(|age| age.signal == *signal)
            .and_then(|age| u64::try_from(age.newest_unix_nano?).ok());
        let is_silent =
            newest.is_some_and(|newest| newest.saturating_add(SIGNAL_SILENCE_MAX) < now_ns);
        let mut value = match newest {
            Some(newest) => format!("newest {}", units::ago(newest, now_ns)),
            None if facts.is_known => "none stored".to_owned(),
            None => "age not known: the store did not answer".to_owned(),
        };
        let (accepted, refused) = counted.map_or((0, 0), |counted| counted.tally.items(signal));
        if counted.is_some() {
            value.push_str(&format!(", {} accepted", units::count(accepted)));
        }
        if refused > 0 {
            value.push_str(&format!(", {} refused or dropped", units::count(refused)));
        }
        FooterFact {
            name: (*name).to_owned(),
            value,
            is_bad: refused > 0 || is_silent || !facts.is_known,
        }
    };
    SIGNALS.iter().map(fact).collect()
}

/// Requests that one door turned away, if it did: they never became items that could be counted.
fn door(name: &str, (accepted, refused): (u64, u64), reason: Option<&str>) -> Option<FooterFact> {
    if refused == 0 {
        return None;
    }
    let mut value = format!(
        "{} of {} refused",
        units::count(refused),
        units::counted(accepted + refused, "request")
    );
    if let Some(reason) = reason {
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        value.push_str(&format!(", the last: {reason}"));
    }
    Some(FooterFact {
        name: name.to_owned(),
        value,
        is_bad: true,
    })
}

/// Of which time the numbers are.
fn since(counted: Option<&Counted>, now_ns: u64) -> FooterFact {
    let value = match counted.map(|counted| counted.since) {
        Some(Since::Range) => "accepted and refused in the range".to_owned(),
        Some(Since::Start(started_ns)) => format!(
            "accepted and refused since the server started, {}",
            units::ago(started_ns, now_ns)
        ),
        Some(Since::Oldest(oldest_ns)) => format!(
            "accepted and refused since {}: older counts are not kept",
            units::timestamp(oldest_ns, 0)
        ),
        None => "nothing: the range ended before the server counted".to_owned(),
    };
    FooterFact {
        name: "counted".to_owned(),
        value,
        is_bad: false,
    }
}

/// The share of the last hour's calls that was recorded; nothing where there was none.
fn sampled(sampling: &Sampling) -> Option<FooterFact> {
    if sampling.recorded == 0 {
        return None;
    }
    let recorded = sampling.recorded as f64;
    let mut value = if sampling.stand_for > recorded {
        format!(
            "{} of the calls of the last hour recorded",
            units::percent(recorded / sampling.stand_for)
        )
    } else if sampling.unknown < sampling.recorded {
        "all calls of the last hour recorded".to_owned()
    } else {
        "not known: no sampler wrote a weight in the last hour".to_owned()
    };
    if sampling.unknown > 0 && sampling.unknown < sampling.recorded {
        value.push_str(&format!(
            ", not known of {} of these",
            units::percent(sampling.unknown as f64 / recorded)
        ));
    }
    Some(FooterFact {
        name: "sampled".to_owned(),
        value,
        is_bad: false,
    })
}

/// Services of the scope that sent something in the kept days and nothing of late, the last to fall silent first.
fn silent(heard: &[Heard], scope: &ScopeFilter, kept_ns: u64, now_ns: u64) -> Option<FooterFact> {
    let oldest = now_ns.saturating_sub(kept_ns);
    let latest = now_ns.saturating_sub(SERVICE_SILENCE_MAX);
    let mut silent: Vec<&Heard> = heard
        .iter()
        .filter(|service| service.newest_ns >= oldest && service.is_in(scope))
        .collect();
    if silent.is_empty() {
        return None;
    }
    silent.retain(|service| service.newest_ns < latest);
    silent.sort_by(|a, b| (b.newest_ns, &a.service_name).cmp(&(a.newest_ns, &b.service_name)));
    let minutes = SERVICE_SILENCE_MAX / MINUTE;
    let value = if silent.is_empty() {
        format!("no service for {minutes} min")
    } else {
        let names: Vec<String> = silent
            .iter()
            .take(NAMES_MAX)
            .map(|service| {
                format!(
                    "{} ({})",
                    service.service_name,
                    units::ago(service.newest_ns, now_ns)
                )
            })
            .collect();
        let more = silent.len().saturating_sub(NAMES_MAX);
        let more = if more > 0 {
            format!(" and {} more", units::count(more as u64))
        } else {
            String::new()
        };
        format!("for {minutes} min or longer: {}{more}", names.join(", "))
    };
    Some(FooterFact {
        name: "silent".to_owned(),
        value,
        is_bad: !silent.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use tripline_storage::model::Scope;

    use super::*;

    const NOW: u64 = 100_000 * MINUTE;

    fn heard(name: &str, minutes_ago: u64) -> Heard {
        Heard {
            scope: Scope {
                environment: Some("prod".to_owned()),
                ..Scope::default()
            },
            service_name: name.to_owned(),
            newest_ns: NOW - minutes_ago * MINUTE,
        }
    }

    #[test]
    fn a_service_is_silent_that_sent_in_the_kept_days_and_not_of_late() {
        let services = [
            heard("a", 1),
            heard("b", 20),
            heard("c", 16),
            heard("old", 5_000),
        ];
        let any = ScopeFilter::default();
        let kept_ns = 3_000 * MINUTE;
        let fact = silent(&services, &any, kept_ns, NOW).expect("services");
        assert!(fact.is_bad);
        assert_eq!(
            fact.value,
            "for 15 min or longer: c (16 min ago), b (20 min ago)"
        );
        let fact = silent(&services[..1], &any, kept_ns, NOW).expect("a service");
        assert_eq!(
            (fact.value.as_str(), fact.is_bad),
            ("no service for 15 min", false)
        );
        let elsewhere = ScopeFilter {
            environment: Some("stage".to_owned()),
            ..ScopeFilter::default()
        };
        assert!(silent(&services, &elsewhere, kept_ns, NOW).is_none());
        let many: Vec<Heard> = (0..9).map(|n| heard(&format!("s{n}"), 30)).collect();
        let fact = silent(&many, &any, kept_ns, NOW).expect("services");
        assert!(
            fact.value.ends_with("s4 (30 min ago) and 4 more"),
            "{}",
            fact.value
        );
    }

    #[test]
    fn a_store_that_does_not_answer_is_not_an_empty_one() {
        let said = |is_known: bool| {
            let facts = Facts {
                is_known,
                ..Facts::default()
            };
            let fact = signals(&facts, None, NOW).remove(0);
            (fact.value, fact.is_bad)
        };
        assert_eq!(said(true), ("none stored".to_owned(), false));
        assert_eq!(
            said(false),
            ("age not known: the store did not answer".to_owned(), true)
        );
    }

    #[test]
    fn a_door_that_turns_requests_away_is_amber_with_its_last_reason() {
        assert!(door("OTLP/HTTP", (9, 0), None).is_none());
        let fact = door(
            "OTLP/HTTP",
            (0, 1_000),
            Some("missing or unknown credentials"),
        );
        let fact = fact.expect("a fact");
        assert!(fact.is_bad);
        assert_eq!(
            fact.value,
            "1,000 of 1,000 requests refused, the last: missing or unknown credentials"
        );
    }

    #[test]
    fn the_sampled_share_says_of_what_and_what_is_not_known() {
        let said = |recorded: u64, stand_for: f64, unknown: u64| {
            let sampling = Sampling {
                recorded,
                stand_for,
                unknown,
            };
            sampled(&sampling)
                .map(|fact| fact.value)
                .unwrap_or_default()
        };
        assert_eq!(said(0, 0.0, 0), "");
        assert_eq!(said(10, 10.0, 0), "all calls of the last hour recorded");
        assert_eq!(
            said(10, 100.0, 0),
            "10 % of the calls of the last hour recorded"
        );
        assert_eq!(
            said(10, 100.0, 5),
            "10 % of the calls of the last hour recorded, not known of 50 % of these"
        );
        assert!(said(10, 10.0, 10).starts_with("not known"));
    }
}
