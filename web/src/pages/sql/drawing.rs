//! An answer as a picture: numbers over time as lines, numbers by a word as bars. What fits neither stays a table.

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::{SqlTable, is_numeric};
use crate::chart::{Line, time_series};
use crate::range::moment_ns;
use crate::units;

/// Lines told apart by colour at most.
const LINES_MAX: usize = 10;
/// Bars on a screen.
const BARS_MAX: usize = 50;

/// The picture, if the columns make one.
pub(super) fn drawing(table: &SqlTable) -> Option<AnyView> {
    let position = |is: &dyn Fn(&str) -> bool| table.columns.iter().position(|(_, kind)| is(kind));
    let is_time = |kind: &str| kind.starts_with("TIMESTAMP") || kind == "DATE";
    let time = position(&is_time);
    let word = position(&|kind| kind == "VARCHAR" || kind.starts_with("ENUM"));
    let numbers: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, (_, kind))| is_numeric(kind))
        .map(|(at, _)| at)
        .collect();
    match (time, word, numbers.first()) {
        (Some(time), word, Some(_)) => lines(table, time, word, &numbers),
        (None, Some(word), Some(number)) => Some(bars(table, word, *number)),
        _ => None,
    }
}

fn text(row: &[Option<String>], at: usize) -> &str {
    row.get(at).and_then(Option::as_deref).unwrap_or("NULL")
}

fn number(row: &[Option<String>], at: usize) -> Option<f64> {
    row.get(at)?
        .as_deref()?
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// A line for each number column, or for each word of the first when there is one.
fn lines(table: &SqlTable, time: usize, word: Option<usize>, numbers: &[usize]) -> Option<AnyView> {
    let mut found: BTreeMap<String, Vec<(u64, Option<f64>)>> = BTreeMap::new();
    for row in &table.rows {
        let Some(at) = moment_ns(text(row, time)) else {
            continue;
        };
        let columns = if word.is_some() {
            &numbers[..1]
        } else {
            numbers
        };
        for column in columns {
            let name = match word {
                Some(word) => text(row, word).to_owned(),
                None => table.columns[*column].0.clone(),
            };
            found
                .entry(name)
                .or_default()
                .push((at, number(row, *column)));
        }
    }
    let all = found.len();
    let mut drawn: Vec<Line> = found
        .into_iter()
        .map(|(name, points)| Line { name, points })
        .collect();
    // Those with the most points say most.
    drawn.sort_by_key(|line| std::cmp::Reverse(line.points.len()));
    drawn.truncate(LINES_MAX);
    for line in &mut drawn {
        line.points.sort_by_key(|(at, _)| *at);
    }
    let times = || {
        drawn
            .iter()
            .flat_map(|line| line.points.iter().map(|(at, _)| *at))
    };
    let (from, to) = (times().min()?, times().max()?);
    let note = (all > drawn.len())
        .then(|| view! { <p class="note">{format!("{} of {all} lines", drawn.len())}</p> });
    let names = drawn
        .iter()
        .enumerate()
        .map(|(at, line)| view! { <li><i class=format!("dot c{at}")></i>{line.name.clone()}</li> })
        .collect_view();
    Some(
        view! {
            {time_series(&drawn, &[], (from, to.max(from + 1)), "")}
            <ul class="legend" aria-label="Lines">{names}</ul>
            {note}
        }
        .into_any(),
    )
}

fn bars(table: &SqlTable, word: usize, value: usize) -> AnyView {
    let values = || {
        table
            .rows
            .iter()
            .take(BARS_MAX)
            .filter_map(|row| number(row, value))
    };
    let longest = values()
        .fold(0.0_f64, |most, value| most.max(value.abs()))
        .max(f64::MIN_POSITIVE);
    let rows = table
        .rows
        .iter()
        .take(BARS_MAX)
        .map(|row| {
            let (name, value) = (text(row, word).to_owned(), number(row, value));
            let width = value.unwrap_or(0.0).abs() / longest * 100.0;
            let words = value.map_or_else(|| "NULL".to_owned(), units::compact);
            view! {
                <tr><td class="wide">{name}</td><td class="num">{words}</td>
                <td class="bar-cell wide-bar"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="bar" width=width height="8"></rect></svg></td></tr>
            }
        })
        .collect_view();
    let (all, note) = (table.rows.len(), table.rows.len() > BARS_MAX);
    let note =
        note.then(|| view! { <p class="note">{format!("the first {BARS_MAX} of {all} rows")}</p> });
    view! { <table class="list"><tbody>{rows}</tbody></table> {note} }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, &str)], rows: &[&[&str]]) -> SqlTable {
        let pair = |(name, kind): &(&str, &str)| ((*name).to_owned(), (*kind).to_owned());
        let row = |row: &&[&str]| row.iter().map(|value| Some((*value).to_owned())).collect();
        SqlTable {
            columns: columns.iter().map(pair).collect(),
            rows: rows.iter().map(row).collect(),
            ..SqlTable::default()
        }
    }

    #[test]
    fn numbers_over_time_are_lines_and_by_a_word_bars() {
        let over_time = table(
            &[
                ("t", "TIMESTAMP_NS"),
                ("service_name", "VARCHAR"),
                ("n", "BIGINT"),
            ],
            &[
                &["2026-11-21T10:00:00Z", "a", "3"],
                &["2026-11-21T10:01:00Z", "a", "5"],
                &["2026-11-21T10:00:30Z", "b", "1"],
            ],
        );
        let html = drawing(&over_time).expect("lines").to_html();
        assert_eq!(html.matches("class=\"line c").count(), 2, "{html}");
        // Which line is which is said.
        let legend = html
            .split("aria-label=\"Lines\"")
            .nth(1)
            .unwrap_or_default();
        let place = |name: &str| legend.find(&format!("</i>{name}</li>"));
        assert!(place("a") < place("b") && place("a").is_some(), "{html}");
        let by_word = table(
            &[("name", "VARCHAR"), ("n", "DOUBLE")],
            &[&["x", "10"], &["y", "2.5"]],
        );
        let html = drawing(&by_word).expect("bars").to_html();
        assert!(
            html.contains("width=\"100\"") && html.contains("width=\"25\""),
            "{html}"
        );
        assert!(drawing(&table(&[("name", "VARCHAR")], &[&["x"]])).is_none());
    }
}
