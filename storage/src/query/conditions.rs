//! Conditions of a question: SQL with holes, and the values that are bound to them.

use std::borrow::Cow;

use duckdb::types::Value;

use super::QueryError;
use super::filter::{Target, condition};
use crate::attributes::AttributesWriter;
use crate::filter::Filter;
use crate::model::{AttributeFilter, AttributeValue, Scope, ScopeFilter, TimeRange};

/// Conditions joined by AND.
#[derive(Debug, Default, Clone)]
pub(super) struct Conditions {
    sql: Vec<Cow<'static, str>>,
    values: Vec<Value>,
}

/// A condition on attributes in its two forms: hot text and sealed VARIANT. `{documents}` is the column.
pub(super) struct AttributeCondition {
    sql: &'static str,
    values: Vec<Value>,
}

impl Conditions {
    /// `sql` has one `?` a value.
    pub(super) fn add(&mut self, sql: &'static str, values: impl IntoIterator<Item = Value>) {
        self.sql.push(sql.into());
        self.values.extend(values);
    }

    /// Adds it when there is a value to compare with.
    pub(super) fn text(&mut self, sql: &'static str, value: Option<&String>) {
        if let Some(value) = value {
            self.add(sql, [Value::Text(value.clone())]);
        }
    }

    /// Adds it when there is a value to compare with.
    pub(super) fn int(&mut self, sql: &'static str, value: Option<i64>) {
        if let Some(value) = value {
            self.add(sql, [Value::BigInt(value)]);
        }
    }

    /// `environment`, `service_namespace` and `cluster`.
    pub(super) fn scope(&mut self, scope: &ScopeFilter) {
        self.text("environment = ?", scope.environment.as_ref());
        self.text("service_namespace = ?", scope.service_namespace.as_ref());
        self.text("cluster = ?", scope.cluster.as_ref());
    }

    /// Exactly this scope: a part that is `None` was not reported.
    pub(super) fn own_scope(&mut self, scope: &Scope) {
        for (is, is_absent, value) in [
            ("environment = ?", "environment IS NULL", &scope.environment),
            (
                "service_namespace = ?",
                "service_namespace IS NULL",
                &scope.service_namespace,
            ),
            ("cluster = ?", "cluster IS NULL", &scope.cluster),
        ] {
            match value {
                Some(_) => self.text(is, value.as_ref()),
                None => self.add(is_absent, []),
            }
        }
    }

    /// What a person wrote about streams of the view `metrics f`.
    pub(super) fn streams(&mut self, filter: Option<&Filter>) {
        self.of_view(filter, None);
    }

    /// What a person wrote about rows of a public view `f`; the range bounds the spans that `any(…)` and `root(…)`
    /// read.
    pub(super) fn of_view(&mut self, filter: Option<&Filter>, range: Option<TimeRange>) {
        if let Some(filter) = filter {
            let target = Target {
                table: None,
                spans: &[],
                range,
            };
            let sql = condition(filter, &target);
            self.values.extend_from_slice(sql.values());
            self.sql.push(sql.text().to_owned().into());
        }
    }

    /// Buckets that touch the range.
    pub(super) fn buckets(&mut self, range: TimeRange) {
        let width = crate::rollup::BUCKET_NS;
        let from = range.from_unix_nano.div_euclid(width).saturating_mul(width);
        self.add(
            "bucket_start >= make_timestamp_ns(?) AND bucket_start < make_timestamp_ns(?)",
            [Value::BigInt(from), Value::BigInt(range.to_unix_nano)],
        );
    }

    /// Each must hold on a row of a public view `f`, or on its resource.
    pub(super) fn attributes_of_view(
        &mut self,
        wanted: &[AttributeFilter],
    ) -> Result<(), QueryError> {
        for wanted in wanted {
            let condition = AttributeCondition::new(wanted, false)?;
            let (own, of_resource) = (
                condition.sql("f.attributes"),
                condition.sql("f.resource_attributes"),
            );
            self.sql.push(format!("({own} OR {of_resource})").into());
            self.values.extend_from_slice(condition.values());
            self.values.extend_from_slice(condition.values());
        }
        Ok(())
    }

    /// `WHERE …` with a condition a line, or nothing.
    pub(super) fn listed(&self) -> String {
        if self.sql.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", self.sql.join("\n    AND "))
        }
    }

    /// `WHERE …`, or nothing.
    pub(super) fn filter_clause(&self) -> String {
        if self.sql.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", self.sql.join(" AND "))
        }
    }

    /// The values, in the order of their holes.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}

impl AttributeCondition {
    /// The filter as a condition on documents that are text (`is_text`) or VARIANT.
    pub(super) fn new(filter: &AttributeFilter, is_text: bool) -> Result<Self, QueryError> {
        let Some(comparison) = Comparison::of(&filter.value) else {
            return Err(QueryError::Invalid(
                "attributes compare with text, booleans and numbers only",
            ));
        };
        Ok(if is_text {
            comparison.on_text(filter)
        } else {
            comparison.on_variant(filter)
        })
    }

    /// SQL on the given column.
    pub(super) fn sql(&self, column: &str) -> String {
        self.sql.replace("{documents}", column)
    }

    /// The values, in the order of their holes.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}

enum Comparison {
    Text(String),
    Bool(bool),
    Number(f64),
}

impl Comparison {
    fn of(value: &AttributeValue) -> Option<Self> {
        match value {
            AttributeValue::String(text) => Some(Self::Text(text.clone())),
            AttributeValue::Bool(value) => Some(Self::Bool(*value)),
            AttributeValue::Int(value) => Some(Self::Number(*value as f64)),
            AttributeValue::Double(value) => Some(Self::Number(*value)),
            _ => None,
        }
    }

    /// Looks for the hot encoding's own bytes first, which needs no parsing, and parses only what has them.
    fn on_text(self, filter: &AttributeFilter) -> AttributeCondition {
        let mut needle = AttributesWriter::new();
        needle.begin_object();
        if needle.key(&filter.key) {
            match &self {
                Self::Text(text) => needle.string(text),
                Self::Bool(value) => needle.bool(*value),
                Self::Number(_) => {}
            }
        }
        let needle = Value::Text(needle.as_str()[1..].to_owned());
        let pointer = Value::Text(format!(
            "/{}",
            filter.key.replace('~', "~0").replace('/', "~1")
        ));
        match self {
            Self::Text(text) => AttributeCondition {
                sql: "(contains({documents}, ?) AND json_type({documents}, ?) = 'VARCHAR' \
                      AND json_extract_string({documents}, ?) = ?)",
                values: vec![needle, pointer.clone(), pointer, Value::Text(text)],
            },
            Self::Bool(value) => AttributeCondition {
                sql: "(contains({documents}, ?) AND json_type({documents}, ?) = 'BOOLEAN' \
                      AND json_extract_string({documents}, ?) = ?)",
                values: vec![
                    needle,
                    pointer.clone(),
                    pointer,
                    Value::Text(value.to_string()),
                ],
            },
            Self::Number(value) => AttributeCondition {
                sql: "(contains({documents}, ?) AND json_type({documents}, ?) IN ('BIGINT', 'UBIGINT', 'DOUBLE') \
                      AND TRY_CAST(json_extract_string({documents}, ?) AS DOUBLE) = ?)",
                values: vec![needle, pointer.clone(), pointer, Value::Double(value)],
            },
        }
    }

    /// As VARIANTs, where a text is no number and a map need not become text: see `filter::attributes`.
    fn on_variant(self, filter: &AttributeFilter) -> AttributeCondition {
        let key = Value::Text(filter.key.clone());
        match self {
            Self::Text(text) => AttributeCondition {
                sql: "(variant_extract({documents}, ?) = ?::VARCHAR::VARIANT)",
                values: vec![key, Value::Text(text)],
            },
            Self::Bool(value) => AttributeCondition {
                sql: "(variant_extract({documents}, ?) = ?::BOOLEAN::VARIANT)",
                values: vec![key, Value::Boolean(value)],
            },
            Self::Number(value) => AttributeCondition {
                sql: "(CASE WHEN variant_typeof(variant_extract({documents}, ?)) \
                      NOT SIMILAR TO '(VARCHAR|BOOL|OBJECT|ARRAY).*' \
                      THEN TRY_CAST(variant_extract({documents}, ?) AS DOUBLE) = ? END)",
                values: vec![key.clone(), key, Value::Double(value)],
            },
        }
    }
}
