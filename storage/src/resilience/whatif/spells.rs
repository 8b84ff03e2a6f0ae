//! How long trips and recoveries took: of the record and of a replay alike, told call by call and change by change.

use std::ops::Range;

use super::history::{Ended, History, Start};

/// A run of failures that a success follows is over when it is this old, nanoseconds.
const RUN_NS: i64 = 60_000_000_000;

/// What was told so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Spells {
    /// What ends in this time is counted.
    asked: Range<i64>,
    is_closed: bool,
    first_failure: Option<i64>,
    first_success: Option<i64>,
    opened: Option<i64>,
    /// From the first failure of a run of them to the trip it led to, nanoseconds, a trip each.
    pub detect_ns: Vec<u64>,
    /// From the first success after a trip to closed again, nanoseconds, a recovery each.
    pub recover_ns: Vec<u64>,
    /// Nanoseconds from opening to closed.
    pub open_ns: u64,
}

impl Spells {
    /// Nothing yet of this history.
    pub fn new(history: &History) -> Self {
        let is_closed = history.start == Start::Closed;
        Self {
            asked: history.from..history.until,
            is_closed,
            first_failure: None,
            first_success: None,
            opened: (!is_closed).then_some(history.from),
            detect_ns: Vec::new(),
            recover_ns: Vec::new(),
            open_ns: 0,
        }
    }

    /// A call that was let through ended.
    pub fn ended(&mut self, ended: Ended, at: i64) {
        match ended {
            Ended::Failure => {
                self.first_failure.get_or_insert(at);
                self.first_success = None;
            }
            Ended::Success => {
                self.first_success.get_or_insert(at);
                let is_over = |first: &i64| self.is_closed && at.saturating_sub(*first) > RUN_NS;
                self.first_failure = self.first_failure.filter(|first| !is_over(first));
            }
            Ended::Ignored | Ended::Cancelled | Ended::Rejected => {}
        }
    }

    /// The state changed.
    pub fn changed(&mut self, from: &str, to: &str, at: i64) {
        let is_asked = self.asked.contains(&at);
        let since = |first: Option<i64>| {
            first.map_or(0, |first| {
                u64::try_from(at.saturating_sub(first)).unwrap_or(0)
            })
        };
        self.is_closed = to == "closed";
        if matches!(to, "open" | "half_open") {
            self.opened.get_or_insert(at);
            if to == "open" && !matches!(from, "open" | "half_open") {
                let length = since(self.first_failure.take());
                self.first_success = None;
                if is_asked {
                    self.detect_ns.push(length);
                }
            }
            return;
        }
        let opened = self.opened.take();
        let recovery = since(self.first_success.take());
        self.first_failure = None;
        if opened.is_none() || !is_asked {
            return;
        }
        self.open_ns += since(opened.map(|opened| opened.max(self.asked.start)));
        if self.is_closed {
            self.recover_ns.push(recovery);
        }
    }
}
