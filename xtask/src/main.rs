//! The commands of the README: `cargo xtask run`, `cargo xtask test`, `cargo xtask bench`.
//!
//! Everything a person or a CI machine does with this repository goes through here, so there is
//! one description of how it is built and one of what has to be green. Nothing else in the
//! workspace depends on this crate.
#![expect(
    clippy::print_stdout,
    reason = "a command line tool talks to the terminal it was started from"
)]

mod bench;
mod bundle;
mod clients;
mod packages;
mod record;
mod run;
mod shell;
mod test;
#[cfg(test)]
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use workspace::Workspace;

/// Build, run, test and measure Tripline.
///
/// New here? `cargo xtask run` builds everything and starts a demo shop whose telemetry you can
/// look at in a browser; `cargo xtask test` runs every check that a change has to pass.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Test(test::Args),
    Bench(bench::Args),
    Bundle(BundleArgs),
    Clients(clients::Args),
    Record(record::Args),
}

/// Build only the browser bundle (WebAssembly, script, styles).
#[derive(clap::Args)]
struct BundleArgs {}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let workspace = Workspace::find()?;
    match cli.command {
        Command::Run(args) => run::run(&workspace, &args),
        Command::Test(args) => test::run(&workspace, &args),
        Command::Bench(args) => bench::run(&workspace, &args),
        Command::Bundle(BundleArgs {}) => {
            packages::install(packages::BUNDLE);
            let bundle = bundle::build(&workspace)?;
            println!("bundle: {}", bundle.display());
            Ok(())
        }
        Command::Clients(args) => clients::run(&workspace, &args),
        Command::Record(args) => record::run(&workspace, &args),
    }
}
