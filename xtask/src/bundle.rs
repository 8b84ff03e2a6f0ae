//! The browser bundle: the pages' code as WebAssembly, with its script and styles.

use std::path::PathBuf;

use anyhow::bail;

use crate::workspace::Workspace;

/// Where the bundle lies once it is built.
pub(crate) fn directory(workspace: &Workspace) -> PathBuf {
    workspace.target.join("bundle")
}

/// Builds the bundle and returns its directory.
pub(crate) fn build(_workspace: &Workspace) -> anyhow::Result<PathBuf> {
    bail!("the bundle step does not exist yet")
}

/// `cargo check` for the browser's target, when this machine can compile for it.
pub(crate) fn wasm_check(_workspace: &Workspace) -> Option<std::process::Command> {
    None
}
