//! The stages of a test run, cheap ones first.
//!
//! All of them use the dev profile and the whole workspace as the unit of feature resolution:
//! `--package` would resolve other feature sets and compile the same dependencies again. The
//! `build` stage builds every binary and every test program in one go, so the integration
//! program is linked once; the stages after it only choose which of its tests to run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;

use super::report::{Kind, Outcome};
use super::tally::Tally;
use crate::workspace::Workspace;
use crate::{bundle, clients, packages, shell};

/// cargo-deny is pinned: a newer one may judge the same tree differently.
const CARGO_DENY: &str = "0.20.2";

/// No stage may run longer than this on a CI machine. The longest, an unseeded build of DuckDB
/// and everything else, takes about 45 minutes on two fast cores and does not end in time on two
/// slow ones (CONTRIBUTING.md).
const STAGE_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Module names of the integration program that are kinds of their own.
const CLIENT_TESTS: &str = "clients::";
const BROWSER_TESTS: &str = "browser::";
const CORPUS_TESTS: &str = "corpus::";
/// Lives ten minutes and sleeps nearly all of them, so it begins with the unit tests where both are run.
const SLEEPING_TESTS: &str = "accounting::";
/// What the stage `integration` leaves to the others.
const OTHER_KINDS: [&str; 3] = [CLIENT_TESTS, BROWSER_TESTS, CORPUS_TESTS];

/// One step of `cargo xtask test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// The code is formatted.
    Fmt,
    /// Dependencies: bans, licences, sources.
    Deny,
    /// The SDK's core and the store's plain types build without their engines, for the browser too.
    Portable,
    /// The SDK packs, and what is packed builds without this workspace.
    Package,
    /// Lints, warnings are errors.
    Clippy,
    /// The browser bundle builds.
    Bundle,
    /// Every binary and test program builds.
    Build,
    /// Tests beside the code.
    Unit,
    /// Examples in the documentation.
    Doc,
    /// The SDK's rules, models, simulation and wires: the test programs of its own.
    Sdk,
    /// Every interleaving of the SDK's lock-free parts.
    Model,
    /// Every input a fuzz target ever found interesting is replayed.
    Corpus,
    /// Real ports, real files, real processes.
    Integration,
    /// Stock OpenTelemetry SDKs of other languages.
    Client,
    /// A real browser.
    Browser,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no stage is hidden");
        f.pad(value.get_name())
    }
}

impl Stage {
    /// What a success of this stage counts as.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Fmt
            | Self::Deny
            | Self::Portable
            | Self::Package
            | Self::Clippy
            | Self::Bundle
            | Self::Build => Kind::Check,
            Self::Unit => Kind::Unit,
            Self::Doc => Kind::Doc,
            Self::Sdk => Kind::Sdk,
            Self::Model => Kind::Model,
            Self::Corpus => Kind::Corpus,
            Self::Integration => Kind::Integration,
            Self::Client => Kind::Client,
            Self::Browser => Kind::Browser,
        }
    }

    /// Whether the stage uses what `build` leaves behind.
    pub(crate) fn needs_build(self) -> bool {
        matches!(
            self,
            Self::Unit
                | Self::Doc
                | Self::Sdk
                | Self::Corpus
                | Self::Integration
                | Self::Client
                | Self::Browser
        )
    }

    /// Runs the stage; the output streams to the terminal.
    pub(crate) fn run(self, workspace: &Workspace, filters: &[String]) -> Outcome {
        match self {
            Self::Fmt => check(fmt(workspace)),
            Self::Deny => check(deny(workspace)),
            Self::Portable => check(portable(workspace)),
            Self::Package => check(package(workspace)),
            Self::Clippy => check(clippy(workspace)),
            Self::Bundle => {
                packages::install(packages::BUNDLE);
                check(bundle::build(workspace).map(drop))
            }
            Self::Build => check(build(workspace)),
            Self::Unit => tests(workspace, &["--lib", "--bins"], &[], filters),
            Self::Doc => tests(workspace, &["--doc"], &[], filters),
            Self::Sdk => {
                packages::install(packages::PEERS);
                sdk(workspace, filters)
            }
            Self::Model => models(workspace, filters),
            Self::Corpus => integration(workspace, &[CORPUS_TESTS], &[], filters),
            Self::Integration => {
                packages::install(packages::PEERS);
                integration(workspace, &[], &OTHER_KINDS, filters)
            }
            Self::Client => client(workspace, filters),
            Self::Browser => browser(workspace, filters),
        }
    }
}

/// A stage that is one check: it holds or it does not.
fn check(result: anyhow::Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::passed(Tally {
            passed: 1,
            ..Tally::default()
        }),
        Err(error) => Outcome::failed(format!("{error:#}")),
    }
}

fn must(command: Command) -> anyhow::Result<()> {
    shell::must(&mut shell::within(STAGE_LIMIT, command))
}

fn fmt(workspace: &Workspace) -> anyhow::Result<()> {
    must(workspace.cargo(&["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> anyhow::Result<()> {
    packages::install(packages::BUILD);
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    must(workspace.cargo(&arguments))
}

fn build(workspace: &Workspace) -> anyhow::Result<()> {
    packages::install(packages::BUILD);
    must(workspace.cargo(&["build", "--workspace", "--bins", "--tests"]))
}

/// Bans, licences and sources. The advisory database lives on a host that CI machines cannot
/// reach, so `cargo deny check advisories` is for a person's own machine (CONTRIBUTING.md).
fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    let program = cargo_deny(workspace)?;
    let mut command = Command::new(program);
    command
        .current_dir(&workspace.root)
        .args(["--workspace", "--locked"]);
    must_with(command, &["check", "bans", "licenses", "sources"])
}

fn must_with(mut command: Command, arguments: &[&str]) -> anyhow::Result<()> {
    command.args(arguments);
    must(command)
}

/// The pinned cargo-deny, built once into the target directory: unoptimised and without what a debugger
/// needs, because two minutes of compiling are better spent than six and it runs for a second.
fn cargo_deny(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let root = workspace
        .target
        .join("tools")
        .join(format!("cargo-deny-{CARGO_DENY}"));
    let program = root.join("bin/cargo-deny");
    if !program.exists() {
        let name = format!("cargo-deny@{CARGO_DENY}");
        let mut install = workspace.cargo(&["install", &name, "--locked", "--debug", "--root"]);
        install
            .arg(&root)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_TARGET_DIR", root.join("build"));
        must(install).context("cargo-deny could not be installed")?;
        std::fs::remove_dir_all(root.join("build"))?;
    }
    Ok(program)
}

/// The crates that other places compile too, without what does not exist there.
fn portable(workspace: &Workspace) -> anyhow::Result<()> {
    for package in ["tripline-sdk", "tripline-storage"] {
        must(workspace.cargo(&["check", "--package", package, "--no-default-features"]))?;
    }
    if let Some(mut wasm) = bundle::wasm_check(workspace) {
        wasm.args(["--package", "tripline-sdk", "--no-default-features"]);
        must(wasm)?;
    }
    Ok(())
}

/// Everything but the upload. Ours is not the only tree it has to build in.
fn package(workspace: &Workspace) -> anyhow::Result<()> {
    let arguments = [
        "publish",
        "--dry-run",
        "--allow-dirty",
        "--package",
        "tripline-sdk",
    ];
    must(workspace.cargo(&arguments))
}

/// The test programs in `sdk/tests`, each named: a glob would also run the workspace's own.
fn sdk(workspace: &Workspace, filters: &[String]) -> Outcome {
    let programs = match programs(&workspace.path("sdk/tests")) {
        Ok(programs) => programs,
        Err(error) => return Outcome::failed(format!("{error:#}")),
    };
    let targets: Vec<&str> = programs
        .iter()
        .flat_map(|program| ["--test", program])
        .collect();
    tests(workspace, &targets, &[], filters)
}

/// The names of the test programs in a directory, in order: files, and directories with a `main.rs`.
fn programs(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let is_file = path.extension().is_some_and(|extension| extension == "rs");
        if is_file || path.join("main.rs").is_file() {
            let name = path.file_stem().context("a file has a name")?;
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    anyhow::ensure!(
        !names.is_empty(),
        "no test programs in {}",
        directory.display()
    );
    Ok(names)
}

/// The model checker replaces the atomics of the core, so it has a build of its own. Its search is
/// bounded: three preemptions find what two threads can do to each other.
fn models(workspace: &Workspace, filters: &[String]) -> Outcome {
    let mut command = workspace.cargo(&["test", "--package", "tripline-sdk", "--lib"]);
    command
        .args(["--", "loom"])
        .args(filters)
        .env("CARGO_TARGET_DIR", workspace.target.join("loom"))
        .env("RUSTFLAGS", "--cfg loom")
        .env("LOOM_MAX_PREEMPTIONS", "3");
    counted(command)
}

/// Runs test programs of the workspace and counts what they executed.
fn tests(workspace: &Workspace, targets: &[&str], harness: &[&str], filters: &[String]) -> Outcome {
    let mut command = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(targets).arg("--").args(harness).args(filters);
    command.env("XTASK_CLIENTS_DIR", clients::directory(workspace));
    counted(command)
}

/// Runs a `cargo test` and adds up what its programs say.
fn counted(command: Command) -> Outcome {
    let mut command = shell::within(STAGE_LIMIT, command);
    let mut tally = Tally::default();
    let status = shell::stream(&mut command, |line| {
        if let Some(part) = Tally::from_line(line) {
            tally += part;
        }
    });
    let problem = match status {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("{} failed ({status})", tally.failed)),
        Err(error) => Some(format!("{error:#}")),
    };
    // A test program that died or did not compile has no closing line and is one failure.
    if problem.is_some() && tally.failed == 0 {
        tally.failed = 1;
    }
    Outcome {
        tally,
        problem,
        skipped: false,
    }
}

/// Runs tests of the one integration program: those of the named modules, or all but some.
fn integration(workspace: &Workspace, only: &[&str], skip: &[&str], filters: &[String]) -> Outcome {
    let mut harness: Vec<&str> = skip.iter().flat_map(|module| ["--skip", module]).collect();
    // libtest runs a test that matches any of the names, so a person's own replace the module's.
    if filters.is_empty() {
        harness.extend(only);
    }
    tests(workspace, &["--test", "integration"], &harness, filters)
}

/// The part of the stage `integration` that may begin long before it.
pub(crate) fn sleeping(workspace: &Workspace) -> Outcome {
    packages::install(packages::PEERS);
    integration(workspace, &[SLEEPING_TESTS], &[], &[])
}

/// The other part.
pub(crate) fn all_but_sleeping(workspace: &Workspace) -> Outcome {
    let mut skip = OTHER_KINDS.to_vec();
    skip.push(SLEEPING_TESTS);
    integration(workspace, &[], &skip, &[])
}

fn client(workspace: &Workspace, filters: &[String]) -> Outcome {
    packages::install(packages::CLIENTS);
    match clients::prepare(workspace, &[]) {
        Ok(()) => integration(workspace, &[CLIENT_TESTS], &[], filters),
        Err(clients::Unprepared::Missing(tool)) => Outcome::skipped(format!("{tool} is missing")),
        Err(clients::Unprepared::Failed(error)) => Outcome::failed(format!("{error:#}")),
    }
}

fn browser(workspace: &Workspace, filters: &[String]) -> Outcome {
    packages::install(packages::BROWSER);
    for program in ["chromium", "chromedriver"] {
        if shell::find(program).is_none() {
            return Outcome::skipped(format!("{program} is missing"));
        }
    }
    integration(workspace, &[BROWSER_TESTS], &[], filters)
}
