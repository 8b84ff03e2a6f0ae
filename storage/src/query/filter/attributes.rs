//! Comparisons with attributes, in the two forms they are kept in: hot text and sealed VARIANT.
//!
//! Kinds are kept apart: a number compares with numbers, text with text, `true` with booleans. Doubles that are not
//! finite are numbers, too, although they are kept as maps: infinity is more than any, NaN only differs from all.

use duckdb::types::Value;

use super::{Sql, sign, text_comparison};
use crate::attributes::escape_into;
use crate::filter::{Literal, Measure, Operator, Quantity, unit_ns};

/// A column of attribute maps.
pub(in crate::query) struct Documents {
    pub(in crate::query) column: &'static str,
    /// JSON pointer to the map within the column's text; empty where the column is the map.
    pub(in crate::query) inside: &'static str,
    pub(in crate::query) is_text: bool,
}

pub(super) fn comparison(
    documents: &Documents,
    key: &str,
    operator: Operator,
    value: &Literal,
    sql: &mut Sql,
) {
    documents.mentions(key, sql);
    compare(documents, key, operator, value, sql);
}

/// The comparison alone, of maps that are known to mention the key, or are too small to look.
///
/// DuckDB 2.0.0 fails, in spite of TRY_CAST, where a map with keys that differ only in case becomes text, and of AND it may
/// ask both sides. So equal VARIANTs are looked for, which takes half of the time of looking at each kind first (100 and
/// 190 ns a row), and for all else kinds come first, by CASE.
pub(super) fn compare(
    documents: &Documents,
    key: &str,
    operator: Operator,
    value: &Literal,
    sql: &mut Sql,
) {
    match value {
        Literal::Text(text) if !documents.is_text && operator == Operator::Equal => {
            documents.value(key, sql);
            sql.push(" = ");
            sql.bind(Value::Text(text.clone()));
            sql.push("::VARCHAR::VARIANT");
        }
        Literal::Bool(value) if !documents.is_text && operator == Operator::Equal => {
            documents.value(key, sql);
            sql.push(" = ");
            sql.bind(Value::Boolean(*value));
            sql.push("::BOOLEAN::VARIANT");
        }
        Literal::Text(text) => {
            sql.push("CASE WHEN ");
            documents.is_kind(key, ["= 'VARCHAR'", "= 'VARCHAR'"], sql);
            sql.push(" THEN ");
            text_comparison(|sql| documents.text(key, sql), operator, text, sql);
            sql.push(" END");
        }
        Literal::Bool(value) => {
            sql.push("CASE WHEN ");
            documents.is_kind(key, ["= 'BOOLEAN'", "LIKE 'BOOL%'"], sql);
            sql.push(" THEN ");
            documents.text(key, sql);
            sql.push(sign(operator));
            sql.bind(Value::Text(value.to_string()));
            sql.push(" END");
        }
        Literal::Number(text) => number(documents, key, operator, text, sql),
    }
}

/// Whole numbers compare exactly with whole numbers, all others as doubles.
fn number(documents: &Documents, key: &str, operator: Operator, text: &str, sql: &mut Sql) {
    let Some(quantity) = Quantity::parse(text) else {
        return sql.push("FALSE");
    };
    let amount = match quantity.measure {
        Measure::Duration => quantity.amount / unit_ns(key).unwrap_or(1.0),
        _ => quantity.amount,
    };
    let whole = match quantity.measure {
        Measure::Duration => {
            (amount.fract() == 0.0 && amount.abs() < 9e15).then_some(amount as i64)
        }
        _ => quantity.whole.filter(|whole| *whole as f64 == amount),
    };
    sql.push("CASE WHEN ");
    documents.is_kind(key, ["IN ('BIGINT', 'UBIGINT')", "LIKE '%INT%'"], sql);
    sql.push(" THEN ");
    match whole {
        Some(whole) => {
            sql.push("TRY_CAST(");
            documents.text(key, sql);
            sql.push(" AS HUGEINT)");
            sql.push(sign(operator));
            sql.bind(Value::BigInt(whole));
        }
        None => double(documents, key, operator, amount, sql),
    }
    sql.push(" WHEN ");
    documents.is_kind(key, ["= 'DOUBLE'", "IN ('DOUBLE', 'FLOAT')"], sql);
    sql.push(" THEN ");
    double(documents, key, operator, amount, sql);
    not_finite(documents, key, operator, sql);
    sql.push(" END");
}

/// The branch for values that are not finite, compared with a number, which always is. The whole value is compared,
/// not a part of it: a path that row groups have no column for makes them put every document together.
fn not_finite(documents: &Documents, key: &str, operator: Operator, sql: &mut Sql) {
    const INFINITY: &str = r#"{"$double":"Infinity"}"#;
    const NEGATIVE: &str = r#"{"$double":"-Infinity"}"#;
    const NAN: &str = r#"{"$double":"NaN"}"#;
    let fitting: &[&str] = match operator {
        Operator::Greater | Operator::GreaterOrEqual => &[INFINITY],
        Operator::Less | Operator::LessOrEqual => &[NEGATIVE],
        Operator::NotEqual => &[INFINITY, NEGATIVE, NAN],
        Operator::Equal | Operator::Matches | Operator::NotMatches => return,
    };
    sql.push(" WHEN ");
    documents.is_kind(key, ["= 'OBJECT'", "= 'OBJECT($double)'"], sql);
    sql.push(" THEN ");
    if documents.is_text {
        documents.text(key, sql);
    } else {
        documents.value(key, sql);
    }
    sql.push(" IN (");
    for (at, value) in fitting.iter().enumerate() {
        sql.push(if at == 0 { "" } else { ", " });
        sql.bind(Value::Text((*value).to_owned()));
        sql.push(if documents.is_text {
            ""
        } else {
            "::JSON::VARIANT"
        });
    }
    sql.push(")");
}

fn double(documents: &Documents, key: &str, operator: Operator, amount: f64, sql: &mut Sql) {
    sql.push("TRY_CAST(");
    documents.text(key, sql);
    sql.push(" AS DOUBLE)");
    sql.push(sign(operator));
    sql.bind(Value::Double(amount));
}

/// There with a value: the empty value is none, for VARIANT tells it from a missing key only by parsing the row.
pub(super) fn existence(documents: &Documents, key: &str, sql: &mut Sql) {
    documents.mentions(key, sql);
    has(documents, key, sql);
}

/// The same, of maps that are known to mention the key, or are too small to look.
pub(super) fn has(documents: &Documents, key: &str, sql: &mut Sql) {
    documents.is_kind(key, ["<> 'NULL'", "<> 'VARIANT_NULL'"], sql);
}

impl Documents {
    /// In hot text: the key's own bytes come first, which needs no parsing and leaves most rows out.
    pub(super) fn mentions(&self, key: &str, sql: &mut Sql) {
        if self.is_text {
            let mut needle = String::new();
            escape_into(&mut needle, key);
            needle.push(':');
            sql.push("contains(");
            sql.push(self.column);
            sql.push(", ");
            sql.bind(Value::Text(needle));
            sql.push(") AND ");
        }
    }

    /// The engine's word for the kind of the value; NULL when there is none.
    pub(in crate::query) fn kind(&self, key: &str, sql: &mut Sql) {
        if self.is_text {
            sql.push("json_type(");
            sql.push(self.column);
            sql.push(", ");
            sql.bind(self.pointer(key));
            sql.push(")");
        } else {
            sql.push("variant_typeof(");
            self.value(key, sql);
            sql.push(")");
        }
    }

    /// Whether the kind is this: `[in text, in VARIANT]`.
    fn is_kind(&self, key: &str, kinds: [&'static str; 2], sql: &mut Sql) {
        self.kind(key, sql);
        sql.push(" ");
        sql.push(kinds[usize::from(!self.is_text)]);
    }

    /// A JSON pointer to a member of the map.
    fn pointer(&self, key: &str) -> Value {
        let key = key.replace('~', "~0").replace('/', "~1");
        Value::Text(format!("{}/{key}", self.inside))
    }

    fn value(&self, key: &str, sql: &mut Sql) {
        sql.push("variant_extract(");
        sql.push(self.column);
        sql.push(", ");
        sql.bind(Value::Text(key.to_owned()));
        sql.push(")");
    }

    /// The value as text, if it is neither a map nor a list.
    pub(in crate::query) fn plain_text(&self, key: &str, sql: &mut Sql) {
        sql.push("CASE WHEN ");
        self.kind(key, sql);
        sql.push(" NOT SIMILAR TO '(OBJECT|ARRAY).*' THEN ");
        self.text(key, sql);
        sql.push(" END");
    }

    /// The value as text.
    pub(in crate::query) fn text(&self, key: &str, sql: &mut Sql) {
        if self.is_text {
            sql.push("json_extract_string(");
            sql.push(self.column);
            sql.push(", ");
            sql.bind(self.pointer(key));
            sql.push(")");
        } else {
            sql.push("TRY_CAST(");
            self.value(key, sql);
            sql.push(" AS VARCHAR)");
        }
    }
}

#[cfg(test)]
mod tests {
    use duckdb::{Connection, params_from_iter};

    use super::*;

    /// What is written of the attributes of rows `f` in one of their forms.
    fn of_form(is_text: bool, write: impl FnOnce(&Documents, &mut Sql)) -> Sql {
        let documents = Documents {
            column: "f.attributes",
            inside: "",
            is_text,
        };
        let mut sql = Sql::default();
        write(&documents, &mut sql);
        sql
    }

    #[test]
    fn a_map_whose_keys_differ_only_in_case_does_not_stop_a_filter() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        conn.execute_batch(
            r#"CREATE TABLE texts AS SELECT CASE i WHEN 7 THEN '{"key":{"a":1,"A":2}}' WHEN 8 THEN '{"key":true}'
                   ELSE '{"key":"v' || i || '"}' END AS attributes FROM range(20) t(i);
               CREATE TABLE variants AS SELECT attributes::JSON::VARIANT AS attributes FROM texts;"#,
        )
        .expect("tables");
        let count = |is_text: bool, operator: Operator, value: &Literal| -> u64 {
            let sql = of_form(is_text, |documents, sql| {
                comparison(documents, "key", operator, value, sql);
            });
            let table = if is_text { "texts" } else { "variants" };
            let asked = format!(
                "SELECT count(*) FROM {table} f WHERE coalesce(({}), FALSE)",
                sql.text()
            );
            conn.query_row(&asked, params_from_iter(sql.values()), |row| row.get(0))
                .unwrap_or_else(|error| panic!("{asked}: {error}"))
        };
        let text = |text: &str| Literal::Text(text.to_owned());
        for is_text in [true, false] {
            assert_eq!(count(is_text, Operator::Equal, &text("v3")), 1);
            assert_eq!(count(is_text, Operator::NotEqual, &text("v3")), 17);
            assert_eq!(count(is_text, Operator::NotMatches, &text("v1")), 7);
            assert_eq!(count(is_text, Operator::Equal, &Literal::Bool(true)), 1);
            assert_eq!(count(is_text, Operator::NotEqual, &Literal::Bool(false)), 1);
            assert_eq!(count(is_text, Operator::Equal, &text("true")), 0);
        }
    }

    #[test]
    fn numbers_that_are_not_finite_compare_as_numbers_do() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        let mut writer = crate::attributes::AttributesWriter::new();
        conn.execute_batch("CREATE TABLE texts (name VARCHAR, attributes VARCHAR)")
            .expect("a table");
        for (name, value) in [
            ("five", 5.0),
            ("infinity", f64::INFINITY),
            ("negative", f64::NEG_INFINITY),
            ("nan", f64::NAN),
        ] {
            writer.clear();
            writer.begin_object();
            assert!(writer.key("key"));
            writer.double(value);
            writer.end();
            conn.execute("INSERT INTO texts VALUES (?, ?)", [name, writer.as_str()])
                .expect("a row");
        }
        conn.execute_batch(
            r#"INSERT INTO texts VALUES ('text', '{"key":"Infinity"}'), ('odd', '{"key":{"a":1,"A":2}}'),
                   ('map', '{"key":{"$kvlist":{"$double":"Infinity"}}}');
               CREATE TABLE variants AS SELECT name, attributes::JSON::VARIANT AS attributes FROM texts;"#,
        )
        .expect("tables");
        for (operator, number, expected) in [
            (Operator::Greater, "4", "five infinity"),
            (Operator::GreaterOrEqual, "1e300", "infinity"),
            (Operator::Less, "5", "negative"),
            (Operator::LessOrEqual, "5", "five negative"),
            (Operator::Equal, "5", "five"),
            (Operator::NotEqual, "5", "infinity nan negative"),
        ] {
            for is_text in [true, false] {
                let literal = Literal::Number(number.to_owned());
                let sql = of_form(is_text, |documents, sql| {
                    comparison(documents, "key", operator, &literal, sql);
                });
                let table = if is_text { "texts" } else { "variants" };
                let asked = format!(
                    "SELECT string_agg(name, ' ' ORDER BY name) FROM {table} f WHERE coalesce(({}), FALSE)",
                    sql.text()
                );
                let found: String = conn
                    .query_row(&asked, params_from_iter(sql.values()), |row| row.get(0))
                    .unwrap_or_else(|error| panic!("{asked}: {error}"));
                assert_eq!(found, expected, "{operator:?} {number}, is_text: {is_text}");
            }
        }
    }

    #[test]
    fn what_is_offered_of_a_key_is_no_map_and_no_list() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        for is_text in [true, false] {
            let sql = of_form(is_text, |documents, sql| documents.plain_text("key", sql));
            let cast = if is_text { "JSON" } else { "JSON::VARIANT" };
            let asked = format!(
                r#"SELECT string_agg({}, ' ') FROM (SELECT v::{cast} AS attributes FROM (VALUES
                   ('{{"key":"text"}}'), ('{{"key":{{"a":1,"A":2}}}}'), ('{{"key":[{{"a":1,"A":2}}]}}'), ('{{"key":7}}')) v(v)) f"#,
                sql.text()
            );
            let shown: String = conn
                .query_row(&asked, params_from_iter(sql.values()), |row| row.get(0))
                .unwrap_or_else(|error| panic!("{asked}: {error}"));
            assert_eq!(shown, "text 7");
        }
    }
}
