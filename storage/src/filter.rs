//! The one filter grammar for spans, logs and metrics.
//!
//! ```text
//! or        = and { "OR" and }
//! and       = not { ["AND"] not }                   -- conditions side by side are joined by AND
//! not       = ("NOT" | "!") not | primary
//! primary   = "(" or ")" | "any" "(" or ")" | "root" "(" or ")" | condition | text
//! condition = key ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~") value | key ("exists" | "absent")
//! key       = [ "attr." | "resource." | "event." | "link." ] ( word | string )
//! value     = string | word | number [ unit ] | "true" | "false"
//! unit      = ns us µs ms s m min h d | B kB MB GB TB KiB MiB GiB TiB
//! ```
//!
//! A key without a scope is a field of the signal ([`fields`]) or else an attribute of the item or of its
//! resource: either may hold. Of a span, `event.` and `link.` are about its events and links: `event.name`,
//! `link.trace_id` and other [`PART_FIELDS`], else one of their attributes; one of them must fit, and two conditions may
//! be met by two of them. A comparison with something absent, with a list or with a map is false, `!=` and `!~` included;
//! `NOT` turns it. `any(…)` holds when any span of the same trace does, `root(…)` when its root span does. A text
//! alone looks for itself in what a person reads of the item (a span's name and status message, a log's body
//! and event name, a metric's name), case ignored.
//!
//! A [`Filter`] is checked when it is read, so that every complaint has a column; what it says is bound as
//! parameters by `query`, never put into SQL text.

mod check;
mod complete;
mod fields;
mod lex;
mod parse;
mod print;
mod quantity;

use std::fmt;

pub use complete::{Expected, Slot};
pub(crate) use fields::field_named;
pub use fields::{
    Field, FieldKind, KINDS, PART_FIELDS, PartField, Place, SEVERITIES, STATUSES, fields,
    part_field,
};
use lex::{Token, TokenKind};
pub(crate) use quantity::unit_ns;
pub use quantity::{Measure, Quantity};

/// Longest filter, characters.
pub const LENGTH_MAX: usize = 4_096;
/// Deepest nesting.
pub const DEPTH_MAX: usize = 32;
/// Conditions in one filter.
pub const CONDITIONS_MAX: usize = 64;
/// `any(…)` and `root(…)` in one filter: each reads other spans.
pub const TRACE_CONDITIONS_MAX: usize = 4;

/// What is filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans, and traces by one of their spans.
    Spans,
    /// Log records.
    Logs,
    /// Metric streams.
    Metrics,
}

/// A filter that can be asked of a signal. Two are equal that mean the same, however they are written.
#[derive(Debug, Clone)]
pub struct Filter {
    signal: Signal,
    expression: Expression,
    /// As it was written: for complaints that come after it was read.
    source: String,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.signal == other.signal && self.expression == other.expression
    }
}

/// What must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// All of at least two, none of them an `And`.
    And(Vec<Expression>),
    /// One of at least two, none of them an `Or`.
    Or(Vec<Expression>),
    /// Not so.
    Not(Box<Expression>),
    /// Of any span of the same trace.
    Any(Box<Expression>),
    /// Of the root span of the same trace.
    Root(Box<Expression>),
    /// A value compared.
    Compare(Key, Operator, Literal),
    /// There is a value.
    Exists(Key),
    /// There is none.
    Absent(Key),
    /// Part of what a person reads.
    Text(String),
}

/// What a condition is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Where to look.
    pub scope: KeyScope,
    /// Its name.
    pub name: String,
}

/// Where a key is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// A field of the signal, else an attribute of the item or of its resource.
    Anywhere,
    /// `attr.`: attributes of the item alone.
    Item,
    /// `resource.`: attributes of its resource alone.
    Resource,
    /// `event.`: of the events of a span, their name or an attribute.
    Event,
    /// `link.`: of the links of a span, whom they lead to or an attribute.
    Link,
}

impl KeyScope {
    /// What each is written as before a key's name.
    const PREFIXES: &'static [(&'static str, Self)] = &[
        ("attr.", Self::Item),
        ("resource.", Self::Resource),
        ("event.", Self::Event),
        ("link.", Self::Link),
    ];

    /// The scope that a key begins with, as it is being written: `attr.`, `resource.ser`.
    #[cfg(feature = "engine")]
    pub(crate) fn asked(key: &str, signal: Signal) -> Option<Self> {
        Self::prefixes(signal)
            .iter()
            .find(|(prefix, _)| key.starts_with(prefix))
            .map(|(_, scope)| *scope)
    }

    /// The scopes that can be asked of a signal, with what is written before a key's name.
    fn prefixes(signal: Signal) -> &'static [(&'static str, Self)] {
        match signal {
            Signal::Spans => Self::PREFIXES,
            Signal::Logs | Signal::Metrics => {
                &[("attr.", Self::Item), ("resource.", Self::Resource)]
            }
        }
    }
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `~`: the regular expression (RE2) is found in the text.
    Matches,
    /// `!~`
    NotMatches,
}

impl Operator {
    /// Whether it looks at the order of values.
    fn is_order(self) -> bool {
        matches!(
            self,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }
}

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Literal {
    /// Text.
    Text(String),
    /// A number with its unit, if any, as written: `500`, `1.5s`, `10KiB`.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
}

impl Literal {
    /// A word in the place of a value.
    fn bare(word: &str) -> Self {
        match word {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            _ if Quantity::parse(word).is_some() => Self::Number(word.to_owned()),
            _ => Self::Text(word.to_owned()),
        }
    }
}

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// First character it is about, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl FilterError {
    fn at(column: usize, message: &str) -> Self {
        Self {
            column,
            message: message.to_owned(),
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for FilterError {}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// It is not one, or asks what the signal does not know; the column says where.
    pub fn parse(text: &str, signal: Signal) -> Result<Self, FilterError> {
        let expression = parse::parse(text, signal)?;
        Ok(Self {
            signal,
            expression,
            source: text.to_owned(),
        })
    }

    /// The filter as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// That one of its regular expressions is none to the engine, and where that is written: there are others than RE2
    /// knows, which reading a filter does not tell.
    pub fn refused_regex(&self, pattern: &str) -> FilterError {
        let tokens = lex::tokens(&self.source).unwrap_or_default();
        let is_it = |pair: &&[Token]| {
            let is_regex = matches!(
                pair[0].kind,
                TokenKind::Operator(Operator::Matches | Operator::NotMatches)
            );
            let is_its = |text: &String| text == pattern;
            is_regex
                && matches!(&pair[1].kind, TokenKind::Word(text) | TokenKind::Quoted(text) if is_its(text))
        };
        let column = tokens
            .windows(2)
            .find(is_it)
            .map_or(1, |pair| pair[1].column);
        FilterError::at(
            column,
            "a regular expression is not one the engine (RE2) knows",
        )
    }

    /// What is filtered.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// What must hold.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Whether everything that fits has one trace or span id: `trace_id = 5b8a…`, alone or joined by AND.
    pub fn names_an_id(&self) -> bool {
        let is_id = |one: &Expression| {
            let Expression::Compare(key, Operator::Equal, _) = one else {
                return false;
            };
            key.scope == KeyScope::Anywhere
                && field_named(self.signal, &key.name)
                    .is_some_and(|field| matches!(field.column, "f.trace_id" | "f.span_id"))
        };
        match &self.expression {
            Expression::And(all) => all.iter().any(is_id),
            one => is_id(one),
        }
    }

    /// The columns and texts of its conditions where each is `field = text`, and all must hold.
    #[cfg(feature = "engine")]
    pub(crate) fn equalities(&self) -> Option<Vec<(&'static str, &str)>> {
        let of = |one| match one {
            &Expression::Compare(ref key, Operator::Equal, Literal::Text(ref value))
                if key.scope == KeyScope::Anywhere =>
            {
                Some((field_named(self.signal, &key.name)?.column, value.as_str()))
            }
            _ => None,
        };
        match &self.expression {
            Expression::And(all) => all.iter().map(of).collect(),
            one => Some(vec![of(one)?]),
        }
    }

    /// The text of this filter with one more condition: what "filter for" and "filter out" link to.
    /// A text that cannot be read is kept as it is.
    pub fn narrowed(text: &str, signal: Signal, condition: Expression) -> String {
        if text.trim().is_empty() {
            return condition.to_string();
        }
        match parse::parse(text, signal) {
            Ok(Expression::And(all)) if all.contains(&condition) => text.to_owned(),
            Ok(there) if there == condition => text.to_owned(),
            Ok(there) => Expression::and(vec![there, condition]).to_string(),
            Err(_) => text.to_owned(),
        }
    }
}

impl Key {
    /// Reads one key as a condition begins with it: `http.route`, `attr.kind`, `resource.k8s.pod.name`.
    ///
    /// # Errors
    /// It is none, or more than one.
    pub fn parse(text: &str, signal: Signal) -> Result<Self, FilterError> {
        match parse::parse(&format!("{text} exists"), signal)? {
            Expression::Exists(key) => Ok(key),
            _ => Err(FilterError::at(1, "expected one key")),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl Expression {
    /// All of them; one alone is itself.
    pub fn and(all: Vec<Self>) -> Self {
        let flat = all.into_iter().flat_map(|one| match one {
            Self::And(inner) => inner,
            other => vec![other],
        });
        single(flat.collect(), Self::And)
    }

    /// One of them; one alone is itself.
    pub fn or(all: Vec<Self>) -> Self {
        let flat = all.into_iter().flat_map(|one| match one {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        single(flat.collect(), Self::Or)
    }

    /// `key = value`, wherever the key is found.
    pub fn equal(scope: KeyScope, name: &str, value: Literal) -> Self {
        let name = name.to_owned();
        Self::Compare(Key { scope, name }, Operator::Equal, value)
    }
}

fn single(mut all: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match all.len() {
        1 => all.remove(0),
        _ => join(all),
    }
}

#[cfg(test)]
mod tests;
