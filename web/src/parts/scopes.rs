//! What of a scope tells things of one name apart: only the parts that are not the same everywhere.

use tripline_storage::filter::{Expression, Key, KeyScope, Literal};
use tripline_storage::model::Scope;

use crate::frame::Frame;

/// The parts of a scope as a filter calls them, in the order of [`Frame::scopes`].
const FIELDS: [&str; 3] = ["environment", "namespace", "cluster"];
/// And as an address does.
const PARAMETERS: [&str; 3] = ["environment", "service_namespace", "cluster"];

/// The parts of scopes that are told beside a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeParts([bool; 3]);

impl ScopeParts {
    /// Those that differ among things that are shown together; a part that is not reported differs from one that is.
    pub fn differing<'a>(scopes: impl IntoIterator<Item = &'a Scope>) -> Self {
        let mut scopes = scopes.into_iter().map(parts_of);
        let Some(first) = scopes.next() else {
            return Self::default();
        };
        scopes.fold(Self::default(), |told, other| {
            Self(std::array::from_fn(|at| {
                told.0[at] || other[at] != first[at]
            }))
        })
    }

    /// These, and those of which several values are stored.
    #[must_use]
    pub fn or_stored(self, frame: &Frame) -> Self {
        Self(std::array::from_fn(|at| {
            self.0[at] || frame.scopes[at].len() > 1
        }))
    }

    /// `prod / eu-1`: what is told of a scope, and known.
    pub fn place(self, scope: &Scope) -> String {
        let known: Vec<&str> = self
            .told(FIELDS, scope)
            .filter_map(|(_, value)| value)
            .collect();
        known.join(" / ")
    }

    /// The same as parameters of an address.
    pub fn parameters(self, scope: &Scope) -> Vec<(&'static str, &str)> {
        self.told(PARAMETERS, scope)
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }

    /// What a span says that is sent from exactly there.
    pub fn conditions(self, scope: &Scope) -> Vec<Expression> {
        self.told(FIELDS, scope)
            .map(|(name, value)| match value {
                Some(value) => {
                    let value = Literal::Text(value.to_owned());
                    Expression::equal(KeyScope::Anywhere, name, value)
                }
                None => absent(name),
            })
            .collect()
    }

    /// The same of the parts that are not reported: an address can name only those that are.
    pub fn missing(self, scope: &Scope) -> Vec<Expression> {
        self.told(FIELDS, scope)
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| absent(name))
            .collect()
    }

    fn told<'s>(
        self,
        names: [&'static str; 3],
        scope: &'s Scope,
    ) -> impl Iterator<Item = (&'static str, Option<&'s str>)> + use<'s> {
        let parts = names.into_iter().zip(parts_of(scope)).zip(self.0);
        parts.filter_map(|(part, is_told)| is_told.then_some(part))
    }
}

fn parts_of(scope: &Scope) -> [Option<&str>; 3] {
    let Scope {
        environment,
        service_namespace,
        cluster,
    } = scope;
    [environment, service_namespace, cluster].map(Option::as_deref)
}

fn absent(name: &str) -> Expression {
    Expression::Absent(Key {
        scope: KeyScope::Anywhere,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(environment: &str, cluster: Option<&str>) -> Scope {
        Scope {
            environment: Some(environment.to_owned()),
            cluster: cluster.map(str::to_owned),
            ..Scope::default()
        }
    }

    #[test]
    fn only_what_differs_is_told() {
        let all = [scope("prod", Some("eu-1")), scope("prod", Some("eu-2"))];
        let parts = ScopeParts::differing(&all);
        assert_eq!(all.each_ref().map(|one| parts.place(one)), ["eu-1", "eu-2"]);
        assert_eq!(
            ScopeParts::differing(&all[..1]).place(&all[0]),
            "",
            "one alone is like all"
        );
        let stored = Frame {
            scopes: [
                vec!["canary".to_owned(), "prod".to_owned()],
                Vec::new(),
                Vec::new(),
            ],
            ..Frame::default()
        };
        let parts = parts.or_stored(&stored);
        assert_eq!(parts.place(&all[0]), "prod / eu-1");
        assert_eq!(
            parts.parameters(&all[0]),
            [("environment", "prod"), ("cluster", "eu-1")]
        );
    }

    #[test]
    fn a_part_that_is_not_reported_is_told_from_one_that_is() {
        let all = [scope("prod", Some("eu-1")), scope("prod", None)];
        let parts = ScopeParts::differing(&all);
        let said = |all: Vec<Expression>| Expression::and(all).to_string();
        assert_eq!(said(parts.conditions(&all[0])), "cluster = eu-1");
        assert_eq!(said(parts.conditions(&all[1])), "cluster absent");
        assert!(parts.missing(&all[0]).is_empty());
        assert_eq!(said(parts.missing(&all[1])), "cluster absent");
        assert_eq!(parts.place(&all[1]), "");
    }
}
