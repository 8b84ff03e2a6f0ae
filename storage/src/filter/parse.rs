//! Tokens to an expression, checked against the signal as it is read.

use super::lex::{Token, TokenKind, tokens};
use super::{
    CONDITIONS_MAX, DEPTH_MAX, Expression, FilterError, Key, KeyScope, Literal, Signal,
    TRACE_CONDITIONS_MAX, check,
};

pub(super) fn parse(text: &str, signal: Signal) -> Result<Expression, FilterError> {
    let mut parser = Parser {
        filter: text,
        tokens: tokens(text)?,
        at: 0,
        signal,
        is_inside_trace: false,
        depth: 0,
        conditions: 0,
        trace_conditions: 0,
    };
    let expression = parser.or()?;
    match parser.peek() {
        TokenKind::End => Ok(expression),
        TokenKind::Close => Err(parser.wrong("this bracket was never opened")),
        _ => Err(parser.wrong("expected AND, OR or the end")),
    }
}

struct Parser<'a> {
    /// What is read, as it was written.
    filter: &'a str,
    tokens: Vec<Token>,
    at: usize,
    signal: Signal,
    /// Inside `any(…)` or `root(…)`.
    is_inside_trace: bool,
    depth: usize,
    conditions: usize,
    trace_conditions: usize,
}

/// A word of the grammar, in any case.
fn is_keyword(kind: &TokenKind, keyword: &str) -> bool {
    matches!(kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword))
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.at].kind
    }

    fn column(&self) -> usize {
        self.tokens[self.at].column
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn wrong(&self, message: &str) -> FilterError {
        FilterError::at(self.column(), message)
    }

    fn or(&mut self) -> Result<Expression, FilterError> {
        let mut all = vec![self.and()?];
        while is_keyword(self.peek(), "or") {
            self.next();
            all.push(self.and()?);
        }
        Ok(Expression::or(all))
    }

    fn and(&mut self) -> Result<Expression, FilterError> {
        let mut all = vec![self.not()?];
        loop {
            if is_keyword(self.peek(), "and") {
                self.next();
            } else if matches!(
                self.peek(),
                TokenKind::End | TokenKind::Close | TokenKind::Operator(_)
            ) || is_keyword(self.peek(), "or")
            {
                return Ok(Expression::and(all));
            }
            all.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Expression, FilterError> {
        if *self.peek() == TokenKind::Not || is_keyword(self.peek(), "not") {
            self.next();
            return self.nested(|parser| Ok(Expression::Not(Box::new(parser.not()?))));
        }
        self.primary()
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong("this is nested too deep"));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn primary(&mut self) -> Result<Expression, FilterError> {
        if *self.peek() == TokenKind::Open {
            return self.nested(Self::bracket);
        }
        let opens = self
            .tokens
            .get(self.at + 1)
            .is_some_and(|next| next.kind == TokenKind::Open);
        for (word, make) in [
            ("any", Expression::Any as fn(Box<Expression>) -> Expression),
            ("root", Expression::Root),
        ] {
            if opens && is_keyword(self.peek(), word) {
                return self.of_trace(word, make);
            }
        }
        self.condition()
    }

    fn bracket(&mut self) -> Result<Expression, FilterError> {
        let opened = self.next().column;
        let inner = self.or()?;
        if *self.peek() != TokenKind::Close {
            return Err(FilterError::at(opened, "this bracket is never closed"));
        }
        self.next();
        Ok(inner)
    }

    fn of_trace(
        &mut self,
        word: &str,
        make: fn(Box<Expression>) -> Expression,
    ) -> Result<Expression, FilterError> {
        if self.signal == Signal::Metrics {
            return Err(self.wrong(&format!("{word}(…) asks spans; a metric has no trace")));
        }
        if self.is_inside_trace {
            return Err(self.wrong(&format!("{word}(…) cannot stand inside any(…) or root(…)")));
        }
        self.trace_conditions += 1;
        if self.trace_conditions > TRACE_CONDITIONS_MAX {
            return Err(self.wrong(&format!(
                "a filter has at most {TRACE_CONDITIONS_MAX} of any(…) and root(…)"
            )));
        }
        self.next();
        let outer = std::mem::replace(&mut self.signal, Signal::Spans);
        self.is_inside_trace = true;
        let inner = self.nested(Self::bracket);
        self.is_inside_trace = false;
        self.signal = outer;
        Ok(make(Box::new(inner?)))
    }

    fn condition(&mut self) -> Result<Expression, FilterError> {
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return Err(self.wrong(&format!("a filter has at most {CONDITIONS_MAX} conditions")));
        }
        let column = self.column();
        let (key, text) = self.key_or_text()?;
        if let TokenKind::Operator(operator) = *self.peek() {
            let operator_column = self.next().column;
            let (value_column, value) = self.value()?;
            let columns = check::Columns {
                filter: self.filter,
                key: column,
                operator: operator_column,
                value: value_column,
            };
            check::comparison(self.signal, &key, operator, &value, &columns)?;
            return Ok(Expression::Compare(key, operator, value));
        }
        for (word, make) in [
            ("exists", Expression::Exists as fn(Key) -> Expression),
            ("absent", Expression::Absent),
        ] {
            if is_keyword(self.peek(), word) {
                self.next();
                return Ok(make(key));
            }
        }
        match text {
            Some(text) if !text.is_empty() => Ok(Expression::Text(text)),
            Some(_) => Err(FilterError::at(column, "an empty text is in everything")),
            None => Err(self.wrong("expected an operator (= != < <= > >= ~ !~), exists or absent")),
        }
    }

    /// What starts a condition: as a key, and as the text it is when nothing follows that a key needs.
    fn key_or_text(&mut self) -> Result<(Key, Option<String>), FilterError> {
        let token = self.next();
        let anywhere = |name: &str| Key {
            scope: KeyScope::Anywhere,
            name: name.to_owned(),
        };
        match token.kind {
            TokenKind::Quoted(text) => Ok((anywhere(&text), Some(text))),
            TokenKind::Word(word) => {
                if ["and", "or", "exists", "absent"]
                    .iter()
                    .any(|k| word.eq_ignore_ascii_case(k))
                {
                    return Err(FilterError::at(
                        token.column,
                        &format!(
                            "a condition must stand before {word}; a text of that name goes in quotes"
                        ),
                    ));
                }
                for &(prefix, scope) in KeyScope::prefixes(self.signal) {
                    let Some(rest) = word.strip_prefix(prefix) else {
                        continue;
                    };
                    if !rest.is_empty() {
                        let name = rest.to_owned();
                        return Ok((Key { scope, name }, None));
                    }
                    let next = self.tokens[self.at].clone();
                    if let (TokenKind::Quoted(name), true) = (next.kind, next.is_joined) {
                        self.next();
                        return Ok((Key { scope, name }, None));
                    }
                    return Err(self.wrong("expected the name of an attribute"));
                }
                Ok((anywhere(&word), Some(word)))
            }
            TokenKind::End => Err(FilterError::at(
                token.column,
                "expected a condition, for example status = error",
            )),
            TokenKind::Close => Err(FilterError::at(
                token.column,
                "expected a condition before this bracket",
            )),
            TokenKind::Operator(_) => Err(FilterError::at(
                token.column,
                "expected a key before this operator",
            )),
            TokenKind::Open | TokenKind::Not => {
                Err(FilterError::at(token.column, "expected a condition"))
            }
        }
    }

    fn value(&mut self) -> Result<(usize, Literal), FilterError> {
        let token = self.next();
        let literal = match token.kind {
            TokenKind::Quoted(text) => Literal::Text(text),
            TokenKind::Word(word) => Literal::bare(&word),
            TokenKind::End => return Err(FilterError::at(token.column, "expected a value")),
            _ => {
                return Err(FilterError::at(
                    token.column,
                    "expected a value; text with such signs goes in quotes",
                ));
            }
        };
        Ok((token.column, literal))
    }
}
