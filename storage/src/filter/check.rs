//! Whether a comparison makes sense for what it compares.

use super::fields::{FieldKind, SEVERITIES, field_named, part_field};
use super::parse::{error, is_order};
use super::quantity::{Measure, UNIT_WORDS};
use super::{FilterError, Key, KeyScope, Literal, Operator, Quantity, Signal};

/// Columns of the three parts of a comparison.
pub(super) struct Columns {
    pub key: usize,
    pub operator: usize,
    pub value: usize,
}

pub(super) fn comparison(
    signal: Signal,
    key: &Key,
    operator: Operator,
    value: &Literal,
    columns: &Columns,
) -> Result<(), FilterError> {
    if key.name.is_empty() {
        return Err(error(columns.key, "a key has a name"));
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
    let wrong_operator = |what: &str| Err(error(columns.operator, what));
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
            _ => Err(error(
                columns.value,
                "a duration has a unit: 250us, 100ms, 1.5s, 2m",
            )),
        },
        FieldKind::Bool if is_regex || is_order(operator) => {
            wrong_operator("true and false are compared with = and !=")
        }
        FieldKind::Bool => match value {
            Literal::Bool(_) => Ok(()),
            _ => Err(error(columns.value, "this is true or false")),
        },
        FieldKind::Word(_) if is_order(operator) => {
            wrong_operator("words are compared with = != ~ !~")
        }
        FieldKind::Word(_) if is_regex => Ok(()),
        FieldKind::Word(words) => match value {
            Literal::Text(word) if words.contains(&word.as_str()) => Ok(()),
            _ => Err(error(
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
            _ => Err(error(
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
    columns: &Columns,
) -> Result<(), FilterError> {
    if matches!(value, Literal::Bool(_)) && is_order(operator) {
        return Err(error(
            columns.operator,
            "true and false are compared with = and !=",
        ));
    }
    let is_duration = quantity(value).is_some_and(|q| q.measure == Measure::Duration);
    if is_duration && unit_ns(&key.name).is_none() {
        return Err(error(
            columns.value,
            &format!(
                "the unit of {} is not known (its name ends in none of .duration, _ms, _seconds …): compare with a bare number, or put text in quotes",
                key.name
            ),
        ));
    }
    Ok(())
}

/// Nanoseconds in the unit an attribute's name tells; `duration` is in seconds by the semantic conventions.
pub(crate) fn unit_ns(name: &str) -> Option<f64> {
    let last = name.rsplit(['.', '_']).next()?;
    Some(match last {
        "ns" | "nanos" | "nanoseconds" => 1.0,
        "us" | "micros" | "microseconds" => 1e3,
        "ms" | "millis" | "milliseconds" => 1e6,
        "s" | "sec" | "seconds" | "duration" => 1e9,
        _ => return None,
    })
}

fn regex(value: &Literal, columns: &Columns) -> Result<(), FilterError> {
    let Literal::Text(pattern) = value else {
        return Err(error(
            columns.value,
            "a regular expression is text; put it in quotes",
        ));
    };
    if pattern.chars().count() > 500 {
        return Err(error(
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
            let (what, at) = match &why {
                regex_syntax::Error::Parse(why) => {
                    (why.kind().to_string(), why.span().start.column - 1)
                }
                regex_syntax::Error::Translate(why) => {
                    (why.kind().to_string(), why.span().start.column - 1)
                }
                _ => ("it cannot be read".to_owned(), 0),
            };
            error(
                columns.value + at,
                &format!("not a regular expression: {what}"),
            )
        })
}

/// What may stand after a number.
pub fn units() -> &'static str {
    UNIT_WORDS
}
