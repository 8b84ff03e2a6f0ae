//! Texts of any length on a page: what somebody reads of them, and how much is left out.

use tripline_storage::model::LogRecord;

use crate::units;

/// Bytes of a text that are shown where it stands by itself: the longest stack traces are shorter.
const SHOWN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a text that are shown where it is one line of a list.
const LINE_BYTES_MAX: usize = 1024;

/// What a text that stands by itself shows, and what is to be said of the rest, if there is one.
pub fn beginning(text: &str) -> (String, Option<String>) {
    if text.len() <= SHOWN_BYTES_MAX {
        return (text.to_owned(), None);
    }
    let shown = &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)];
    let note = format!(
        "the first {} of {}",
        units::bytes(shown.len() as u64),
        units::bytes(text.len() as u64)
    );
    (shown.to_owned(), Some(note))
}

/// What a text shows in a line of a list.
pub fn line(text: &str) -> String {
    if text.len() <= LINE_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LINE_BYTES_MAX)])
}

/// What a log record says: its body, else the name of its event.
pub fn log_text(log: &LogRecord) -> Option<&str> {
    log.body.as_deref().or(log.event_name.as_deref())
}

/// The same in a line of a list.
pub fn log_line_text(log: &LogRecord) -> String {
    line(log_text(log).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_letters_and_what_is_left_out_is_told() {
        let long = "ü".repeat(SHOWN_BYTES_MAX);
        let (shown, note) = beginning(&long);
        assert_eq!(shown.len(), SHOWN_BYTES_MAX);
        assert_eq!(note.as_deref(), Some("the first 16 KiB of 32 KiB"));
        let odd = format!("a{long}");
        assert_eq!(beginning(&odd).0.len(), SHOWN_BYTES_MAX - 1);
        assert_eq!(line(&odd).len(), LINE_BYTES_MAX - 1 + "…".len());
        assert_eq!(beginning("short"), ("short".to_owned(), None));
        assert_eq!(line("short"), "short");
    }
}
