//! `cargo xtask bench`: the numbers of BENCHMARKS.md.

use std::process::Command;
use std::time::Duration;

use crate::workspace::Workspace;
use crate::{bundle, packages, shell};

/// No benchmark run takes longer than this on the machine of BENCHMARKS.md.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Measure the numbers of BENCHMARKS.md on this machine.
///
///   cargo xtask bench                    all of them
///   cargo xtask bench -- ingest          one: ingest, latency, disk, queries, recognition, breakers or interactions
///   cargo xtask bench -- queries 0.1     with a tenth of the load
///   cargo xtask bench -- sdk             the SDK's policies beside others'
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Arguments for the benchmark program.
    #[arg(last = true)]
    bench: Vec<String>,
}

/// Builds the server and the benchmark program, then measures.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<()> {
    if args.bench.first().is_some_and(|kind| kind == "sdk") {
        return policies(workspace);
    }
    // A browser is needed for what people feel, and the bundle, which the server has in it when it is compiled.
    let kind = args.bench.first().map_or("all", String::as_str);
    if matches!(kind, "all" | "interactions") {
        packages::install(packages::BUNDLE);
        packages::install(packages::BROWSER);
        bundle::build(workspace)?;
    }
    let build = workspace.cargo(&["build", "--package", "tripline-tests", "--bins"]);
    shell::must(&mut shell::within(LIMIT, build))?;
    let mut bench = Command::new(workspace.binary("tripline-bench"));
    bench.args(&args.bench);
    shell::must(&mut shell::within(LIMIT, bench))
}

/// The policies are measured as a service would ship them, in the release profile: nanoseconds are
/// at stake, which overflow checks and many codegen units cost. Nothing of the store is compiled.
fn policies(workspace: &Workspace) -> anyhow::Result<()> {
    let bench = workspace.cargo(&[
        "bench",
        "--package",
        "tripline-sdk",
        "--features",
        "full",
        "--bench",
        "policies",
    ]);
    shell::must(&mut shell::within(LIMIT, bench))
}
