//! The walk over a statement's tree. Each kind of node has its list of keys; an unknown kind or key is
//! refused, so a construct of a newer parser is refused too until somebody has read what it does.

use std::collections::HashSet;

use serde_json::Value;

use super::node::{Object, path, text};
use super::{Refusal, allowed, zone};
use crate::sql::schema_docs::is_relation;

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

    fn table(&mut self, value: &Value) -> Checked {
        let object = self.object(value)?;
        let kind = text(object, "type");
        match kind {
            "EMPTY" | "SUBQUERY" | "JOIN" | "EXPRESSION_LIST" | "PIVOT" => {}
            "BASE_TABLE" => self.base_table(object)?,
            "TABLE_FUNCTION" => self.table_function(&object["function"])?,
            "SHOW_REF" => self.show(object)?,
            _ => return self.refuse(format!("{} in FROM is not allowed", words(kind))),
        }
        for (key, value) in object {
            match (kind, key.as_str()) {
                (
                    _,
                    "type"
                    | "alias"
                    | "column_name_alias"
                    | "query_location"
                    | "query_location_length",
                ) => {}
                (_, "sample") => self.sample(value)?,
                (
                    "BASE_TABLE",
                    "table_name" | "qualified_name" | "schema_name" | "catalog_name",
                ) => {}
                ("TABLE_FUNCTION", "function" | "with_ordinality") => {}
                ("SHOW_REF", "show_type" | "table_name" | "qualified_name") => {}
                ("SHOW_REF", "query") => self.query(value)?,
                ("SUBQUERY", "subquery") => self.wrapped(value)?,
                ("JOIN", "join_type" | "ref_type" | "using_columns" | "is_implicit") => {}
                ("JOIN", "left" | "right") => self.table(value)?,
                ("JOIN", "condition") => self.expression(value)?,
                ("EXPRESSION_LIST", "expected_names") => {}
                ("EXPRESSION_LIST", "values") => {
                    self.each(value, |walk, row| walk.each(row, Self::expression))?;
                }
                ("PIVOT", "source") => self.table(value)?,
                ("PIVOT", "aggregates") => self.each(value, Self::expression)?,
                ("PIVOT", "unpivot_names" | "groups" | "include_nulls") => {}
                ("PIVOT", "pivots") => self.each(value, Self::pivot_column)?,
                (_, "at_clause") => return self.refuse("AT (time travel) is not allowed"),
                _ => return self.unknown(kind, key),
            }
        }
        Ok(())
    }

    fn base_table(&mut self, object: &Object) -> Checked {
        let path = path(object, "table_name");
        let [name] = path.as_slice() else {
            return match path.as_slice() {
                [schema, name] if schema == "recurring" && self.recursive.contains(name) => Ok(()),
                _ => self.refuse(format!(
                    "the relation {} is not one of the public ones, which have no schema before their name",
                    quoted(&path.join("."))
                )),
            };
        };
        if self.ctes.iter().any(|scope| scope.contains(name)) || is_relation(name) {
            return Ok(());
        }
        self.refuse(format!(
            "the relation {} is not one of the public ones (see SHOW TABLES)",
            quoted(name)
        ))
    }

    fn table_function(&mut self, value: &Value) -> Checked {
        let object = self.object(value)?;
        let path = path(object, "function_name");
        match path.as_slice() {
            [name] if text(object, "class") == "FUNCTION" && allowed::is_table_function(name) => {}
            _ => {
                return self.refuse(format!(
                    "the table function {}() is not allowed",
                    path.join(".")
                ));
            }
        }
        self.call_parts("FROM", object)
    }

    fn show(&mut self, object: &Object) -> Checked {
        if object.contains_key("query") {
            return Ok(());
        }
        if is_list_of_tables(object) {
            return self.refuse("SHOW TABLES is a statement of its own here, no part of a query");
        }
        if text(object, "show_type") == "SHOW_SPECIAL" {
            return self.refuse("SHOW is allowed as SHOW TABLES and DESCRIBE only");
        }
        self.base_table(object)
    }

    fn pivot_column(&mut self, value: &Value) -> Checked {
        for (key, value) in self.object(value)? {
            match key.as_str() {
                "unpivot_names" => {}
                "pivot_expressions" => self.each(value, Self::expression)?,
                "entries" => self.each(value, Self::pivot_entry)?,
                "subquery" => self.query(value)?,
                _ => return self.unknown("PIVOT", key),
            }
        }
        Ok(())
    }

    fn pivot_entry(&mut self, value: &Value) -> Checked {
        for (key, value) in self.object(value)? {
            match key.as_str() {
                "alias" | "values" => {}
                "star_expr" | "expr" => self.expression(value)?,
                _ => return self.unknown("PIVOT", key),
            }
        }
        Ok(())
    }

    fn expression(&mut self, value: &Value) -> Checked {
        let object = self.object(value)?;
        let class = text(object, "class");
        if let Some(reason) = zone::lost(object) {
            return self.refuse(reason);
        }
        match class {
            "FUNCTION" | "WINDOW" => {
                self.function(object)?;
                return self.call_parts(class, object);
            }
            "STAR" => return self.star(object),
            "CASE" => return self.case(object),
            "LAMBDA" => return self.lambda(object),
            "TYPE" => self.type_name(object)?,
            "PARAMETER" => return self.refuse("parameters are not allowed; write the value"),
            "DEFAULT" => return self.refuse("DEFAULT is not allowed"),
            _ => {}
        }
        for (key, value) in object {
            match (class, key.as_str()) {
                (_, "class" | "type" | "alias" | "query_location" | "query_location_length") => {}
                ("CONSTANT", "literal" | "value") => {}
                ("COLUMN_REF", "column_names") => {}
                ("POSITIONAL_REFERENCE", "index") => {}
                ("LAMBDA_REF", "lambda_idx" | "column_name") => {}
                ("COMPARISON", "left" | "right") => self.expression(value)?,
                ("CONJUNCTION" | "OPERATOR", "children") => self.each(value, Self::expression)?,
                ("CAST", "child" | "type_expr") => self.expression(value)?,
                ("CAST", "try_cast") => {}
                ("TYPE", "type_name" | "qualified_name") => {}
                ("TYPE", "children") => self.each(value, Self::expression)?,
                ("BETWEEN", "input" | "lower" | "upper") => self.expression(value)?,
                ("COLLATE", "child") => self.expression(value)?,
                ("COLLATE", "collation") => {}
                ("SUBQUERY", "subquery_type" | "comparison_type") => {}
                ("SUBQUERY", "subquery") => self.wrapped(value)?,
                ("SUBQUERY", "child") => self.expression(value)?,
                _ => return self.unknown(class, key),
            }
        }
        if KNOWN_CLASSES.contains(&class) {
            Ok(())
        } else {
            self.refuse(format!("{} is not allowed", words(class)))
        }
    }

    fn function(&mut self, object: &Object) -> Checked {
        let path = path(object, "function_name");
        let Some(name) = path.last() else {
            return self.refuse("a function without a name is not allowed");
        };
        if !allowed::is_function(name) {
            return self.refuse(format!("the function {}() is not allowed", path.join(".")));
        }
        // `a.b.f()` is also how f(a.b) may be written; a schema of DuckDB's there is a way around ours.
        let around = path.len() > 1
            && (allowed::is_bounded(name)
                || matches!(
                    path[0].as_str(),
                    "system" | "temp" | "main" | "memory" | "pg_catalog" | "sql_functions"
                ));
        if around {
            return self.refuse(format!(
                "the function {name}() is called without a schema here"
            ));
        }
        if allowed::is_bounded(name) && self.lambda_depth > 0 {
            return self.refuse(format!("{name}() inside a lambda is not allowed"));
        }
        if matches!(name.as_str(), "printf" | "format") && !has_narrow_format(object) {
            return self.refuse(format!(
                "{name}() needs a constant format with widths below 1000"
            ));
        }
        Ok(())
    }

    /// Everything of a call but its name.
    fn call_parts(&mut self, node: &str, object: &Object) -> Checked {
        for (key, value) in object {
            match key.as_str() {
                "class"
                | "type"
                | "alias"
                | "query_location"
                | "query_location_length"
                | "function_name"
                | "schema"
                | "catalog"
                | "qualified_name"
                | "is_operator"
                | "distinct"
                | "start"
                | "end"
                | "ignore_nulls"
                | "has_ignore_nulls"
                | "exclude_clause" => {}
                "arguments" => self.each(value, Self::argument)?,
                "children" | "partitions" => self.each(value, Self::expression)?,
                "filter" | "filter_expr" | "start_expr" | "end_expr" | "offset_expr"
                | "default_expr" => {
                    self.expression(value)?;
                }
                "order_bys" => self.modifier(value)?,
                "orders" | "arg_orders" => self.each(value, Self::order)?,
                "export_state" => return self.refuse("EXPORT_STATE is not allowed"),
                _ => return self.unknown(node, key),
            }
        }
        Ok(())
    }

    fn argument(&mut self, value: &Value) -> Checked {
        for (key, value) in self.object(value)? {
            match key.as_str() {
                "name" => {}
                "expression" => self.expression(value)?,
                _ => return self.unknown("an argument", key),
            }
        }
        Ok(())
    }

    fn star(&mut self, object: &Object) -> Checked {
        for (key, value) in object {
            match key.as_str() {
                "class"
                | "type"
                | "alias"
                | "query_location"
                | "query_location_length"
                | "relation_name"
                | "columns"
                | "exclude_list"
                | "qualified_exclude_list"
                | "rename_list"
                | "unpacked" => {}
                "expr" => self.expression(value)?,
                "replace_list" => {
                    self.each(value, |walk, entry| walk.expression(&entry["value"]))?;
                }
                _ => return self.unknown("*", key),
            }
        }
        Ok(())
    }

    fn case(&mut self, object: &Object) -> Checked {
        for (key, value) in object {
            match key.as_str() {
                "class" | "type" | "alias" | "query_location" | "query_location_length" => {}
                "else_expr" => self.expression(value)?,
                "case_checks" => self.each(value, |walk, check| {
                    walk.expression(&check["when_expr"])?;
                    walk.expression(&check["then_expr"])
                })?,
                _ => return self.unknown("CASE", key),
            }
        }
        Ok(())
    }

    fn lambda(&mut self, object: &Object) -> Checked {
        self.lambda_depth += 1;
        for (key, value) in object {
            match key.as_str() {
                "class"
                | "type"
                | "alias"
                | "query_location"
                | "query_location_length"
                | "syntax_type" => {}
                "lhs" | "expr" => self.expression(value)?,
                _ => return self.unknown("a lambda", key),
            }
        }
        self.lambda_depth -= 1;
        Ok(())
    }

    fn type_name(&mut self, object: &Object) -> Checked {
        match path(object, "type_name").as_slice() {
            [_] => Ok(()),
            path => self.refuse(format!(
                "the type {} is not allowed",
                quoted(&path.join("."))
            )),
        }
    }
}

const KNOWN_CLASSES: &[&str] = &[
    "CONSTANT",
    "COLUMN_REF",
    "POSITIONAL_REFERENCE",
    "LAMBDA_REF",
    "COMPARISON",
    "CONJUNCTION",
    "OPERATOR",
    "CAST",
    "TYPE",
    "BETWEEN",
    "COLLATE",
    "SUBQUERY",
];

/// Whether the first argument is a constant whose numbers have at most three digits and that takes no width
/// from another argument.
fn has_narrow_format(object: &Object) -> bool {
    let format = object.get("arguments").and_then(|arguments| {
        arguments[0]["expression"]["literal"]["text"]
            .as_str()
            .or_else(|| arguments[0]["expression"]["value"]["value"].as_str())
    });
    format.is_some_and(|format| {
        let mut open = false;
        let nests = format.chars().any(|c| {
            let nested = open && c == '{';
            open = if c == '{' { true } else { open && c != '}' };
            nested && !format.contains("{{")
        });
        let longest = format
            .split(|c: char| !c.is_ascii_digit())
            .map(str::len)
            .max()
            .unwrap_or(0);
        !nests && !format.contains('*') && longest <= 3
    })
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
