//! Enum numbers as the words stored; a number of a future version stays a number (`CONFORMANCE.md` P03).

use std::fmt::Write as _;

/// Room for the text of an unknown number, without an allocation a span.
#[derive(Default)]
pub(super) struct NumberText(String);

impl NumberText {
    fn of(&mut self, number: i32) -> &str {
        self.0.clear();
        let _ = write!(self.0, "{number}");
        &self.0
    }
}

/// `unspecified`, `internal`, `server`, `client`, `producer`, `consumer`.
pub(super) fn span_kind(number: i32, room: &mut NumberText) -> &str {
    match number {
        0 => "unspecified",
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        unknown => room.of(unknown),
    }
}

/// `unset`, `ok`, `error`.
pub(super) fn status_code(number: i32, room: &mut NumberText) -> &str {
    match number {
        0 => "unset",
        1 => "ok",
        2 => "error",
        unknown => room.of(unknown),
    }
}

/// `unspecified`, `delta`, `cumulative`.
pub(super) fn temporality(number: i32) -> String {
    match number {
        0 => "unspecified".to_owned(),
        1 => "delta".to_owned(),
        2 => "cumulative".to_owned(),
        unknown => unknown.to_string(),
    }
}
