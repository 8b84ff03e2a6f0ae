//! Expressions, and what calls of functions are made of.

use serde_json::Value;

use super::{Checked, Walk, quoted, words};
use crate::sql::guard::node::{Object, path, text};
use crate::sql::guard::{allowed, zone};

impl Walk {
    pub(super) fn expression(&mut self, value: &Value) -> Checked {
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
    pub(super) fn call_parts(&mut self, node: &str, object: &Object) -> Checked {
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
