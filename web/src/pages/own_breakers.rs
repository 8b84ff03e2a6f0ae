//! Which breakers are a service's: those it owns, and those that others hold against it. The same name in another
//! scope is another service.

use tripline_storage::model::{Breaker, Scope};

/// Whether a service of this name and scope owns it, or is what it guards. Of the guarded one only a name is known: it
/// is taken for one of the owner's scope, as far as both say theirs.
pub(super) fn is_of(breaker: &Breaker, scope: &Scope, name: &str) -> bool {
    let owns = breaker.service_name == name && breaker.scope == *scope;
    owns || (breaker.peer_service.as_deref() == Some(name) && may_meet(&breaker.scope, scope))
}

fn may_meet(one: &Scope, other: &Scope) -> bool {
    let fits = |one: &Option<String>, other: &Option<String>| {
        one.is_none() || other.is_none() || one == other
    };
    fits(&one.environment, &other.environment)
        && fits(&one.service_namespace, &other.service_namespace)
        && fits(&one.cluster, &other.cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_in_another_scope_is_another_service() {
        let scope = |environment: Option<&str>| Scope {
            environment: environment.map(str::to_owned),
            ..Scope::default()
        };
        let breaker = Breaker {
            service_name: "orders".to_owned(),
            scope: scope(Some("prod")),
            peer_service: Some("payment".to_owned()),
            ..Breaker::default()
        };
        assert!(is_of(&breaker, &scope(Some("prod")), "orders"));
        assert!(!is_of(&breaker, &scope(Some("staging")), "orders"));
        assert!(!is_of(&breaker, &scope(None), "orders"));
        assert!(is_of(&breaker, &scope(Some("prod")), "payment"));
        assert!(!is_of(&breaker, &scope(Some("staging")), "payment"));
        assert!(is_of(&breaker, &scope(None), "payment"));
        assert!(!is_of(&breaker, &scope(Some("prod")), "shop"));
    }
}
