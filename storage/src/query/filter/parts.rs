//! Comparisons with the events and the links of a span: one of them must fit.
//!
//! A row keeps each as one list, in the two forms of all documents: hot text and sealed VARIANT.

use super::attributes::{self, Documents};
use super::{Sql, Target, text_comparison, text_of};
use crate::filter::{FieldKind, Key, KeyScope, Literal, Operator, PartField, part_field};

/// The events or the links of a span.
#[derive(Debug, Clone, Copy)]
pub(in crate::query) struct Parts {
    pub(in crate::query) column: &'static str,
    pub(in crate::query) is_text: bool,
}

pub(super) fn comparison(
    parts: Parts,
    key: &Key,
    operator: Operator,
    value: &Literal,
    sql: &mut Sql,
) {
    parts.one_fits(key, sql, |sql| match part_field(key.scope, &key.name) {
        Some(field) => {
            let is_pattern = matches!(operator, Operator::Matches | Operator::NotMatches);
            let text = match text_of(value) {
                text if field.kind == FieldKind::Hex && !is_pattern => text.to_lowercase(),
                text => text,
            };
            text_comparison(|sql| parts.field(field, sql), operator, &text, sql);
        }
        None => attributes::compare(&parts.documents(), &key.name, operator, value, sql),
    });
}

pub(super) fn existence(parts: Parts, key: &Key, sql: &mut Sql) {
    parts.one_fits(key, sql, |sql| match part_field(key.scope, &key.name) {
        Some(field) => {
            parts.field(field, sql);
            sql.push(" <> ''");
        }
        None => attributes::has(&parts.documents(), &key.name, sql),
    });
}

impl Parts {
    /// Those that a key is about; `None` for a key of the span itself.
    pub(in crate::query) fn of(key: &Key, is_text: bool) -> Option<Self> {
        let column = match key.scope {
            KeyScope::Event => "f.events",
            KeyScope::Link => "f.links",
            _ => return None,
        };
        Some(Self { column, is_text })
    }

    /// The same of a filter's target.
    pub(super) fn asked(key: &Key, target: &Target<'_>) -> Option<Self> {
        Self::of(key, target.table.is_some_and(|table| table.is_text))
    }

    /// A list function over them; `part` is one of them in what `one` writes.
    pub(in crate::query) fn list(
        self,
        function: &'static str,
        sql: &mut Sql,
        one: impl FnOnce(&mut Sql),
    ) {
        sql.push(function);
        sql.push("(TRY_CAST(");
        sql.push(self.column);
        sql.push(if self.is_text {
            " AS JSON[])"
        } else {
            " AS VARIANT[])"
        });
        sql.push(", lambda part: ");
        one(sql);
        sql.push(")");
    }

    /// Their attributes.
    pub(in crate::query) fn documents(self) -> Documents {
        if self.is_text {
            Documents {
                column: "part",
                inside: "/attributes",
                is_text: true,
            }
        } else {
            Documents {
                column: "variant_extract(part, 'attributes')",
                inside: "",
                is_text: false,
            }
        }
    }

    /// A field of one of them, as text.
    pub(in crate::query) fn field(self, field: &PartField, sql: &mut Sql) {
        if self.is_text {
            sql.push("json_extract_string(part, '/");
            sql.push(field.name);
            sql.push("')");
        } else {
            sql.push("TRY_CAST(variant_extract(part, '");
            sql.push(field.name);
            sql.push("') AS VARCHAR)");
        }
    }

    /// Whether `fits` holds of one of them. Most spans have none, and in hot text most have other keys: neither is parsed.
    fn one_fits(self, key: &Key, sql: &mut Sql, fits: impl FnOnce(&mut Sql)) {
        sql.push("CASE WHEN ");
        sql.push(self.column);
        sql.push(" IS NOT NULL");
        if part_field(key.scope, &key.name).is_none() {
            sql.push(" AND ");
            let all = Documents {
                column: self.column,
                inside: "",
                is_text: self.is_text,
            };
            all.mentions(&key.name, sql);
            sql.push("TRUE");
        }
        sql.push(" THEN len(");
        self.list("list_filter", sql, |sql| {
            sql.push("coalesce((");
            fits(sql);
            sql.push("), FALSE)");
        });
        sql.push(") > 0 END");
    }
}
