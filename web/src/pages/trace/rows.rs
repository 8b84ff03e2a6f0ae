//! Which rows of a waterfall are shown: those not folded away, those found, and of many a window.

use tripline_storage::model::SpanRecord;

use crate::frame::Frame;
use crate::pages::waterfall::{Row, Waterfall};

/// Rows of one page: what a browser lays out without a pause.
pub(super) const ROWS_MAX: usize = 1_000;

/// Which rows are shown: those not folded away, and of these a window.
pub(super) struct Rows<'w, 'a> {
    /// Not folded away, with their own index.
    pub(super) open: Vec<&'w Row<'a>>,
    /// Span ids whose rows below are folded away.
    pub(super) folded: Vec<String>,
    /// First row of the window.
    pub(super) skip: usize,
    /// What is looked for, in lower case.
    pub(super) wanted: Option<String>,
    /// Rows that have it, by index into `open`.
    pub(super) found: Vec<usize>,
}

impl<'w, 'a> Rows<'w, 'a> {
    pub(super) fn of(
        waterfall: &'w Waterfall<'a>,
        chosen: Option<&SpanRecord>,
        frame: &Frame,
    ) -> Self {
        let folded: Vec<String> = frame
            .param("fold")
            .map(|ids| ids.split(',').map(str::to_owned).collect())
            .unwrap_or_default();
        let mut open = Vec::with_capacity(waterfall.rows.len());
        let mut hidden_below = None;
        for row in &waterfall.rows {
            if hidden_below.is_some_and(|depth| row.depth > depth) {
                continue;
            }
            hidden_below = folded.contains(&row.span.span_id).then_some(row.depth);
            open.push(row);
        }
        let wanted = frame.param("find").map(str::to_lowercase);
        let found: Vec<usize> = wanted.as_deref().map_or_else(Vec::new, |wanted| {
            let has = |(_, row): &(usize, &&Row<'_>)| mentions(row.span, wanted);
            open.iter()
                .enumerate()
                .filter(has)
                .map(|(at, _)| at)
                .collect()
        });
        let asked = frame.param("row").and_then(|row| row.parse::<usize>().ok());
        let of_chosen = || {
            let id = &chosen?.span_id;
            open.iter().position(|row| row.span.span_id == *id)
        };
        // The span that is open, else the first one found, is in the window whatever its number.
        let target = of_chosen()
            .or(found.first().copied())
            .filter(|at| *at >= ROWS_MAX);
        let skip = asked
            .or(target.map(|at| at.saturating_sub(20)))
            .unwrap_or(0);
        Self {
            skip: skip.min(open.len().saturating_sub(1)),
            open,
            folded,
            wanted,
            found,
        }
    }

    pub(super) fn window(&self) -> &[&'w Row<'a>] {
        let end = (self.skip + ROWS_MAX).min(self.open.len());
        &self.open[self.skip.min(end)..end]
    }
}

/// Whether a person who looks for this text means this span.
pub(super) fn mentions(span: &SpanRecord, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    has(&span.name)
        || span.service_name.as_deref().is_some_and(has)
        || span.span_id == wanted
        || span.status_message.as_deref().is_some_and(has)
        || span
            .attributes
            .iter()
            .any(|a| has(&a.key) || has(&a.value.to_string()))
}
