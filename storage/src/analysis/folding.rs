//! A trace without the proxies beside its applications: their spans go, what was below them moves up.

use std::collections::HashMap;

use crate::model::SpanRecord;

/// The spans that applications wrote, each below the nearest application's span above it. The order stays.
pub fn without_sidecars(spans: Vec<SpanRecord>) -> Vec<SpanRecord> {
    let proxies: HashMap<String, Option<String>> = spans
        .iter()
        .filter(|span| span.sidecar)
        .map(|span| (span.span_id.clone(), span.parent_span_id.clone()))
        .collect();
    spans
        .into_iter()
        .filter(|span| !span.sidecar)
        .map(|mut span| {
            // As many steps as there are proxies: a cycle among them ends too.
            for _ in 0..=proxies.len() {
                match span.parent_span_id.as_ref().and_then(|id| proxies.get(id)) {
                    Some(above) => span.parent_span_id.clone_from(above),
                    None => break,
                }
            }
            span
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>, sidecar: bool) -> SpanRecord {
        let mut span = crate::analysis::tests::span(id, parent, "server", (0, 1));
        span.sidecar = sidecar;
        span
    }

    #[test]
    fn what_is_below_proxies_moves_up_to_the_application() {
        let spans = vec![
            span("a", None, false),
            span("p", Some("a"), true),
            span("q", Some("p"), true),
            span("b", Some("q"), false),
            // A cycle of proxies ends.
            span("x", Some("y"), true),
            span("y", Some("x"), true),
            span("c", Some("x"), false),
        ];
        let left = without_sidecars(spans);
        let parents: Vec<(&str, Option<&str>)> = left
            .iter()
            .map(|span| (span.span_id.as_str(), span.parent_span_id.as_deref()))
            .collect();
        assert_eq!(parents[..2], [("a", None), ("b", Some("a"))]);
        assert_eq!(parents[2].0, "c");
    }
}
