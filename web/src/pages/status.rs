//! `/status`: how Tripline itself is doing.

use leptos::prelude::*;

use crate::parts::Frame;

/// A table of names and values under a heading.
#[derive(Debug, Clone, Default)]
pub struct StatusSection {
    /// Heading.
    pub title: String,
    /// Heads of the columns; the first is the row's name.
    pub columns: Vec<String>,
    /// Values, formatted; the flag marks one that deserves a look.
    pub rows: Vec<Vec<(String, bool)>>,
}

/// The page.
pub fn status(sections: &[StatusSection], frame: &Frame) -> AnyView {
    let sections = sections.iter().map(section).collect_view();
    view! {
        <h1 class="visually-hidden">"Status"</h1>
        <p class="note">"Counters of this process, which no relation of SQL has; " <a href="/metrics">"/metrics"</a> " gives them to Prometheus. What is stored by day: " {frame.how(STORED_SQL)}</p>
        <div class="status">{sections}</div>
    }
    .into_any()
}

/// Rows by signal and day.
const STORED_SQL: &str = "SELECT 'spans' AS signal, start_time::DATE AS day, count(*) AS stored FROM spans GROUP BY ALL\nUNION ALL SELECT 'logs', \"time\"::DATE, count(*) FROM logs GROUP BY ALL\nUNION ALL SELECT 'metric points', \"time\"::DATE, count(*) FROM metric_points GROUP BY ALL\nORDER BY ALL";

fn section(section: &StatusSection) -> AnyView {
    let head = section
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| view! { <th class=(at > 0).then_some("num")>{name.clone()}</th> })
        .collect_view();
    let rows = section
        .rows
        .iter()
        .map(|row| {
            let cells = row
                .iter()
                .enumerate()
                .map(|(at, (text, is_bad))| {
                    let class = match (at > 0, *is_bad) {
                        (true, true) => "num amber",
                        (true, false) => "num",
                        _ => "",
                    };
                    view! { <td class=class>{text.clone()}</td> }
                })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    view! {
        <section class="panel"><h2>{section.title.clone()}</h2>
        <div class="scroll"><table class="list"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>
    }
    .into_any()
}
