//! `/status`: how Tripline itself is doing.

use leptos::prelude::*;

use crate::frame::Frame;
use crate::parts::nothing;

/// A table of names and values under a heading.
#[derive(Debug, Clone, Default)]
pub struct StatusSection {
    /// Heading.
    pub title: String,
    /// Heads of the columns.
    pub columns: Vec<String>,
    /// So many columns from the left are words, the others numbers; the first always is.
    pub words: usize,
    /// Values, formatted; the flag marks one that deserves a look.
    pub rows: Vec<Vec<(String, bool)>>,
    /// The sentence in place of a table without rows.
    pub when_empty: &'static str,
}

/// The page. Each table is renewed by itself while the page is live.
pub fn status(sections: &[StatusSection], frame: &Frame) -> AnyView {
    let sections = sections
        .iter()
        .enumerate()
        .map(|(at, one)| {
            let id = format!("status-{at}");
            let class = if is_wide(one) {
                "panel whole-row"
            } else {
                "panel"
            };
            view! { <section class=class id=id data-live>{section(one)}</section> }
        })
        .collect_view();
    view! {
        <h1 class="visually-hidden">"Status"</h1>
        <p class="note">"Counters of this process, which no relation of SQL has; " <a href="/metrics">"/metrics"</a> " gives them to Prometheus. What is stored by day: " {frame.how(STORED_SQL)}</p>
        <div class="status">{sections}</div>
    }
    .into_any()
}

/// Characters of a value that has no room beside other tables.
const LONG_CHARS: usize = 60;

/// Columns that a table has room for beside others.
const COLUMNS_BESIDE: usize = 4;

/// Columns that a phone has room for side by side.
const COLUMNS_ON_A_PHONE: usize = 2;

/// Whether a table has a row of the page to itself.
fn is_wide(section: &StatusSection) -> bool {
    let mut values = section.rows.iter().flatten();
    let has_rows = !section.rows.is_empty();
    has_rows && section.columns.len() > COLUMNS_BESIDE
        || values.any(|(text, _)| text.chars().count() > LONG_CHARS)
}

/// Rows by signal and day.
const STORED_SQL: &str = "SELECT 'spans' AS signal, start_time::DATE AS day, count(*) AS stored FROM spans GROUP BY ALL\nUNION ALL SELECT 'logs', \"time\"::DATE, count(*) FROM logs GROUP BY ALL\nUNION ALL SELECT 'metric points', \"time\"::DATE, count(*) FROM metric_points GROUP BY ALL\nORDER BY ALL";

fn section(section: &StatusSection) -> AnyView {
    let is_number = |at: usize| at >= section.words.max(1);
    let head = section
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| view! { <th class=is_number(at).then_some("num")>{name.clone()}</th> })
        .collect_view();
    let rows = section
        .rows
        .iter()
        .map(|row| {
            let cells = row
                .iter()
                .enumerate()
                .map(|(at, (text, is_bad))| {
                    let class = match (is_number(at), *is_bad) {
                        (true, true) => "num amber",
                        (true, false) => "num",
                        (false, true) => "amber",
                        (false, false) => "",
                    };
                    // On a phone each row is a block, and its first value heads it.
                    if at == 0 {
                        return view! { <td class=format!("folds-main {class}")>{text.clone()}</td> }.into_any();
                    }
                    let head = section.columns.get(at).map(|name| name.to_lowercase());
                    let head = head.unwrap_or_default();
                    view! { <td class=class data-head=head>{text.clone()}</td> }.into_any()
                })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    let body = if section.rows.is_empty() {
        nothing(section.when_empty, "")
    } else {
        let class = if section.columns.len() > COLUMNS_ON_A_PHONE {
            "list folds"
        } else {
            "list"
        };
        view! { <div class="scroll" tabindex="0"><table class=class><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
    };
    view! { <h2>{section.title.clone()}</h2>{body} }.into_any()
}
