//! Which callee a breaker guards, from the best that is known of it. Pure.
//!
//! | evidence | the callee is |
//! |---|---|
//! | `reported`, `span` | what the breaker's own telemetry names |
//! | `address` | the service that answers at the address it names, by calls to that address whose callee is known |
//! | `trace` | the one most calls under (else beside) the breaker's own spans go to |
//! | `user_rule` | the one a person wrote down for it ([`PeerRule`]) |
//! | `name` | a callee of its owner, else a service, that the breaker is named after |
//! | `edge` | the only one its owner calls |
//!
//! The first that says something wins: a person knows better than a likeness of names, and not better than what was seen.
//! An address at which nobody is known to answer is not seen to be anybody.

mod calls;
mod names;

pub(crate) use self::calls::Calls;
pub(crate) use self::names::is_address;
use self::names::is_named_after;
use super::wildcard::is_like;
use crate::model::Scope;

/// A service in its scope.
pub(crate) type Node = (Scope, String);

/// A breaker and what its own telemetry says of its callee.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    pub breaker_id: String,
    /// The service that owns it.
    pub owner: Node,
    pub name: String,
    pub key: Option<String>,
    pub pattern: String,
    pub peer_service: Option<String>,
    pub peer_address: Option<String>,
    pub peer_evidence: Option<String>,
}

/// What a person says of breakers: which callee those of a service guard that are named so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRule {
    /// `service.name` of their owner.
    pub service: String,
    /// Their name, or `name/key` of keyed ones; `*` stands for any text.
    pub breaker: String,
    /// The callee.
    pub peer: String,
}

impl PeerRule {
    fn fits(&self, guard: &Guard) -> bool {
        let is_named = |name: &str| is_like(&self.breaker, name);
        let keyed = guard.key.as_ref();
        self.service == guard.owner.1
            && (is_named(&guard.name)
                || keyed.is_some_and(|key| is_named(&format!("{}/{key}", guard.name))))
    }
}

/// The callee and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub service: String,
    pub evidence: String,
}

/// Calls of one callee near a breaker's own spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Near {
    pub callee: String,
    /// 1: under the breaker's span, or that span itself; 2: beside it.
    pub rank: u8,
    pub calls: u64,
}

/// Whom a breaker guards; `None` when nothing tells. Of the rules the first that fits counts.
pub(crate) fn peer(
    guard: &Guard,
    calls: &Calls,
    near: &[Near],
    rules: &[PeerRule],
) -> Option<Peer> {
    let ruled = || {
        let rule = rules.iter().find(|rule| rule.fits(guard))?;
        found(Some(rule.peer.as_str()), "user_rule")
    };
    match said(guard, calls) {
        Some(peer) if is_address(&peer.service) => ruled().or(Some(peer)),
        Some(peer) => Some(peer),
        None => addressed(guard, calls)
            .or_else(|| traced(guard, near))
            .or_else(ruled)
            .or_else(|| found(calls.named(guard, &guard.name), "name"))
            .or_else(|| only(guard, calls)),
    }
}

/// Whether looking at calls may tell more than the breaker's own telemetry does.
pub(crate) fn is_open(guard: &Guard) -> bool {
    guard.peer_service.as_deref().is_none_or(is_address)
        || guard.peer_address.is_some() && is_reported(guard)
}

/// Whether the breaker's own telemetry names the callee, not a span of its call.
fn is_reported(guard: &Guard) -> bool {
    guard.peer_evidence.as_deref() == Some("reported")
}

/// Whether it names an address that some service may answer at.
pub(crate) fn has_address(guard: &Guard) -> bool {
    let mut named = [&guard.peer_service, &guard.key].into_iter().flatten();
    guard.peer_address.is_some() || named.any(|text| is_address(text))
}

fn found(service: Option<&str>, evidence: &str) -> Option<Peer> {
    service.map(|service| Peer {
        service: service.to_owned(),
        evidence: evidence.to_owned(),
    })
}

/// What was reported; an address in place of a name is joined to the service that answers there.
fn said(guard: &Guard, calls: &Calls) -> Option<Peer> {
    let said = guard.peer_service.as_deref()?;
    let answering = || calls.at(said).or_else(|| calls.named(guard, said));
    if is_address(said)
        && !calls.knows(guard, said)
        && let Some(service) = answering()
    {
        return found(Some(service), "address");
    }
    // A name that nobody here has (Envoy's word for a cluster) beside an address that somebody answers at.
    if is_reported(guard)
        && !calls.knows(guard, said)
        && let Some(peer) = addressed(guard, calls)
    {
        return Some(peer);
    }
    let evidence = guard.peer_evidence.as_deref().unwrap_or("reported");
    found(Some(said), evidence)
}

/// By the address it names, or is keyed by; a host name may be the service's own.
fn addressed(guard: &Guard, calls: &Calls) -> Option<Peer> {
    let key = guard.key.as_deref().filter(|key| is_address(key));
    let addresses = || guard.peer_address.as_deref().into_iter().chain(key);
    let answering = addresses()
        .find_map(|address| calls.at(address))
        .or_else(|| addresses().find_map(|address| calls.named(guard, address)));
    found(answering, "address")
}

/// By the calls under its own spans, else beside them: the callee it is named after, else the one with most of them.
fn traced(guard: &Guard, near: &[Near]) -> Option<Peer> {
    let rank = near.iter().map(|near| near.rank).min()?;
    let nearest = || near.iter().filter(|near| near.rank == rank);
    let named = nearest().find(|near| is_named_after(&guard.name, &near.callee));
    let all: u64 = nearest().map(|near| near.calls).sum();
    let most = || nearest().find(|near| 2 * near.calls > all);
    found(
        named.or_else(most).map(|near| near.callee.as_str()),
        "trace",
    )
}

/// The only callee of its owner, if it is a breaker and says of no address that it guards it.
fn only(guard: &Guard, calls: &Calls) -> Option<Peer> {
    let is_breaker = matches!(guard.pattern.as_str(), "breaker" | "ejection");
    let may_be = is_breaker && guard.peer_address.is_none();
    let mut callees = calls.callees_of(&guard.owner);
    let first = callees
        .next()
        .filter(|_| callees.next().is_none() && may_be);
    found(first.map(String::as_str), "edge")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> Node {
        (Scope::default(), name.to_owned())
    }

    fn guard(name: &str) -> Guard {
        Guard {
            owner: node("shop"),
            name: name.to_owned(),
            pattern: "breaker".to_owned(),
            ..Guard::default()
        }
    }

    /// shop calls inventory by its address, and psp and redis by their names.
    fn calls() -> Calls {
        let mut calls = Calls::default();
        let shop = node("shop");
        calls.add_answer(&shop, "10.0.0.7:8080", "inventory");
        for called in ["10.0.0.7:8080", "psp", "redis"] {
            calls.add_call(&shop, called);
        }
        calls.add_service(None, "ledger".to_owned());
        calls.add_service(None, "shop".to_owned());
        calls
    }

    fn near(callee: &str, rank: u8, calls: u64) -> Near {
        Near {
            callee: callee.to_owned(),
            rank,
            calls,
        }
    }

    fn short(guard: &Guard, calls: &Calls, near: &[Near]) -> (String, String) {
        peer(guard, calls, near, &[])
            .map_or_else(Default::default, |peer| (peer.service, peer.evidence))
    }

    fn is(found: &(String, String), service: &str, evidence: &str) {
        assert_eq!((found.0.as_str(), found.1.as_str()), (service, evidence));
    }

    #[test]
    fn what_is_better_known_wins() {
        let calls = calls();
        let near = [near("redis", 1, 3), near("psp", 2, 9)];
        let mut guard = guard("inventory-cb");
        is(&short(&guard, &calls, &[]), "inventory", "name");
        is(&short(&guard, &calls, &near), "redis", "trace");
        guard.peer_address = Some("tcp://10.0.0.7:8080".to_owned());
        is(&short(&guard, &calls, &near), "inventory", "address");
        guard.peer_service = Some("stock".to_owned());
        guard.peer_evidence = Some("span".to_owned());
        is(&short(&guard, &calls, &near), "stock", "span");
        assert!(!is_open(&guard));
        // An address in place of a name is no name.
        guard.peer_service = Some("10.0.0.7:8080".to_owned());
        assert!(is_open(&guard));
        is(&short(&guard, &calls, &near), "inventory", "address");
    }

    #[test]
    fn an_address_is_joined_where_exactly_one_service_answers() {
        let mut calls = calls();
        let mut guard = guard("outlier");
        guard.key = Some("10.0.0.7:8080".to_owned());
        is(&short(&guard, &calls, &[]), "inventory", "address");
        // Another port of the host, as long as nobody else is there.
        guard.key = Some("10.0.0.7:9090".to_owned());
        is(&short(&guard, &calls, &[]), "inventory", "address");
        calls.add_address("10.0.0.7:7070", "psp");
        assert_eq!(peer(&guard, &calls, &[], &[]), None);
        guard.peer_address = Some("ledger.shop.svc.cluster.local:80".to_owned());
        is(&short(&guard, &calls, &[]), "ledger", "address");
        guard.peer_address = Some("10.0.0.99:80".to_owned());
        assert_eq!(peer(&guard, &calls, &[], &[]), None);
    }

    #[test]
    fn calls_under_its_spans_need_a_majority_or_its_name() {
        let calls = Calls::default();
        let psp = guard("psp");
        let odd = guard("backend");
        let even = [
            near("redis", 1, 5),
            near("psp", 1, 5),
            near("ledger", 2, 90),
        ];
        is(&short(&psp, &calls, &even), "psp", "trace");
        assert_eq!(peer(&odd, &calls, &even, &[]), None);
        is(&short(&odd, &calls, &even[2..]), "ledger", "trace");
    }

    #[test]
    fn names_reach_services_that_nobody_was_seen_calling_but_not_the_owner() {
        let calls = calls();
        is(
            &short(&guard("LedgerClient"), &calls, &[]),
            "ledger",
            "name",
        );
        assert_eq!(peer(&guard("shop"), &calls, &[], &[]), None);
        let mut elsewhere = guard("ledger");
        elsewhere.owner.0.environment = Some("other".to_owned());
        assert_eq!(peer(&elsewhere, &calls, &[], &[]), None);
    }

    #[test]
    fn a_persons_rule_stands_above_guesses_and_below_what_was_seen() {
        let rule = |service: &str, breaker: &str, peer: &str| PeerRule {
            service: service.to_owned(),
            breaker: breaker.to_owned(),
            peer: peer.to_owned(),
        };
        let rules = [
            rule("cart", "*", "nobody"),
            rule("shop", "inventory-*", "warehouse"),
            rule("shop", "back*/eu", "ledger-eu"),
            rule("shop", "*", "ledger"),
        ];
        let calls = calls();
        let by_rule = |guard: &Guard, near: &[Near]| {
            peer(guard, &calls, near, &rules).map(|peer| (peer.service, peer.evidence))
        };
        let is = |found: Option<(String, String)>, service: &str, evidence: &str| {
            assert_eq!(found, Some((service.to_owned(), evidence.to_owned())));
        };
        // It would be taken for inventory's by its name.
        let mut named = guard("inventory-cb");
        is(by_rule(&named, &[]), "warehouse", "user_rule");
        is(by_rule(&named, &[near("psp", 1, 3)]), "psp", "trace");
        let mut keyed = guard("backend");
        is(by_rule(&keyed, &[]), "ledger", "user_rule");
        keyed.key = Some("eu".to_owned());
        is(by_rule(&keyed, &[]), "ledger-eu", "user_rule");
        named.peer_address = Some("10.0.0.7:8080".to_owned());
        is(by_rule(&named, &[]), "inventory", "address");
        named.peer_service = Some("stock".to_owned());
        is(by_rule(&named, &[]), "stock", "reported");
        // Nobody is known to answer there.
        named.peer_service = Some("10.0.0.99:80".to_owned());
        named.peer_address = None;
        is(by_rule(&named, &[]), "warehouse", "user_rule");
    }

    #[test]
    fn the_only_callee_is_guarded_by_breakers_alone() {
        let mut calls = Calls::default();
        calls.add_call(&node("shop"), "inventory");
        is(&short(&guard("backend"), &calls, &[]), "inventory", "edge");
        let mut other = guard("backend");
        other.pattern = "timeout".to_owned();
        assert_eq!(peer(&other, &calls, &[], &[]), None);
        calls.add_call(&node("shop"), "psp");
        assert_eq!(peer(&guard("backend"), &calls, &[], &[]), None);
    }

    #[test]
    fn callees_have_the_names_their_callers_use() {
        let calls = calls();
        let names: Vec<_> = calls.names().collect();
        assert_eq!(names, [(&node("shop"), "10.0.0.7:8080", "inventory")]);
        assert_eq!(
            calls.callee(&node("other"), "10.0.0.7:8080"),
            "10.0.0.7:8080"
        );
    }
}
