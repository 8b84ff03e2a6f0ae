//! Ways out of a page: from a number to its SQL, and to other tools.

use leptos::prelude::*;

use crate::frame::Frame;

impl Frame {
    /// `/sql` with a query, at the same range: the "how?" behind a number. Nothing where there is no query.
    pub fn how(&self, sql: &str) -> AnyView {
        if sql.is_empty() {
            return "".into_any();
        }
        let link = self.link("/sql", &[("q", sql)]);
        view! { <a class="how" href=link title="The SQL behind this">"how?"</a> }.into_any()
    }

    /// Links to other tools about one of these places, filled in with what is known here and the range.
    pub fn elsewhere(&self, about: &[&str], known: &[(&str, &str)]) -> Option<AnyView> {
        let (from, to) = self.bounds();
        let (from, to) = ((from / 1_000_000).to_string(), (to / 1_000_000).to_string());
        let mut known = known.to_vec();
        known.extend([("from_ms", from.as_str()), ("to_ms", to.as_str())]);
        let links: Vec<AnyView> = self
            .links
            .iter()
            .filter(|link| link.is_about(about))
            .filter_map(|link| Some((link.name.clone(), link.filled(&known)?)))
            .map(|(name, address)| view! { <a class="elsewhere" href=address rel="noreferrer noopener" target="_blank">{name}" ↗"</a> " " }.into_any())
            .collect();
        (!links.is_empty()).then(|| links.into_any())
    }
}
