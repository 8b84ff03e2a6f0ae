//! Who calls whom, as far as a callee is looked for among it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::names::{bare_address, host, is_address, is_named_after};
use super::{Guard, Node};

/// Who calls whom, and by which names and addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    callees: BTreeMap<Node, BTreeSet<String>>,
    /// Services that send telemetry, by their environment.
    services: BTreeSet<(Option<String>, String)>,
    /// Of each caller, who answered to the name or address it called.
    answered: HashMap<Node, BTreeMap<String, String>>,
    /// Who answers at an address.
    addresses: BTreeMap<String, BTreeSet<String>>,
}

impl Calls {
    /// A service sends telemetry.
    pub(crate) fn add_service(&mut self, environment: Option<String>, service: String) {
        self.services.insert((environment, service));
    }

    /// `callee` answered a call that `caller` made to `called`.
    pub(crate) fn add_answer(&mut self, caller: &Node, called: &str, callee: &str) {
        self.answered
            .entry(caller.clone())
            .or_default()
            .insert(called.to_owned(), callee.to_owned());
        if is_address(called) {
            self.add_address(called, callee);
        }
    }

    /// `callee` answers at this address.
    pub(crate) fn add_address(&mut self, address: &str, callee: &str) {
        for address in [bare_address(address), host(address)] {
            let at = self.addresses.entry(address.to_lowercase()).or_default();
            at.insert(callee.to_owned());
        }
    }

    /// `caller` calls what it names `called`; answers are to be added before.
    pub(crate) fn add_call(&mut self, caller: &Node, called: &str) {
        let callee = self.callee(caller, called).to_owned();
        self.callees
            .entry(caller.clone())
            .or_default()
            .insert(callee);
    }

    /// Who answers to what a caller calls; itself when nobody is known to.
    pub(crate) fn callee<'a>(&'a self, caller: &Node, called: &'a str) -> &'a str {
        let answered = self.answered.get(caller);
        answered
            .and_then(|answered| answered.get(called))
            .map_or(called, String::as_str)
    }

    /// By which names or addresses each caller calls a callee of another name: caller, name, callee.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&Node, &str, &str)> {
        self.answered.iter().flat_map(|(caller, answered)| {
            answered
                .iter()
                .filter(|(called, callee)| called != callee)
                .map(move |(called, callee)| (caller, called.as_str(), callee.as_str()))
        })
    }

    /// The only service known at an address.
    pub(super) fn at(&self, address: &str) -> Option<&str> {
        let only = |address: &str| {
            let mut at = self.addresses.get(&address.to_lowercase())?.iter();
            at.next().filter(|_| at.next().is_none())
        };
        only(bare_address(address))
            .or_else(|| only(host(address)))
            .map(String::as_str)
    }

    /// What a caller calls, in order.
    pub(super) fn callees_of(&self, caller: &Node) -> impl Iterator<Item = &String> {
        self.callees.get(caller).into_iter().flatten()
    }

    /// Whether a callee of the owner, or a service of its environment, has just this name.
    pub(super) fn knows(&self, guard: &Guard, name: &str) -> bool {
        self.callees_of(&guard.owner).any(|callee| callee == name)
            || self
                .services
                .contains(&(guard.owner.0.environment.clone(), name.to_owned()))
    }

    /// A callee of the owner that `name` says, else a service of its environment.
    pub(super) fn named(&self, guard: &Guard, name: &str) -> Option<&str> {
        let environment = &guard.owner.0.environment;
        let services = self
            .services
            .iter()
            .filter(|(of, service)| of == environment && *service != guard.owner.1)
            .map(|(_, service)| service);
        self.callees_of(&guard.owner)
            .chain(services)
            .find(|callee| is_named_after(name, callee))
            .map(String::as_str)
    }
}
