//! What a statement calls attributes: by their path, and by the names its queries give them.

use std::collections::HashSet;

use serde_json::Value;

use crate::sql::guard::node::{Object, children, member, path, text};
use crate::sql::schema_docs::RELATIONS;

/// Functions that answer a value of what they are given.
pub(super) const CARRIERS: &[&str] = &[
    "any_value",
    "arbitrary",
    "first",
    "first_value",
    "lag",
    "last",
    "last_value",
    "lead",
    "max",
    "min",
    "nth_value",
];
/// Passes over the names a statement gives: one for each query inside another that renames what the inner one named.
const RENAMINGS_MAX: usize = 8;

/// Public columns of a type.
pub(super) fn columns_of(sql_type: &'static str) -> impl Iterator<Item = &'static str> {
    RELATIONS
        .iter()
        .flat_map(|relation| relation.columns)
        .filter(move |column| column.sql_type == sql_type)
        .map(|column| column.name)
}

fn is_public(name: &str) -> bool {
    RELATIONS
        .iter()
        .flat_map(|relation| relation.columns)
        .any(|column| column.name == name)
}

/// What a statement calls attributes.
#[derive(Default)]
pub(super) struct Names {
    /// Of single values.
    values: HashSet<String>,
    /// Of columns that hold values by key.
    maps: HashSet<String>,
}

impl Names {
    pub(super) fn of(tree: &Value) -> Self {
        let mut names = Self {
            values: HashSet::new(),
            maps: columns_of("VARIANT").map(str::to_owned).collect(),
        };
        for _ in 0..RENAMINGS_MAX {
            let before = names.values.len() + names.maps.len();
            names.collect(tree);
            if names.values.len() + names.maps.len() == before {
                break;
            }
        }
        names
    }

    /// Names that the queries under `tree` give to attributes.
    fn collect(&mut self, tree: &Value) {
        if let Some(selected) = tree["select_list"].as_array() {
            for expression in selected.iter().filter_map(Value::as_object) {
                let columns = column_names(expression);
                let name = match text(expression, "alias") {
                    "" => columns.last().cloned(),
                    alias => Some(alias.to_lowercase()),
                };
                let Some(name) = name else { continue };
                if self.holds_value(expression) && !is_public(&name) {
                    self.values.insert(name);
                } else if columns.last().is_some_and(|last| self.maps.contains(last)) {
                    self.maps.insert(name);
                }
            }
        }
        children(tree).for_each(|child| self.collect(child));
    }

    /// Whether an expression is one value of a VARIANT.
    pub(super) fn is_value(&self, expression: &Object) -> bool {
        let columns = column_names(expression);
        if let Some((last, before)) = columns.split_last() {
            return self.values.contains(last)
                || before.iter().any(|name| self.maps.contains(name));
        }
        extracted(expression).is_some_and(|from| self.is_value(from) || self.is_map(from))
    }

    /// Whether an expression is such a value, or one of several.
    pub(super) fn holds_value(&self, expression: &Object) -> bool {
        let is_value = |carried: &Object| self.is_value(carried);
        is_value(expression)
            || carried(expression)
                .filter_map(Value::as_object)
                .any(is_value)
    }

    /// Whether an expression is a column, or a field of a structure, that holds values by key.
    fn is_map(&self, expression: &Object) -> bool {
        let columns = column_names(expression);
        if let Some(last) = columns.last() {
            return self.maps.contains(last);
        }
        let field = expression
            .get("children")
            .and_then(|children| children[1]["literal"]["text"].as_str());
        text(expression, "type") == "STRUCT_EXTRACT"
            && field.is_some_and(|field| self.maps.contains(&field.to_lowercase()))
    }
}

/// The parts of a reference to a column, lower case; none for any other expression.
pub(super) fn column_names(expression: &Object) -> Vec<String> {
    let names = expression.get("column_names").and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_lowercase)
        .collect()
}

/// What a value is taken out of, by its name or by a key in brackets.
pub(super) fn extracted(expression: &Object) -> Option<&Object> {
    matches!(text(expression, "type"), "ARRAY_EXTRACT" | "STRUCT_EXTRACT")
        .then(|| expression.get("children")?[0].as_object())?
}

/// Among what an expression answers one, where it answers one of several.
pub(super) fn carried(node: &Object) -> impl Iterator<Item = &Value> {
    let is_carrier = CARRIERS.contains(&name_of(node).as_str());
    let is_coalesce = text(node, "type") == "OPERATOR_COALESCE";
    let operands = member(node, "children").as_array().filter(|_| is_coalesce);
    arguments(node)
        .filter(move |_| is_carrier)
        .chain(operands.into_iter().flatten())
}

/// The arguments of a call.
pub(super) fn arguments(call: &Object) -> impl Iterator<Item = &Value> {
    let arguments = member(call, "arguments").as_array();
    arguments
        .into_iter()
        .flatten()
        .map(|argument| &argument["expression"])
}

pub(super) fn name_of(call: &Object) -> String {
    path(call, "function_name").pop().unwrap_or_default()
}
