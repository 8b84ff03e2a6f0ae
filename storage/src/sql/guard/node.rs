//! What a node of the parser's tree says of itself.

use serde_json::{Map, Value};

pub(super) type Object = Map<String, Value>;

pub(super) fn text<'a>(object: &'a Object, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The qualified name of a relation, function or type, lower case. Nothing when it is not plain text.
pub(super) fn path(object: &Object, fallback: &str) -> Vec<String> {
    let qualified = object
        .get("qualified_name")
        .and_then(|name| name["path"].as_array());
    match qualified {
        Some(parts) => parts
            .iter()
            .map(|part| part.as_str().unwrap_or_default().to_lowercase())
            .collect(),
        None => vec![text(object, fallback).to_lowercase()],
    }
}

/// A member of a node; null where there is none.
pub(super) fn member<'n>(node: &'n Object, key: &str) -> &'n Value {
    node.get(key).unwrap_or(&Value::Null)
}

/// What is directly under a part of the tree.
pub(super) fn children(tree: &Value) -> impl Iterator<Item = &Value> {
    let (members, elements) = (tree.as_object(), tree.as_array());
    members
        .into_iter()
        .flat_map(serde_json::Map::values)
        .chain(elements.into_iter().flatten())
}
