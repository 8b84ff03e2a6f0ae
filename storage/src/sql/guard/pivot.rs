//! PIVOT without named values.
//!
//! DuckDB's parser makes several statements of `PIVOT spans ON kind USING count(*)` (it creates a type from
//! the values first), which neither serialises nor is read-only. So the values are looked up by a query of
//! their own and written into the text, `ON kind IN ('client', 'server')`; the result is one query and is
//! checked like any other. Only a PIVOT that is the statement itself (after an optional WITH) can be
//! completed so; one inside parentheses has to name its values.

use super::tokens::{Kind, Token, tokens};

/// Stands where a value will be while the text is checked.
pub(super) const PLACEHOLDER: &str = "value";
/// Most values of one PIVOT column, as in DuckDB's `pivot_limit` but for people.
pub(crate) const VALUES_MAX: usize = 200;

/// A statement whose PIVOT columns are not named yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pivots {
    text: String,
    /// What stands before PIVOT (a WITH clause, or nothing).
    prefix: String,
    /// What is pivoted.
    source: String,
    /// Where expressions without IN end, and the expressions.
    columns: Vec<(usize, String)>,
}

/// The statement-level PIVOT of `text` that needs values, if it has one.
pub(super) fn find(text: &str) -> Option<Pivots> {
    let found = top_level(text);
    let first = found.first()?;
    let at = found
        .iter()
        .position(|token| token.is(text, "PIVOT") || token.is(text, "PIVOT_WIDER"))?;
    let starts_statement = at == 0 || (first.is(text, "WITH") && found[at - 1].kind == Kind::Close);
    if !starts_statement {
        return None;
    }
    let after = &found[at + 1..];
    let on = after.iter().position(|token| token.is(text, "ON"))?;
    let list = &after[on + 1..];
    let list_end = list
        .iter()
        .position(|token| ends_list(token, text))
        .unwrap_or(list.len());
    let columns: Vec<(usize, String)> = list[..list_end]
        .split(|token| token.kind == Kind::Other(b','))
        .filter(|column| !column.iter().any(|token| token.is(text, "IN")))
        .filter_map(|column| {
            let (start, end) = (column.first()?.start, column.last()?.end);
            Some((end, text.get(start..end)?.to_owned()))
        })
        .collect();
    if columns.is_empty() {
        return None;
    }
    Some(Pivots {
        text: text.to_owned(),
        prefix: text.get(..found[at].start)?.to_owned(),
        source: text.get(found[at].end..after[on].start)?.to_owned(),
        columns,
    })
}

fn ends_list(token: &Token, text: &str) -> bool {
    [
        "USING",
        "GROUP",
        "ORDER",
        "LIMIT",
        "UNION",
        "EXCEPT",
        "INTERSECT",
    ]
    .iter()
    .any(|keyword| token.is(text, keyword))
        || token.kind == Kind::Other(b';')
}

/// Tokens outside of any bracket, and the brackets themselves.
fn top_level(text: &str) -> Vec<Token> {
    let mut depth = 0_usize;
    tokens(text)
        .into_iter()
        .filter(|token| match token.kind {
            Kind::Open => {
                depth += 1;
                depth == 1
            }
            Kind::Close => {
                depth = depth.saturating_sub(1);
                depth == 0
            }
            _ => depth == 0,
        })
        .collect()
}

impl Pivots {
    /// One query a column: its distinct values, as text, at most [`VALUES_MAX`] and one more.
    pub(crate) fn lookups(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|(_, expression)| {
                format!(
                    "{}SELECT DISTINCT CAST(({expression}\n) AS VARCHAR) AS pivot_value FROM {}\n\
                     WHERE pivot_value IS NOT NULL ORDER BY 1 LIMIT {}",
                    self.prefix,
                    self.source,
                    VALUES_MAX + 1
                )
            })
            .collect()
    }

    /// The statement with the values of each column (by its number) written in.
    pub(crate) fn filled(&self, values: impl Fn(usize) -> Vec<String>) -> String {
        let mut text = String::with_capacity(self.text.len() * 2);
        let mut from = 0;
        for (number, (end, _)) in self.columns.iter().enumerate() {
            let literals: Vec<String> = values(number)
                .iter()
                .map(|value| format!("'{}'", value.replace('\'', "''")))
                .collect();
            text.push_str(&self.text[from..*end]);
            text.push_str(&values_clause(&literals));
            from = *end;
        }
        text.push_str(&self.text[from..]);
        text
    }

    /// The byte of the statement that byte `at` of the text filled with one [`PLACEHOLDER`] a column came from.
    pub(super) fn before_filling(&self, at: usize) -> usize {
        let length = values_clause(&[format!("'{PLACEHOLDER}'")]).len();
        let mut written = 0;
        for (end, _) in &self.columns {
            if at < end + written {
                break;
            }
            if at < end + written + length {
                return *end;
            }
            written += length;
        }
        (at - written).min(self.text.len())
    }
}

fn values_clause(literals: &[String]) -> String {
    format!(" IN ({})", literals.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_after_each_column_that_has_none() {
        let pivots = find("WITH s AS (FROM spans) PIVOT s ON kind, name IN ('a'), lower(x) USING count(*) GROUP BY y")
            .expect("two columns without values");
        assert_eq!(
            pivots.filled(|number| vec![format!("it's {number}")]),
            "WITH s AS (FROM spans) PIVOT s ON kind IN ('it''s 0'), name IN ('a'), lower(x) IN ('it''s 1') \
             USING count(*) GROUP BY y"
        );
        assert!(
            pivots.lookups()[1]
                .starts_with("WITH s AS (FROM spans) SELECT DISTINCT CAST((lower(x)")
        );
    }

    #[test]
    fn a_place_in_the_filled_text_is_led_back_to_the_statement() {
        let text = "PIVOT s ON kind, name USING count(*)";
        let pivots = find(text).expect("two columns without values");
        let filled = pivots.filled(|_| vec![PLACEHOLDER.to_owned()]);
        for word in ["kind", "name", "USING", "count"] {
            let at = filled.find(word).expect("a word of the statement");
            assert_eq!(Some(pivots.before_filling(at)), text.find(word), "{word}");
        }
        let inside = filled.find(PLACEHOLDER).expect("the placeholder");
        assert_eq!(
            pivots.before_filling(inside),
            text.find(',').expect("a comma")
        );
        assert_eq!(pivots.before_filling(filled.len()), text.len());
    }

    #[test]
    fn a_pivot_with_values_or_inside_parentheses_is_left_alone() {
        for text in [
            "PIVOT s ON a IN (1) USING count(*)",
            "FROM (PIVOT s ON a USING count(*))",
            "SELECT 1",
            "",
            "PIVOT",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
