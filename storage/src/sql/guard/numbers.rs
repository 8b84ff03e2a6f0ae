//! Attributes where a number is meant.
//!
//! DuckDB 2.0.0 compares values of VARIANT by their type first, so `attributes.total > 3` finds every double, and it
//! makes whole numbers of them for `sum()`, `round()` or `*`. Clients write both for one key (JavaScript sends 10 as
//! a whole number and 9.5 as a double). So where the statement shows that a number is meant, the attribute is read by
//! [`number()` and its like](super::super::gate), and where attributes are put in order, numbers come in theirs.
//!
//! It shows where an attribute, by its path or by the name a SELECT gave it, stands beside a number in a comparison, in
//! arithmetic, in a function of numbers, in ORDER BY, `min()` or `max()`. Everything else stays as it was written.

mod names;

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::node::{Object, children, member, path, text};
use super::tokens::{Kind, Token, tokens};
use super::{explain, parse};
use names::{CARRIERS, Names, arguments, carried, columns_of, extracted, name_of};

/// Arithmetic.
const OPERATORS: &[&str] = &["%", "*", "**", "+", "-", "/", "//", "@", "^"];
/// Functions that DuckDB gives whole numbers where it is given attributes; all of them answer numbers.
const FUNCTIONS: &[&str] = &[
    "abs",
    "add",
    "approx_quantile",
    "avg",
    "divide",
    "mean",
    "median",
    "mod",
    "multiply",
    "quantile",
    "quantile_cont",
    "quantile_disc",
    "reservoir_quantile",
    "round",
    "round_even",
    "roundbankers",
    "sign",
    "subtract",
    "sum",
    "trunc",
    "wavg",
    "weighted_avg",
];
/// Other functions that answer numbers.
const ANSWER_NUMBERS: &[&str] = &[
    "ceil", "count", "epoch_ms", "exp", "floor", "length", "ln", "log", "number", "pow", "sqrt",
    "stddev", "variance",
];
/// Functions that answer the one of their arguments that comes first or last.
const EXTREMES: &[&str] = &["greatest", "least"];
/// Types of numbers.
const NUMERIC_TYPES: &[&str] = &[
    "BIGINT",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "HUGEINT",
    "INTEGER",
    "SMALLINT",
    "TINYINT",
    "UBIGINT",
    "UHUGEINT",
    "UINTEGER",
    "USMALLINT",
    "UTINYINT",
];
/// Digits (and sign and point) that are a whole or decimal number for certain.
const DIGITS_MAX: usize = 18;
/// Digits of whole numbers that are all doubles too.
const EXACT_DIGITS_MAX: usize = 15;

/// The statement with numbers of attributes read as such: first what should run; then, for a statement in which ORDER
/// BY cannot take that, with all but the order. Nothing where there is nothing to read.
///
/// None of them was checked: a text that does not pass, or that DuckDB cannot plan, is to be left for the next one,
/// and at last for the statement as it was written.
pub(crate) fn with_numbers(statement: &str) -> Vec<String> {
    if let Some((prefix, inner)) = explain(statement) {
        return with_numbers(inner)
            .into_iter()
            .map(|inner| format!("{prefix}{inner}"))
            .collect();
    }
    let lower = statement.to_lowercase();
    if !columns_of("VARIANT").any(|name| lower.contains(name)) {
        return Vec::new();
    }
    let Ok(trees) = parse::parse(statement) else {
        return Vec::new();
    };
    let [tree] = trees.as_slice() else {
        return Vec::new();
    };
    let mut reading = Reading {
        statement,
        tokens: tokens(statement),
        names: Names::of(tree),
        edits: BTreeMap::new(),
    };
    reading.visit(tree);
    let mut texts = vec![
        reading.edited(|_| true),
        reading.edited(|edit| !edit.is_order),
    ];
    texts.dedup();
    texts.retain(|text| text != statement);
    texts
}

/// A change of the statement: what replaces some of its bytes.
struct Edit {
    place: Range<usize>,
    with: String,
    is_order: bool,
}

struct Reading<'t> {
    statement: &'t str,
    tokens: Vec<Token>,
    names: Names,
    /// What is to be changed for the expression at a place.
    edits: BTreeMap<(usize, usize), Vec<Edit>>,
}

impl Reading<'_> {
    /// Outer expressions first: the first reading of an attribute is the one that counts.
    fn visit(&mut self, tree: &Value) {
        if let Some(node) = tree.as_object() {
            match text(node, "class") {
                "COMPARISON" => self.comparison(node),
                "BETWEEN" => self.between(node),
                "CASE" => self.case(node),
                "OPERATOR" => self.list(node),
                "FUNCTION" | "WINDOW" => self.call(node),
                _ if node.contains_key("null_order") => self.order(member(node, "expression")),
                _ => {}
            }
        }
        children(tree).for_each(|child| self.visit(child));
    }

    /// The places of the attributes that an expression is, or is one of.
    fn values(&self, expression: &Value) -> Vec<Range<usize>> {
        let Some(node) = expression.as_object() else {
            return Vec::new();
        };
        if self.names.is_value(node) {
            return self.whole(node).into_iter().collect();
        }
        carried(node)
            .filter_map(Value::as_object)
            .filter(|carried| self.names.is_value(carried))
            .filter_map(|carried| self.whole(carried))
            .collect()
    }

    /// The place of an expression, if what stands there can be put into a call.
    fn whole(&self, node: &Object) -> Option<Range<usize>> {
        let place = place(node)?;
        let mut depth = 0_usize;
        let mut ends = None;
        for token in self.within(place.start, place.end) {
            if ends.is_none() && token.start != place.start {
                return None;
            }
            depth = match token.kind {
                Kind::Open => depth + 1,
                Kind::Close => depth.checked_sub(1)?,
                _ => depth,
            };
            ends = Some(token.end);
        }
        (depth == 0 && ends == Some(place.end)).then_some(place)
    }

    fn within(&self, start: usize, end: usize) -> impl Iterator<Item = &Token> {
        let inside = move |token: &&Token| token.start >= start && token.end <= end;
        self.tokens.iter().filter(inside)
    }

    fn is_number(&self, expression: &Value) -> bool {
        let Some(node) = expression.as_object() else {
            return false;
        };
        match text(node, "class") {
            "CONSTANT" => is_constant(node),
            "CAST" => {
                let name = type_of_cast(node).to_uppercase();
                NUMERIC_TYPES.contains(&name.as_str())
            }
            "FUNCTION" | "WINDOW" => {
                let name = name_of(node);
                let is_one_of = |names: &[&str]| names.contains(&name.as_str());
                let mut arguments = arguments(node);
                is_one_of(FUNCTIONS)
                    || is_one_of(ANSWER_NUMBERS)
                    || (is_one_of(CARRIERS) || is_one_of(EXTREMES))
                        && arguments.all(|argument| self.is_number(argument))
                    || is_one_of(OPERATORS)
                        && arguments.any(|argument| {
                            self.is_number(argument) || !self.values(argument).is_empty()
                        })
            }
            "SUBQUERY" => {
                let selected = &member(node, "subquery")["node"]["select_list"][0];
                text(node, "subquery_type") == "SCALAR" && self.is_number(selected)
            }
            _ => false,
        }
    }

    fn comparison(&mut self, node: &Object) {
        let (left, right) = (member(node, "left"), member(node, "right"));
        // Of `CASE x WHEN 3` each comparison is a copy without a place.
        if start(node).is_none() {
            return;
        }
        let kind = text(node, "type");
        if self.beside_a_constant(kind, left, right) || kind == "COMPARE_NOTEQUAL" {
            // A text is another than any number, and would be nothing beside one.
            return;
        }
        if self.is_number(right) {
            self.read(left);
        } else if self.is_number(left) {
            self.read(right);
        }
    }

    /// `attributes.k > 3` is a call, for one that compares whole numbers as such is several times faster; equality
    /// with a whole number, or with a double, are two values of one list, which stays as fast as it was.
    fn beside_a_constant(&mut self, kind: &str, left: &Value, right: &Value) -> bool {
        let value = left.as_object().filter(|left| self.names.is_value(left));
        let Some(left) = value.and_then(|left| self.whole(left)) else {
            return false;
        };
        let constant = right.as_object().filter(|right| is_constant(right));
        let Some(number) = constant.and_then(|right| self.whole(right)) else {
            return false;
        };
        let Some(operator) = self.operator(left.end, number.start) else {
            return false;
        };
        let written = &self.statement[number.clone()];
        if is_double(written) {
            return false;
        }
        let (before, between, after) = match kind {
            "COMPARE_EQUAL" => ("", " IN (", format!(", ({written})::DOUBLE)")),
            "COMPARE_NOTEQUAL" => ("", " NOT IN (", format!(", ({written})::DOUBLE)")),
            "COMPARE_GREATERTHAN" => ("above(", ", ", ")".to_owned()),
            "COMPARE_GREATERTHANOREQUALTO" => ("at_least(", ", ", ")".to_owned()),
            "COMPARE_LESSTHAN" => ("below(", ", ", ")".to_owned()),
            "COMPARE_LESSTHANOREQUALTO" => ("at_most(", ", ", ")".to_owned()),
            _ => return false,
        };
        let changes = vec![
            (left.start..left.start, before.to_owned()),
            (operator, between.to_owned()),
            (number.end..number.end, after),
        ];
        self.edit(&left, changes, false);
        true
    }

    /// The operator of a comparison, if nothing else stands between its sides.
    fn operator(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let between: Vec<&Token> = self.within(start, end).collect();
        let is_operator =
            |token: &&Token| matches!(token.kind, Kind::Other(b'<' | b'>' | b'=' | b'!'));
        let (first, last) = (between.first()?, between.last()?);
        between
            .iter()
            .all(is_operator)
            .then_some(first.start..last.end)
    }

    fn between(&mut self, node: &Object) {
        if self.is_number(member(node, "lower")) && self.is_number(member(node, "upper")) {
            self.read(member(node, "input"));
        }
    }

    /// `CASE attributes.k WHEN 1 THEN … WHEN 2.5 THEN …`.
    fn case(&mut self, node: &Object) {
        let Some(checks) = member(node, "case_checks").as_array() else {
            return;
        };
        let compares = |check: &Value| {
            let when = &check["when_expr"];
            when["query_location"].is_null() && self.is_number(&when["right"])
        };
        if checks.iter().all(compares)
            && let Some(check) = checks.first()
        {
            self.read(&check["when_expr"]["left"]);
        }
    }

    /// `attributes.k IN (1, 2)`: the doubles too.
    fn list(&mut self, node: &Object) {
        let Some([input, listed @ ..]) = member(node, "children").as_array().map(Vec::as_slice)
        else {
            return;
        };
        let constants: Option<Vec<Range<usize>>> = listed
            .iter()
            .map(|value| self.whole(value.as_object().filter(|value| is_constant(value))?))
            .collect();
        let (Some(constants), true) = (constants, text(node, "type") == "COMPARE_IN") else {
            return;
        };
        let values = self.values(input);
        let (Some(last), [value]) = (constants.last(), values.as_slice()) else {
            return;
        };
        if constants
            .iter()
            .any(|number| is_double(&self.statement[number.clone()]))
        {
            return;
        }
        let doubles = constants
            .iter()
            .map(|number| format!(", ({})::DOUBLE", &self.statement[number.clone()]))
            .collect();
        self.edit(value, vec![(last.end..last.end, doubles)], false);
    }

    fn call(&mut self, node: &Object) {
        let name = name_of(node);
        let is_one_of = |names: &[&str]| names.contains(&name.as_str());
        if is_one_of(FUNCTIONS)
            || is_one_of(OPERATORS)
            || (is_one_of(EXTREMES) && arguments(node).any(|argument| self.is_number(argument)))
        {
            arguments(node).for_each(|argument| self.read(argument));
        } else if is_one_of(&["max", "min"]) {
            self.extreme(node, &name);
        }
    }

    /// `max(attributes.k)` is the value that comes last in the order of numbers.
    fn extreme(&mut self, node: &Object, name: &str) {
        let argument = arguments(node).next().and_then(Value::as_object);
        let value = argument
            .filter(|argument| self.names.is_value(argument))
            .and_then(|argument| self.whole(argument));
        let (Some(value), Some(start)) = (value, start(node)) else {
            return;
        };
        let written: Vec<&Token> = self.within(start, value.start).collect();
        let [called, open] = written[..] else {
            return;
        };
        if called.is(self.statement, &name.to_uppercase())
            && open.kind == Kind::Open
            && arguments(node).count() == 1
        {
            let key = format!(", in_order({})", &self.statement[value.clone()]);
            let changes = vec![
                (called.start..called.end, format!("arg_{name}")),
                (value.end..value.end, key),
            ];
            self.edit(&value, changes, true);
        }
    }

    fn order(&mut self, expression: &Value) {
        let node = expression
            .as_object()
            .filter(|node| self.names.holds_value(node));
        if let Some(place) = node.and_then(|node| self.whole(node)) {
            self.wrap(&place, "in_order", true);
        }
    }

    /// Attributes that an expression is are read as numbers.
    fn read(&mut self, expression: &Value) {
        for place in self.values(expression) {
            self.wrap(&place, "number", false);
        }
    }

    fn wrap(&mut self, place: &Range<usize>, function: &str, is_order: bool) {
        let changes = vec![
            (place.start..place.start, format!("{function}(")),
            (place.end..place.end, ")".to_owned()),
        ];
        self.edit(place, changes, is_order);
    }

    fn edit(&mut self, place: &Range<usize>, changes: Vec<(Range<usize>, String)>, is_order: bool) {
        let edits = changes.into_iter().map(|(place, with)| Edit {
            place,
            with,
            is_order,
        });
        self.edits
            .entry((place.start, place.end))
            .or_insert_with(|| edits.collect());
    }

    /// The statement with those edits that are wanted.
    fn edited(&self, is_wanted: impl Fn(&Edit) -> bool) -> String {
        let mut edits: Vec<&Edit> = self
            .edits
            .values()
            .flatten()
            .filter(|edit| is_wanted(edit))
            .collect();
        edits.sort_by_key(|edit| (edit.place.start, edit.place.end));
        let mut edited = String::with_capacity(self.statement.len() + edits.len() * 16);
        let mut from = 0;
        for edit in edits {
            let Some(kept) = self.statement.get(from..edit.place.start) else {
                return self.statement.to_owned();
            };
            edited.push_str(kept);
            edited.push_str(&edit.with);
            from = edit.place.end;
        }
        edited.push_str(self.statement.get(from..).unwrap_or_default());
        edited
    }
}

fn type_of_cast(cast: &Object) -> String {
    let named = member(cast, "type_expr").as_object();
    named
        .and_then(|named| path(named, "type_name").pop())
        .unwrap_or_default()
}

/// Whether an expression is a number that is written out. One of more digits than a double has is none here: whole
/// numbers are compared with it to the last digit as it stands.
fn is_constant(node: &Object) -> bool {
    let literal = member(node, "literal");
    let digits = literal["text"].as_str().map_or(0, str::len);
    match literal["kind"].as_str() {
        Some("INTEGER") => digits <= EXACT_DIGITS_MAX,
        Some("NUMERIC") => true,
        _ => false,
    }
}

/// Whether DuckDB reads a number as a double, which no whole number of a VARIANT equals.
fn is_double(number: &str) -> bool {
    number.len() > DIGITS_MAX || number.contains(['e', 'E'])
}

/// The bytes that an expression is written in, with what a value is taken out of.
fn place(node: &Object) -> Option<Range<usize>> {
    let length = || usize::try_from(node.get("query_location_length")?.as_u64()?).ok();
    let own = start(node).and_then(|start| Some(start..start + length()?));
    let Some(from) = extracted(node) else {
        return own;
    };
    // Of `a[1].b.c` what is between has no place of its own.
    let own = own.or_else(|| place(member(node, "children")[1].as_object()?))?;
    let from = place(from)?;
    Some(from.start.min(own.start)..from.end.max(own.end))
}

fn start(node: &Object) -> Option<usize> {
    usize::try_from(node.get("query_location")?.as_u64()?).ok()
}

#[cfg(test)]
mod tests;
