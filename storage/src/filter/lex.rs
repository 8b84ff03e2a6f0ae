//! Characters to tokens, each with its column.

use super::{FilterError, LENGTH_MAX, Operator};

/// A token and the column of its first character, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub column: usize,
    pub kind: TokenKind,
    /// No blank stands before it.
    pub is_joined: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Word(String),
    Quoted(String),
    Operator(Operator),
    Not,
    Open,
    Close,
    End,
}

/// Whether a character may stand in a word.
pub(super) fn is_word_char(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(c, '(' | ')' | '"' | '=' | '!' | '<' | '>' | '~')
}

/// All tokens, the last of which is `End`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() > LENGTH_MAX {
        return Err(FilterError {
            column: LENGTH_MAX + 1,
            message: format!("a filter has at most {LENGTH_MAX} characters"),
        });
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut is_joined = false;
    while let Some(&c) = chars.get(at) {
        if c.is_whitespace() {
            at += 1;
            is_joined = false;
            continue;
        }
        let column = at + 1;
        let (kind, length) = token(&chars[at..], column)?;
        at += length;
        tokens.push(Token {
            column,
            kind,
            is_joined,
        });
        is_joined = true;
    }
    tokens.push(Token {
        column: chars.len() + 1,
        kind: TokenKind::End,
        is_joined: false,
    });
    Ok(tokens)
}

fn token(chars: &[char], column: usize) -> Result<(TokenKind, usize), FilterError> {
    let next = chars.get(1).copied();
    let operator = |operator, length| Ok((TokenKind::Operator(operator), length));
    match (chars[0], next) {
        ('(', _) => Ok((TokenKind::Open, 1)),
        (')', _) => Ok((TokenKind::Close, 1)),
        ('"', _) => quoted(chars, column),
        ('=', Some('=')) => operator(Operator::Equal, 2),
        ('=', Some('~')) => operator(Operator::Matches, 2),
        ('=', _) => operator(Operator::Equal, 1),
        ('!', Some('=')) => operator(Operator::NotEqual, 2),
        ('!', Some('~')) => operator(Operator::NotMatches, 2),
        ('!', _) => Ok((TokenKind::Not, 1)),
        ('<', Some('=')) => operator(Operator::LessOrEqual, 2),
        ('<', _) => operator(Operator::Less, 1),
        ('>', Some('=')) => operator(Operator::GreaterOrEqual, 2),
        ('>', _) => operator(Operator::Greater, 1),
        ('~', _) => operator(Operator::Matches, 1),
        (c, _) if is_word_char(c) => {
            let word: String = chars
                .iter()
                .copied()
                .take_while(|c| is_word_char(*c))
                .collect();
            let length = word.chars().count();
            Ok((TokenKind::Word(word), length))
        }
        (c, _) => Err(FilterError {
            column,
            message: format!("{c:?} cannot stand here; put text in quotes"),
        }),
    }
}

/// Text in double quotes with `\"`, `\\`, `\n`, `\r`, `\t` and `\u{…}`.
fn quoted(chars: &[char], column: usize) -> Result<(TokenKind, usize), FilterError> {
    let wrong = |at: usize, message: &str| FilterError {
        column: column + at,
        message: message.to_owned(),
    };
    let mut text = String::new();
    let mut at = 1;
    loop {
        match chars.get(at) {
            None => return Err(wrong(0, "this quote is never closed")),
            Some('"') => return Ok((TokenKind::Quoted(text), at + 1)),
            // What is no escape stands for itself, as `\d` of a regular expression.
            Some('\\') if chars.get(at + 1).is_some_and(|c| !ESCAPES.contains(c)) => {
                text.push('\\');
                at += 1;
            }
            Some('\\') => {
                let (c, length) = escape(&chars[at..])
                    .ok_or_else(|| wrong(at, "an escape is \\\" \\\\ \\n \\r \\t or \\u{…}"))?;
                text.push(c);
                at += length;
            }
            Some(c) => {
                text.push(*c);
                at += 1;
            }
        }
    }
}

/// The column of character `at` of a value that is written from `column` on: in quotes, these come first, and an escape is
/// several characters.
pub(super) fn column_within(filter: &str, column: usize, at: usize) -> usize {
    let chars: Vec<char> = filter.chars().skip(column - 1).collect();
    if chars.first() != Some(&'"') {
        return column + at;
    }
    let mut written = 1;
    for _ in 0..at {
        let is_escape = chars.get(written) == Some(&'\\')
            && chars.get(written + 1).is_some_and(|c| ESCAPES.contains(c));
        let escaped = is_escape.then(|| escape(&chars[written..])).flatten();
        written += escaped.map_or(1, |(_, length)| length);
    }
    column + written
}

/// What an escape begins with, after its backslash.
const ESCAPES: [char; 6] = ['"', '\\', 'n', 'r', 't', 'u'];

fn escape(chars: &[char]) -> Option<(char, usize)> {
    Some(match chars.get(1)? {
        '"' => ('"', 2),
        '\\' => ('\\', 2),
        'n' => ('\n', 2),
        'r' => ('\r', 2),
        't' => ('\t', 2),
        'u' => {
            let rest: String = chars.iter().skip(2).take(8).collect();
            let (digits, _) = rest.strip_prefix('{')?.split_once('}')?;
            let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            (c, digits.len() + 4)
        }
        _ => return None,
    })
}
