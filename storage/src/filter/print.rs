//! An expression as text that reads back as itself.

use std::fmt::{self, Display as _, Write as _};

use super::lex::is_word_char;
use super::{Expression, Key, KeyScope, Literal, Operator};

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(all) => joined(f, all, " AND ", |one| matches!(one, Self::Or(_))),
            Self::Or(all) => joined(f, all, " OR ", |_| false),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                part(f, inner, matches!(**inner, Self::And(_) | Self::Or(_)))
            }
            Self::Any(inner) => write!(f, "any({inner})"),
            Self::Root(inner) => write!(f, "root({inner})"),
            Self::Compare(key, operator, value) => write!(f, "{key} {operator} {value}"),
            Self::Exists(key) => write!(f, "{key} exists"),
            Self::Absent(key) => write!(f, "{key} absent"),
            Self::Text(text) => quoted(f, text),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    all: &[Expression],
    word: &str,
    needs_brackets: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        part(f, one, needs_brackets(one))?;
    }
    Ok(())
}

fn part(f: &mut fmt::Formatter<'_>, one: &Expression, needs_brackets: bool) -> fmt::Result {
    if needs_brackets {
        write!(f, "({one})")
    } else {
        one.fmt(f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = !self.name.is_empty() && self.name.chars().all(is_word_char);
        let prefixes = KeyScope::PREFIXES;
        if let Some((prefix, _)) = prefixes.iter().find(|(_, scope)| *scope == self.scope) {
            f.write_str(prefix)?;
        } else if prefixes
            .iter()
            .any(|(prefix, _)| self.name.starts_with(prefix))
            || is_keyword(&self.name)
        {
            // It would read as something else.
            return quoted(f, &self.name);
        }
        if is_plain {
            f.write_str(&self.name)
        } else {
            quoted(f, &self.name)
        }
    }
}

fn is_keyword(word: &str) -> bool {
    ["and", "or", "not", "exists", "absent"]
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Matches => "~",
            Self::NotMatches => "!~",
        })
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => {
                let is_plain = !text.is_empty()
                    && text.chars().all(is_word_char)
                    && matches!(Self::bare(text), Self::Text(_));
                if is_plain {
                    f.write_str(text)
                } else {
                    quoted(f, text)
                }
            }
            Self::Number(text) => f.write_str(text),
            Self::Bool(value) => write!(f, "{value}"),
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
