//! The body of a log record: a text, which may be JSON or logfmt.
//!
//! Many write their fields into the line that they log: `{"msg":"breaker state change","name":"pay"}`, `msg="breaker state
//! change" name=pay`. Their members are then read like attributes. Only records that a rule was found in are asked for
//! them, so other lines cost nothing; a line is taken apart once, up to a bound.

use std::cell::OnceCell;

use serde_json::{Map, Value};

/// The longest body that is taken apart, bytes: lines about one event are short.
const BYTES_MAX: usize = 4 * 1024;
/// The most members that are read of one.
const MEMBERS_MAX: usize = 64;
/// Where logging libraries put the fields of a record: `tracing-subscriber`; log4j, Zap and Winston by habit; Serilog;
/// .NET's console; Monolog.
const WITHIN: [&str; 6] = [
    "fields",
    "attributes",
    "properties",
    "Properties",
    "State",
    "context",
];

/// A body, and its members once somebody asked for them.
#[derive(Debug, Default)]
pub(super) struct Body<'a> {
    text: &'a str,
    members: OnceCell<Option<String>>,
}

impl<'a> Body<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text,
            members: OnceCell::new(),
        }
    }

    /// All of it.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Its plain members, encoded as attributes are; none where it is neither JSON nor logfmt.
    pub(super) fn members(&self) -> Option<&str> {
        self.members.get_or_init(|| encoded(self.text)).as_deref()
    }
}

fn encoded(text: &str) -> Option<String> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let members = json(text).unwrap_or_else(|| logfmt(text));
    (!members.is_empty()).then(|| Value::Object(members).to_string())
}

/// The members of an object that a text is, or ends with: some write a sentence and its fields behind it. Those of the
/// object itself come before those of the objects where libraries put fields.
fn json(text: &str) -> Option<Map<String, Value>> {
    let text = text.trim_end();
    let start = text.find('{').filter(|_| text.ends_with('}'))?;
    let Ok(Value::Object(all)) = serde_json::from_str(&text[start..]) else {
        return None;
    };
    let (mut members, mut within) = (Map::new(), Map::new());
    for (key, value) in all {
        match value {
            Value::Object(fields) if WITHIN.contains(&key.as_str()) => within.extend(fields),
            value => add(&mut members, key, value),
        }
    }
    for (key, value) in within {
        add(&mut members, key, value);
    }
    Some(members)
}

/// `key=value` wherever it stands as a word, quoted or not.
fn logfmt(text: &str) -> Map<String, Value> {
    let mut members = Map::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        let gap = before.trim_end_matches(is_of_key);
        let key = &before[gap.len()..];
        let is_word = gap.is_empty() || gap.ends_with(is_gap);
        let (value, next) = value(after);
        if is_word && !key.is_empty() && !value.is_empty() {
            add(&mut members, key.to_owned(), Value::String(value));
        }
        rest = next;
    }
    members
}

fn is_of_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '@' | '/')
}

fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | '(' | '[')
}

/// What a text begins with as a value, and the text behind it.
fn value(text: &str) -> (String, &str) {
    let quote = text.chars().next();
    let Some(quote) = quote.filter(|first| matches!(first, '"' | '\'' | '`')) else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (
            value.trim_end_matches([',', ';', ')', ']']).to_owned(),
            rest,
        );
    };
    let mut value = String::new();
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\\' if !is_escaped => is_escaped = true,
            _ if c == quote && !is_escaped => return (value, &text[at + c.len_utf8()..]),
            _ => {
                value.push(c);
                is_escaped = false;
            }
        }
    }
    (value, "")
}

/// Adds a plain value; the first of a name stays.
fn add(members: &mut Map<String, Value>, key: String, value: Value) {
    let is_plain = matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_));
    if is_plain && members.len() < MEMBERS_MAX {
        members.entry(key).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(text: &str) -> Value {
        let body = Body::of(text);
        body.members().map_or(Value::Null, |members| {
            serde_json::from_str(members).expect("JSON")
        })
    }

    #[test]
    fn members_are_read_as_each_library_writes_them() {
        let pay = json!({"name": "pay", "to": "open"});
        for text in [
            r#"{"name":"pay","to":"open"}"#,
            r#" { "name": "pay", "to": "open", "at": null, "more": {"to": "closed"}, "all": [1] } "#,
            r#"{"to":"open","fields":{"name":"pay","to":"closed"}}"#,
            "WARN\tbreaker state change\t{\"name\": \"pay\", \"to\": \"open\"}",
            "name=pay to=open",
            r#"name="pay" to='open'"#,
            "breaker state change (name=pay, to=open)",
            "breaker state change: name=pay, to=open; service{to=closed} ?to=closed to=closed",
        ] {
            assert_eq!(members(text), pay, "{text}");
        }
        assert_eq!(
            members(r#"msg="a \"b\" = c\\" n=1 e= u="open"#),
            json!({"msg": r#"a "b" = c\"#, "n": "1", "u": "open"})
        );
        assert_eq!(members(r#"{"n":2,"is":true}"#), json!({"n": 2, "is": true}));
    }

    #[test]
    fn what_has_no_members_or_too_many_has_a_bound() {
        for text in ["", "a sentence", "a == b", "{", "{}", "[1]", "é=ü"] {
            assert_eq!(members(text), Value::Null, "{text}");
        }
        let long = format!("name=pay {}", "x".repeat(BYTES_MAX));
        assert_eq!(members(&long), Value::Null);
        let many: String = (0..200).map(|n| format!("k{n}=v ")).collect();
        assert_eq!(members(&many).as_object().map(Map::len), Some(MEMBERS_MAX));
    }
}
