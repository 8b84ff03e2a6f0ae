//! Numbers as people read them: durations, counts, rates, shares, bytes, times in UTC.
//!
//! One place, so that the same quantity looks the same on every page. A number is never shown without
//! its unit, and never with more digits than it means.

use tripline_storage::calendar::date_of;

const SECOND: u64 = 1_000_000_000;

/// `1.24 ms`, `318 ns`, `2 min 3 s`: three significant digits at most. The unit is that of the rounded number: nothing
/// reads `1000 µs` or `60 s`.
pub fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500 => format!("{} µs", digits(ns as f64 / 1e3)),
        999_500..999_500_000 => format!("{} ms", digits(ns as f64 / 1e6)),
        999_500_000..59_950_000_000 => format!("{} s", digits(ns as f64 / 1e9)),
        59_950_000_000..60_000_000_000 => "1 min".to_owned(),
        _ if ns < 3600 * SECOND => pair(ns / SECOND, 60, "min", "s"),
        _ if ns < 86_400 * SECOND => pair(ns / SECOND / 60, 60, "h", "min"),
        _ => pair(ns / SECOND / 3600, 24, "d", "h"),
    }
}

/// A duration that may be unknown.
pub fn duration_or_dash(ns: Option<f64>) -> String {
    match ns {
        Some(ns) if ns.is_finite() && ns >= 0.0 => duration(ns as u64),
        _ => "–".to_owned(),
    }
}

/// How long after `from` a moment was, both in nanoseconds since the epoch: `+1.5 ms`; before it, by another clock: `−5 s`.
pub fn offset(at_ns: u64, from_ns: u64) -> String {
    if at_ns < from_ns {
        format!("−{}", duration(from_ns - at_ns))
    } else {
        format!("+{}", duration(at_ns - from_ns))
    }
}

fn pair(small: u64, per_large: u64, large_unit: &str, small_unit: &str) -> String {
    match (small / per_large, small % per_large) {
        (large, 0) => format!("{large} {large_unit}"),
        (large, rest) => format!("{large} {large_unit} {rest} {small_unit}"),
    }
}

/// Three significant digits, trailing zeros dropped.
fn digits(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    trim(format!("{value:.decimals$}"))
}

fn trim(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `12,431`.
pub fn count(value: u64) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len() + text.len() / 3);
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && (text.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 service`, `12 services`.
pub fn counted(value: u64, word: &str) -> String {
    match value {
        1 => format!("1 {word}"),
        _ => format!("{} {word}s", count(value)),
    }
}

/// `1 sidecar is`, `12 sidecars are`.
pub fn counted_are(value: u64, word: &str) -> String {
    let verb = if value == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(value, word))
}

/// `+12 %`, `−3 %`: how much a number grew or shrank. From nothing there is no telling.
pub fn change(from: f64, to: f64) -> Option<String> {
    let grown = (to - from) / from * 100.0;
    if from <= 0.0 || !grown.is_finite() {
        return None;
    }
    let whole = grown.abs().round();
    let sign = if whole == 0.0 {
        "±"
    } else if grown > 0.0 {
        "+"
    } else {
        "−"
    };
    Some(format!("{sign}{} %", count(whole as u64)))
}

/// `12.4/s`, or `3.2/min` below one in ten seconds.
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second <= 0.0 {
        return "0/s".to_owned();
    }
    if per_second >= 0.1 {
        format!("{}/s", compact(per_second))
    } else if per_second * 60.0 >= 0.1 {
        format!("{}/min", compact(per_second * 60.0))
    } else {
        format!("{}/h", compact(per_second * 3600.0))
    }
}

/// `1.2k`, `3.4M`; three significant digits.
pub fn compact(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        return value.to_string();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let text = match magnitude {
        m if m >= 999.5e6 => format!("{}G", digits(m / 1e9)),
        m if m >= 999.5e3 => format!("{}M", digits(m / 1e6)),
        m if m >= 1e4 => format!("{}k", digits(m / 1e3)),
        m if m >= 1.0 || m == 0.0 => digits(m),
        m if m >= 0.1 => trim(format!("{m:.3}")),
        m if m >= 0.01 => trim(format!("{m:.4}")),
        m if m >= 0.001 => trim(format!("{m:.5}")),
        m => format!("{m:.2e}"),
    };
    format!("{sign}{text}")
}

/// A share as a percentage: `0 %`, `0.02 %`, `12.4 %`; never rounds something to nothing.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if !value.is_finite() {
        "–".to_owned()
    } else if value == 0.0 {
        "0 %".to_owned()
    } else if value < 0.01 {
        "<0.01 %".to_owned()
    } else {
        format!("{} %", digits(value))
    }
}

/// `1.2 MiB`.
pub fn bytes(value: u64) -> String {
    let mut scaled = value as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if scaled < 1023.5 {
            return format!("{} {unit}", digits(scaled));
        }
        scaled /= 1024.0;
    }
    format!("{} TiB", digits(scaled))
}

/// A metric's value with its UCUM unit, the common ones in words; a rate of a unit is one a second (`By/s`).
pub fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "s" if value >= 0.0 => duration((value * 1e9) as u64),
        "ms" if value >= 0.0 => duration((value * 1e6) as u64),
        "us" if value >= 0.0 => duration((value * 1e3) as u64),
        "ns" if value >= 0.0 => duration(value as u64),
        "By" if value >= 0.0 => bytes(value as u64),
        "" | "1" => compact(value),
        "Cel" => format!("{} °C", compact(value)),
        _ => match unit.strip_suffix("/s") {
            Some(unit) => format!("{}/s", with_unit(value, unit)),
            None if unit.starts_with('{') => compact(value),
            None => format!("{} {unit}", compact(value)),
        },
    }
}

/// A point in time, in parts of the UTC calendar.
struct Civil {
    year: i64,
    month: u32,
    day: u32,
    second_of_day: u64,
}

fn civil(unix_seconds: u64) -> Civil {
    let (year, month, day) = date_of((unix_seconds / 86_400) as i64);
    Civil {
        year,
        month,
        day,
        second_of_day: unix_seconds % 86_400,
    }
}

/// RFC 3339 in UTC, with as many digits of a second as asked (0, 3, 6 or 9).
pub fn timestamp(unix_nano: u64, fraction_digits: usize) -> String {
    let Civil {
        year,
        month,
        day,
        second_of_day,
    } = civil(unix_nano / SECOND);
    let clock = clock(second_of_day);
    let fraction = fraction(unix_nano % SECOND, fraction_digits);
    format!("{year:04}-{month:02}-{day:02}T{clock}{fraction}Z")
}

/// `03:02:14.123`: what a row of a table within a day needs.
pub fn time_of_day(unix_nano: u64, fraction_digits: usize) -> String {
    let at = civil(unix_nano / SECOND);
    format!(
        "{}{}",
        clock(at.second_of_day),
        fraction(unix_nano % SECOND, fraction_digits)
    )
}

/// `11-21 03:02`: what an axis needs, by the width it spans.
pub fn axis_time(unix_nano: u64, span_ns: u64) -> String {
    let at = civil(unix_nano / SECOND);
    let clock = clock(at.second_of_day);
    if span_ns <= 600 * SECOND {
        clock
    } else if span_ns <= 26 * 3600 * SECOND {
        clock[..5].to_owned()
    } else {
        format!("{:02}-{:02} {}", at.month, at.day, &clock[..5])
    }
}

fn clock(second_of_day: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        second_of_day / 3600,
        second_of_day / 60 % 60,
        second_of_day % 60
    )
}

fn fraction(ns: u64, fraction_digits: usize) -> String {
    match fraction_digits {
        0 => String::new(),
        n => format!(".{}", &format!("{ns:09}")[..n.min(9)]),
    }
}

/// `3 s ago`; the future is named as such, because clocks are wrong more often than people think.
pub fn ago(then_ns: u64, now_ns: u64) -> String {
    let unit = |ns: u64| match ns / SECOND {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    };
    if then_ns > now_ns + SECOND {
        format!("{} in the future", unit(then_ns - now_ns))
    } else {
        format!("{} ago", unit(now_ns.saturating_sub(then_ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_people_write_them() {
        assert_eq!(duration(318), "318 ns");
        assert_eq!(duration(1_240_000), "1.24 ms");
        assert_eq!(duration(123_000_000_000), "2 min 3 s");
        assert_eq!(count(12_431), "12,431");
        assert_eq!(count(999), "999");
        assert_eq!(
            (counted(1, "service"), counted(1_200, "service")),
            ("1 service".to_owned(), "1,200 services".to_owned())
        );
        assert_eq!(
            (counted_are(1, "span"), counted_are(0, "span")),
            ("1 span is".to_owned(), "0 spans are".to_owned())
        );
        assert_eq!(rate(0.05), "3/min");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.000_001), "<0.01 %");
        assert_eq!(percent(0.124), "12.4 %");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(compact(12_400.0), "12.4k");
        assert_eq!(with_unit(0.25, "s"), "250 ms");
    }

    #[test]
    fn rounding_up_reaches_the_next_unit() {
        for (ns, text) in [
            (999_499, "999 µs"),
            (999_813, "1 ms"),
            (999_499_999, "999 ms"),
            (999_500_000, "1 s"),
            (59_940_000_000, "59.9 s"),
            (59_960_000_000, "1 min"),
        ] {
            assert_eq!(duration(ns), text, "{ns}");
        }
        assert_eq!(
            (compact(999_400.0), compact(999_600.0)),
            ("999k".to_owned(), "1M".to_owned())
        );
        assert_eq!(
            (bytes(1_000), bytes(1_048_500)),
            ("1000 B".to_owned(), "1 MiB".to_owned())
        );
    }

    #[test]
    fn a_moment_before_another_is_not_at_it() {
        assert_eq!(offset(1_500_000, 0), "+1.5 ms");
        assert_eq!(offset(7, 7), "+0 ns");
        assert_eq!(offset(0, 5_000_000_000), "−5 s");
    }

    #[test]
    fn small_numbers_have_three_digits_too() {
        let said = [0.498_53, 0.099_96, 0.012_345, 0.001_234_5].map(compact);
        assert_eq!(said, ["0.499", "0.1", "0.0123", "0.00123"]);
        assert_eq!(rate(0.498_53 / 60.0), "0.499/min");
    }

    #[test]
    fn what_grows_in_a_unit_grows_by_it_a_second() {
        for (value, unit, text) in [
            (102.4, "By/s", "102 B/s"),
            (0.25, "s/s", "250 ms/s"),
            (3.3, "/s", "3.3/s"),
            (3.3, "1/s", "3.3/s"),
            (3.3, "{request}/s", "3.3/s"),
            (-3.5, "Cel", "-3.5 °C"),
            (50.0, "%", "50 %"),
        ] {
            assert_eq!(with_unit(value, unit), text, "{unit}");
        }
    }

    #[test]
    fn changes_say_how_much_and_nothing_of_what_began_at_nothing() {
        let said = |from, to| change(from, to).unwrap_or_default();
        assert_eq!(said(10.0, 11.2), "+12 %");
        assert_eq!(said(10.0, 9.7), "−3 %");
        assert_eq!(said(10.0, 10.001), "±0 %");
        assert_eq!(said(1.0, 21.0), "+2,000 %");
        assert_eq!(said(10.0, 0.0), "−100 %");
        for (from, to) in [(0.0, 5.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            assert_eq!(change(from, to), None, "{from} to {to}");
        }
    }

    #[test]
    fn times_are_utc_and_the_calendar_is_right() {
        assert_eq!(timestamp(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(
            timestamp(951_782_400_000_000_001, 9),
            "2000-02-29T00:00:00.000000001Z"
        );
        assert_eq!(time_of_day(1_795_229_999_123_000_000, 3), "02:59:59.123");
        assert_eq!(ago(1_000_000_000, 4_000_000_000), "3 s ago");
        assert_eq!(ago(9_000_000_000, 4_000_000_000), "5 s in the future");
    }
}
