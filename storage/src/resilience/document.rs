//! One value out of hot-encoded text, without parsing the rest of it.
//!
//! R8: a key has many spellings. Prometheus knows no dots, others write `circuitbreaker` or `circuitBreakerName`; so
//! two keys are one when they differ in separators and in case only. Only items that a rule knows already have their
//! keys looked up, so this costs the others nothing.

use serde_json::Value;

/// The value of `key` in an attribute map, else of the same key in another spelling. Finds the first member of that
/// name, however deep: recognised keys are long and dotted, and are not used inside other values.
pub(super) fn get(text: &str, key: &str) -> Option<Value> {
    exact(text, key).or_else(|| {
        let (_, value) = members_in(text).find(|(known, _)| is_spelling(known, key))?;
        first(value)
    })
}

/// The value of the first key that ends in `ending`, in any spelling, where a word begins:
/// `acme.circuit_breaker.state` ends in `circuit_breaker.state`.
pub(super) fn get_ending(text: &str, ending: &str) -> Option<Value> {
    let (_, value) = members_in(text).find(|(key, _)| ends_in(key, ending))?;
    first(value)
}

/// Whether two keys differ in separators and in case only.
pub(super) fn is_spelling(one: &str, other: &str) -> bool {
    fn letters(key: &str) -> impl Iterator<Item = u8> {
        key.bytes()
            .filter(|byte| !is_separator(char::from(*byte)))
            .map(|byte| byte.to_ascii_lowercase())
    }
    letters(one).eq(letters(other))
}

fn ends_in(key: &str, ending: &str) -> bool {
    // Backwards, once: a key may be a megabyte of dots.
    let mut rest = key.bytes().rev().peekable();
    let is_gap = |byte: &u8| is_separator(char::from(*byte));
    for wanted in ending.bytes().rev().filter(|byte| !is_gap(byte)) {
        while rest.next_if(is_gap).is_some() {}
        if !rest
            .next()
            .is_some_and(|byte| byte.eq_ignore_ascii_case(&wanted))
        {
            return false;
        }
    }
    rest.next().is_none_or(|byte| is_gap(&byte))
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | '_' | '-' | '/' | ' ')
}

fn exact(text: &str, key: &str) -> Option<Value> {
    let mut from = 0;
    while let Some(at) = text[from..].find(key) {
        let (start, end) = (from + at, from + at + key.len());
        let is_key = text[..start].ends_with("{\"") || text[..start].ends_with(",\"");
        match text[end..].strip_prefix("\":") {
            Some(value) if is_key => return first(value),
            _ => from = end,
        }
    }
    None
}

/// The members of all objects in a text: each key, and the text from its value on.
fn members_in(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("\":").filter_map(move |(end, _)| {
        let start = text[..end].rfind('"')? + 1;
        let before = text.as_bytes().get(start.checked_sub(2)?)?;
        matches!(before, b'{' | b',').then(|| (&text[start..end], &text[end + 2..]))
    })
}

/// The value a text begins with.
fn first(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text)
        .into_iter()
        .next()?
        .ok()
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

/// What a value may be compared as: its text and, of flags joined by commas, each of them (`UO,DC`); of a list each
/// element. Empty texts are left out.
pub(super) fn alternatives(value: &Value) -> Vec<String> {
    let mut all: Vec<String> = match value {
        Value::Array(elements) => elements.iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    };
    if let [whole] = all.as_slice()
        && whole.contains(',')
    {
        let flags: Vec<String> = whole
            .split(',')
            .map(|flag| flag.trim().to_owned())
            .collect();
        all.extend(flags);
    }
    all.retain(|text| !text.trim().is_empty());
    all
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
    fn a_key_is_found_in_its_other_spellings_and_its_own_comes_first() {
        let text = r#"{"circuit_breaker_state":"open","circuitBreakerName":"pay","x.y":1,"x_y":2}"#;
        assert_eq!(get(text, "circuit_breaker.state"), Some("open".into()));
        assert_eq!(get(text, "circuitbreaker.name"), Some("pay".into()));
        assert_eq!(get(text, "x_y"), Some(2.into()));
        assert_eq!(get(text, "circuit_breaker.stat"), None);
        assert_eq!(get(text, "breaker.state"), None);
        // What looks like a member inside a text is none.
        let quoted = r#"{"body":"{\"circuit_breaker_state\":\"open\"}"}"#;
        assert_eq!(get(quoted, "circuit_breaker.state"), None);
    }

    #[test]
    fn a_key_is_found_by_its_end_where_a_word_begins() {
        let text = r#"{"short_circuit_breaker.states":0,"acme.circuit_breaker.state":"open","acme_circuitbreaker_name":"pay"}"#;
        assert_eq!(
            get_ending(text, "circuit_breaker.state"),
            Some("open".into())
        );
        assert_eq!(get_ending(text, "circuit_breaker.name"), Some("pay".into()));
        assert_eq!(get_ending(text, "breaker.key"), None);
        assert_eq!(get_ending(r#"{"mystate":1}"#, "state"), None);
        assert_eq!(get_ending(r#"{"state":1}"#, "state"), Some(1.into()));
    }

    #[test]
    fn flags_are_compared_one_by_one() {
        assert_eq!(alternatives(&"UO".into()), ["UO"]);
        assert_eq!(alternatives(&"UO, DC".into()), ["UO, DC", "UO", "DC"]);
        assert_eq!(alternatives(&serde_json::json!(["UO", 7, ""])), ["UO", "7"]);
        assert!(alternatives(&"".into()).is_empty());
        assert!(alternatives(&Value::Null).is_empty());
    }

    #[test]
    fn values_that_are_no_plain_text_or_number_are_none() {
        assert_eq!(text(&Value::Null), None);
        assert_eq!(number(&Value::from("NaN")), None);
        assert_eq!(number(&Value::from(" 2.5 ")), Some(2.5));
    }
}
