//! Dates and times as text.

use std::fmt::Write as _;

use crate::calendar::date_of;

const SECONDS_A_DAY: i64 = 86_400;

/// `2026-01-31`; years beyond four digits have a sign, as ISO 8601 asks.
pub(super) fn date(text: &mut String, days: i64) {
    let (year, month, day) = date_of(days);
    if (0..=9999).contains(&year) {
        let _ = write!(text, "{year:04}-{month:02}-{day:02}");
    } else {
        let _ = write!(text, "{year:+06}-{month:02}-{day:02}");
    }
}

/// RFC 3339 with nine digits: `2026-01-31T12:00:00.000000001Z`.
pub(crate) fn timestamp(text: &mut String, seconds: i64, nanos: u32) {
    date(text, seconds.div_euclid(SECONDS_A_DAY));
    text.push('T');
    time(text, seconds.rem_euclid(SECONDS_A_DAY), nanos);
    text.push('Z');
}

/// `12:00:00.000000001`.
pub(super) fn time(text: &mut String, seconds: i64, nanos: u32) {
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let _ = write!(text, "{hour:02}:{minute:02}:{second:02}.{nanos:09}");
}

/// ISO 8601: `P1M2DT3.000000004S`, signs inside; zero is `PT0S`.
pub(super) fn interval(text: &mut String, months: i32, days: i32, nanos: i64) {
    text.push('P');
    if months != 0 {
        let _ = write!(text, "{months}M");
    }
    if days != 0 {
        let _ = write!(text, "{days}D");
    }
    if nanos != 0 {
        let sign = if nanos < 0 { "-" } else { "" };
        let nanos = nanos.unsigned_abs();
        let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let _ = write!(text, "T{sign}{seconds}");
        if rest != 0 {
            let _ = write!(text, ".{rest:09}");
        }
        text.push('S');
    } else if months == 0 && days == 0 {
        text.push_str("T0S");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(seconds: i64, nanos: u32) -> String {
        let mut text = String::new();
        timestamp(&mut text, seconds, nanos);
        text
    }

    #[test]
    fn known_moments_have_their_text() {
        assert_eq!(stamp(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(
            stamp(951_782_399, 999_999_999),
            "2000-02-28T23:59:59.999999999Z"
        );
        assert_eq!(stamp(951_782_400, 1), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(stamp(-1, 5), "1969-12-31T23:59:59.000000005Z");
        assert_eq!(
            stamp(253_402_300_800, 0),
            "+10000-01-01T00:00:00.000000000Z"
        );
    }

    #[test]
    fn intervals_keep_their_parts() {
        let shown = |months, days, nanos| {
            let mut text = String::new();
            interval(&mut text, months, days, nanos);
            text
        };
        assert_eq!(shown(0, 0, 0), "PT0S");
        assert_eq!(shown(14, -1, 1_500_000_000), "P14M-1DT1.500000000S");
        assert_eq!(shown(0, 0, -2_000_000_000), "PT-2S");
    }
}
