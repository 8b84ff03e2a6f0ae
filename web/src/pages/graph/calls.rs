//! Which spans an edge counts, in words and as a search.

use leptos::prelude::*;
use tripline_storage::filter::{Expression, KeyScope, Literal};
use tripline_storage::model::{EdgeKind, GraphEdge, GraphNode};

use crate::frame::Frame;
use crate::parts::ScopeParts;

/// What an edge carries, in a word.
pub(super) fn kind_word(edge: &GraphEdge) -> &'static str {
    match (edge.kind, edge.is_async) {
        (EdgeKind::Database, _) => "database",
        (EdgeKind::Messaging, _) => "messaging",
        (EdgeKind::External, _) => "external",
        (EdgeKind::Service, true) => "message",
        (EdgeKind::Service, false) => "call",
    }
}

/// The traces of an edge: of spans that name the peer where it sends none itself, else of the callee's spans in traces
/// that the caller called in. Both ends are those of their scopes: the same name in another is another service.
pub(super) fn traces_of(
    edge: &GraphEdge,
    (caller, callee): (&GraphNode, &GraphNode),
    told: ScopeParts,
    frame: &Frame,
) -> String {
    let (found, mut conditions) = if callee.inferred {
        let calling = vec![
            is("service", &caller.name),
            one_of("kind", ["client", "producer"]),
            is("peer", &callee.name),
        ];
        (caller, calling)
    } else if caller.inferred {
        let receiving = vec![
            is("service", &callee.name),
            is("kind", "consumer"),
            is("peer", &caller.name),
        ];
        (callee, receiving)
    } else {
        let entry = if edge.is_async { "consumer" } else { "server" };
        let mut calling = vec![
            is("service", &caller.name),
            one_of("kind", ["client", "producer"]),
        ];
        calling.extend(told.conditions(&caller.scope));
        let called = vec![
            is("service", &callee.name),
            is("kind", entry),
            Expression::Any(Box::new(Expression::and(calling))),
        ];
        (callee, called)
    };
    conditions.extend(told.missing(&found.scope));
    let filter = Expression::and(conditions).to_string();
    frame.link_in(&found.scope, "/traces", &[("q", &filter)])
}

fn is(field: &str, value: &str) -> Expression {
    Expression::equal(KeyScope::Anywhere, field, Literal::Text(value.to_owned()))
}

/// `(field = a OR field = b)`.
fn one_of(field: &str, values: [&str; 2]) -> Expression {
    Expression::or(values.map(|value| is(field, value)).to_vec())
}

/// What the numbers of an edge were counted from.
pub(super) fn counted_note() -> AnyView {
    view! {
        <p class="note">"Counted are the caller's client and producer spans, each joined with the callee's server or consumer span of the same call; "
        "where only one side was recorded, that one. Sidecar and application spans of one hop are one call. "
        "A number of calls leads to traces with such spans."</p>
    }
    .into_any()
}
