//! The hot encoding of attribute values: JSON text that keeps all eight `AnyValue` kinds apart.
//!
//! JSON has no bytes, no non-finite doubles and one kind of number, so:
//!
//! | kind   | text |
//! |--------|------|
//! | string | `"…"` |
//! | bool   | `true` / `false` |
//! | int64  | `5` (never a point or an exponent) |
//! | double | `5.0`, `1e300` (always a point or an exponent), `-0.0` |
//! | double, not finite | `{"$double":"NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | bytes  | `{"$bytes":"<lower-case hex>"}` |
//! | array  | `[…]` |
//! | kvlist | `{…}`; one whose first key starts with `$` is wrapped as `{"$kvlist":{…}}` |
//! | empty  | `null` |
//!
//! The same text cast to JSON and then to VARIANT is the sealed form; a test proves both equal.
//! A duplicate key keeps its first value (`OTLP.md` C02: pick one, be stable).

use std::fmt::Write as _;

/// Writes one attribute map (or one value) as hot-encoded JSON text.
#[derive(Default)]
pub struct AttributesWriter {
    text: String,
    /// Byte ranges of the keys written at each open object level, to keep the first of duplicates.
    levels: Vec<Level>,
}

#[derive(Default)]
struct Level {
    is_object: bool,
    count: usize,
    keys: Vec<(usize, usize)>,
}

impl AttributesWriter {
    /// An empty writer. Reuse it across rows with [`Self::clear`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was written, keeps the buffers.
    pub fn clear(&mut self) {
        self.text.clear();
        self.levels.clear();
    }

    /// The text written so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Starts an object (a kvlist, or the attribute map itself).
    pub fn begin_object(&mut self) {
        self.separate();
        self.text.push('{');
        self.levels.push(Level { is_object: true, ..Level::default() });
    }

    /// Starts an array.
    pub fn begin_array(&mut self) {
        self.separate();
        self.text.push('[');
        self.levels.push(Level::default());
    }

    /// Ends the innermost object or array.
    pub fn end(&mut self) {
        let level = self.levels.pop().expect("end() pairs with a begin_*()");
        self.text.push(if level.is_object { '}' } else { ']' });
    }

    /// Writes a key of the innermost object. Answers `false` when the key was already there: then
    /// write no value for it.
    #[must_use]
    pub fn key(&mut self, key: &str) -> bool {
        let level = self.levels.last().expect("key() needs an open object");
        let start = self.text.len();
        let comma = level.count > 0;
        if comma {
            self.text.push(',');
        }
        let key_start = self.text.len();
        escape_into(&mut self.text, key);
        let key_end = self.text.len();
        let duplicate = {
            let written = &self.text[key_start..key_end];
            level.keys.iter().any(|&(s, e)| &self.text[s..e] == written)
        };
        if duplicate {
            self.text.truncate(start);
            return false;
        }
        self.text.push(':');
        let level = self.levels.last_mut().expect("checked above");
        level.count += 1;
        level.keys.push((key_start, key_end));
        true
    }

    /// A string value.
    pub fn string(&mut self, value: &str) {
        self.separate();
        escape_into(&mut self.text, value);
    }

    /// A boolean value.
    pub fn bool(&mut self, value: bool) {
        self.separate();
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// A 64-bit signed integer value.
    pub fn int(&mut self, value: i64) {
        self.separate();
        let _ = write!(self.text, "{value}");
    }

    /// A double, non-finite values included.
    pub fn double(&mut self, value: f64) {
        self.separate();
        if value.is_nan() {
            self.text.push_str(r#"{"$double":"NaN"}"#);
        } else if value.is_infinite() {
            let sign = if value > 0.0 { "" } else { "-" };
            let _ = write!(self.text, r#"{{"$double":"{sign}Infinity"}}"#);
        } else {
            // Debug keeps a point or an exponent, and the sign of -0.0.
            let _ = write!(self.text, "{value:?}");
        }
    }

    /// Bytes, as lower-case hex.
    pub fn bytes(&mut self, value: &[u8]) {
        self.separate();
        self.text.push_str(r#"{"$bytes":""#);
        for byte in value {
            let _ = write!(self.text, "{byte:02x}");
        }
        self.text.push_str("\"}");
    }

    /// The empty value.
    pub fn empty(&mut self) {
        self.separate();
        self.text.push_str("null");
    }

    /// A comma before an array's next element; object values are separated by their keys.
    fn separate(&mut self) {
        if let Some(level) = self.levels.last_mut()
            && !level.is_object
        {
            if level.count > 0 {
                self.text.push(',');
            }
            level.count += 1;
        }
    }
}

/// Appends `value` as a JSON string with its quotes.
pub fn escape_into(text: &mut String, value: &str) {
    text.push('"');
    let mut from = 0;
    for (at, byte) in value.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        text.push_str(&value[from..at]);
        from = at + 1;
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            control => {
                let _ = write!(text, "\\u{control:04x}");
            }
        }
    }
    text.push_str(&value[from..]);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_text() {
        let mut w = AttributesWriter::new();
        w.begin_object();
        assert!(w.key("a\"b"));
        w.string("x\ny");
        assert!(w.key("i"));
        w.int(i64::MIN);
        assert!(w.key("d"));
        w.double(1.0);
        assert!(w.key("z"));
        w.double(-0.0);
        assert!(w.key("n"));
        w.double(f64::NAN);
        assert!(w.key("b"));
        w.bytes(&[0, 255]);
        assert!(w.key("e"));
        w.empty();
        assert!(w.key("l"));
        w.begin_array();
        w.bool(true);
        w.int(2);
        w.end();
        assert!(!w.key("i"), "a duplicate key keeps its first value");
        w.end();
        assert_eq!(
            w.as_str(),
            r#"{"a\"b":"x\ny","i":-9223372036854775808,"d":1.0,"z":-0.0,"n":{"$double":"NaN"},"b":{"$bytes":"00ff"},"e":null,"l":[true,2]}"#
        );
    }
}
