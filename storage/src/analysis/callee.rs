//! The service that a span's call went to.

use crate::model::{AttributeValue, Callee, SpanRecord};

/// Attributes by which a caller names the service it calls.
const PEERS: [&str; 2] = ["service.peer.name", "peer.service"];

/// The service that a span's call went to: that of a span of `spans` right below it, else whom its attributes name. Of one
/// that calls nobody the service itself. `None` of a span that says of no service.
pub fn callee_of<'a>(
    span: &SpanRecord,
    spans: impl IntoIterator<Item = &'a SpanRecord>,
) -> Option<Callee> {
    let of = |span: &SpanRecord| {
        Some(Callee {
            scope: span.scope.clone(),
            service: span.service_name.clone()?,
        })
    };
    if !matches!(span.kind.as_str(), "client" | "producer") {
        return of(span);
    }
    let is_below = |other: &&SpanRecord| {
        other.parent_span_id.as_ref() == Some(&span.span_id)
            && (&other.service_name, &other.scope) != (&span.service_name, &span.scope)
    };
    let below = spans.into_iter().find(is_below).and_then(of);
    below.or_else(|| named_by(span)).or_else(|| of(span))
}

/// Whom a caller names; taken to be of its own scope.
fn named_by(span: &SpanRecord) -> Option<Callee> {
    let named = |key: &&str| {
        let attributes = span.attributes.iter();
        attributes
            .filter(|attribute| attribute.key == **key)
            .find_map(|attribute| match &attribute.value {
                AttributeValue::String(name) if !name.is_empty() => Some(name.clone()),
                _ => None,
            })
    };
    Some(Callee {
        scope: span.scope.clone(),
        service: PEERS.iter().find_map(named)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Attribute;

    fn span(id: &str, parent: Option<&str>, service: &str, kind: &str) -> SpanRecord {
        SpanRecord {
            span_id: id.to_owned(),
            parent_span_id: parent.map(str::to_owned),
            service_name: Some(service.to_owned()),
            kind: kind.to_owned(),
            ..SpanRecord::default()
        }
    }

    #[test]
    fn the_callee_is_who_answered_else_who_is_named_else_the_service_itself() {
        let mut named = span("c", None, "orders", "client");
        named.attributes.push(Attribute {
            key: "service.peer.name".to_owned(),
            value: AttributeValue::String("psp".to_owned()),
        });
        let spans = [
            span("a", None, "orders", "client"),
            span("a1", Some("a"), "orders", "internal"),
            span("a2", Some("a"), "payment", "server"),
            span("b", None, "orders", "client"),
            named,
        ];
        let of = |at: usize| callee_of(&spans[at], &spans).map(|callee| callee.service);
        assert_eq!(of(0).as_deref(), Some("payment"));
        assert_eq!(of(2).as_deref(), Some("payment"));
        assert_eq!(of(3).as_deref(), Some("orders"));
        assert_eq!(of(4).as_deref(), Some("psp"));
        let unnamed = SpanRecord::default();
        assert_eq!(callee_of(&unnamed, &spans), None);
    }
}
