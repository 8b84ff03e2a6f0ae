//! `cargo xtask test`: every check and every test, in one order, on one profile.
//!
//! A stage either did its work or failed: a missing browser, client or toolchain is a failure
//! unless the person asks for `--allow-skips`. The run ends with what was executed per kind (a
//! kind of which nothing ran has failed), the time of each stage, and the plain closing line
//! `N passed, N failed`. Later stages run even when an earlier one failed, so that one run shows
//! all there is to mend; only what needs the build is left out when the build is broken.

mod report;
mod stages;
mod tally;

use std::time::Instant;

use anyhow::bail;
use clap::ValueEnum as _;
use report::{Outcome, Report};
use stages::Stage;

use crate::workspace::Workspace;

/// Run all checks and tests (what CI runs).
///
///   cargo xtask test                           everything; anything missing is a failure
///   cargo xtask test --allow-skips             the same, but missing tools only skip their stage
///   cargo xtask test --only fmt,clippy,unit    the quick ones while you work
///   cargo xtask test --only integration -- sql one stage, tests whose name contains "sql"
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Let a stage be skipped when this machine lacks its browser, client or toolchain.
    #[arg(long)]
    allow_skips: bool,
    /// Run only these stages.
    #[arg(long, value_delimiter = ',', value_name = "STAGE")]
    only: Vec<Stage>,
    /// Run only tests whose name contains one of these.
    #[arg(last = true)]
    filters: Vec<String>,
}

/// Runs the stages and reports; an error when anything failed.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<()> {
    let chosen = |stage: &Stage| args.only.is_empty() || args.only.contains(stage);
    let chosen: Vec<Stage> = Stage::value_variants()
        .iter()
        .copied()
        .filter(chosen)
        .collect();
    let begins_early = chosen.contains(&Stage::Integration) && args.filters.is_empty();
    let mut report = Report::default();
    let mut built = true;
    std::thread::scope(|scope| {
        let mut asleep = None;
        for stage in with_build(&chosen) {
            println!("\n=== {stage} ===");
            let started = Instant::now();
            if stage == Stage::Unit && built && begins_early {
                asleep = Some(scope.spawn(|| stages::sleeping(workspace)));
            }
            let outcome = if stage.needs_build() && !built {
                Outcome::failed("not run: the build is broken")
            } else if stage == Stage::Integration
                && let Some(begun) = asleep.take()
            {
                let outcome = stages::all_but_sleeping(workspace);
                let begun = begun.join();
                outcome.and(begun.unwrap_or_else(|_| Outcome::failed("a stage panicked")))
            } else {
                stage.run(workspace, &args.filters)
            };
            built &= stage != Stage::Build || outcome.is_ok();
            if let Some(problem) = &outcome.problem {
                println!("=== {stage}: {problem} ===");
            }
            report.add(stage, outcome, started.elapsed());
        }
    });
    let verdict = report.print(args.allow_skips, !args.filters.is_empty());
    if !verdict {
        bail!("not green");
    }
    Ok(())
}

/// The chosen stages in order, with the build before the first one that needs it.
fn with_build(chosen: &[Stage]) -> Vec<Stage> {
    let build_needed = chosen.iter().any(|stage| stage.needs_build());
    let runs = |stage: &Stage| chosen.contains(stage) || (build_needed && *stage == Stage::Build);
    Stage::value_variants()
        .iter()
        .copied()
        .filter(runs)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_comes_first_and_only_when_a_chosen_stage_needs_it() {
        assert_eq!(
            with_build(&[Stage::Fmt, Stage::Deny]),
            [Stage::Fmt, Stage::Deny]
        );
        assert_eq!(with_build(&[Stage::Client]), [Stage::Build, Stage::Client]);
    }
}
