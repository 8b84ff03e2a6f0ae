//! What may come next at a place in a filter that is being written.

use super::lex::{Token, TokenKind, is_word_char, tokens};
use super::{Key, KeyScope, Signal};

/// What a person is about to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// What kind of thing.
    pub slot: Slot,
    /// What is written of it already.
    pub prefix: String,
    /// Its first character, from 0.
    pub from: usize,
    /// What it would be asked of: inside `any(…)` a span.
    pub signal: Signal,
}

/// The kinds of things that can come next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A key, `NOT`, `any(`, `root(`.
    Key,
    /// An operator, `exists`, `absent`.
    Operator(Key),
    /// A value of this key.
    Value(Key),
    /// `AND` or `OR`.
    Join,
}

impl Expected {
    /// At character `at` (from 0) of `text`.
    pub fn at(text: &str, at: usize, signal: Signal) -> Self {
        let before: Vec<char> = text.chars().take(at.min(super::LENGTH_MAX)).collect();
        let from = start_of_partial(&before);
        let prefix: String = before[from..].iter().collect();
        let head: String = before[..from].iter().collect();
        let tokens = tokens(&head).unwrap_or_default();
        let tokens: Vec<&Token> = tokens
            .iter()
            .filter(|token| token.kind != TokenKind::End)
            .collect();
        let signal = inner_signal(&tokens, signal);
        Self {
            slot: slot(&tokens, signal),
            prefix: prefix.trim_start_matches('"').to_owned(),
            from,
            signal,
        }
    }
}

/// Where the word, or the text whose quote is open, starts that ends at the end.
fn start_of_partial(before: &[char]) -> usize {
    let mut quote = None;
    let mut at = 0;
    while at < before.len() {
        match (before[at], quote) {
            ('\\', Some(_)) => at += 1,
            ('"', None) => quote = Some(at),
            ('"', Some(_)) => quote = None,
            _ => {}
        }
        at += 1;
    }
    if let Some(start) = quote {
        return start;
    }
    before
        .iter()
        .rposition(|c| !is_word_char(*c))
        .map_or(0, |last| last + 1)
}

fn slot(tokens: &[&Token], signal: Signal) -> Slot {
    let Some(last) = tokens.last() else {
        return Slot::Key;
    };
    let before = tokens.len().checked_sub(2).map(|at| &tokens[at].kind);
    match &last.kind {
        TokenKind::Operator(_) => match before {
            Some(TokenKind::Word(name) | TokenKind::Quoted(name)) => Slot::Value(key(name, signal)),
            _ => Slot::Key,
        },
        TokenKind::Close => Slot::Join,
        TokenKind::Word(word) | TokenKind::Quoted(word) => {
            let is = |words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w));
            if is(&["and", "or", "not"]) {
                Slot::Key
            } else if matches!(before, Some(TokenKind::Operator(_))) || is(&["exists", "absent"]) {
                Slot::Join
            } else {
                Slot::Operator(key(word, signal))
            }
        }
        _ => Slot::Key,
    }
}

fn key(word: &str, signal: Signal) -> Key {
    let (scope, name) = KeyScope::prefixes(signal)
        .iter()
        .find_map(|(prefix, scope)| Some((*scope, word.strip_prefix(prefix)?)))
        .unwrap_or((KeyScope::Anywhere, word));
    Key {
        scope,
        name: name.to_owned(),
    }
}

fn inner_signal(tokens: &[&Token], signal: Signal) -> Signal {
    let mut opened = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => opened.push(at.checked_sub(1).is_some_and(|before| {
                matches!(&tokens[before].kind, TokenKind::Word(word)
                    if word.eq_ignore_ascii_case("any") || word.eq_ignore_ascii_case("root"))
            })),
            TokenKind::Close => {
                opened.pop();
            }
            _ => {}
        }
    }
    if opened.contains(&true) {
        Signal::Spans
    } else {
        signal
    }
}
