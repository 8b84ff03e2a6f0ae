//! The one time range of a page, as it stands in the URL: `from` and `to`, each relative or absolute.
//!
//! Relative is `now`, `now-15m`; absolute is RFC 3339 or nanoseconds since the epoch. What cannot be
//! read is an error the page shows, never silently the default.

use tripline_storage::calendar::day_of;
use tripline_storage::model::TimeRange;

use crate::units;

/// The last moment that can be asked for, nanoseconds since the epoch.
const LAST_NS: u64 = TimeRange::LAST_UNIX_NANO.unsigned_abs();

const SECOND: u64 = 1_000_000_000;

/// A week in nanoseconds.
pub const WEEK: u64 = 7 * 86_400 * SECOND;

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// This many nanoseconds before now.
    Ago(u64),
    /// Nanoseconds since the epoch.
    At(u64),
}

/// The range of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Where it starts.
    pub from: Edge,
    /// Where it ends.
    pub to: Edge,
}

impl Default for Range {
    fn default() -> Self {
        Self {
            from: Edge::Ago(3600 * SECOND),
            to: Edge::Ago(0),
        }
    }
}

/// The ranges one click away.
pub const PRESETS: [(&str, &str); 7] = [
    ("now-5m", "5 minutes"),
    ("now-15m", "15 minutes"),
    ("now-1h", "1 hour"),
    ("now-6h", "6 hours"),
    ("now-24h", "24 hours"),
    ("now-7d", "7 days"),
    ("now-30d", "30 days"),
];

impl Range {
    /// Reads `from` and `to`; absent or empty ones are the last hour's.
    pub fn parse(from: Option<&str>, to: Option<&str>) -> Result<Self, String> {
        let edge = |name: &str, text: Option<&str>, default: Edge| {
            match text.map(str::trim) {
            None | Some("") => Ok(default),
            Some(text) => Edge::parse(text).ok_or_else(|| {
                format!("`{name}` is not a time: write now-15m, 2026-11-21T03:00:00Z or nanoseconds since 1970")
            }),
        }
        };
        let default = Self::default();
        Ok(Self {
            from: edge("from", from, default.from)?,
            to: edge("to", to, default.to)?,
        })
    }

    /// Start and end in nanoseconds since the epoch; never empty, never backwards, never beyond the last moment there is.
    pub fn resolve(&self, now_ns: u64) -> (u64, u64) {
        let edge = |edge: Edge| edge.resolve(now_ns).min(LAST_NS);
        let (from, to) = (edge(self.from), edge(self.to));
        if from < to {
            (from, to)
        } else {
            (to.min(LAST_NS - 1), from.max(to + 1).min(LAST_NS))
        }
    }

    /// Whether it ends before it begins.
    pub fn is_backwards(&self, now_ns: u64) -> bool {
        let edge = |edge: Edge| edge.resolve(now_ns).min(LAST_NS);
        edge(self.from) > edge(self.to)
    }

    /// The query string that means this range.
    pub fn query(&self) -> String {
        format!("from={}&to={}", self.from.print(), self.to.print())
    }

    /// What the picker's button says.
    pub fn label(&self) -> String {
        let from = self.from.print();
        if self.to == Edge::Ago(0)
            && let Some((_, words)) = PRESETS.iter().find(|(edge, _)| *edge == from)
        {
            return format!("Last {words}");
        }
        let (from, to) = (self.from.words(), self.to.words());
        // Times elsewhere on the page are the reader's; these are the address's.
        match (self.from, self.to, from.split_once(' '), to.split_once(' ')) {
            // Within one day the second date says nothing.
            (_, _, Some((day, _)), Some((other, time))) if day == other => {
                format!("{from} → {time} UTC")
            }
            (_, Edge::At(_), ..) => format!("{from} → {to} UTC"),
            (Edge::At(_), ..) => format!("{from} UTC → {to}"),
            _ => format!("{from} → {to}"),
        }
    }
}

impl Edge {
    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("now") {
            let rest = rest.trim();
            return if rest.is_empty() {
                Some(Self::Ago(0))
            } else {
                Some(Self::Ago(span(rest.strip_prefix('-')?.trim())?))
            };
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().map(Self::At);
        }
        // A year beyond or before what nanoseconds hold, as `9999` and `0001` for "any", is the end of them.
        rfc3339(text).map(|ns| Self::At(u64::try_from(ns.max(0)).unwrap_or(u64::MAX).min(LAST_NS)))
    }

    /// In nanoseconds since the epoch.
    pub fn resolve(self, now_ns: u64) -> u64 {
        match self {
            Self::Ago(ns) => now_ns.saturating_sub(ns),
            Self::At(ns) => ns,
        }
    }

    /// The text for a URL.
    pub fn print(self) -> String {
        match self {
            Self::Ago(0) => "now".to_owned(),
            Self::Ago(ns) => {
                let seconds = ns / SECOND;
                let (value, unit) = match seconds {
                    s if s >= 2 * 86_400 && s.is_multiple_of(86_400) => (s / 86_400, "d"),
                    s if s >= 3600 && s.is_multiple_of(3600) => (s / 3600, "h"),
                    s if s >= 60 && s.is_multiple_of(60) => (s / 60, "m"),
                    s => (s, "s"),
                };
                format!("now-{value}{unit}")
            }
            Self::At(ns) if ns.is_multiple_of(SECOND) => units::timestamp(ns, 0),
            Self::At(ns) if ns.is_multiple_of(1_000_000) => units::timestamp(ns, 3),
            Self::At(ns) => units::timestamp(ns, 9),
        }
    }

    fn words(self) -> String {
        match self {
            Self::Ago(_) => self.print(),
            Self::At(ns) => units::timestamp(ns, 0).replace('T', " ").replace('Z', ""),
        }
    }
}

/// `15m`, `2 h`, `90s`, `7d` in nanoseconds.
fn span(text: &str) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (value, unit) = text.split_at(at);
    let seconds = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    value
        .parse::<u64>()
        .ok()?
        .checked_mul(seconds)?
        .checked_mul(SECOND)
}

/// A time as nanoseconds since the epoch.
pub fn moment_ns(text: &str) -> Option<u64> {
    u64::try_from(rfc3339(text)?).ok()
}

/// `2026-11-21T03:02:14[.123][Z|±hh:mm]`, a blank instead of `T` and a missing time of day included.
fn rfc3339(text: &str) -> Option<i128> {
    let number = |from: usize, len: usize| -> Option<u64> {
        let part = text.get(from..from + len)?;
        part.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| part.parse().ok())?
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)? as u32, number(8, 2)? as u32);
    let separators = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    if !separators || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = day_of(year as i64, month, day);
    let mut seconds = days * 86_400;
    let mut nanos: i128 = 0;
    let mut rest = text.get(10..)?;
    if let Some(clock) = rest.strip_prefix(['T', 't', ' ']) {
        let (hour, minute) = (number(11, 2)?, number(14, 2)?);
        let has_seconds = clock.get(5..6) == Some(":");
        let second = if has_seconds { number(17, 2)? } else { 0 };
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        seconds += (hour * 3600 + minute * 60 + second) as i64;
        rest = clock.get(if has_seconds { 8 } else { 5 }..)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let padded = format!("{:0<9}", fraction.get(..len.min(9))?);
            nanos = padded.parse().ok()?;
            rest = fraction.get(len..)?;
        }
    }
    let offset = match rest {
        "" | "Z" | "z" => 0,
        _ => offset_seconds(rest)?,
    };
    Some(i128::from(seconds - offset) * i128::from(SECOND) + nanos)
}

fn offset_seconds(text: &str) -> Option<i64> {
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = (
        text.get(1..3)?.parse::<i64>().ok()?,
        text.get(4..6)?.parse::<i64>().ok()?,
    );
    (text.get(3..4) == Some(":") && text.len() == 6).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_prints_back_what_it_read() {
        for text in [
            "now",
            "now-15m",
            "now-7d",
            "now-90s",
            "2026-11-21T03:02:14Z",
            "2026-11-21T03:02:14.123Z",
        ] {
            assert_eq!(Edge::parse(text).map(Edge::print).as_deref(), Some(text));
        }
        assert_eq!(
            Edge::parse("2026-11-21T04:02:14+01:00"),
            Edge::parse("2026-11-21T03:02:14Z")
        );
        assert_eq!(
            Edge::parse("2026-11-21 03:02"),
            Edge::parse("2026-11-21T03:02:00Z")
        );
    }

    #[test]
    fn what_is_not_a_time_is_an_error_and_nothing_panics() {
        for text in [
            "yesterday",
            "now-",
            "now-5x",
            "now+5m",
            "2026-13-01",
            "2026-1\u{e9}-01",
            "-1",
            "99999999999999999999",
        ] {
            assert!(Range::parse(Some(text), None).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_ends_where_times_end() {
        let resolved =
            |from, to| Range::parse(Some(from), Some(to)).map(|range| range.resolve(100));
        let last = (u64::MAX >> 1) - 1;
        for to in [
            "9223372036854775807",
            "18446744073709551615",
            "2300-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(resolved("0001-01-01T00:00:00Z", to), Ok((0, last)), "{to}");
            assert_eq!(resolved(to, to), Ok((last - 1, last)), "{to}");
        }
        assert_eq!(moment_ns("1969-12-31T23:59:59Z"), None);
        assert_eq!(moment_ns("1970-01-01T00:00:00.5Z"), Some(500_000_000));
    }

    #[test]
    fn a_label_says_whose_clock_its_times_are_of() {
        let label = |from: &str, to: &str| {
            let range = Range::parse(Some(from), Some(to)).expect("a range");
            range.label()
        };
        assert_eq!(label("now-1h", "now"), "Last 1 hour");
        assert_eq!(label("now-2h", "now-1h"), "now-2h → now-1h");
        assert_eq!(
            label("2026-11-21T03:00:00Z", "2026-11-21T03:05:00Z"),
            "2026-11-21 03:00:00 → 03:05:00 UTC"
        );
        assert_eq!(label("2026-11-21", "now"), "2026-11-21 00:00:00 UTC → now");
    }

    #[test]
    fn a_backwards_range_is_turned_round() {
        let range = Range {
            from: Edge::At(9),
            to: Edge::At(3),
        };
        assert_eq!(range.resolve(100), (3, 9));
        assert!(range.is_backwards(100));
        let relative = |from: &str, to: &str| {
            let range = Range::parse(Some(from), Some(to)).expect("a range");
            range.is_backwards(7_200 * SECOND)
        };
        assert!(relative("now", "now-1h") && relative("now-1h", "3600"));
        assert!(!relative("now-1h", "now") && !relative("now", "now"));
        // Both are the last moment there is.
        assert!(!relative("18446744073709551615", "9223372036854775807"));
    }
}
