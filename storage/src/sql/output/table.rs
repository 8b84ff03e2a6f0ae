//! Aligned columns for a terminal. Control characters are shown, not sent: telemetry is written by strangers.

use arrow::record_batch::RecordBatch;

use super::{Column, Ending, csv, json};

/// Widest cell; longer texts are cut with `…`.
const WIDTH_MAX: usize = 60;

pub(in crate::sql) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    bytes: usize,
}

impl Table {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Keeps rows until `bytes_max`; answers how many.
    pub(super) fn write(&mut self, batch: &RecordBatch, bytes_max: usize) -> usize {
        for row in 0..batch.num_rows() {
            if self.bytes >= bytes_max {
                return row;
            }
            let cells: Vec<String> = (0..self.columns.len())
                .map(|column| {
                    let mut value = String::new();
                    json::value(&mut value, &self.columns, batch, column, row);
                    if value == "null" {
                        return String::new();
                    }
                    shown(&csv::unquoted(&value).unwrap_or(value))
                })
                .collect();
            self.bytes += cells.iter().map(String::len).sum::<usize>();
            self.rows.push(cells);
        }
        batch.num_rows()
    }

    pub(super) fn finish(self, ending: Ending) -> Vec<u8> {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| shown(&column.name))
            .collect();
        let mut widths: Vec<usize> = names.iter().map(|name| name.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        line(&mut text, &names, &widths);
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        line(&mut text, &rules, &widths);
        for row in &self.rows {
            line(&mut text, row, &widths);
        }
        let more = if ending.truncated {
            ", and there are more"
        } else {
            ""
        };
        text.push_str(&format!(
            "({} rows{more}, {} ms)\n",
            self.rows.len(),
            ending.elapsed.as_millis()
        ));
        text.into_bytes()
    }
}

fn line(text: &mut String, cells: &[String], widths: &[usize]) {
    let mut padded = String::new();
    for (number, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if number > 0 {
            padded.push_str("  ");
        }
        padded.push_str(cell);
        padded.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
    }
    text.push_str(padded.trim_end());
    text.push('\n');
}

fn shown(text: &str) -> String {
    let is_long = text.chars().count() > WIDTH_MAX;
    let kept = if is_long { WIDTH_MAX - 1 } else { WIDTH_MAX };
    let mut shown: String = text
        .chars()
        .take(kept)
        .map(|c| if is_hidden(c) { '\u{FFFD}' } else { c })
        .collect();
    if is_long {
        shown.push('…');
    }
    shown
}

/// Control characters and those that change the direction of text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
