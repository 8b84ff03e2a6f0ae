//! JSON documents, NDJSON lines, and JSON inside of JSON.

use std::collections::HashSet;

use arrow::record_batch::RecordBatch;

use super::{Column, Ending, cell};
use crate::attributes::escape_into;

/// Up to the first row.
pub(super) fn head(columns: &[Column]) -> Vec<u8> {
    let mut text = String::from("{\"columns\":[");
    for (number, column) in columns.iter().enumerate() {
        text.push_str(if number > 0 {
            ",{\"name\":"
        } else {
            "{\"name\":"
        });
        escape_into(&mut text, &column.name);
        text.push_str(",\"type\":");
        escape_into(&mut text, &column.sql_type);
        text.push('}');
    }
    text.push_str("],\"rows\":[");
    text.into_bytes()
}

/// One row as an array.
pub(super) fn row(out: &mut Vec<u8>, columns: &[Column], batch: &RecordBatch, row: usize) {
    let mut text = String::from("[");
    for number in 0..columns.len() {
        if number > 0 {
            text.push(',');
        }
        value(&mut text, columns, batch, number, row);
    }
    text.push(']');
    out.extend_from_slice(text.as_bytes());
}

/// After the last row.
pub(super) fn tail(out: &mut Vec<u8>, ending: Ending) {
    let Ending { truncated, elapsed } = ending;
    out.extend_from_slice(
        format!(
            "],\"truncated\":{truncated},\"elapsed_ms\":{}}}",
            elapsed.as_millis()
        )
        .as_bytes(),
    );
}

/// The columns' names made unique, for formats that find values by them: `n`, `n_1`, …
pub(super) fn keys(columns: &[Column]) -> Vec<String> {
    let mut taken = HashSet::new();
    columns
        .iter()
        .map(|column| {
            let mut key = column.name.clone();
            let mut number = 0;
            while !taken.insert(key.clone()) {
                number += 1;
                key = format!("{}_{number}", column.name);
            }
            key
        })
        .collect()
}

/// One row as an object on a line of its own.
pub(super) fn object_row(
    out: &mut Vec<u8>,
    columns: &[Column],
    keys: &[String],
    batch: &RecordBatch,
    row: usize,
) {
    let mut text = String::from("{");
    for (number, key) in keys.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        escape_into(&mut text, key);
        text.push(':');
        value(&mut text, columns, batch, number, row);
    }
    text.push_str("}\n");
    out.extend_from_slice(text.as_bytes());
}

/// One value of a row.
pub(super) fn value(
    text: &mut String,
    columns: &[Column],
    batch: &RecordBatch,
    column: usize,
    row: usize,
) {
    let schema = batch.schema_ref();
    let field = schema.field(column);
    if columns[column].is_json() {
        cell::write(
            text,
            batch.column(column).as_ref(),
            &cell::as_json(field),
            row,
        );
    } else {
        cell::write(text, batch.column(column).as_ref(), field, row);
    }
}

/// Appends JSON as DuckDB writes it, with numbers under the same rules as columns: integers beyond 2^53 and
/// what is no JSON number (`NaN`, `inf`) as strings.
pub(super) fn embed(text: &mut String, json: &str) {
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let from = at;
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                text.push_str(json.get(from..at).unwrap_or("\""));
            }
            b'{' | b'}' | b'[' | b']' | b',' | b':' => {
                text.push(char::from(bytes[at]));
                at += 1;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => {
                while at < bytes.len()
                    && !matches!(bytes[at], b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"')
                    && !bytes[at].is_ascii_whitespace()
                {
                    at += 1;
                }
                scalar(text, &json[from..at]);
            }
        }
    }
}

fn scalar(text: &mut String, token: &str) {
    let digits = token.strip_prefix('-').unwrap_or(token);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_exact = digits.len() < 16 || digits.parse::<u64>().is_ok_and(|value| value <= 1 << 53);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && token.parse::<f64>().is_ok_and(f64::is_finite);
    match token {
        "true" | "false" | "null" => text.push_str(token),
        "NaN" | "nan" | "-nan" => text.push_str("\"NaN\""),
        "Infinity" | "inf" => text.push_str("\"Infinity\""),
        "-Infinity" | "-inf" => text.push_str("\"-Infinity\""),
        _ if is_integer && is_exact => text.push_str(token),
        _ if !is_integer && is_number => text.push_str(token),
        _ => escape_into(text, token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_json_follows_the_rules_of_columns() {
        let mut text = String::new();
        embed(
            &mut text,
            r#"{"a" : 9007199254740993, "b":NaN,"c":[-1.50,true,null,"x\"9007199254740993"],"d":9007199254740992,"e":-inf}"#,
        );
        assert_eq!(
            text,
            r#"{"a":"9007199254740993","b":"NaN","c":[-1.50,true,null,"x\"9007199254740993"],"d":9007199254740992,"e":"-Infinity"}"#
        );
    }

    #[test]
    fn equal_names_become_different_keys() {
        let columns: Vec<Column> = ["n", "n", "n_1", "n"].map(Column::text).into();
        assert_eq!(keys(&columns), ["n", "n_1", "n_1_1", "n_2"]);
    }
}
