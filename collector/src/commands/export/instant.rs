//! Times as people type them: RFC 3339, a date, or nanoseconds since the epoch.

use std::str::FromStr;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    pub(super) unix_nano: u64,
}

impl FromStr for Instant {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unix_nano = text.parse().ok().or_else(|| rfc3339(text));
        unix_nano.map(|unix_nano| Self { unix_nano }).ok_or(
            "not a time: say 2026-11-21T04:00:00Z, 2026-11-21, or nanoseconds since the epoch",
        )
    }
}

/// `YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]][Z|±HH:MM]]`, UTC when no offset is given.
fn rfc3339(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = fields(date, '-')?;
    if !(1970..=2554).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_since_epoch(year, month, day);
    let (seconds, nanos) = match rest.strip_prefix(['T', 't', ' ']) {
        Some(time) => time_of_day(time)?,
        None if rest.is_empty() => (0, 0),
        None => return None,
    };
    let seconds = u64::try_from(days * 86_400 + seconds).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Seconds (the offset taken off) and nanoseconds.
fn time_of_day(text: &str) -> Option<(i64, u64)> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let offset = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let [hours, minutes] = fields(&zone[1..], ':')?;
            let minutes = hours * 60 + minutes;
            if zone.starts_with('-') {
                -minutes
            } else {
                minutes
            }
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hours, minutes, seconds] = fields(clock, ':').or_else(|| {
        let [hours, minutes] = fields(clock, ':')?;
        Some([hours, minutes, 0])
    })?;
    if hours > 23 || minutes > 59 || seconds > 60 || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    Some((hours * 3_600 + (minutes - offset) * 60 + seconds, nanos))
}

/// Exactly `N` unsigned numbers.
fn fields<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let numbers: Option<Vec<i64>> = text
        .split(separator)
        .map(|part| {
            part.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| part.parse().ok())?
        })
        .collect();
    numbers?.try_into().ok()
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_type_them() {
        for (text, seconds, nanos) in [
            ("1970-01-01", 0, 0),
            ("2000-02-29T00:00:00Z", 951_782_400, 0),
            ("2023-11-14T22:13:20.5Z", 1_700_000_000, 500_000_000),
            ("2023-11-14 23:13:20+01:00", 1_700_000_000, 0),
            ("2023-11-14T17:13-05:00", 1_699_999_980, 0),
        ] {
            let time: Instant = text.parse().expect(text);
            assert_eq!(time.unix_nano, seconds * 1_000_000_000 + nanos, "{text}");
        }
        assert_eq!("5".parse(), Ok(Instant { unix_nano: 5 }));
        for text in [
            "",
            "yesterday",
            "2023-13-01",
            "2023-11-14T25:00Z",
            "2023-11-14Tx",
            "1969-12-31",
            "-5",
        ] {
            assert!(text.parse::<Instant>().is_err(), "{text}");
        }
    }
}
