//! Sizes and times as people write them: `512MiB`, `1.5GiB`, `30s`, `7d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes; written `"64MiB"` (powers of 1024), `"64MB"` (powers of 1000) or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(u64);

impl ByteSize {
    /// `n` bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// `n` MiB.
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// In bytes, at most what this machine addresses.
    pub fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A length of time; written `"250ms"`, `"30s"`, `"5m"`, `"2h"`, `"7d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanDuration(Duration);

impl HumanDuration {
    /// `n` seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// As the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }
}

const SIZES: [(&str, u64); 8] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("b", 1),
];
const TIMES: [(&str, u64); 6] = [
    ("ms", 1),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("m", 60_000),
    ("s", 1_000),
];

/// 2^63: bytes and milliseconds stay below it, so that they fit into signed 64-bit integers too.
const WHOLE_MAX: f64 = 9_223_372_036_854_775_808.0;

/// Reads `text` as a number in one of `units`, as [`scaled`] does, and rounds it to a whole one. `expected` ends the error
/// "'…' is not …".
fn whole(
    text: &str,
    units: &[(&str, u64)],
    plain: Option<u64>,
    expected: &str,
) -> Result<u64, String> {
    let scaled = scaled(text, units, plain).ok_or_else(|| format!("'{text}' is not {expected}"))?;
    if scaled < WHOLE_MAX {
        Ok(scaled.round() as u64)
    } else {
        Err(format!("'{text}' is more than can be counted"))
    }
}

/// Splits `1.5GiB` by the longest fitting unit and multiplies; a number without a unit counts `plain` times, where that is
/// allowed. `None` when it is no such thing.
fn scaled(text: &str, units: &[(&str, u64)], plain: Option<u64>) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, unit) = units
        .iter()
        .filter_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))
        .min_by_key(|(number, _)| number.len())
        .or_else(|| Some((text.as_str(), plain?)))?;
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * unit as f64)
}

impl std::str::FromStr for ByteSize {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        whole(text, &SIZES, Some(1), "a size; write one like 64MiB").map(Self)
    }
}

impl std::str::FromStr for HumanDuration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "a length of time; write one like 30s or 7d";
        whole(text, &TIMES, None, expected).map(|millis| Self(Duration::from_millis(millis)))
    }
}

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (suffix, factor) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{}{suffix}", self.0 / factor);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl std::fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0.as_millis();
        for (suffix, factor) in [
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("m", 60_000),
            ("s", 1_000),
        ] {
            if millis >= factor && millis.is_multiple_of(factor) {
                return write!(f, "{}{suffix}", millis / factor);
            }
        }
        write!(f, "{millis}ms")
    }
}

struct Text<T>(std::marker::PhantomData<T>, &'static str);

impl<T: std::str::FromStr<Err = String>> de::Visitor<'_> for Text<T> {
    type Value = T;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.1)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text(std::marker::PhantomData, "a size like \"64MiB\""))
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text(
            std::marker::PhantomData,
            "a length of time like \"30s\"",
        ))
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_as_people_write_them() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("1.5 gib", 3 << 29),
            ("10MB", 10_000_000),
            ("7", 7),
            ("9B", 9),
        ] {
            assert_eq!(
                text.parse::<ByteSize>().map(ByteSize::bytes),
                Ok(bytes),
                "{text}"
            );
        }
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("5min", 300_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                text.parse::<HumanDuration>().map(|d| d.get().as_millis()),
                Ok(millis),
                "{text}"
            );
        }
        for text in ["", "-1s", "soon", "5 parsecs", "NaNs", "30"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
        for text in ["", "-1MiB", "many", "1XiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn more_than_can_be_counted_is_no_size_and_no_time() {
        for text in ["99999999999999999999GiB", "9223372036854775808", "1e30"] {
            let error = text.parse::<ByteSize>().expect_err(text);
            assert!(error.contains("more than can be counted"), "{error}");
        }
        assert!("8191TiB".parse::<ByteSize>().is_ok());
        assert!("99999999999999999999d".parse::<HumanDuration>().is_err());
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same() {
        for bytes in [0, 1, 1023, 1024, 1 << 20, (1 << 20) + 1, 3 << 30] {
            let size = ByteSize::new(bytes);
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for millis in [0, 1, 999, 1000, 60_000, 86_400_000, 90_000] {
            let time = HumanDuration(Duration::from_millis(millis));
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
