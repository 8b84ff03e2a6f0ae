//! Comparisons with the fields of a signal.

use duckdb::types::Value;

use super::{Sql, Target, sign, text_comparison, text_of};
use crate::filter::{Field, FieldKind, Literal, Operator, Place, Quantity, SEVERITIES};

pub(super) fn comparison(
    field: &Field,
    operator: Operator,
    value: &Literal,
    target: &Target<'_>,
    sql: &mut Sql,
) {
    placed(field, target, sql, |column, sql| match field.kind {
        FieldKind::Text | FieldKind::Word(_) => {
            text_comparison(|sql| sql.push(column), operator, &text_of(value), sql);
        }
        FieldKind::Hex => {
            let text = text_of(value);
            let is_pattern = matches!(operator, Operator::Matches | Operator::NotMatches);
            let text = if is_pattern {
                text
            } else {
                text.to_lowercase()
            };
            text_comparison(|sql| sql.push(column), operator, &text, sql);
        }
        FieldKind::Duration => {
            let amount = match value {
                Literal::Number(text) => Quantity::parse(text).map_or(0.0, |q| q.amount),
                _ => 0.0,
            };
            sql.push(column);
            sql.push(sign(operator));
            sql.bind(whole_or_double(amount));
        }
        FieldKind::Bool => {
            // Stored as absent where nobody said so: that is false.
            sql.push("coalesce(");
            sql.push(column);
            sql.push(", FALSE)");
            sql.push(sign(operator));
            sql.bind(Value::Boolean(*value == Literal::Bool(true)));
        }
        FieldKind::Severity => severity(column, operator, value, sql),
    });
}

fn whole_or_double(amount: f64) -> Value {
    if amount.fract() == 0.0 && amount.abs() < 9e18 {
        Value::BigInt(amount as i64)
    } else {
        Value::Double(amount)
    }
}

/// A word stands for four numbers: `> warn` starts at error, `<= warn` reaches up to WARN4.
fn severity(column: &'static str, operator: Operator, value: &Literal, sql: &mut Sql) {
    let (first, last) = match value {
        Literal::Text(word) => SEVERITIES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map_or((0, 0), |(_, first)| (*first, first + 3)),
        other => {
            let number = text_of(other).parse().unwrap_or(0);
            (number, number)
        }
    };
    // 0 is none at all, and a comparison with something absent is false; only who asks for 0 means it.
    let is_of_any = last > 0;
    if is_of_any {
        sql.push("(");
        sql.push(column);
        sql.push(" > 0 AND ");
    }
    sql.push(column);
    match operator {
        Operator::Equal | Operator::NotEqual => {
            sql.push(if operator == Operator::Equal {
                " BETWEEN "
            } else {
                " NOT BETWEEN "
            });
            sql.bind(Value::BigInt(first));
            sql.push(" AND ");
            sql.bind(Value::BigInt(last));
        }
        Operator::Less | Operator::GreaterOrEqual => {
            sql.push(sign(operator));
            sql.bind(Value::BigInt(first));
        }
        _ => {
            sql.push(sign(operator));
            sql.bind(Value::BigInt(last));
        }
    }
    if is_of_any {
        sql.push(")");
    }
}

pub(super) fn existence(field: &Field, target: &Target<'_>, sql: &mut Sql) {
    placed(field, target, sql, |column, sql| {
        sql.push(column);
        sql.push(" IS NOT NULL");
        if matches!(field.kind, FieldKind::Text) {
            sql.push(" AND ");
            sql.push(column);
            sql.push(" <> ''");
        }
        if field.kind == FieldKind::Severity {
            sql.push(" AND ");
            sql.push(column);
            sql.push(" > 0");
        }
    });
}

/// Asks the table the field is kept in.
fn placed(
    field: &Field,
    target: &Target<'_>,
    sql: &mut Sql,
    ask: impl FnOnce(&'static str, &mut Sql),
) {
    let (table, ix) = match (field.place, target.table) {
        (Place::Row, _) => return ask(field.column, sql),
        // A public view has what its resource says under the same names.
        (Place::Resource, None) => return ask(field.column, sql),
        (Place::InstrumentationScope, None) => {
            let column = if field.column == "name" {
                "f.scope_name"
            } else {
                "f.scope_version"
            };
            return ask(column, sql);
        }
        (Place::Resource, Some(_)) => (".resources WHERE ", "resource_ix"),
        (Place::InstrumentationScope, Some(_)) => (".scopes WHERE ", "scope_ix"),
    };
    let dictionaries = target
        .table
        .map(|table| table.dictionaries.as_str())
        .unwrap_or_default();
    sql.push("f.");
    sql.push(ix);
    sql.push(" IN (SELECT ");
    sql.push(ix);
    sql.push(" FROM ");
    sql.name(dictionaries);
    sql.push(table);
    ask(field.column, sql);
    sql.push(")");
}
