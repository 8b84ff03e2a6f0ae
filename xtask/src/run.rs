//! `cargo xtask run`: from a checkout to a page with data in it, in one command.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;

use crate::workspace::Workspace;
use crate::{bundle, packages, shell};

/// Build everything and start Tripline: the demo, or what you name after `--`.
///
///   cargo xtask run                                     the demo shop, data in a browser
///   cargo xtask run -- serve                            an empty server for your own services
///   cargo xtask run -- serve --data-dir /tmp/t --http 127.0.0.1:8080
///   cargo xtask run -- sql "SELECT count(*) FROM spans"
///
/// The first build compiles DuckDB (half an hour on two cores, once). Ctrl-C stops the server;
/// what it acknowledged stays in `./tripline-data`.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Do not build the browser bundle; pages are then server-rendered only.
    #[arg(long)]
    no_bundle: bool,
    /// The command and flags for `tripline`; `demo` when there are none.
    #[arg(last = true)]
    tripline: Vec<String>,
}

/// Builds, then becomes the `tripline` process, so that every signal reaches it directly.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<()> {
    if !args.no_bundle {
        packages::install(packages::BUNDLE);
        // The pages are whole without the bundle, so a newcomer without a WebAssembly toolchain
        // sees a warning and a working page. `cargo xtask test` is where a missing one fails.
        if let Err(error) = bundle::build(workspace) {
            println!("no browser bundle ({error:#}); the pages are server-rendered only");
        }
    }
    shell::must(&mut workspace.cargo(&["build", "--workspace", "--bin", "tripline"]))?;
    let binary = workspace.binary("tripline");
    let mut command = Command::new(&binary);
    if args.tripline.is_empty() {
        command.arg("demo");
    } else {
        command.args(&args.tripline);
    }
    println!("  $ {}", shell::describe(&command));
    Err(command.exec()).with_context(|| format!("cannot start {}", binary.display()))
}
