//! What stands in FROM: public relations, table functions, joins, subqueries and pivots.

use serde_json::Value;

use super::{Checked, Walk, is_list_of_tables, quoted, words};
use crate::sql::guard::allowed;
use crate::sql::guard::node::{Object, path, text};
use crate::sql::schema_docs::is_relation;

impl Walk {
    pub(super) fn table(&mut self, value: &Value) -> Checked {
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
}
