//! Where a service lives, in words and in links: the same name in two scopes is two services.

use tripline_storage::model::Scope;

use super::Frame;

/// `prod / shop / eu-1`: what is known of it.
pub fn place(scope: &Scope) -> String {
    let Scope {
        environment,
        service_namespace,
        cluster,
    } = scope;
    [environment, service_namespace, cluster]
        .into_iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join(" / ")
}

impl Frame {
    /// A link about what lives in a scope: what is known of it stands for what is chosen here.
    pub fn link_in(&self, scope: &Scope, path: &str, params: &[(&str, &str)]) -> String {
        let known = [
            ("environment", &scope.environment),
            ("service_namespace", &scope.service_namespace),
            ("cluster", &scope.cluster),
        ];
        let mut pairs = params.to_vec();
        for (name, value) in &known {
            pairs.extend(value.as_deref().map(|value| (*name, value)));
        }
        self.link(path, &pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_carries_the_scope_of_what_it_is_about() {
        let scope = Scope {
            environment: Some("prod".to_owned()),
            cluster: Some("eu-1".to_owned()),
            ..Scope::default()
        };
        assert_eq!(place(&scope), "prod / eu-1");
        let frame = Frame {
            params: [("environment", "any"), ("proxies", "show")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Frame::default()
        };
        assert_eq!(
            frame.link_in(&scope, "/traces", &[("q", "x")]),
            "/traces?q=x&environment=prod&cluster=eu-1&proxies=show"
        );
        assert_eq!(
            frame.link_in(&Scope::default(), "/traces", &[]),
            "/traces?environment=any&proxies=show"
        );
    }
}
