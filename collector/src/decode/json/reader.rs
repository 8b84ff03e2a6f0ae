//! A cursor over JSON text that hands out fields, elements and scalars.
//!
//! Depth is bounded where recursion is; errors carry the path of the field, built only on the way out.

use std::borrow::Cow;

use tripline_storage::attributes::plain_prefix;

use super::{base64, number};

/// Nested messages, as the protobuf decoder counts them (prost's recursion limit).
const MESSAGES_MAX: u32 = 100;
/// Nested containers inside an unknown field.
const UNKNOWN_NESTING_MAX: u32 = 100;

/// What is wrong, and where.
#[derive(Debug)]
pub(in crate::decode) struct Fault {
    pub(in crate::decode) path: String,
    pub(in crate::decode) description: String,
}

pub(in crate::decode) type Parsed<T> = Result<T, Box<Fault>>;

pub(in crate::decode) struct Reader<'a> {
    text: &'a str,
    at: usize,
    messages_left: u32,
}

impl<'a> Reader<'a> {
    pub(in crate::decode) fn new(text: &'a str) -> Self {
        // RFC 8259 lets a parser ignore a byte order mark.
        let at = if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        // The outermost message does not count, as in prost.
        Self {
            text,
            at,
            messages_left: MESSAGES_MAX + 1,
        }
    }

    /// Nothing but white space may follow.
    pub(in crate::decode) fn finish(&mut self) -> Parsed<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("something follows the end of the message")),
        }
    }

    /// An error here.
    #[cold]
    pub(in crate::decode) fn fault(&self, description: &str) -> Box<Fault> {
        let description = format!("{description} (byte {})", self.at);
        Box::new(Fault {
            path: String::new(),
            description,
        })
    }

    #[cold]
    fn expected(&mut self, what: &str) -> Box<Fault> {
        let found = match self.peek() {
            None => "the end of the text",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(_) => "an unexpected character",
        };
        self.fault(&format!("expected {what}, found {found}"))
    }

    /// The next byte that is no white space, without taking it.
    pub(in crate::decode) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    /// Takes `null` if it is next: any field may say so, and means unset.
    pub(in crate::decode) fn null(&mut self) -> Parsed<bool> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        if self.take_word("null") {
            Ok(true)
        } else {
            Err(self.expected("a value"))
        }
    }

    /// Marks a field as given; a second time is an error.
    pub(in crate::decode) fn once(&mut self, seen: &mut bool) -> Parsed<()> {
        if std::mem::replace(seen, true) {
            return Err(self.fault("given twice, and only one could be kept"));
        }
        Ok(())
    }

    /// A message: an object whose fields `field` reads.
    pub(in crate::decode) fn message(
        &mut self,
        mut field: impl FnMut(&mut Self, &str) -> Parsed<()>,
    ) -> Parsed<()> {
        if !self.take(b'{') {
            return Err(self.expected("an object"));
        }
        let Some(left) = self.messages_left.checked_sub(1) else {
            return Err(self.fault("more than 100 messages are nested"));
        };
        self.messages_left = left;
        if !self.take(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(self.expected("a field name"));
                }
                let key = self.string()?;
                if !self.take(b':') {
                    return Err(self.expected("a colon"));
                }
                field(self, &key).map_err(|fault| within(fault, &key))?;
                if self.take(b',') {
                    continue;
                }
                if self.take(b'}') {
                    break;
                }
                return Err(self.expected("a comma or a closing brace"));
            }
        }
        self.messages_left += 1;
        Ok(())
    }

    /// A repeated field.
    pub(in crate::decode) fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        if !self.take(b'[') {
            return Err(self.expected("an array"));
        }
        let mut elements = Vec::new();
        if self.take(b']') {
            return Ok(elements);
        }
        loop {
            let index = elements.len();
            let value = element(self).map_err(|fault| within(fault, &format!("[{index}]")))?;
            elements.push(value);
            if self.take(b',') {
                continue;
            }
            if self.take(b']') {
                return Ok(elements);
            }
            return Err(self.expected("a comma or a closing bracket"));
        }
    }

    /// Passes over any value.
    pub(in crate::decode) fn skip(&mut self) -> Parsed<()> {
        self.skip_nested(UNKNOWN_NESTING_MAX)
    }

    fn skip_nested(&mut self, left: u32) -> Parsed<()> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') | Some(b'[') if left == 0 => {
                Err(self.fault("more than 100 containers are nested in an unknown field"))
            }
            Some(b'{') => {
                self.at += 1;
                if self.take(b'}') {
                    return Ok(());
                }
                loop {
                    if self.peek() != Some(b'"') {
                        return Err(self.expected("a field name"));
                    }
                    self.string()?;
                    if !self.take(b':') {
                        return Err(self.expected("a colon"));
                    }
                    self.skip_nested(left - 1)?;
                    if self.take(b'}') {
                        return Ok(());
                    }
                    if !self.take(b',') {
                        return Err(self.expected("a comma or a closing brace"));
                    }
                }
            }
            Some(b'[') => self.skip_array(left),
            Some(b't') if self.take_word("true") => Ok(()),
            Some(b'f') if self.take_word("false") => Ok(()),
            Some(b'n') if self.take_word("null") => Ok(()),
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            _ => Err(self.expected("a value")),
        }
    }

    fn skip_array(&mut self, left: u32) -> Parsed<()> {
        self.at += 1;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.skip_nested(left - 1)?;
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.expected("a comma or a closing bracket"));
            }
        }
    }

    /// A string, borrowed where it has no escapes.
    pub(in crate::decode) fn string(&mut self) -> Parsed<Cow<'a, str>> {
        if !self.take(b'"') {
            return Err(self.expected("a string"));
        }
        let text = self.text;
        let bytes = text.as_bytes();
        let start = self.at;
        self.at += plain_prefix(&bytes[self.at..]);
        if bytes.get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&text[start..self.at - 1]));
        }
        let mut owned = text[start..self.at].to_owned();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => {
                    self.at += 1;
                    owned.push(self.escape()?);
                }
                Some(_) => return Err(self.fault("a control character in a string is not escaped")),
                None => return Err(self.fault("the text ends inside a string")),
            }
            let from = self.at;
            self.at += plain_prefix(&bytes[from..]);
            owned.push_str(&text[from..self.at]);
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Parsed<char> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        Ok(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex_quad()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        let low = if self.take_word("\\u") {
                            self.hex_quad()?
                        } else {
                            0
                        };
                        if !(0xdc00..=0xdfff).contains(&low) {
                            return Err(self.fault("half a surrogate pair is no character"));
                        }
                        0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)
                    }
                    code => code,
                };
                char::from_u32(code)
                    .ok_or_else(|| self.fault("half a surrogate pair is no character"))?
            }
            _ => {
                self.at = (self.at - 1).min(self.text.len());
                return Err(self.fault("an unknown escape in a string"));
            }
        })
    }

    fn hex_quad(&mut self) -> Parsed<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let mut code = 0;
        for digit in digits.into_iter().flatten() {
            let Some(value) = char::from(*digit).to_digit(16) else {
                return Err(self.fault("\\u needs four hexadecimal digits"));
            };
            code = code * 16 + value;
        }
        if digits.is_none() {
            return Err(self.fault("\\u needs four hexadecimal digits"));
        }
        self.at += 4;
        Ok(code)
    }

    /// The text of a JSON number.
    pub(in crate::decode) fn number(&mut self) -> Parsed<&'a str> {
        self.peek();
        let rest = &self.text[self.at..];
        match number::prefix(rest) {
            0 => Err(self.expected("a number")),
            length => {
                self.at += length;
                Ok(&rest[..length])
            }
        }
    }

    /// A number, or a string holding one.
    fn number_text(&mut self) -> Parsed<Cow<'a, str>> {
        if self.peek() == Some(b'"') {
            self.string()
        } else {
            self.number().map(Cow::Borrowed)
        }
    }

    /// A string field.
    pub(in crate::decode) fn text(&mut self) -> Parsed<String> {
        self.string().map(Cow::into_owned)
    }

    pub(in crate::decode) fn boolean(&mut self) -> Parsed<bool> {
        match self.peek() {
            Some(b't') if self.take_word("true") => Ok(true),
            Some(b'f') if self.take_word("false") => Ok(false),
            _ => Err(self.expected("true or false")),
        }
    }

    /// An integer of any width: a number or a string, `1.0` and `1e3` included.
    pub(in crate::decode) fn integer<T: TryFrom<i128>>(&mut self) -> Parsed<T> {
        let start = self.at;
        let text = self.number_text()?;
        let value = number::integer(&text).and_then(|value| T::try_from(value).ok());
        value.ok_or_else(|| {
            self.at = start;
            let bits = 8 * size_of::<T>();
            self.fault(&format!(
                "{:?} is not an integer of this field's {bits} bits",
                short(&text)
            ))
        })
    }

    /// A double: a number, or a string holding one, `NaN`, `Infinity` or `-Infinity`.
    pub(in crate::decode) fn double(&mut self) -> Parsed<f64> {
        let text = self.number_text()?;
        number::double(&text)
            .ok_or_else(|| self.fault(&format!("{:?} is not a double", short(&text))))
    }

    /// An enum: its number; a name is accepted too, but one we do not know is an error, not a zero.
    pub(in crate::decode) fn enumeration(
        &mut self,
        by_name: fn(&str) -> Option<i32>,
    ) -> Parsed<i32> {
        if self.peek() != Some(b'"') {
            return self.integer();
        }
        let text = self.string()?;
        let number = || number::integer(&text).and_then(|value| i32::try_from(value).ok());
        by_name(&text)
            .or_else(number)
            .ok_or_else(|| self.fault(&format!("{:?} is not a number of this enum", short(&text))))
    }

    /// An id: hexadecimal digits of either case. Its length is judged where it is used.
    pub(in crate::decode) fn hex(&mut self) -> Parsed<Vec<u8>> {
        let text = self.string()?;
        number::hex(&text)
            .ok_or_else(|| self.fault(&format!("{:?} is not hexadecimal", short(&text))))
    }

    /// Bytes: base64, standard or URL-safe, padded or not.
    pub(in crate::decode) fn bytes(&mut self) -> Parsed<Vec<u8>> {
        let text = self.string()?;
        base64::decode(&text)
            .ok_or_else(|| self.fault(&format!("{:?} is not base64", short(&text))))
    }
}

/// Puts a path segment in front of a fault's path.
#[cold]
fn within(mut fault: Box<Fault>, segment: &str) -> Box<Fault> {
    let dot = if fault.path.is_empty() || fault.path.starts_with('[') {
        ""
    } else {
        "."
    };
    // A path that grew this long says enough about where it is deep; only its outermost part is shown.
    let inner = if fault.path.len() > 400 {
        "…"
    } else {
        &fault.path
    };
    fault.path = format!("{}{dot}{inner}", short(segment));
    fault
}

/// The beginning of an outside text.
fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(40)]
}
