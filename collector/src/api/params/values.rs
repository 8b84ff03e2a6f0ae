//! Values of parameters: ids, durations, attributes.

use tripline_storage::filter::{Measure, Quantity};
use tripline_storage::model::{AttributeFilter, AttributeValue};

use crate::api::problem::Problem;

/// An id of so many hex digits, in lower case.
pub fn hex_id(name: &str, text: &str, digits: usize) -> Result<String, Problem> {
    if text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Problem::parameter(
            name,
            format!("`{name}` has {digits} hex digits"),
        ))
    }
}

/// `100ms`, `1.5s`, `2 min`, in nanoseconds.
pub(super) fn duration_ns(text: &str) -> Option<i64> {
    let packed: String = text.split_whitespace().collect();
    let quantity = Quantity::parse(&packed)?;
    quantity
        .whole
        .filter(|ns| quantity.measure == Measure::Duration && *ns >= 0)
}

/// `key=value`: a bare number or `true` is one, `"500"` in quotes is text.
pub(super) fn attribute(text: &str) -> Result<AttributeFilter, Problem> {
    let Some((key, value)) = text
        .split_once('=')
        .filter(|(key, _)| !key.trim().is_empty())
    else {
        return Err(Problem::parameter(
            "attr",
            "`attr` is key=value, for example http.route=/cart",
        ));
    };
    let value = value.trim();
    let quoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let value = if let Some(text) = quoted {
        AttributeValue::String(text.to_owned())
    } else if let Ok(flag) = value.parse() {
        AttributeValue::Bool(flag)
    } else if let Ok(number) = value.parse() {
        AttributeValue::Int(number)
    } else if let Some(number) = value.parse::<f64>().ok().filter(|n| n.is_finite()) {
        AttributeValue::Double(number)
    } else {
        AttributeValue::String(value.to_owned())
    };
    Ok(AttributeFilter {
        key: key.trim().to_owned(),
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_filters_keep_the_kind_of_their_value() {
        let value = |text: &str| attribute(text).expect("readable").value;
        assert_eq!(value("a=5"), AttributeValue::Int(5));
        assert_eq!(value("a=\"5\""), AttributeValue::String("5".to_owned()));
        assert_eq!(value("a=true"), AttributeValue::Bool(true));
        assert_eq!(value("a=0.5"), AttributeValue::Double(0.5));
        assert_eq!(
            value("a=/cart?x=1"),
            AttributeValue::String("/cart?x=1".to_owned())
        );
        assert_eq!(duration_ns("1.5s"), Some(1_500_000_000));
        assert_eq!(duration_ns(" 2 min "), Some(120_000_000_000));
        for text in ["-1s", "10", "10kB", "fast", ""] {
            assert_eq!(duration_ns(text), None, "{text}");
        }
    }
}
