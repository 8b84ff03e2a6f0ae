//! The walk over a statement's tree. Each kind of node has its list of keys; an unknown kind or key is
//! refused, so a construct of a newer parser is refused too until somebody has read what it does.

mod expressions;
mod relations;

use std::collections::HashSet;

use serde_json::Value;

use super::Refusal;
use super::node::{Object, text};

/// What a statement that passed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A query.
    Rows,
    /// `SHOW TABLES`.
    ListRelations,
}

type Checked = Result<(), Refusal>;

/// Walks one statement.
pub(super) fn statement(statement: &Value) -> Result<Outcome, Refusal> {
    let mut walk = Walk {
        ctes: Vec::new(),
        recursive: Vec::new(),
        position: None,
        lambda_depth: 0,
    };
    if lists_tables(&statement["node"]) {
        return Ok(Outcome::ListRelations);
    }
    walk.wrapped(statement)?;
    Ok(Outcome::Rows)
}

/// The first place the tree names.
pub(super) fn first_position(tree: &Value) -> Option<usize> {
    match tree {
        Value::Object(object) => {
            position_of(object).or_else(|| object.values().find_map(first_position))
        }
        Value::Array(values) => values.iter().find_map(first_position),
        _ => None,
    }
}

fn position_of(object: &Object) -> Option<usize> {
    object
        .get("query_location")?
        .as_u64()
        .and_then(|position| usize::try_from(position).ok())
}

/// Whether a whole statement is `SHOW TABLES`. The parser makes `SELECT * FROM` a list of it, and refuses to add anything
/// but parentheses; a list inside a query stands in a subquery of it, and is refused where the walk meets it.
fn lists_tables(node: &Value) -> bool {
    node["from_table"]
        .as_object()
        .is_some_and(|from| text(from, "type") == "SHOW_REF" && is_list_of_tables(from))
}

fn is_list_of_tables(show: &Object) -> bool {
    text(show, "show_type") == "SHOW_SPECIAL"
        && matches!(
            text(show, "table_name"),
            "\"tables\"" | "tables" | "__show_tables_expanded"
        )
}

struct Walk {
    /// Names of the common table expressions in scope, innermost last.
    ctes: Vec<HashSet<String>>,
    /// The recursive ones whose recursive side is being walked.
    recursive: Vec<String>,
    /// The last place seen.
    position: Option<usize>,
    lambda_depth: usize,
}

impl Walk {
    fn refuse<T>(&self, reason: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::refused(reason, self.position))
    }

    fn object<'a>(&mut self, value: &'a Value) -> Result<&'a Object, Refusal> {
        let Some(object) = value.as_object() else {
            return self.refuse("a part of the statement is not understood");
        };
        self.position = position_of(object).or(self.position);
        Ok(object)
    }

    fn unknown<T>(&self, node: &str, key: &str) -> Result<T, Refusal> {
        self.refuse(format!("{} in {} is not allowed", words(key), words(node)))
    }

    fn each(
        &mut self,
        values: &Value,
        mut check: impl FnMut(&mut Self, &Value) -> Checked,
    ) -> Checked {
        match values {
            Value::Array(values) => values.iter().try_for_each(|value| check(self, value)),
            Value::Null => Ok(()),
            _ => self.refuse("a part of the statement is not understood"),
        }
    }

    /// `{"node": …}`, as statements and subqueries are.
    fn wrapped(&mut self, value: &Value) -> Checked {
        let object = self.object(value)?;
        for (key, value) in object {
            match key.as_str() {
                "node" => self.query(value)?,
                "named_param_map" => {
                    return self.refuse("parameters are not allowed; write the value");
                }
                _ => return self.unknown("a statement", key),
            }
        }
        Ok(())
    }

    fn query(&mut self, value: &Value) -> Checked {
        let object = self.object(value)?;
        let kind = text(object, "type");
        match kind {
            "SELECT_NODE" | "SET_OPERATION_NODE" | "RECURSIVE_CTE_NODE" => {}
            "INSERT_QUERY_NODE" | "UPDATE_QUERY_NODE" | "DELETE_QUERY_NODE"
            | "MERGE_QUERY_NODE" => {
                return self.refuse(format!(
                    "{} changes data; only queries that read are allowed",
                    words(kind)
                ));
            }
            _ => return self.refuse(format!("{} is not allowed", words(kind))),
        }
        let scopes = self.ctes.len();
        if let Some(map) = object.get("cte_map") {
            self.ctes.push(HashSet::new());
            self.cte_map(map)?;
        }
        for (key, value) in object {
            match key.as_str() {
                "type"
                | "cte_map"
                | "aggregate_handling"
                | "group_sets"
                | "setop_type"
                | "setop_all"
                | "union_all"
                | "cte_name"
                | "aliases"
                | "query_location"
                | "query_location_length" => {}
                "modifiers" => self.each(value, Self::modifier)?,
                "select_list" | "group_expressions" | "key_targets" => {
                    self.each(value, Self::expression)?;
                }
                "where_clause" | "having" | "qualify" => self.expression(value)?,
                "from_table" => self.table(value)?,
                "sample" => self.sample(value)?,
                "children" => self.each(value, Self::query)?,
                "left" => self.query(value)?,
                "right" => self.recursive_side(kind, text(object, "cte_name"), value)?,
                _ => return self.unknown(kind, key),
            }
        }
        self.ctes.truncate(scopes);
        Ok(())
    }

    /// The right side of a recursive expression sees it; the left one (the anchor) does not, and finds the
    /// catalog, or a file, instead.
    fn recursive_side(&mut self, kind: &str, cte: &str, value: &Value) -> Checked {
        if kind != "RECURSIVE_CTE_NODE" {
            return self.query(value);
        }
        let name = cte.to_lowercase();
        self.ctes.push(HashSet::from([name.clone()]));
        self.recursive.push(name);
        self.query(value)?;
        self.recursive.pop();
        self.ctes.pop();
        Ok(())
    }

    fn cte_map(&mut self, value: &Value) -> Checked {
        for (key, value) in self.object(value)? {
            if key != "map" {
                return self.unknown("WITH", key);
            }
            self.each(value, Self::cte)?;
        }
        Ok(())
    }

    fn cte(&mut self, entry: &Value) -> Checked {
        let entry = self.object(entry)?;
        let name = text(entry, "key").to_lowercase();
        self.relation_name(&name)?;
        for (key, value) in self.object(&entry["value"])? {
            match key.as_str() {
                "aliases" | "materialized" => {}
                "query_node" => self.query(value)?,
                "query" => self.wrapped(value)?,
                "key_targets" => self.each(value, Self::expression)?,
                _ => return self.unknown("WITH", key),
            }
        }
        // In scope only from here on: neither before nor inside itself.
        if let Some(scope) = self.ctes.last_mut() {
            scope.insert(name);
        }
        Ok(())
    }

    /// Names DuckDB could take for a file or for one of its own relations are nobody's.
    fn relation_name(&self, name: &str) -> Checked {
        let is_plain = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '-'))
            && !["duckdb_", "pg_", "sqlite_", "pragma_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            && name != "information_schema";
        if is_plain {
            Ok(())
        } else {
            self.refuse(format!("the relation name {} is not allowed", quoted(name)))
        }
    }

    fn modifier(&mut self, value: &Value) -> Checked {
        let object = self.object(value)?;
        let kind = text(object, "type");
        if !matches!(
            kind,
            "LIMIT_MODIFIER" | "LIMIT_PERCENT_MODIFIER" | "ORDER_MODIFIER" | "DISTINCT_MODIFIER"
        ) {
            return self.refuse(format!("{} is not allowed", words(kind)));
        }
        for (key, value) in object {
            match key.as_str() {
                "type" | "limit_type" | "query_location" | "query_location_length" => {}
                "limit" | "offset" => self.expression(value)?,
                "orders" => self.each(value, Self::order)?,
                "distinct_on_targets" => self.each(value, Self::expression)?,
                _ => return self.unknown(kind, key),
            }
        }
        Ok(())
    }

    fn order(&mut self, value: &Value) -> Checked {
        for (key, value) in self.object(value)? {
            match key.as_str() {
                "type" | "null_order" => {}
                "expression" => self.expression(value)?,
                _ => return self.unknown("ORDER BY", key),
            }
        }
        Ok(())
    }

    fn sample(&mut self, value: &Value) -> Checked {
        for key in self.object(value)?.keys() {
            if !matches!(
                key.as_str(),
                "sample_size" | "is_percentage" | "method" | "seed" | "repeatable"
            ) {
                return self.unknown("SAMPLE", key);
            }
        }
        Ok(())
    }
}

fn words(name: &str) -> String {
    match name {
        "INSERT_QUERY_NODE" => "INSERT".to_owned(),
        "UPDATE_QUERY_NODE" => "UPDATE".to_owned(),
        "DELETE_QUERY_NODE" => "DELETE".to_owned(),
        "MERGE_QUERY_NODE" => "MERGE".to_owned(),
        "" => "this construct".to_owned(),
        name => name.to_lowercase().replace('_', " "),
    }
}

fn quoted(name: &str) -> String {
    let shown: String = name.chars().take(60).collect();
    format!("{shown:?}")
}
