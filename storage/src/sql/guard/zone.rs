//! Times in texts whose zone the engine would leave out.
//!
//! DuckDB 2.0.0 reads `'2026-01-01T00:00:00+02:00'` as midnight UTC wherever it makes a TIMESTAMP of it, and says
//! nothing. Such a text is refused where that shows in the statement: in a cast, and beside a time in a comparison or
//! a call. Beside anything else it is a text, and as good as any.

use serde_json::Value;

use super::node::{Object, path, text};
use crate::sql::schema_docs::is_column;

/// Types a text becomes without its zone.
const TIMESTAMPS: &[&str] = &[
    "timestamp",
    "timestamp_ns",
    "timestamp_us",
    "timestamp_ms",
    "timestamp_s",
    "datetime",
];
/// Functions that answer a time.
const TIMES: &[&str] = &[
    "now",
    "ago",
    "current_timestamp",
    "get_current_timestamp",
    "make_timestamp",
    "make_timestamp_ns",
];
/// Functions that answer a time where they are given one.
const OF_TIMES: &[&str] = &[
    "min",
    "max",
    "first",
    "last",
    "any_value",
    "lag",
    "lead",
    "greatest",
    "least",
    "date_trunc",
    "time_bucket",
    "+",
    "-",
];
/// Zones that are UTC, by name.
const UTC: &[&str] = &["z", "utc", "gmt", "etc/utc"];

/// The reason to refuse a node: a text directly under it that would lose its zone there.
pub(super) fn lost(node: &Object) -> Option<String> {
    let operands = operands(node);
    let (found, zone) = operands
        .iter()
        .filter_map(|operand| constant(operand))
        .find_map(|found| Some((found, zone_of(found)?)))?;
    let becomes_time = match text(node, "class") {
        "CAST" => is_timestamp(node),
        _ => operands.iter().any(|operand| is_time(operand)),
    };
    let offset = zone.starts_with(['+', '-']);
    becomes_time.then(|| {
        let instead = if offset {
            format!(", or (TIMESTAMPTZ '{found}')::TIMESTAMP")
        } else {
            String::new()
        };
        format!(
            "'{found}' would be read without its zone {zone}: write the time in UTC with Z{instead}"
        )
    })
}

/// What a node compares, converts, or is called with.
fn operands(node: &Object) -> Vec<&Value> {
    let alone = ["child", "left", "right", "input", "lower", "upper"]
        .into_iter()
        .filter_map(|key| node.get(key));
    let lists = ["children", "arguments"]
        .into_iter()
        .filter_map(|key| node.get(key)?.as_array())
        .flatten()
        .map(|operand| operand.get("expression").unwrap_or(operand));
    alone.chain(lists).collect()
}

/// The text of a constant.
fn constant(value: &Value) -> Option<&str> {
    let literal = value.get("literal")?;
    (literal["kind"] == "STRING")
        .then(|| literal["text"].as_str())
        .flatten()
}

fn is_timestamp(cast: &Object) -> bool {
    let named = cast
        .get("type_expr")
        .and_then(Value::as_object)
        .map(|named| path(named, "type_name"));
    matches!(named.as_deref(), Some([name]) if TIMESTAMPS.contains(&name.as_str()))
}

/// Whether an expression is a time for sure.
fn is_time(value: &Value) -> bool {
    let Some(node) = value.as_object() else {
        return false;
    };
    let is_of_times = || operands(node).into_iter().any(is_time);
    match text(node, "class") {
        "COLUMN_REF" => is_time_column(node),
        "CAST" => is_timestamp(node),
        "OPERATOR" => text(node, "type") == "OPERATOR_COALESCE" && is_of_times(),
        "FUNCTION" | "WINDOW" => {
            let name = path(node, "function_name").pop().unwrap_or_default();
            let name = name.as_str();
            TIMES.contains(&name) || (OF_TIMES.contains(&name) && is_of_times())
        }
        _ => false,
    }
}

/// Whether a reference has the name of a public time, and is no attribute of that name.
fn is_time_column(reference: &Object) -> bool {
    let names: Vec<String> = reference
        .get("column_names")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|name| name.as_str().unwrap_or_default().to_lowercase())
        .collect();
    let Some((name, before)) = names.split_last() else {
        return false;
    };
    let is_public = is_column(name, "TIMESTAMP_NS") || TIMES.contains(&name.as_str());
    is_public && !before.iter().any(|part| is_column(part, "VARIANT"))
}

/// The zone a text ends with, if it is a date and a time in one other than UTC.
fn zone_of(text: &str) -> Option<&str> {
    let clock = text
        .trim()
        .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '/'))
        .strip_prefix(['T', ' '])?
        .trim_start();
    let zone = clock
        .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ':' | '.'))
        .trim_start();
    let is_dated = text.trim().starts_with(|c: char| c.is_ascii_digit())
        && clock.starts_with(|c: char| c.is_ascii_digit());
    let is_utc = match zone.strip_prefix(['+', '-']) {
        Some(offset) => offset.chars().all(|c| matches!(c, '0' | ':')),
        None => UTC.contains(&zone.to_lowercase().as_str()),
    };
    let is_zone = !zone.is_empty()
        && zone
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | ':' | '/' | '_'));
    (is_dated && is_zone && !is_utc).then_some(zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_told_from_utc_and_from_text() {
        for (text, zone) in [
            ("2026-01-01T00:00:00+02:00", Some("+02:00")),
            ("2026-01-01 00:00:00.123456789-0330", Some("-0330")),
            (" 2026/1/1 0:00 +02 ", Some("+02")),
            ("2026-01-01 00:00:00 Europe/Berlin", Some("Europe/Berlin")),
            ("2026-01-01 11:00:00 PM", Some("PM")),
            ("2026-01-01T00:00:00Z", None),
            ("2026-01-01T00:00:00+00:00", None),
            ("2026-01-01T00:00:00-00", None),
            ("2026-01-01 00:00:00 utc", None),
            ("2026-01-01 00:00:00", None),
            ("2026-01-01", None),
            ("2026-01-01 and so on", None),
            ("2026-01-01 5 parcels, sent", None),
            ("GET /a+02:00", None),
            ("", None),
            ("Ünï T1+2", None),
        ] {
            assert_eq!(zone_of(text), zone, "{text}");
        }
    }
}
