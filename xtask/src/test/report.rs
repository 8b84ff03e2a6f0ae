//! The end of a test run: counts per kind, time per stage, the verdict.

use std::fmt;
use std::time::Duration;

use super::stages::Stage;
use super::tally::Tally;

/// What kind of evidence a count stands for. Of each kind at least one has to be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Format, lints, dependencies, builds: one each.
    Check,
    Unit,
    Doc,
    Sdk,
    Model,
    Integration,
    Client,
    Browser,
    Corpus,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Check,
        Self::Unit,
        Self::Doc,
        Self::Sdk,
        Self::Model,
        Self::Integration,
        Self::Client,
        Self::Browser,
        Self::Corpus,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Check => "check",
            Self::Unit => "unit",
            Self::Doc => "doc",
            Self::Sdk => "sdk",
            Self::Model => "model",
            Self::Integration => "integration",
            Self::Client => "client",
            Self::Browser => "browser",
            Self::Corpus => "fuzz corpus",
        })
    }
}

/// How one stage went.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// What went wrong, or what was missing.
    pub(crate) problem: Option<String>,
    /// The stage did not run because this machine lacks something.
    pub(crate) skipped: bool,
}

impl Outcome {
    /// All went well.
    pub(crate) fn passed(tally: Tally) -> Self {
        Self {
            tally,
            problem: None,
            skipped: false,
        }
    }

    /// One thing failed that is no test of its own.
    pub(crate) fn failed(problem: impl Into<String>) -> Self {
        let tally = Tally {
            failed: 1,
            ..Tally::default()
        };
        Self {
            tally,
            problem: Some(problem.into()),
            skipped: false,
        }
    }

    /// This machine lacks what the stage needs.
    pub(crate) fn skipped(missing: impl Into<String>) -> Self {
        Self {
            tally: Tally::default(),
            problem: Some(missing.into()),
            skipped: true,
        }
    }

    /// Both parts of a stage that ran in two.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.tally += other.tally;
        self.problem = match (self.problem, other.problem) {
            (Some(one), Some(another)) => Some(format!("{one}; {another}")),
            (one, another) => one.or(another),
        };
        self.skipped |= other.skipped;
        self
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.problem.is_none()
    }
}

struct Line {
    stage: Stage,
    outcome: Outcome,
    took: Duration,
}

/// Everything that ran.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

impl Report {
    pub(crate) fn add(&mut self, stage: Stage, outcome: Outcome, took: Duration) {
        self.lines.push(Line {
            stage,
            outcome,
            took,
        });
    }

    /// Prints the tables and the closing line; `true` when all is green.
    ///
    /// With a name filter, kinds and stages without a match are no failure: the person asked.
    pub(crate) fn print(&self, allow_skips: bool, filtered: bool) -> bool {
        let mut total = self.total();
        println!(
            "\n{:<14}{:>8}{:>8}{:>9}",
            "kind", "passed", "failed", "ignored"
        );
        for kind in Kind::ALL {
            let lines = || {
                self.lines
                    .iter()
                    .filter(move |line| line.stage.kind() == kind)
            };
            if lines().next().is_none() {
                continue;
            }
            let mut tally = Tally::default();
            lines().for_each(|line| tally += line.outcome.tally);
            let skipped = lines().any(|line| line.outcome.skipped);
            let executed = tally.passed + tally.failed;
            let empty = executed == 0 && !filtered && !(skipped && allow_skips);
            total.failed += u64::from(empty);
            let note = if empty { "  none executed" } else { "" };
            println!(
                "{kind:<14}{:>8}{:>8}{:>9}{note}",
                tally.passed, tally.failed, tally.ignored
            );
        }
        if total.ignored > 0 && !allow_skips && !filtered {
            println!(
                "{} ignored tests count as failed without --allow-skips",
                total.ignored
            );
            total.failed += total.ignored;
        }
        println!("\n{:<14}{:>8}", "stage", "seconds");
        for line in &self.lines {
            let note = line.outcome.problem.as_deref().unwrap_or("");
            println!(
                "{:<14}{:>8.1}  {note}",
                line.stage.to_string(),
                line.took.as_secs_f64()
            );
        }
        let took: Duration = self.lines.iter().map(|line| line.took).sum();
        println!("{:<14}{:>8.1}\n", "all", took.as_secs_f64());
        println!("{} passed, {} failed", total.passed, total.failed);
        total.failed == 0 && self.skips_are_allowed(allow_skips)
    }

    fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.lines
            .iter()
            .for_each(|line| total += line.outcome.tally);
        total
    }

    fn skips_are_allowed(&self, allow_skips: bool) -> bool {
        allow_skips || self.lines.iter().all(|line| !line.outcome.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: Vec<(Stage, Outcome)>) -> Report {
        let mut report = Report::default();
        for (stage, outcome) in lines {
            report.add(stage, outcome, Duration::ZERO);
        }
        report
    }

    fn ran(passed: u64) -> Outcome {
        Outcome::passed(Tally {
            passed,
            ..Tally::default()
        })
    }

    #[test]
    fn a_run_in_which_everything_ran_is_green() {
        assert!(report(vec![(Stage::Fmt, ran(1)), (Stage::Unit, ran(30))]).print(false, false));
    }

    #[test]
    fn a_kind_of_which_nothing_was_executed_fails() {
        assert!(!report(vec![(Stage::Fmt, ran(1)), (Stage::Unit, ran(0))]).print(true, false));
    }

    #[test]
    fn a_skip_fails_unless_it_was_allowed() {
        let skipped = || report(vec![(Stage::Browser, Outcome::skipped("no browser"))]);
        assert!(!skipped().print(false, false));
        assert!(skipped().print(true, false));
    }

    #[test]
    fn an_ignored_test_is_a_skip() {
        let ignored = || {
            let tally = Tally {
                passed: 1,
                failed: 0,
                ignored: 1,
            };
            report(vec![(Stage::Unit, Outcome::passed(tally))])
        };
        assert!(!ignored().print(false, false));
        assert!(ignored().print(true, false));
    }

    #[test]
    fn a_stage_in_two_parts_is_as_bad_as_both() {
        let passed = Tally {
            passed: 3,
            ..Tally::default()
        };
        let whole = Outcome::passed(passed).and(Outcome::passed(passed));
        assert!(whole.is_ok());
        assert_eq!(whole.tally.passed, 6);
        let broken = Outcome::failed("one").and(Outcome::failed("another"));
        assert_eq!(broken.problem.as_deref(), Some("one; another"));
        assert_eq!(broken.tally.failed, 2);
        let half = Outcome::passed(passed).and(Outcome::failed("another"));
        assert_eq!(half.problem.as_deref(), Some("another"));
        assert!(!half.is_ok());
    }
}
