//! Attributes and fields, each with the way to what shares its value and to what does not.

use leptos::prelude::*;
use tripline_storage::filter::{Expression, KeyScope, Literal, Signal, part_field};
use tripline_storage::model::{AttributeValue, Attributes};

use crate::frame::Frame;
use crate::parts::beginning;

/// Attributes as a table; each value leads to what shares it, and to what does not: on this very page when it
/// has a filter of that signal, else on `/traces`.
pub fn attribute_table(
    attributes: &Attributes,
    scope: KeyScope,
    signal: Signal,
    frame: &Frame,
) -> AnyView {
    attribute_table_with(attributes, scope, signal, frame, &|_| None)
}

/// The same with something more beside each value, by its key.
pub fn attribute_table_with(
    attributes: &Attributes,
    scope: KeyScope,
    signal: Signal,
    frame: &Frame,
    more: &dyn Fn(&str) -> Option<AnyView>,
) -> AnyView {
    if attributes.is_empty() {
        return view! { <p class="quiet">"none"</p> }.into_any();
    }
    let rows = attributes
        .iter()
        .map(|attribute| {
            let (value, rest) = beginning(&attribute.value.to_string());
            let more = more(&attribute.key);
            // An attribute of an event that is called as a field of it cannot be asked for.
            // One that is too long to be shown is too long for an address.
            let value_asked = literal(&attribute.value)
                .filter(|_| rest.is_none() && part_field(scope, &attribute.key).is_none());
            let rest =
                rest.map(|rest| view! { <p class="note">{rest}", the API has the whole"</p> });
            let tools = value_asked.map(|literal| {
                let same = Expression::equal(scope, &attribute.key, literal);
                let other = Expression::Not(Box::new(same.clone()));
                filter_links(frame, signal, same, other)
            });
            view! {
                <tr>
                    <th scope="row">{attribute.key.clone()}</th>
                    <td><code>{value}</code>{rest}</td>
                    <td class="tools">{tools} " " {more}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <table class="attributes"><tbody>{rows}</tbody></table> }.into_any()
}

/// A value as a filter writes it; arrays and maps have no such form.
pub fn literal(value: &AttributeValue) -> Option<Literal> {
    match value {
        AttributeValue::String(text) => Some(Literal::Text(text.clone())),
        AttributeValue::Bool(value) => Some(Literal::Bool(*value)),
        AttributeValue::Int(value) => Some(Literal::Number(value.to_string())),
        AttributeValue::Double(value) if value.is_finite() => {
            Some(Literal::Number(format!("{value:?}")))
        }
        _ => None,
    }
}

/// "Filter for" and "filter out".
pub fn filter_links(frame: &Frame, signal: Signal, same: Expression, other: Expression) -> AnyView {
    let page = match signal {
        Signal::Spans => "/traces",
        Signal::Logs => "/logs",
        Signal::Metrics => "/explore",
    };
    let link = |condition: Expression| {
        if frame.path == page {
            frame.narrowed(signal, condition)
        } else {
            frame.link(page, &[("q", &condition.to_string())])
        }
    };
    let (only, without) = (link(same), link(other));
    view! {
        <a href=only title="Only with this value" aria-label="Only with this value">"+"</a>" "
        <a href=without title="Without this value" aria-label="Without this value">"−"</a>
    }
    .into_any()
}

/// "Filter for" and "filter out" of a field of the signal, by the word or text it has.
pub fn field_links(frame: &Frame, signal: Signal, field: &str, value: &str) -> AnyView {
    if value.is_empty() {
        return "".into_any();
    }
    let value = Literal::Text(value.to_owned());
    let same = Expression::equal(KeyScope::Anywhere, field, value);
    let other = Expression::Not(Box::new(same.clone()));
    view! { <span class="tools">{filter_links(frame, signal, same, other)}</span> }.into_any()
}
