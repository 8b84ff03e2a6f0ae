//! Just enough of a tokenizer to say what kind of statement a text starts with and to find the parts of a
//! PIVOT. It decides nothing: whatever it makes of a text is parsed again by DuckDB before it runs.

/// A token: where it is and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// Anything quoted: string, name, dollar string.
    Quoted,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// One other byte.
    Other(u8),
}

/// The tokens of `text`, comments left out. Never fails: what is not closed ends with the text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (end, kind) = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at = find(bytes, at, b"\n");
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = find(bytes, at + 2, b"*/");
                continue;
            }
            b'e' | b'E' if bytes.get(at + 1) == Some(&b'\'') => {
                (escaped_string(bytes, at + 2), Kind::Quoted)
            }
            quote @ (b'\'' | b'"') => (quoted(bytes, at + 1, quote), Kind::Quoted),
            b'$' => match dollar_string(bytes, at) {
                Some(end) => (end, Kind::Quoted),
                None => (at + 1, Kind::Other(b'$')),
            },
            b'(' | b'[' | b'{' => (at + 1, Kind::Open),
            b')' | b']' | b'}' => (at + 1, Kind::Close),
            byte if is_word(byte) => (word(bytes, at), Kind::Word),
            byte => (at + 1, Kind::Other(byte)),
        };
        found.push(Token {
            start: at,
            end,
            kind,
        });
        at = end;
    }
    found
}

impl Token {
    /// Whether it is the keyword `keyword` (upper case).
    pub(super) fn is(&self, text: &str, keyword: &str) -> bool {
        self.kind == Kind::Word
            && text
                .as_bytes()
                .get(self.start..self.end)
                .is_some_and(|word| word.eq_ignore_ascii_case(keyword.as_bytes()))
    }
}

/// The first keyword, upper case, of at most 20 letters.
pub(super) fn first_keyword(text: &str) -> Option<String> {
    let first = tokens(text)
        .into_iter()
        .find(|token| token.kind == Kind::Word)?;
    let word = text.get(first.start..first.end)?;
    (word.len() <= 20
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_'))
    .then(|| word.to_ascii_uppercase())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn word(bytes: &[u8], from: usize) -> usize {
    bytes[from..]
        .iter()
        .position(|&byte| !is_word(byte))
        .map_or(bytes.len(), |length| from + length)
}

/// One past the next `needle`, or the end.
fn find(bytes: &[u8], from: usize, needle: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(needle.len())
        .position(|window| window == needle)
        .map_or(bytes.len(), |at| from + at + needle.len())
}

fn quoted(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

fn escaped_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\'' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn dollar_string(bytes: &[u8], at: usize) -> Option<usize> {
    let tag_end = word(bytes, at + 1);
    if bytes.get(tag_end) != Some(&b'$') {
        return None;
    }
    let tag = &bytes[at..=tag_end];
    Some(find(bytes, tag_end + 1, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokens(sql)
            .into_iter()
            .map(|token| &sql[token.start..token.end])
            .collect()
    }

    #[test]
    fn quotes_and_comments_hide_what_is_in_them() {
        assert_eq!(
            texts("a -- b'\n 'c''d' /* e */ \"f(\" $x$ ; $x$ E'g\\'h'(i)"),
            [
                "a",
                "'c''d'",
                "\"f(\"",
                "$x$ ; $x$",
                "E'g\\'h'",
                "(",
                "i",
                ")"
            ]
        );
    }

    #[test]
    fn what_is_not_closed_ends_with_the_text() {
        for sql in ["'a", "\"a", "/* a", "$a$ b", "E'\\", "$", "-", "--", "é'"] {
            assert!(
                tokens(sql).iter().all(|token| token.end <= sql.len()),
                "{sql}"
            );
        }
    }
}
