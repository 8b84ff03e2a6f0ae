//! PIVOT without named values.
//!
//! DuckDB's parser makes several statements of `PIVOT spans ON kind USING count(*)` (it creates a type from
//! the values first), which neither serialises nor is read-only. So the values are looked up by a query of
//! their own and written into the text, `ON kind IN ('client', 'server')`; the result is one query and is
//! checked like any other. A PIVOT begins the statement or what stands in parentheses (after an optional WITH).
//! Of several the one whose source is complete first is completed first: its source, and the WITH clauses it
//! may name, lie before its ON, so no PIVOT is left in them.

use super::tokens::{Kind, Token, tokens};

/// Stands where a value will be while the text is checked.
pub(super) const PLACEHOLDER: &str = "value";
/// Most values of one PIVOT column, as in DuckDB's `pivot_limit` but for people.
pub(crate) const VALUES_MAX: usize = 200;
/// Most PIVOTs of a statement, and most columns without values of one: each costs a query, and a look at the whole text.
pub(super) const PIVOTS_MAX: usize = 16;
/// Deepest nesting of one, in brackets: what each has before it is read.
const DEPTH_MAX: usize = 64;

/// A statement whose PIVOT columns are not named yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pivots {
    text: String,
    /// WITH clauses around the parentheses that PIVOT stands in, as far as it may name what they define; outermost first.
    around: Vec<String>,
    /// What stands before PIVOT (a WITH clause, or nothing).
    prefix: String,
    /// What is pivoted.
    source: String,
    /// Where expressions without IN end, and the expressions.
    columns: Vec<(usize, String)>,
}

/// The PIVOT of `text` that needs values and is to be completed first, if there is one.
pub(super) fn find(text: &str) -> Option<Pivots> {
    let all = tokens(text);
    let is_pivot = |token: &Token| token.is(text, "PIVOT") || token.is(text, "PIVOT_WIDER");
    let places: Vec<usize> = (0..all.len()).filter(|&at| is_pivot(&all[at])).collect();
    if places.len() > PIVOTS_MAX {
        return None;
    }
    places
        .into_iter()
        .filter_map(|at| incomplete(text, &all, at))
        .min_by_key(|(on, _)| *on)
        .map(|(_, pivots)| pivots)
}

/// The PIVOT at a token, with the place of its ON, if it begins what it stands in and needs values.
fn incomplete(text: &str, all: &[Token], pivot: usize) -> Option<(usize, Pivots)> {
    let opens = open_before(all, pivot);
    if opens.len() > DEPTH_MAX {
        return None;
    }
    let from = opens.last().map_or(0, |open| open + 1);
    let found = outside_brackets(&all[from..]);
    let first = found.first()?;
    let at = found
        .iter()
        .position(|token| token.start == all[pivot].start)?;
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
    if columns.is_empty() || columns.len() > PIVOTS_MAX {
        return None;
    }
    let starts = std::iter::once(0).chain(opens.iter().map(|open| open + 1));
    let around = starts
        .zip(&opens)
        .filter_map(|(start, open)| {
            with_clause(text, &outside_brackets(&all[start..]), all[*open].start)
        })
        .map(str::to_owned)
        .collect();
    let pivots = Pivots {
        text: text.to_owned(),
        around,
        prefix: text.get(first.start..found[at].start)?.to_owned(),
        source: text.get(found[at].end..after[on].start)?.to_owned(),
        columns,
    };
    Some((after[on].start, pivots))
}

/// The brackets a token stands in, outermost first.
fn open_before(all: &[Token], at: usize) -> Vec<usize> {
    let mut opens = Vec::new();
    for (number, token) in all[..at].iter().enumerate() {
        match token.kind {
            Kind::Open => opens.push(number),
            Kind::Close => {
                opens.pop();
            }
            _ => {}
        }
    }
    opens
}

/// Of the WITH clause that `found` begins with what defines names for the bracket that opens at byte `inside`: all of
/// it, or what stands before the definition that the bracket is part of.
fn with_clause<'t>(text: &'t str, found: &[Token], inside: usize) -> Option<&'t str> {
    let first = found.first().filter(|token| token.is(text, "WITH"))?;
    let goes_on = |next: &Token| {
        next.kind == Kind::Other(b',') || next.is(text, "AS") || next.is(text, "USING")
    };
    let last = found
        .windows(2)
        .find(|pair| pair[0].kind == Kind::Close && !goes_on(&pair[1]))
        .map(|pair| pair[0])?;
    let end = if inside < last.end {
        let comma = |token: &&Token| token.kind == Kind::Other(b',') && token.start < inside;
        found.iter().rfind(comma)?.start
    } else {
        last.end
    };
    text.get(first.start..end)
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

/// Tokens outside of any bracket, and the brackets themselves, up to the one that ends what they stand in.
fn outside_brackets(all: &[Token]) -> Vec<Token> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for token in all {
        match token.kind {
            Kind::Open => {
                depth += 1;
                if depth == 1 {
                    found.push(*token);
                }
            }
            Kind::Close if depth == 0 => break,
            Kind::Close => {
                depth -= 1;
                if depth == 0 {
                    found.push(*token);
                }
            }
            _ if depth == 0 => found.push(*token),
            _ => {}
        }
    }
    found
}

impl Pivots {
    /// One query a column: its distinct values, as text, at most [`VALUES_MAX`] and one more.
    pub(crate) fn lookups(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|(_, expression)| {
                let values = format!(
                    "{}SELECT DISTINCT CAST(({expression}\n) AS VARCHAR) AS pivot_value FROM {}\n\
                     WHERE pivot_value IS NOT NULL ORDER BY 1 LIMIT {}",
                    self.prefix,
                    self.source,
                    VALUES_MAX + 1
                );
                let inside = |values: String, with: &String| format!("{with}\nFROM (\n{values}\n)");
                self.around.iter().rev().fold(values, inside)
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
    fn a_pivot_in_parentheses_sees_the_clauses_before_it() {
        let lookup = |text: &str| {
            find(text)
                .expect("a column without values")
                .lookups()
                .remove(0)
        };
        let values = |from: &str| {
            format!(
                "SELECT DISTINCT CAST((a\n) AS VARCHAR) AS pivot_value FROM  {from} \n\
                 WHERE pivot_value IS NOT NULL ORDER BY 1 LIMIT 201"
            )
        };
        assert_eq!(lookup("FROM (PIVOT s ON a USING count(*))"), values("s"));
        assert_eq!(
            lookup("WITH s AS (FROM spans), t(x) AS (FROM s) SELECT 1 FROM (PIVOT t ON a)"),
            format!(
                "WITH s AS (FROM spans), t(x) AS (FROM s)\nFROM (\n{}\n)",
                values("t")
            )
        );
        assert_eq!(
            lookup("WITH s AS (FROM spans), p AS (PIVOT s ON a), q AS (FROM p) FROM q"),
            format!("WITH s AS (FROM spans)\nFROM (\n{}\n)", values("s"))
        );
        assert_eq!(lookup("WITH p AS (PIVOT s ON a) FROM p"), values("s"));
        assert_eq!(
            lookup("WITH s AS (FROM spans) FROM (WITH t AS (FROM s) FROM (PIVOT t ON a))"),
            format!(
                "WITH s AS (FROM spans)\nFROM (\nWITH t AS (FROM s)\nFROM (\n{}\n)\n)",
                values("t")
            )
        );
    }

    #[test]
    fn of_several_the_one_whose_source_is_complete_comes_first() {
        let filled = |text: &str| {
            find(text)
                .expect("a column without values")
                .filled(|_| vec!["v".to_owned()])
        };
        let once = filled("PIVOT (FROM (PIVOT s ON a USING count(*))) ON b USING count(*)");
        assert_eq!(
            once,
            "PIVOT (FROM (PIVOT s ON a IN ('v') USING count(*))) ON b USING count(*)"
        );
        assert_eq!(
            filled(&once),
            "PIVOT (FROM (PIVOT s ON a IN ('v') USING count(*))) ON b IN ('v') USING count(*)"
        );
        let many = "FROM (PIVOT s ON a) UNION ALL ".repeat(PIVOTS_MAX + 1);
        assert_eq!(find(&many), None);
        let wide = format!("PIVOT s ON {}a", "a, ".repeat(PIVOTS_MAX));
        assert_eq!(find(&wide), None);
        let deep = format!("{}PIVOT s ON a", "(".repeat(DEPTH_MAX + 1));
        assert_eq!(find(&deep), None);
    }

    #[test]
    fn a_pivot_with_values_or_in_the_middle_is_left_alone() {
        for text in [
            "PIVOT s ON a IN (1) USING count(*)",
            "FROM (PIVOT s ON a IN (1) USING count(*))",
            "SELECT 1 UNION ALL PIVOT s ON a USING count(*)",
            ")) PIVOT s ON a",
            "SELECT 1",
            "",
            "PIVOT",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
