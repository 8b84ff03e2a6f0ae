//! Where the services of a trace live: the same name in two scopes is two services, on the pages that a trace leads to
//! as well.

use std::collections::BTreeMap;

use leptos::prelude::*;
use tripline_storage::model::{Scope, SpanRecord};

use crate::frame::Frame;
use crate::parts::{service_link, service_link_in};

/// The scope of each service of a trace; none of one that has spans in several.
pub(super) struct TraceScopes<'a>(BTreeMap<&'a str, Option<&'a Scope>>);

impl<'a> TraceScopes<'a> {
    pub(super) fn of(spans: impl IntoIterator<Item = &'a SpanRecord>) -> Self {
        let mut scopes: BTreeMap<&str, Option<&Scope>> = BTreeMap::new();
        for span in spans {
            let Some(name) = span.service_name.as_deref() else {
                continue;
            };
            let scope = scopes.entry(name).or_insert(Some(&span.scope));
            if *scope != Some(&span.scope) {
                *scope = None;
            }
        }
        Self(scopes)
    }

    /// The scope of a service, if it has one here.
    fn scope(&self, name: &str) -> Option<&'a Scope> {
        self.0.get(name).copied().flatten()
    }

    /// Its name, linked to its page in that scope; else in the page's.
    pub(super) fn link(&self, frame: &Frame, name: &str) -> AnyView {
        match self.scope(name) {
            Some(scope) => service_link_in(frame, scope, Some(name)),
            None => service_link(frame, Some(name)),
        }
    }
}
