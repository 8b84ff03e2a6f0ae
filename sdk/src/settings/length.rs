//! A length of time as people write it: `250ms`, `10s`, `1m30s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, in files text with units.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::settings::Length;
/// assert_eq!("1m30s".parse::<Length>().unwrap().get(), Duration::from_secs(90));
/// assert_eq!(Length::from(Duration::from_millis(1500)).to_string(), "1500ms");
/// assert!("10".parse::<Length>().is_err(), "ten of what?");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length(Duration);

impl Length {
    /// It as the standard library's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::settings::Length;
    /// let length: Length = "250ms".parse()?;
    /// assert_eq!(length.get(), Duration::from_millis(250));
    /// # Ok::<(), tripline_sdk::settings::ParseLengthError>(())
    /// ```
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Length {
    fn from(length: Duration) -> Self {
        Self(length)
    }
}

impl From<Length> for Duration {
    fn from(length: Length) -> Self {
        length.0
    }
}

/// What is no length of time.
///
/// ```
/// use tripline_sdk::settings::Length;
/// let refused = "soon".parse::<Length>().unwrap_err();
/// assert_eq!(refused.to_string(), r#""soon" is no length of time like 250ms, 10s or 1m30s"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseLengthError(String);

impl fmt::Display for ParseLengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(f, "{text:?} is no length of time like 250ms, 10s or 1m30s")
    }
}

impl std::error::Error for ParseLengthError {}

/// Numbers, each with its unit, added up: also what Go's `time.ParseDuration` reads.
impl FromStr for Length {
    type Err = ParseLengthError;

    fn from_str(text: &str) -> Result<Self, ParseLengthError> {
        let refused = || ParseLengthError(text.to_owned());
        let mut rest = text.trim();
        let mut seconds = 0.0;
        if rest.is_empty() {
            return Err(refused());
        }
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .ok_or_else(refused)?;
            let (number, after) = rest.split_at(digits);
            let unit = after
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(unit);
            let number: f64 = number.parse().map_err(|_| refused())?;
            seconds += number * seconds_of(unit.trim()).ok_or_else(refused)?;
            rest = after;
        }
        let length = Duration::try_from_secs_f64(seconds).map_err(|_| refused())?;
        Ok(Self(length))
    }
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    })
}

impl fmt::Display for Length {
    /// The largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
        ];
        let whole = units
            .into_iter()
            .find(|(_, unit)| nanos > 0 && nanos.is_multiple_of(*unit));
        match whole {
            Some((name, unit)) => write!(f, "{}{name}", nanos / unit),
            None if nanos == 0 => f.write_str("0s"),
            None => write!(f, "{nanos}ns"),
        }
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for (text, nanos) in [
            ("0s", 0),
            ("1ns", 1),
            ("2us", 2_000),
            ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("1m30s", 90_000_000_000),
            ("2h", 7_200_000_000_000),
            ("1d", 86_400_000_000_000),
        ] {
            let length: Length = text.parse().expect(text);
            assert_eq!(length.get().as_nanos(), nanos, "{text}");
            assert_eq!(length.to_string().parse(), Ok(length), "{text}");
        }
        for bad in ["", "s", "10", "1x", "1..2s", "-1s", "1e400h"] {
            assert!(bad.parse::<Length>().is_err(), "{bad}");
        }
    }
}
