//! Whether a text is one query that reads nothing but the public relations.
//!
//! Settings cannot say that (inside an allowed directory user SQL could still read and write files, `query()`
//! runs text, data-modifying CTEs exist), so the text is parsed by DuckDB's own parser and every node of the
//! tree must be on a list: kinds of nodes, functions, table functions, relations. What the lists do not name
//! is refused, with the reason and where it stands. So is a time whose zone the engine would leave out: its answer
//! would be wrong and look right.
//!
//! Guarantees: [`check`] never panics and runs nothing of the text. What runs later is byte for byte a text
//! that passed [`check`]: PIVOTs whose values are looked up, attributes that are read as numbers, and
//! results that are rewritten for JSON, are checked again in their final form.

mod allowed;
mod node;
mod numbers;
mod parse;
mod pivot;
mod tokens;
mod tree;
mod walk;
mod zone;

use std::borrow::Cow;

pub(crate) use numbers::with_numbers;
pub(crate) use pivot::{Pivots, VALUES_MAX as PIVOT_VALUES_MAX};

/// Longest statement, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Stack of the thread that checks: trees of the deepest allowed nesting fit in it several times.
const STACK_BYTES: usize = 32 << 20;

/// Why a text may not run. Positions are byte offsets into it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is SQL, but not what may run here.
    #[error("{reason}")]
    Refused {
        /// What is not allowed.
        reason: String,
        /// Where it stands.
        position: Option<usize>,
    },
    /// It is not SQL.
    #[error("{message}")]
    Syntax {
        /// What the parser said.
        message: String,
        /// Where it stopped.
        position: Option<usize>,
    },
}

impl Refusal {
    pub(crate) fn refused(reason: impl Into<String>, position: Option<usize>) -> Self {
        Self::Refused {
            reason: reason.into(),
            position,
        }
    }
}

/// A text that may run.
#[derive(Debug, Clone)]
pub struct Checked {
    text: String,
    kind: CheckedKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckedKind {
    /// Rows of the public relations.
    Query,
    /// EXPLAIN of such a query.
    Explain,
    /// A query with PIVOTs whose values must be looked up first.
    Pivot(Pivots),
}

impl Checked {
    /// The statement to run.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn kind(&self) -> &CheckedKind {
        &self.kind
    }
}

/// Checks a text. Safe on any input and any thread.
pub fn check(text: &str) -> Result<Checked, Refusal> {
    if text.len() > TEXT_BYTES_MAX {
        let reason = format!(
            "the statement has {} bytes, more than {TEXT_BYTES_MAX}",
            text.len()
        );
        return Err(Refusal::refused(reason, None));
    }
    if let Some(position) = text.find('\0') {
        return Err(Refusal::refused(
            "the statement contains a zero byte",
            Some(position),
        ));
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("sql-guard".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || check_here(&without_empty_statements(text)))
            .map_err(|_| Refusal::refused("no thread to check the statement on; try again", None))?
            .join()
            .unwrap_or_else(|_| Err(Refusal::refused("the statement could not be checked", None)))
    })
}

fn check_here(text: &str) -> Result<Checked, Refusal> {
    if let Some((prefix, inner)) = explain(text) {
        let inner = check_query(inner, pivot::PIVOTS_MAX)
            .map_err(|refusal| refusal.moved(|at| Some(at + text.len() - inner.len())))?;
        let CheckedKind::Query = inner.kind else {
            return Err(Refusal::refused(
                "EXPLAIN of a PIVOT needs its values: PIVOT … ON x IN (…)",
                Some(0),
            ));
        };
        return Ok(Checked {
            text: format!("{prefix}{}", inner.text),
            kind: CheckedKind::Explain,
        });
    }
    check_query(text, pivot::PIVOTS_MAX)
}

/// With so many PIVOTs left to complete: in a text that ends within a bracket or a string, what is written in completes none.
fn check_query(text: &str, left: usize) -> Result<Checked, Refusal> {
    if let Some(left) = left.checked_sub(1)
        && let Some(pivots) = pivot::find(text)
    {
        // With values in place of those to look up it must be an ordinary query, or one with a PIVOT less to complete.
        check_query(
            &pivots.filled(|_| vec![pivot::PLACEHOLDER.to_owned()]),
            left,
        )
        .map_err(|refusal| match own_syntax(text, &refusal) {
            Some(own) => own,
            None => refusal.moved(|at| Some(pivots.before_filling(at))),
        })?;
        for values in pivots.lookups() {
            // A text of ours: its places mean nothing to who wrote the statement.
            check_tree(&values).map_err(|refusal| refusal.moved(|_| None))?;
        }
        return Ok(Checked {
            text: text.to_owned(),
            kind: CheckedKind::Pivot(pivots),
        });
    }
    match check_tree(text)? {
        walk::Outcome::Rows => Ok(Checked {
            text: text.to_owned(),
            kind: CheckedKind::Query,
        }),
        walk::Outcome::ListRelations => Ok(Checked {
            text: list_relations(),
            kind: CheckedKind::Query,
        }),
    }
}

/// The syntax error of a statement as it was written, if its text with values filled in has one: that may point at a word
/// which nobody wrote.
fn own_syntax(text: &str, refusal: &Refusal) -> Option<Refusal> {
    let is_syntax = |refusal: &Refusal| matches!(refusal, Refusal::Syntax { .. });
    if !is_syntax(refusal) {
        return None;
    }
    parse::parse(text).err().filter(is_syntax)
}

fn check_tree(text: &str) -> Result<walk::Outcome, Refusal> {
    let statements = parse::parse(text)?;
    match statements.as_slice() {
        [] => Err(Refusal::refused("the statement is empty", None)),
        [statement] => walk::statement(statement),
        [_, second, ..] => {
            let reason = format!(
                "{} statements where exactly one is allowed",
                statements.len()
            );
            Err(Refusal::refused(reason, walk::first_position(second)))
        }
    }
}

/// `EXPLAIN [ANALYZE]` and the statement after it.
fn explain(text: &str) -> Option<(&'static str, &str)> {
    let found = tokens::tokens(text);
    let (first, rest) = found.split_first()?;
    if !first.is(text, "EXPLAIN") {
        return None;
    }
    let second = rest.first()?;
    let (prefix, from) = if second.is(text, "ANALYZE") || second.is(text, "ANALYSE") {
        ("EXPLAIN ANALYZE ", rest.get(1)?.start)
    } else {
        ("EXPLAIN ", second.start)
    };
    Some((prefix, text.get(from..)?))
}

/// The text with a space for each semicolon before the statement. The parser takes them for empty statements, but behind
/// DESCRIBE or inside parentheses, where the text runs, they are none.
fn without_empty_statements(text: &str) -> Cow<'_, str> {
    let found = tokens::tokens(text);
    let is_semicolon = |token: &&tokens::Token| token.kind == tokens::Kind::Other(b';');
    let mut blanked = Cow::Borrowed(text);
    for token in found.iter().take_while(is_semicolon) {
        blanked.to_mut().replace_range(token.start..token.end, " ");
    }
    blanked
}

/// The statement without semicolons (and comments) after it, to stand inside parentheses.
pub(crate) fn without_semicolon(text: &str) -> &str {
    let found = tokens::tokens(text);
    let last = found
        .iter()
        .rev()
        .find(|token| token.kind != tokens::Kind::Other(b';'));
    last.and_then(|token| text.get(..token.end)).unwrap_or(text)
}

/// What `SHOW TABLES` runs here: DuckDB's own would name the segments too.
fn list_relations() -> String {
    let rows: Vec<String> = super::schema_docs::RELATIONS
        .iter()
        .map(|relation| format!("('{}')", relation.name))
        .collect();
    format!(
        "SELECT name FROM (VALUES {}) AS relations(name) ORDER BY name",
        rows.join(", ")
    )
}

impl Refusal {
    /// Where it stands, in bytes.
    pub fn position(&self) -> Option<usize> {
        match self {
            Self::Refused { position, .. } | Self::Syntax { position, .. } => *position,
        }
    }

    fn moved(self, to: impl FnOnce(usize) -> Option<usize>) -> Self {
        let shift = |position: Option<usize>| position.and_then(to);
        match self {
            Self::Refused { reason, position } => Self::Refused {
                reason,
                position: shift(position),
            },
            Self::Syntax { message, position } => Self::Syntax {
                message,
                position: shift(position),
            },
        }
    }
}

#[cfg(test)]
mod tests;
