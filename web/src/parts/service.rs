//! A service by its name: its colour, its page, and where it lives.

use std::hash::{DefaultHasher, Hash, Hasher};

use leptos::prelude::*;
use tripline_storage::model::Scope;

use crate::address::name_segment;
use crate::frame::Frame;

/// The colour class of a service: the same name has the same colour on every page.
pub fn colour(service: &str) -> String {
    let mut hasher = DefaultHasher::new();
    service.hash(&mut hasher);
    format!("c{}", hasher.finish() % 10)
}

/// A service's name with its colour, linked to its page.
pub fn service_link(frame: &Frame, name: Option<&str>) -> AnyView {
    service_link_in(frame, &Scope::default(), name)
}

/// The same of a service whose scope is known: the same name in another scope is another service.
pub fn service_link_in(frame: &Frame, scope: &Scope, name: Option<&str>) -> AnyView {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return view! { <span class="quiet">"unnamed"</span> }.into_any();
    };
    let link = frame.link_in(scope, &format!("/services/{}", name_segment(name)), &[]);
    view! { <a class="service" href=link><i class=format!("dot {}", colour(name))></i>{name.to_owned()}</a> }.into_any()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_is_known_of_it() {
        let scope = Scope {
            environment: Some("prod".to_owned()),
            cluster: Some("eu-1".to_owned()),
            ..Scope::default()
        };
        assert_eq!(place(&scope), "prod / eu-1");
        assert_eq!(place(&Scope::default()), "");
    }
}
