//! What counts as now in our SQL: the clock, or one moment where everything stored is of the past.
//!
//! The bundle of an incident is looked at as it was when it was written: no breaker goes stale in it because days went
//! by since, and `now()` of people's SQL means the same moment as the pages do. What is put into such a store came in at
//! that moment too: else every row of it would count as one whose clock is wrong.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

/// How our SQL says "now, in nanoseconds since 1970".
const NOW_NS: &str = "epoch_us(system.main.get_current_timestamp()) * 1000";

/// Wall clock in nanoseconds since the epoch.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The moment questions are asked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AsOf(Option<i64>);

impl AsOf {
    /// This moment, in nanoseconds since 1970; `None` is the clock.
    pub(crate) fn new(unix_nano: Option<i64>) -> Self {
        Self(unix_nano)
    }

    /// That moment, or the clock's.
    pub(crate) fn now_ns(self) -> i64 {
        self.0.unwrap_or_else(now_ns)
    }

    /// SQL of ours, with the moment in the place of the clock.
    pub(crate) fn fill(self, sql: &str) -> Cow<'_, str> {
        match self.0 {
            None => Cow::Borrowed(sql),
            Some(ns) => Cow::Owned(sql.replace(NOW_NS, &ns.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_clock_is_left_in_our_sql_once_the_moment_is_said() {
        for sql in [
            include_str!("resilience/views/instances.sql"),
            include_str!("sql/functions.sql"),
        ] {
            assert_eq!(AsOf::default().fill(sql), sql);
            assert!(sql.contains(NOW_NS), "{sql}");
            let filled = AsOf::new(Some(1_800_000_000_000_000_000)).fill(sql);
            assert!(filled.contains("1800000000000000000"), "{filled}");
            let left = filled.contains("system.main.get_current_timestamp");
            assert!(!left, "{filled}");
        }
    }
}
