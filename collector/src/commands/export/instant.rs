//! Times on the command line, in every spelling of a URL.

use std::str::FromStr;

use crate::api::when::When;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    pub(super) unix_nano: u64,
}

impl FromStr for Instant {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unix_nano = When::of(None).moment(text).ok_or(
            "not a time: say 2026-11-21T04:00:00Z, 2026-11-21, now-5m or nanoseconds since the epoch",
        )?;
        Ok(Self { unix_nano })
    }
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
        assert!("now-5m".parse::<Instant>().is_ok());
        // Nothing is stored of before.
        assert_eq!("1969-12-31".parse(), Ok(Instant { unix_nano: 0 }));
        for text in [
            "",
            "yesterday",
            "2023-13-01",
            "2023-11-14T25:00Z",
            "2023-11-14Tx",
            "-5",
        ] {
            assert!(text.parse::<Instant>().is_err(), "{text}");
        }
    }
}
