//! The newest log records by what they have in common.

use leptos::prelude::*;
use tripline_storage::filter::{Filter, Signal};
use tripline_storage::model::LogPatterns;

use super::{nothing_fits, severity_word};
use crate::frame::Frame;
use crate::parts::{line, moment, positive};
use crate::units;

/// Patterns, those of most records first.
pub(super) fn pattern_table(patterns: &LogPatterns, frame: &Frame) -> AnyView {
    if patterns.items.is_empty() {
        return nothing_fits(frame);
    }
    let rows = patterns
        .items
        .iter()
        .map(|pattern| {
            let word = severity_word(pattern.severity_number);
            let text = match pattern.pattern.as_str() {
                "" => "(no text)".to_owned(),
                text => text.to_owned(),
            };
            let link = Filter::parse(&pattern.filter, Signal::Logs)
                .ok()
                .map(|filter| frame.with(&[("view", ""), ("q", &Filter::narrowed(frame.param("q").unwrap_or_default(), Signal::Logs, filter.expression().clone()))]));
            view! {
                <tr>
                    <td class="num" data-head="records">{units::count(pattern.count)}</td>
                    <td class="num quiet" data-head="share">{units::percent(pattern.count as f64 / patterns.records.max(1) as f64)}</td>
                    <td><span class=format!("severity {}", word.1)>{word.0}</span></td>
                    <td class="wide folds-main"><a href=link title=line(&pattern.example)><code>{line(&text)}</code></a></td>
                    <td class="quiet">{pattern.services.join(", ")}</td>
                    <td class="nowrap" data-head="newest">{moment(positive(pattern.newest_unix_nano), frame)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll"><table class="list folds">
            <thead><tr><th class="num">"Records"</th><th class="num">"Share"</th><th>"Severity"</th><th>"Pattern"</th><th>"Services"</th><th>"Newest"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="note">{patterns_note(patterns)}</p>
    }
    .into_any()
}

/// How many there are, and what was cut: patterns with few records, or records that are older.
fn patterns_note(patterns: &LogPatterns) -> String {
    let shown = patterns.items.len() as u64;
    let found = units::counted(patterns.total.max(shown), "pattern");
    let found = if patterns.total > shown {
        format!("{} of {found}, those of most records,", units::count(shown))
    } else {
        found
    };
    let records = units::counted(patterns.records, "record");
    let older = if patterns.truncated {
        "; older ones were not looked at"
    } else {
        ""
    };
    format!("{found} among the newest {records}{older}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_of_the_patterns_is_said_in_its_own_words() {
        let note = |total, truncated| {
            patterns_note(&LogPatterns {
                items: vec![Default::default(); 2],
                total,
                records: 60,
                truncated,
            })
        };
        assert_eq!(note(2, false), "2 patterns among the newest 60 records");
        assert_eq!(
            note(2, true),
            "2 patterns among the newest 60 records; older ones were not looked at"
        );
        assert_eq!(
            note(130, false),
            "2 of 130 patterns, those of most records, among the newest 60 records"
        );
    }
}
