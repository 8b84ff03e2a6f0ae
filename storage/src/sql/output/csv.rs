//! CSV after RFC 4180: a header, CRLF, quotes where needed; NULL is nothing, the empty text is `""`.
//!
//! Cells are neutralised: telemetry is written by strangers and opened in spreadsheets, where a text that
//! starts like a formula runs. Such a text gets an apostrophe before it; numbers stay numbers.

use arrow::record_batch::RecordBatch;

use super::{Column, json};

/// The header line.
pub(super) fn head(columns: &[Column]) -> Vec<u8> {
    let mut line = String::new();
    for (number, column) in columns.iter().enumerate() {
        if number > 0 {
            line.push(',');
        }
        cell(&mut line, &column.name);
    }
    line.push_str("\r\n");
    line.into_bytes()
}

/// One line.
pub(super) fn row(out: &mut Vec<u8>, columns: &[Column], batch: &RecordBatch, row: usize) {
    let mut line = String::new();
    let mut value = String::new();
    for number in 0..columns.len() {
        if number > 0 {
            line.push(',');
        }
        value.clear();
        json::value(&mut value, columns, batch, number, row);
        if value == "null" {
            continue;
        }
        let is_number = is_number(&columns[number].sql_type);
        match unquoted(&value) {
            Some(text) if is_number => line.push_str(&text),
            Some(text) => cell(&mut line, &text),
            // A number or a boolean, of a VARIANT too; lists and objects are texts.
            None if !value.starts_with(['[', '{']) => line.push_str(&value),
            None => cell(&mut line, &value),
        }
    }
    line.push_str("\r\n");
    out.extend_from_slice(line.as_bytes());
}

/// The text of a JSON string.
pub(super) fn unquoted(json: &str) -> Option<String> {
    if !json.starts_with('"') {
        None
    } else {
        serde_json::from_str(json).ok()
    }
}

fn is_number(sql_type: &str) -> bool {
    let name = sql_type.split('(').next().unwrap_or_default();
    matches!(
        name,
        "TINYINT"
            | "SMALLINT"
            | "INTEGER"
            | "BIGINT"
            | "HUGEINT"
            | "UTINYINT"
            | "USMALLINT"
            | "UINTEGER"
            | "UBIGINT"
            | "UHUGEINT"
            | "FLOAT"
            | "DOUBLE"
            | "DECIMAL"
            | "BIGNUM"
    ) && !sql_type.ends_with(']')
}

/// Appends a text cell: neutralised, quoted where needed.
pub fn cell(line: &mut String, text: &str) {
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let needs_quotes = text.is_empty()
        || is_formula
        || text.contains([',', '"', '\r', '\n'])
        || text.starts_with(' ')
        || text.ends_with(' ');
    if !needs_quotes {
        line.push_str(text);
        return;
    }
    line.push('"');
    if is_formula {
        line.push('\'');
    }
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut line = String::new();
        cell(&mut line, text);
        line
    }

    #[test]
    fn formulas_are_neutralised() {
        for text in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "＝1",
        ] {
            assert!(shown(text).starts_with("\"'"), "{text}");
        }
    }

    #[test]
    fn quotes_follow_rfc_4180() {
        assert_eq!(shown("plain"), "plain");
        assert_eq!(shown("a,b"), "\"a,b\"");
        assert_eq!(shown("say \"hi\"\r\n"), "\"say \"\"hi\"\"\r\n\"");
        assert_eq!(shown(""), "\"\"");
    }

    #[test]
    fn negative_numbers_stay_numbers() {
        assert!(is_number("BIGINT") && is_number("DECIMAL(18,3)"));
        assert!(
            !is_number("VARCHAR") && !is_number("INTEGER[]") && !is_number("STRUCT(a INTEGER)")
        );
    }
}
