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
//! A duplicate key keeps its first value (`CONFORMANCE.md` C02: pick one, be stable).

use std::fmt::Write as _;

/// Writes one attribute map (or one value) as hot-encoded JSON text.
#[derive(Debug, Default)]
pub struct AttributesWriter {
    text: String,
    /// Open objects and arrays, innermost last.
    levels: Vec<Level>,
    /// Keys of all open objects, innermost last: one stack, so that a level costs no allocation.
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Level {
    is_object: bool,
    /// Whether it has a member already, so that the next one needs a comma.
    has_members: bool,
    /// Where its keys begin in [`AttributesWriter::keys`].
    keys_from: usize,
}

/// A key as written (quotes and escapes included), with a hash that settles most comparisons.
#[derive(Debug)]
struct Key {
    hash: u64,
    start: usize,
    end: usize,
}

/// Mixes length, first and last eight bytes: attribute keys differ there (`http.request.method`,
/// `http.response.status_code`), and equal hashes are compared in full anyway.
fn key_hash(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let word = |from: usize| {
        let mut word = [0_u8; 8];
        let part = &bytes[from..bytes.len().min(from + 8)];
        word[..part.len()].copy_from_slice(part);
        u64::from_le_bytes(word)
    };
    let (first, last) = (word(0), word(bytes.len().saturating_sub(8)));
    (first ^ last.rotate_left(29) ^ bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
        self.keys.clear();
    }

    /// The text written so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Starts an object (a kvlist, or the attribute map itself).
    pub fn begin_object(&mut self) {
        self.begin(true);
    }

    /// Starts an array.
    pub fn begin_array(&mut self) {
        self.begin(false);
    }

    fn begin(&mut self, is_object: bool) {
        self.separate();
        self.text.push(if is_object { '{' } else { '[' });
        self.levels.push(Level {
            is_object,
            has_members: false,
            keys_from: self.keys.len(),
        });
    }

    /// Ends the innermost object or array.
    pub fn end(&mut self) {
        let level = self.levels.pop().expect("end() pairs with a begin_*()");
        self.keys.truncate(level.keys_from);
        self.text.push(if level.is_object { '}' } else { ']' });
    }

    /// Writes a key of the innermost object. Answers `false` when the key was already there: then
    /// write no value for it.
    #[must_use]
    pub fn key(&mut self, key: &str) -> bool {
        let level = self.levels.last_mut().expect("key() needs an open object");
        let from = self.text.len();
        if level.has_members {
            self.text.push(',');
        }
        let start = self.text.len();
        escape_into(&mut self.text, key);
        let end = self.text.len();
        let hash = key_hash(key);
        let written = &self.text[start..end];
        let duplicate = self.keys[level.keys_from..]
            .iter()
            .any(|key| key.hash == hash && &self.text[key.start..key.end] == written);
        if duplicate {
            self.text.truncate(from);
            return false;
        }
        level.has_members = true;
        self.keys.push(Key { hash, start, end });
        self.text.push(':');
        true
    }

    /// Writes a key known not to be there yet (a fixed one of ours): no look for duplicates, no escapes.
    pub fn fixed_key(&mut self, key: &'static str) {
        let level = self
            .levels
            .last_mut()
            .expect("fixed_key() needs an open object");
        self.text
            .push_str(if level.has_members { ",\"" } else { "\"" });
        level.has_members = true;
        self.text.push_str(key);
        self.text.push_str("\":");
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
        if value < 0 {
            self.text.push('-');
        }
        push_decimal(&mut self.text, value.unsigned_abs());
    }

    /// An unsigned number of our own (a time, a count); attribute values are never unsigned.
    pub fn unsigned(&mut self, value: u64) {
        self.separate();
        push_decimal(&mut self.text, value);
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
        push_hex(&mut self.text, value);
        self.text.push_str("\"}");
    }

    /// Bytes of our own (an id) as a lower-case hex string.
    pub fn hex(&mut self, value: &[u8]) {
        self.separate();
        self.text.push('"');
        push_hex(&mut self.text, value);
        self.text.push('"');
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
            if level.has_members {
                self.text.push(',');
            }
            level.has_members = true;
        }
    }
}

/// Appends decimal digits; `write!` costs several times as much, and numbers are frequent.
fn push_decimal(text: &mut String, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.push_str(std::str::from_utf8(&digits[at..]).expect("digits are ASCII"));
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is below 16"));
        }
    }
}

/// How many leading bytes are neither control, quote nor backslash (what JSON strings escape): eight at a time, then
/// one by one.
pub fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The usual trick: a byte is zero where subtracting one borrows and its high bit was clear.
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("a chunk has eight bytes"));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let quote = has_zero(word ^ (ONES * u64::from(b'"')));
        let backslash = has_zero(word ^ (ONES * u64::from(b'\\')));
        if control | quote | backslash != 0 {
            break;
        }
        at += 8;
    }
    let needs_escape = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    at + bytes[at..]
        .iter()
        .position(needs_escape)
        .unwrap_or(bytes.len() - at)
}

/// Appends `value` as a JSON string with its quotes.
pub fn escape_into(text: &mut String, value: &str) {
    text.push('"');
    let mut rest = value;
    loop {
        let plain = plain_prefix(rest.as_bytes());
        text.push_str(&rest[..plain]);
        let Some(&special) = rest.as_bytes().get(plain) else {
            break;
        };
        match special {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            control => {
                let _ = write!(text, "\\u{control:04x}");
            }
        }
        rest = &rest[plain + 1..];
    }
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

    #[test]
    fn escapes_are_found_at_every_offset_of_a_word() {
        for at in 0..40 {
            for special in ['"', '\\', '\n', '\u{1}', '\u{1f}'] {
                let value: String = (0..40)
                    .map(|i| if i == at { special } else { 'é' })
                    .collect();
                let mut text = String::new();
                escape_into(&mut text, &value);
                let back: String = serde_json::from_str(&text).expect("valid JSON");
                assert_eq!(back, value);
            }
        }
    }

    #[test]
    fn keys_with_equal_hashes_are_told_apart() {
        let (one, two) = ("12345678-a-12345678", "12345678-b-12345678");
        assert_eq!(key_hash(one), key_hash(two));
        let mut w = AttributesWriter::new();
        w.begin_object();
        assert!(w.key(one));
        w.int(1);
        assert!(w.key(two));
        w.int(2);
        assert!(!w.key(two));
        w.end();
        assert_eq!(w.as_str(), format!(r#"{{"{one}":1,"{two}":2}}"#));
    }
}
