//! JSON text as a tree, without recursion: an ordinary sum of fifty terms nests deeper than serde_json's fixed
//! limit, and the depth is bounded here by the caller's number. It reads what DuckDB wrote, so it need not find
//! every mistake: separators are skipped, not counted.

use serde_json::{Map, Value};

/// An array or object that is not closed yet, with the key the next value belongs to.
enum Open {
    Array(Vec<Value>),
    Object(Map<String, Value>, Option<String>),
}

/// The tree of `json`; `None` when it is no JSON or nests deeper than `depth_max`.
pub(super) fn read(json: &str, depth_max: usize) -> Option<Value> {
    let bytes = json.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let from = at;
        at += 1;
        let value = match bytes[from] {
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'{' | b'[' => {
                if open.len() >= depth_max {
                    return None;
                }
                open.push(if bytes[from] == b'{' {
                    Open::Object(Map::new(), None)
                } else {
                    Open::Array(Vec::new())
                });
                continue;
            }
            b'}' | b']' => match open.pop()? {
                Open::Array(values) => Value::Array(values),
                Open::Object(members, _) => Value::Object(members),
            },
            b'"' => {
                at = string_end(bytes, at)?;
                let text: String = serde_json::from_str(json.get(from..at)?).ok()?;
                if let Some(Open::Object(_, key @ None)) = open.last_mut() {
                    *key = Some(text);
                    continue;
                }
                Value::String(text)
            }
            _ => {
                while at < bytes.len() && !matches!(bytes[at], b',' | b'}' | b']' | b' ' | b'\n') {
                    at += 1;
                }
                serde_json::from_str(json.get(from..at)?).ok()?
            }
        };
        match open.last_mut() {
            None => return Some(value),
            Some(Open::Array(values)) => values.push(value),
            Some(Open::Object(members, key)) => {
                members.insert(key.take()?, value);
            }
        }
    }
    None
}

/// One past the closing quote.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_serde_json_reads() {
        for json in [
            r#"{"a":[1,-2.5,true,null,"x\"\\\u00e9"],"b":{"c":{}},"d":[]}"#,
            "[]",
            "{}",
            "5",
            r#""""#,
        ] {
            assert_eq!(read(json, 10), serde_json::from_str(json).ok(), "{json}");
        }
    }

    #[test]
    fn depth_is_bounded_and_broken_text_is_no_tree() {
        assert!(read(&"[".repeat(100), 50).is_none());
        assert!(read(&format!("{}{}", "[".repeat(50), "]".repeat(50)), 50).is_some());
        for json in ["", "{", "[1", "{\"a\"", "\"", "}", "{1:2}", "nul"] {
            assert!(read(json, 10).is_none(), "{json}");
        }
    }
}
