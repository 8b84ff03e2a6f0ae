//! Where things are: the repository's root and the one target directory.
//!
//! Everything that is built or downloaded goes below the target directory, never into the
//! checkout: several clones share one target directory, and a clean checkout stays clean.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// The repository on this machine.
pub(crate) struct Workspace {
    /// The directory of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, absolute.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the root from where this crate was compiled and the target directory as cargo does.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let crate_dir = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = crate_dir
            .parent()
            .context("the xtask crate has no parent directory")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => root.join(dir),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// `cargo`, run in the root and told about the one target directory.
    ///
    /// On a CI machine the lock file is binding: a dependency that moved must be committed.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("XTASK_BUNDLE_DIR", self.bundle());
        let split = usize::from(!arguments.is_empty());
        command.args(&arguments[..split]);
        let takes_lock = arguments
            .first()
            .is_some_and(|verb| *verb != "fmt" && *verb != "install");
        if on_ci() && takes_lock {
            command.arg("--locked");
        }
        command.args(&arguments[split..]);
        command
    }

    /// A binary of this workspace, as `cargo build` in the dev profile leaves it.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// Where the browser bundle lies once it is built.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.target.join("bundle")
    }

    /// A file or directory of the repository.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }
}

/// Whether this is a CI machine: nobody watches, the lock file is binding, stages have deadlines.
pub(crate) fn on_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
