//! One value out of hot-encoded text, without parsing the rest of it.

use serde_json::Value;

/// The value of `key` in an attribute map. Finds the first member of that name, however deep: recognised keys
/// are long and dotted, and are not used inside other values.
pub(super) fn get(text: &str, key: &str) -> Option<Value> {
    let mut from = 0;
    while let Some(at) = text[from..].find(key) {
        let (start, end) = (from + at, from + at + key.len());
        let is_key = text[..start].ends_with("{\"") || text[..start].ends_with(",\"");
        match text[end..].strip_prefix("\":") {
            Some(value) if is_key => {
                return serde_json::Deserializer::from_str(value)
                    .into_iter()
                    .next()?
                    .ok();
            }
            _ => from = end,
        }
    }
    None
}

/// Text as a person would write it: a string bare, a number or boolean printed, nothing else.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A finite number; numbers in strings count.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// The members of a whole map.
pub(super) fn members(text: &str) -> serde_json::Map<String, Value> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_found_among_others() {
        let text = r#"{"a.b.c":1,"b.c":"x\"b.c","b.c.d":2,"s":"b.c"}"#;
        assert_eq!(get(text, "b.c"), Some(Value::from("x\"b.c")));
        assert_eq!(get(text, "b.c.d"), Some(Value::from(2)));
        assert_eq!(get(text, "c"), None);
        assert_eq!(get(text, "s"), Some(Value::from("b.c")));
    }

    #[test]
    fn values_that_are_no_plain_text_or_number_are_none() {
        assert_eq!(text(&Value::Null), None);
        assert_eq!(number(&Value::from("NaN")), None);
        assert_eq!(number(&Value::from(" 2.5 ")), Some(2.5));
    }
}
