//! When a request is answered: what is now, and which range it means when it says none.
//!
//! Of a live store that is the clock and the last hour; of a bundle the moment it was written for and all of its time,
//! so that it looks the same whenever it is opened.

use std::time::{SystemTime, UNIX_EPOCH};

use tripline_web::range::{Edge, Range};

use crate::config::Bundle;

const HOUR_NS: u64 = 3_600_000_000_000;

/// The moment of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct When {
    /// Now, in nanoseconds since the epoch.
    pub now_ns: u64,
    /// The range where none is asked for.
    pub range: Range,
}

impl When {
    /// The clock's moment, or a bundle's.
    pub fn of(bundle: Option<&Bundle>) -> Self {
        bundle.map_or_else(
            || Self {
                now_ns: now_ns(),
                range: Range::default(),
            },
            |bundle| Self {
                now_ns: bundle.to_unix_nano,
                range: Range {
                    from: Edge::At(bundle.from_unix_nano),
                    to: Edge::At(bundle.to_unix_nano),
                },
            },
        )
    }

    /// Now, as questions take it.
    pub fn now(self) -> i64 {
        i64::try_from(self.now_ns).unwrap_or(i64::MAX)
    }

    /// The range these two ends say; without both, the one that is meant then. An end before the last hour, without a
    /// beginning, ends an hour.
    ///
    /// # Errors
    /// An end that is no time, or one before the beginning, in words.
    pub fn range(self, from: Option<&str>, to: Option<&str>) -> Result<Range, String> {
        if from.is_none() && to.is_none() {
            return Ok(self.range);
        }
        let range = Range::parse(from, to)?;
        if !range.is_backwards(self.now_ns) {
            return Ok(range);
        }
        if from.is_none() {
            let end = range.to.resolve(self.now_ns);
            return Ok(Range {
                from: Edge::At(end.saturating_sub(HOUR_NS)),
                ..range
            });
        }
        Err(match to {
            None => "`from` is after now, where a range without `to` ends",
            Some(_) => "`from` is after `to`: a range begins before it ends",
        }
        .to_owned())
    }

    /// A time in any spelling of the URL, as nanoseconds since 1970.
    pub fn moment(self, text: &str) -> Option<u64> {
        // In a range an empty end is the default one; here it is no time.
        if text.trim().is_empty() {
            return None;
        }
        let range = Range::parse(Some(text), Some(&u64::MAX.to_string())).ok()?;
        Some(range.resolve(self.now_ns).0)
    }
}

/// The clock, in nanoseconds since the epoch.
pub fn now_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_stays_at_its_own_moment() {
        let bundle = Bundle {
            from_unix_nano: 1_000_000_000_000,
            to_unix_nano: 1_900_000_000_000,
            ..Bundle::default()
        };
        let when = When::of(Some(&bundle));
        assert_eq!(when.now(), 1_900_000_000_000);
        let resolved = |from, to| when.range(from, to).map(|range| range.resolve(when.now_ns));
        assert_eq!(
            resolved(None, None),
            Ok((1_000_000_000_000, 1_900_000_000_000))
        );
        assert_eq!(
            resolved(Some("now-5m"), None),
            Ok((1_600_000_000_000, 1_900_000_000_000))
        );
        assert_eq!(when.moment("now-1m"), Some(1_840_000_000_000));
        assert!(resolved(Some("yesterday"), None).is_err());
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_none() {
        let when = When {
            now_ns: 7_200_000_000_000,
            ..When::default()
        };
        for (from, to, begins) in [
            (Some("now"), Some("now-1h"), "`from` is after `to`"),
            (Some("9000000000000"), None, "`from` is after now"),
        ] {
            let why = when.range(from, to).expect_err("no range");
            assert!(why.starts_with(begins), "{why}");
        }
        let earlier = when.range(None, Some("now-90m")).expect("the hour before");
        assert_eq!(
            earlier.resolve(when.now_ns),
            (0, 1_800_000_000_000),
            "an hour, but for what is before 1970"
        );
        // A moment is one.
        assert!(when.range(Some("now-1h"), Some("now-1h")).is_ok());
    }

    #[test]
    fn a_live_store_follows_the_clock() {
        let when = When::of(None);
        assert!(when.now_ns > 1_700_000_000_000_000_000);
        assert_eq!(when.range(None, None), Ok(Range::default()));
        assert_eq!(when.moment(" "), None);
    }
}
