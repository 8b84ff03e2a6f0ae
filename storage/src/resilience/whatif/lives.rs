//! The lives of an instance's breaker within a range of time, and the state in which each begins.
//!
//! Every change of state begins with an empty window and with no probes out, so what a breaker is at a moment follows
//! from its last change before and the calls since. Where the record lacks one of these, what is assumed instead is a
//! [`Doubt`].

use std::ops::Range;
use std::time::Duration;

use tripline_sdk::{BreakerConfig, Mode};

use super::births::{Birth, Births, births};
use super::doubts::{Doubt, Evidence};
use super::history::{Call, Change, History, Start, Told, mode_of};
use super::record::{Record, Report};

/// How long a breaker was open that half-opened at a known time and opened at an unknown one.
const MOMENT: Duration = Duration::from_millis(1);
/// Longer than any range.
const FOR_GOOD: Duration = Duration::from_secs(1_000_000_000);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// Nanoseconds since 1970.
    pub from: i64,
    /// Excluded.
    pub until: i64,
    /// Calls were read from here on.
    pub read_from: i64,
    /// Settings of an instance that told none.
    pub fallback: BreakerConfig,
}

/// One life.
#[derive(Debug, Clone, PartialEq)]
pub struct Life {
    /// Whose.
    pub instance: String,
    /// What is recorded of it.
    pub history: History,
    /// What is not, in order.
    pub doubts: Vec<Doubt>,
}

/// The lives of one instance in which calls are asked for, oldest first.
pub fn lives(record: Record, asked: &Asked) -> Vec<Life> {
    let Births { births, unclear } = births(&record);
    let Record {
        instance,
        reports,
        changes,
        mut calls,
        clocks,
    } = record;
    let mut lives = Vec::new();
    // The latest first: each takes the end of the calls that are left.
    let mut end = i64::MAX;
    for birth in births.into_iter().rev().map(Some).chain([None]) {
        let time = birth.map_or(i64::MIN, |birth| birth.at)..end;
        end = time.start;
        let first = calls.partition_point(|call| call.start < time.start);
        let part = Part {
            calls: calls.split_off(first),
            clock: clocks
                .iter()
                .rfind(|(at, _)| time.contains(at))
                .map(|(_, clock)| *clock),
            changes: changes_in(&changes, birth, &time),
            time,
            birth,
            reports: &reports,
            unclear: &unclear,
        };
        lives.extend(part.life(&instance, asked));
    }
    lives.reverse();
    lives
}

/// Changes of a life. A breaker that was just made is in the state it was made in: that somebody saw it so, after it was
/// another, is no change of its own.
fn changes_in(changes: &[Change], birth: Option<Birth>, time: &Range<i64>) -> Vec<Change> {
    let own = changes
        .iter()
        .filter(|change| !change.is_restart() && time.contains(&change.at));
    let mut own: Vec<Change> = own.cloned().collect();
    let is_seen = |first: &Change| {
        first.reason.is_none() && !matches!(first.to.as_str(), "open" | "half_open")
    };
    if birth.is_some() && own.first().is_some_and(is_seen) {
        own.remove(0);
    }
    own
}

/// What changes settings.
enum News<'a> {
    Report(&'a Report),
    Mode(Mode),
}

/// What is stored of one life.
struct Part<'a> {
    /// From its beginning, if that is known, until the next one's.
    time: Range<i64>,
    birth: Option<Birth>,
    /// Of the instance.
    reports: &'a [Report],
    unclear: &'a [i64],
    changes: Vec<Change>,
    calls: Vec<Call>,
    /// The origin of its clock, if calls say when that was.
    clock: Option<i64>,
}

impl Part<'_> {
    /// Nothing, if none of its calls is asked for.
    fn life(mut self, instance: &str, asked: &Asked) -> Option<Life> {
        let from = asked.from.max(self.time.start);
        let until = asked.until.min(self.time.end);
        let last = self.calls.last().map(|call| call.start)?;
        if last < from || from >= until {
            return None;
        }
        let mut settings = self.settings(asked.fallback);
        settings.retain(|told| told.at < until);
        let mut within = std::mem::take(&mut self.changes);
        within.truncate(within.partition_point(|change| change.at < until));
        let before: Vec<Change> = {
            let first = within.partition_point(|change| change.at < from);
            within.drain(..first).collect()
        };
        let start = start(&before, &within, from);
        let anchor = match start {
            Start::Open { at, .. } => Some(at),
            Start::Closed => before.last().map(|change| change.at),
        };
        if let Some(anchor) = anchor {
            self.calls.retain(|call| call.start >= anchor);
        }
        let earliest = self.calls.first().map_or(from, |call| call.start);
        let begin = anchor.unwrap_or(earliest).min(earliest).min(from);
        let made = self.birth.map(|birth| birth.at);
        let history = History {
            origin: self.clock.or(made).unwrap_or(begin),
            from,
            until,
            start,
            settings: since(settings, begin),
            calls: std::mem::take(&mut self.calls),
            changes: within,
        };
        let evidence = Evidence {
            is_told: self.told_by(history.from).is_some(),
            is_clocked: self.clock.is_some(),
            birth: self.birth,
            unclear: self.unclear,
            before: &before,
            read_from: asked.read_from,
            time: self.time,
        };
        Some(Life {
            instance: instance.to_owned(),
            doubts: evidence.doubts(&history),
            history,
        })
    }

    /// What it was told, from its beginning on. Who decides is told by a change of state first and by a report then.
    fn settings(&self, fallback: BreakerConfig) -> Vec<Told> {
        let is_own = |report: &&Report| self.time.contains(&report.at);
        let first_own = self.reports.iter().find(is_own);
        let known = self.told_by(self.time.start).or(first_own);
        let mut config = known.map_or(fallback, |report| report.config);
        if let Some(change) = self.changes.first()
            && first_own.is_none_or(|report| change.at < report.at)
            && let Some(mode) = mode_of(&change.from)
        {
            config.mode = mode;
        }
        let changes = self.changes.iter();
        let mut news: Vec<(i64, News<'_>)> = changes
            .filter_map(|change| Some((change.at, News::Mode(mode_of(&change.to)?))))
            .collect();
        let reports = self.reports.iter().filter(is_own);
        news.extend(reports.map(|report| (report.at, News::Report(report))));
        news.sort_by_key(|(at, _)| *at);
        let mut told = vec![Told {
            at: i64::MIN,
            config,
        }];
        for (at, news) in news {
            let next = match news {
                News::Report(report) => report.config,
                News::Mode(mode) => BreakerConfig { mode, ..config },
            };
            if next != config {
                config = next;
                told.push(Told { at, config });
            }
        }
        told
    }

    /// The latest report of the instance until then.
    fn told_by(&self, at: i64) -> Option<&Report> {
        self.reports.iter().rfind(|report| report.at <= at)
    }
}

/// From the settings on that hold at `begin`.
fn since(mut settings: Vec<Told>, begin: i64) -> Vec<Told> {
    let held = settings.iter().rposition(|told| told.at <= begin);
    settings.drain(..held.unwrap_or(0));
    settings
}

/// How it is at `from`, after these changes and before those.
fn start(before: &[Change], within: &[Change], from: i64) -> Start {
    let tried_at = |at: i64| Start::Open {
        at: at.saturating_sub_unsigned(MOMENT.as_nanos() as u64),
        length: MOMENT,
    };
    match before {
        [.., opened, tried] if tried.to == "half_open" && opened.to == "open" => Start::Open {
            at: opened.at,
            length: opened.open_time(Some(tried)),
        },
        [.., tried] if tried.to == "half_open" => tried_at(tried.at),
        [.., opened] if opened.to == "open" => Start::Open {
            at: opened.at,
            length: opened.open_time(within.first()),
        },
        [_, ..] => Start::Closed,
        [] => match within.first() {
            Some(next) if next.from == "half_open" => tried_at(from),
            Some(next) if next.from == "open" => Start::Open {
                at: from,
                length: if next.to == "half_open" {
                    Duration::from_nanos(next.at.abs_diff(from))
                } else {
                    FOR_GOOD
                },
            },
            _ => Start::Closed,
        },
    }
}

#[cfg(test)]
mod tests {
    use tripline_sdk::WindowConfig;

    use super::super::history::{Ended, Turns};
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn asked(from: i64, until: i64) -> Asked {
        Asked {
            from: from * SECOND,
            until: until * SECOND,
            read_from: (from - 60) * SECOND,
            fallback: BreakerConfig::new(),
        }
    }

    fn report(at: i64, config: BreakerConfig) -> Report {
        Report {
            at: at * SECOND,
            config,
            hash: format!("{config:?}"),
        }
    }

    fn change(at: i64, from: &str, to: &str, reason: Option<&str>) -> Change {
        Change {
            at: at * SECOND,
            lo: at * SECOND,
            from: from.to_owned(),
            to: to.to_owned(),
            reason: reason.map(str::to_owned),
            open_for_ms: Some(7_000),
            generation: None,
        }
    }

    /// An instance that told its settings at 0 s and was called each second until 200 s.
    fn record(changes: Vec<Change>) -> Record {
        let call = |second: i64| Call {
            start: second * SECOND,
            duration: 1_000,
            ended: Ended::Success,
            turns: Turns::UNKNOWN,
        };
        Record {
            instance: "pod".to_owned(),
            reports: vec![report(0, BreakerConfig::new())],
            changes,
            calls: (0..200).map(call).collect(),
            ..Record::default()
        }
    }

    fn only(record: Record, asked: &Asked) -> Life {
        let mut found = lives(record, asked);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn the_clock_counts_from_where_the_calls_of_a_life_say_it_began() {
        let stepped = |mut record: Record| {
            let window = WindowConfig::Time {
                length: Duration::from_secs(10),
                buckets: 10,
            };
            record.reports[0].config.window = window;
            record
        };
        let mut told = stepped(record(vec![]));
        told.clocks = vec![(0, -7), (90 * SECOND, 80 * SECOND)];
        told.reports.push(Report {
            at: 85 * SECOND,
            ..told.reports[0].clone()
        });
        let origins = |record: Record| -> Vec<i64> {
            let found = lives(record, &asked(0, 150));
            found.iter().map(|life| life.history.origin).collect()
        };
        assert_eq!(origins(told), [-7, 80 * SECOND], "a process each");
        // Without, from when the breaker was made; where nobody says that either it is a doubt.
        let mut untold = stepped(record(vec![]));
        assert_eq!(origins(untold.clone()), [0]);
        untold.reports.clear();
        let mut fallback = asked(0, 150);
        fallback.fallback.window = WindowConfig::Time {
            length: Duration::from_secs(10),
            buckets: 10,
        };
        assert!(
            only(untold.clone(), &fallback)
                .doubts
                .contains(&Doubt::Origin)
        );
        untold.clocks = vec![(0, -7)];
        assert!(!only(untold, &fallback).doubts.contains(&Doubt::Origin));
    }

    #[test]
    fn a_range_begins_in_the_state_that_was_recorded_before_it() {
        let changes = vec![
            change(50, "closed", "open", Some("failure_rate")),
            change(60, "open", "half_open", Some("wait_elapsed")),
            change(70, "half_open", "closed", Some("probe_ok")),
        ];
        for (from, start, first_call) in [
            (40, Start::Closed, 0),
            (55, opened(50, 10), 50),
            (65, opened(50, 10), 50),
            (100, Start::Closed, 70),
        ] {
            let life = only(record(changes.clone()), &asked(from, 150));
            let history = &life.history;
            assert_eq!(history.start, start, "{from}");
            assert_eq!(history.calls[0].start, first_call * SECOND, "{from}");
            assert_eq!(history.asked()[0].start, from * SECOND);
            assert_eq!((history.origin, life.doubts.as_slice()), (0, &[][..]));
            let is_in = |change: &Change| change.at >= from * SECOND;
            assert!(history.changes.iter().all(is_in));
        }
        // As it was announced, where its end is not recorded: at the end of the millisecond.
        let life = only(record(changes[..1].to_vec()), &asked(55, 150));
        let length = Duration::from_nanos(7_000_999_999);
        let at = 50 * SECOND;
        assert_eq!(life.history.start, Start::Open { at, length });
    }

    fn opened(at: i64, seconds: u64) -> Start {
        Start::Open {
            at: at * SECOND,
            length: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_breaker_made_anew_begins_a_life_and_a_change_of_settings_none() {
        let mut anew = record(vec![
            change(50, "closed", "open", Some("failure_rate")),
            // Seen so by spans, without a report.
            change(105, "open", "closed", None),
        ]);
        let other = BreakerConfig::new().minimum_calls(7);
        anew.reports.push(report(100, BreakerConfig::new()));
        anew.reports.push(report(150, other));
        anew.calls[149].duration = 2 * SECOND.unsigned_abs();
        let found = lives(anew, &asked(20, 200));
        let told: Vec<(i64, i64, i64, usize, usize)> = found
            .iter()
            .map(|life| &life.history)
            .map(|life| {
                let calls = life.asked().len();
                let [origin, from, until] =
                    [life.origin, life.from, life.until].map(|at| at / SECOND);
                (origin, from, until, calls, life.changes.len())
            })
            .collect();
        assert_eq!(told, [(0, 20, 100, 80, 1), (100, 100, 200, 100, 0)]);
        let settings = &found[1].history.settings;
        let minimum: Vec<u32> = settings.iter().map(|t| t.config.minimum_calls).collect();
        assert_eq!(minimum, [20, 7]);
        assert_eq!(settings[1].at, 150 * SECOND);
    }

    #[test]
    fn who_decides_is_what_states_and_reports_say() {
        let mut switched = record(vec![
            change(50, "closed", "metrics_only", Some("manual")),
            change(90, "metrics_only", "closed", Some("manual")),
        ]);
        let shadow = BreakerConfig::new().mode(Mode::MetricsOnly);
        switched.reports.push(report(50, shadow));
        switched.reports.push(report(90, BreakerConfig::new()));
        let modes = |from: i64| -> Vec<Mode> {
            let life = only(switched.clone(), &asked(from, 150));
            let settings = life.history.settings.iter();
            settings.map(|told| told.config.mode).collect()
        };
        let (on, off) = (Mode::Enforcing, Mode::MetricsOnly);
        assert_eq!(modes(20), [on, off, on]);
        assert_eq!(modes(60), [off, on]);
        assert_eq!(modes(100), [on]);
    }

    #[test]
    fn what_is_not_recorded_is_a_doubt() {
        let doubts = |record: Record, asked: Asked| only(record, &asked).doubts;
        let mut silent = record(Vec::new());
        silent.reports.clear();
        assert_eq!(
            doubts(silent.clone(), asked(100, 150)),
            [Doubt::State, Doubt::Origin, Doubt::Settings]
        );
        silent
            .changes
            .push(change(120, "closed", "open", Some("failure_rate")));
        assert_eq!(
            doubts(silent, asked(100, 150)),
            [Doubt::Origin, Doubt::Settings]
        );
        // A window of calls is as old as its oldest call.
        let counted = |size: u32| {
            let mut counted = record(Vec::new());
            counted.reports[0] =
                report(0, BreakerConfig::new().window(WindowConfig::Count { size }));
            let asked = asked(100, 150);
            counted.calls.retain(|call| call.start >= asked.read_from);
            doubts(counted, asked)
        };
        assert!(counted(60).is_empty());
        assert_eq!(counted(61), [Doubt::Window]);
        // Neither calls nor numbers tell whether it was made anew; counters tell that something was, and not when.
        let mut unclear = record(Vec::new());
        unclear
            .reports
            .push(report(100, BreakerConfig::new().minimum_calls(7)));
        assert_eq!(doubts(unclear, asked(50, 150)), [Doubt::Report]);
        let restart = Change {
            lo: 90 * SECOND,
            ..change(110, "closed", "closed", Some("restart"))
        };
        let found = lives(record(vec![restart]), &asked(50, 150));
        let all: Vec<Doubt> = found.iter().flat_map(|life| life.doubts.clone()).collect();
        assert_eq!((found.len(), all), (2, vec![Doubt::Restart]));
        // Every second call had its span taken by the next one.
        let mut gaps = record(Vec::new());
        for (turn, call) in (1_u64..).step_by(4).zip(&mut gaps.calls) {
            call.turns = Turns {
                admitted: turn,
                ended: turn + 1,
            };
        }
        assert_eq!(doubts(gaps, asked(50, 150)), [Doubt::Untold]);
    }
}
