//! Whether a comparison makes sense for what it compares.

use super::fields::{FieldKind, SEVERITIES, field_named, part_field};
use super::lex::column_within;
use super::quantity::Measure;
use super::{FilterError, Key, KeyScope, Literal, Operator, Quantity, Signal, unit_ns};

/// Columns of the three parts of a comparison.
pub(super) struct Columns<'a> {
    /// What they are columns of.
    pub filter: &'a str,
    pub key: usize,
    pub operator: usize,
    pub value: usize,
}

pub(super) fn comparison(
    signal: Signal,
    key: &Key,
    operator: Operator,
    value: &Literal,
    columns: &Columns<'_>,
) -> Result<(), FilterError> {
    if key.name.is_empty() {
        return Err(FilterError::at(columns.key, "a key has a name"));
    }
    let is_regex = matches!(operator, Operator::Matches | Operator::NotMatches);
    if is_regex {
        regex(value, columns)?;
    }
    let kind = match key.scope {
        KeyScope::Anywhere => field_named(signal, &key.name).map(|field| field.kind),
        scope => part_field(scope, &key.name).map(|field| field.kind),
    };
    let Some(kind) = kind else {
        return attribute(key, operator, value, columns);
    };
    let wrong_operator = |what: &str| Err(FilterError::at(columns.operator, what));
    match kind {
        FieldKind::Text | FieldKind::Hex => Ok(()),
        FieldKind::Duration if is_regex => {
            wrong_operator("a duration is compared with = != < <= > >=")
        }
        FieldKind::Duration => match quantity(value) {
            Some(Quantity {
                measure: Measure::Duration,
                ..
            }) => Ok(()),
            _ => Err(FilterError::at(
                columns.value,
                "a duration has a unit: 250us, 100ms, 1.5s, 2m",
            )),
        },
        FieldKind::Bool if is_regex || operator.is_order() => {
            wrong_operator("true and false are compared with = and !=")
        }
        FieldKind::Bool => match value {
            Literal::Bool(_) => Ok(()),
            _ => Err(FilterError::at(columns.value, "this is true or false")),
        },
        FieldKind::Word(_) if operator.is_order() => {
            wrong_operator("words are compared with = != ~ !~")
        }
        FieldKind::Word(_) if is_regex => Ok(()),
        FieldKind::Word(words) => match value {
            Literal::Text(word) if words.contains(&word.as_str()) => Ok(()),
            _ => Err(FilterError::at(
                columns.value,
                &format!("this is one of {}", words.join(", ")),
            )),
        },
        FieldKind::Severity if is_regex => {
            wrong_operator("a severity is compared with = != < <= > >=; severity_text is text")
        }
        FieldKind::Severity => match value {
            Literal::Text(word)
                if SEVERITIES
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case(word)) =>
            {
                Ok(())
            }
            Literal::Number(text) if text.parse::<i64>().is_ok_and(|n| (0..=24).contains(&n)) => {
                Ok(())
            }
            _ => Err(FilterError::at(
                columns.value,
                "a severity is trace, debug, info, warn, error, fatal or a number from 0 to 24",
            )),
        },
    }
}

fn quantity(value: &Literal) -> Option<Quantity> {
    match value {
        Literal::Number(text) => Quantity::parse(text),
        _ => None,
    }
}

fn attribute(
    key: &Key,
    operator: Operator,
    value: &Literal,
    columns: &Columns<'_>,
) -> Result<(), FilterError> {
    if matches!(value, Literal::Bool(_)) && operator.is_order() {
        return Err(FilterError::at(
            columns.operator,
            "true and false are compared with = and !=",
        ));
    }
    let is_duration = quantity(value).is_some_and(|q| q.measure == Measure::Duration);
    if is_duration && unit_ns(&key.name).is_none() {
        return Err(FilterError::at(
            columns.value,
            &format!(
                "the unit of {} is not known (its name ends in none of .duration, _ms, _seconds …): compare with a bare number, or put text in quotes",
                key.name
            ),
        ));
    }
    Ok(())
}

fn regex(value: &Literal, columns: &Columns<'_>) -> Result<(), FilterError> {
    let Literal::Text(pattern) = value else {
        return Err(FilterError::at(
            columns.value,
            "a regular expression is text; put it in quotes",
        ));
    };
    if pattern.chars().count() > 500 {
        return Err(FilterError::at(
            columns.value,
            "a regular expression has at most 500 characters",
        ));
    }
    regex_syntax::ParserBuilder::new()
        .nest_limit(50)
        .build()
        .parse(pattern)
        .map(|_| ())
        .map_err(|why| {
            let (what, start) = match &why {
                regex_syntax::Error::Parse(why) => {
                    (why.kind().to_string(), why.span().start.offset)
                }
                regex_syntax::Error::Translate(why) => {
                    (why.kind().to_string(), why.span().start.offset)
                }
                _ => ("it cannot be read".to_owned(), 0),
            };
            let at = pattern
                .get(..start)
                .map_or(0, |before| before.chars().count());
            FilterError::at(
                column_within(columns.filter, columns.value, at),
                &format!("not a regular expression: {what}"),
            )
        })
}
