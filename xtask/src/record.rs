//! `cargo xtask record`: fixtures of the recognisers, from the real libraries.

use anyhow::ensure;

use crate::workspace::Workspace;
use crate::{clients, packages, shell};

/// What every test that drives breakers of a client service has in its name.
const ALL: &str = "_found_opening_and_closing";

/// Record what the libraries of `tests/clients` send while their breakers open and close.
///
///   cargo xtask record                all of them
///   cargo xtask record gobreaker      of the tests whose name contains "gobreaker"
///
/// Writes `recorded_*.json` in `tests/fixtures/recognisers`, then what they are expected to become
/// and SUPPORT.md. Read the difference before committing it.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Only these: gobreaker, resilience4j, opossum, pybreaker or tower_resilience.
    name: Option<String>,
}

/// Prepares the clients, runs their breaker tests, then replays what was recorded.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<()> {
    packages::install(packages::BUILD);
    packages::install(packages::CLIENTS);
    clients::prepare(workspace, &[])?;
    let name = args.name.as_deref().unwrap_or(ALL);
    let integration = ["test", "--workspace", "--test", "integration", "--"];
    let mut record = workspace.cargo(&integration);
    record
        .arg(name)
        .env("XTASK_CLIENTS_DIR", clients::directory(workspace))
        .env("XTASK_RECORD", "1");
    let mut passed = 0;
    let status = shell::stream(&mut record, |line| {
        passed += usize::from(line.contains(ALL) && line.ends_with("... ok"));
    })?;
    ensure!(status.success(), "a client failed ({status})");
    ensure!(passed > 0, "no test of a client has {name} in its name");
    let mut replay = workspace.cargo(&integration);
    // One after the other: they write what they read.
    replay
        .args(["recognisers::", "--test-threads=1"])
        .env("TRIPLINE_UPDATE", "1");
    shell::must(&mut replay)
}
