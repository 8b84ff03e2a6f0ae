//! When an instance made its breaker: at first, and again each time its process began anew.
//!
//! The SDK tells `configured` when a breaker is made and when its settings change, and does not say which of both.
//! What is recorded around a report does: a window never changes, a call that lasted through a restart there is none,
//! and transitions are numbered from the making on. Counters that fell prove a restart too, somewhere between two
//! exports. A report that nothing decides about is taken for a change, and said to be unclear.

use tripline_sdk::BreakerConfig;

use super::history::{Change, Ended, mode_of};
use super::record::{Record, Report};

/// Clocks of reports and of exports differ so much, nanoseconds.
const SLACK_NS: i64 = 1_000_000_000;

/// When a breaker was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Birth {
    /// Nanoseconds since 1970.
    pub at: i64,
    /// It said so itself; otherwise its counters did, and this is the earliest that it can have been.
    pub is_reported: bool,
}

/// What is known of the making of one instance's breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Births {
    /// In the order of time.
    pub births: Vec<Birth>,
    /// Reports that may be of a change or of a making; times.
    pub unclear: Vec<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Made,
    Changed,
    Unclear,
}

/// When the breaker of this instance was made.
pub fn births(record: &Record) -> Births {
    let mut found = Births::default();
    for (report, verdict) in record.reports.iter().zip(verdicts(record)) {
        match verdict {
            Verdict::Made => found.births.push(Birth {
                at: report.at,
                is_reported: true,
            }),
            Verdict::Changed => {}
            Verdict::Unclear => found.unclear.push(report.at),
        }
    }
    // Whose counters fell of several processes without a name, nobody knows. What was not seen before began, not anew.
    let restarts = record.changes.iter().filter(|change| {
        change.is_restart() && !change.from.is_empty() && !record.instance.is_empty()
    });
    for restart in restarts {
        found.add(restart);
    }
    found.births.sort_by_key(|birth| birth.at);
    found
}

impl Births {
    /// A restart that counters show: the one that a report near it tells of, if there is one.
    fn add(&mut self, restart: &Change) {
        let around = restart.lo.saturating_sub(SLACK_NS)..=restart.at.saturating_add(SLACK_NS);
        if self.births.iter().any(|birth| around.contains(&birth.at)) {
            return;
        }
        let told = self.unclear.iter().position(|at| around.contains(at));
        self.births.push(match told {
            Some(index) => Birth {
                at: self.unclear.remove(index),
                is_reported: true,
            },
            None => Birth {
                at: restart.lo.saturating_add(1),
                is_reported: false,
            },
        });
    }
}

fn verdicts(record: &Record) -> Vec<Verdict> {
    let count = record.reports.len();
    if record.instance.is_empty() {
        // Several processes, each with a breaker: taken for one that was made at first.
        let first = std::iter::repeat_n(Verdict::Made, count.min(1));
        return first
            .chain(std::iter::repeat(Verdict::Changed))
            .take(count)
            .collect();
    }
    let around = around(record);
    let mut verdicts: Vec<Verdict> = around
        .iter()
        .enumerate()
        .map(|(at, around)| verdict(record, at, around))
        .collect();
    // Numbers that begin anew prove a making between two transitions: one of the reports there tells of it.
    for at in 0..count {
        if verdicts[at] != Verdict::Unclear || around[at].goes_on != Some(false) {
            continue;
        }
        let is_there = |other: &usize| around[*other].gap == around[at].gap;
        let is_told = (0..count)
            .filter(is_there)
            .any(|other| verdicts[other] == Verdict::Made);
        verdicts[at] = if is_told {
            Verdict::Changed
        } else {
            Verdict::Made
        };
    }
    verdicts
}

fn verdict(record: &Record, at: usize, around: &Around) -> Verdict {
    let report = &record.reports[at];
    let has_lived = around.is_lived_through || around.goes_on == Some(true);
    let Some(before) = at.checked_sub(1).map(|before| &record.reports[before]) else {
        return if has_lived {
            Verdict::Changed
        } else {
            Verdict::Made
        };
    };
    // A window is as long as its breaker lives.
    if report.config.window != before.config.window {
        return Verdict::Made;
    }
    if has_lived || is_switch(record, before, report) {
        return Verdict::Changed;
    }
    // Settings that stay the same are not told again.
    if report.hash == before.hash {
        return Verdict::Made;
    }
    Verdict::Unclear
}

/// Whether somebody changed who decides, and nothing else: a transition says so too.
fn is_switch(record: &Record, before: &Report, report: &Report) -> bool {
    let mode = report.config.mode;
    let back = BreakerConfig {
        mode: before.config.mode,
        ..report.config
    };
    let is_it = |change: &Change| {
        change.reason.as_deref() == Some("manual")
            && mode_of(&change.to) == Some(mode)
            && (report.at - SLACK_NS..=report.at).contains(&change.at)
    };
    back == before.config && mode != before.config.mode && record.changes.iter().any(is_it)
}

/// What is recorded around a report.
struct Around {
    /// A call was let through before it and ended after it.
    is_lived_through: bool,
    /// The numbers of the transitions before and after it go on, if both are known.
    goes_on: Option<bool>,
    /// How many numbered transitions came before.
    gap: usize,
}

fn around(record: &Record) -> Vec<Around> {
    let numbered: Vec<(i64, u64)> = record
        .changes
        .iter()
        .filter_map(|change| Some((change.at, change.generation?)))
        .collect();
    let mut calls = record.calls.iter().peekable();
    let mut latest_end = i64::MIN;
    record
        .reports
        .iter()
        .map(|report| {
            while let Some(call) = calls.next_if(|call| call.start < report.at) {
                if call.ended != Ended::Rejected {
                    latest_end = latest_end.max(call.end());
                }
            }
            let gap = numbered.partition_point(|(at, _)| *at <= report.at);
            let before = gap.checked_sub(1).and_then(|before| numbered.get(before));
            Around {
                is_lived_through: latest_end > report.at,
                goes_on: before
                    .zip(numbered.get(gap))
                    .map(|((_, before), (_, after))| after > before),
                gap,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tripline_sdk::{Mode, WindowConfig};

    use super::super::history::{Call, Turns};
    use super::*;

    fn report(at: i64, config: BreakerConfig) -> Report {
        Report {
            at: at * SLACK_NS,
            config,
            hash: format!("{config:?}"),
        }
    }

    fn numbered(at: i64, generation: u64) -> Change {
        Change {
            at: at * SLACK_NS,
            lo: at * SLACK_NS,
            from: "closed".to_owned(),
            to: "open".to_owned(),
            reason: Some("failure_rate".to_owned()),
            generation: Some(generation),
            ..Change::default()
        }
    }

    fn call(from: i64, to: i64, ended: Ended) -> Call {
        Call {
            start: from * SLACK_NS,
            duration: ((to - from) * SLACK_NS).unsigned_abs(),
            ended,
            turns: Turns::UNKNOWN,
        }
    }

    /// An instance that reported the first at 10 s and the second at 100 s.
    fn told(first: BreakerConfig, second: BreakerConfig) -> Record {
        Record {
            instance: "pod".to_owned(),
            reports: vec![report(10, first), report(100, second)],
            ..Record::default()
        }
    }

    /// Seconds at which it was made, and at which that is unclear.
    fn found(record: &Record) -> (Vec<i64>, Vec<i64>) {
        let Births { births, unclear } = births(record);
        assert!(births.is_sorted_by_key(|birth| birth.at));
        let seconds = |at: i64| at / SLACK_NS;
        (
            births.iter().map(|birth| seconds(birth.at)).collect(),
            unclear.into_iter().map(seconds).collect(),
        )
    }

    #[test]
    fn settings_told_again_are_of_a_breaker_made_anew() {
        let config = BreakerConfig::new();
        assert_eq!(found(&told(config, config)), (vec![10, 100], vec![]));
        let window = config.window(WindowConfig::Count { size: 9 });
        assert_eq!(found(&told(config, window)), (vec![10, 100], vec![]));
        let mut nameless = told(config, config);
        nameless.instance = String::new();
        assert_eq!(found(&nameless), (vec![10], vec![]));
    }

    #[test]
    fn other_settings_are_a_change_where_the_breaker_lived_on() {
        let config = BreakerConfig::new();
        let other = config.minimum_calls(7);
        assert_eq!(found(&told(config, other)), (vec![10], vec![100]));
        for settings in [config, other] {
            let mut through = told(config, settings);
            through.calls = vec![call(99, 101, Ended::Success)];
            assert_eq!(found(&through), (vec![10], vec![]));
            let mut numbers = told(config, settings);
            numbers.changes = vec![numbered(50, 1), numbered(150, 2)];
            assert_eq!(found(&numbers), (vec![10], vec![]));
        }
        let mut refused = told(config, other);
        refused.calls = vec![call(99, 101, Ended::Rejected)];
        assert_eq!(found(&refused), (vec![10], vec![100]));
        let mut switched = told(config, config.mode(Mode::MetricsOnly));
        switched.changes = vec![Change {
            to: "metrics_only".to_owned(),
            reason: Some("manual".to_owned()),
            generation: None,
            ..numbered(100, 0)
        }];
        assert_eq!(found(&switched), (vec![10], vec![]));
    }

    #[test]
    fn numbers_that_begin_anew_tell_of_one_making() {
        let config = BreakerConfig::new();
        let mut anew = told(config, config.minimum_calls(7));
        anew.changes = vec![numbered(50, 3), numbered(150, 1)];
        assert_eq!(found(&anew), (vec![10, 100], vec![]));
        // The second of them is the change that came after it.
        anew.reports.push(report(120, config.minimum_calls(8)));
        assert_eq!(found(&anew), (vec![10, 100], vec![]));
    }

    #[test]
    fn counters_that_fell_tell_of_a_making_once() {
        let config = BreakerConfig::new();
        let restart = |from: i64, to: i64, state: &str| Change {
            at: to * SLACK_NS,
            lo: from * SLACK_NS,
            from: state.to_owned(),
            to: "closed".to_owned(),
            reason: Some("restart".to_owned()),
            ..Change::default()
        };
        let mut same = told(config, config);
        same.changes = vec![restart(95, 105, "closed"), restart(200, 210, "open")];
        assert_eq!(found(&same), (vec![10, 100, 200], vec![]));
        let mut other = told(config, config.minimum_calls(7));
        other.changes = vec![restart(95, 105, "closed")];
        assert_eq!(found(&other), (vec![10, 100], vec![]));
        // The first that was heard of it.
        other.changes = vec![restart(300, 310, "")];
        assert_eq!(found(&other), (vec![10], vec![100]));
    }
}
