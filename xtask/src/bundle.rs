//! The browser bundle: the pages' islands as WebAssembly with its glue script.
//!
//! Two ways to a compiler for `wasm32-unknown-unknown`: rustup's own target, or Debian's compiler with its
//! library sources (`rustc-web`, `rust-web-src`), which builds the standard library itself. Either has a
//! target directory of its own: a change of compiler would otherwise throw away everything built so far.
//! The collector embeds what is in [`Workspace::bundle`] when it is compiled; styles are in the binary anyway.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::shell;
use crate::workspace::Workspace;

const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// The profile of the bundle: small before all. Kept here, because nothing else is built with it.
const PROFILE: [&str; 6] = [
    "profile.browser.inherits='release'",
    "profile.browser.opt-level='z'",
    "profile.browser.lto='fat'",
    "profile.browser.codegen-units=1",
    "profile.browser.panic='abort'",
    "profile.browser.strip='debuginfo'",
];

/// A compiler for the browser.
enum Toolchain {
    /// rustup has the target's standard library.
    Rustup,
    /// Debian's compiler builds it from source.
    Debian {
        /// rustup's linker, which knows WebAssembly.
        linker: PathBuf,
    },
}

/// Builds the bundle and returns its directory.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let toolchain = Toolchain::find()?;
    let mut command = toolchain.cargo(workspace, "build");
    command.args([
        "--package",
        "tripline-web",
        "--no-default-features",
        "--features",
        "hydrate",
    ]);
    command.args(["--profile", "browser"]);
    for setting in PROFILE {
        command.args(["--config", setting]);
    }
    shell::must(&mut command)?;
    let module = toolchain
        .target_directory(workspace)
        .join(TARGET)
        .join("browser/tripline_web.wasm");
    let out = workspace.bundle();
    bind(&module, &out)?;
    Ok(out)
}

/// `cargo check` for the browser's target, when this machine can compile for it.
pub(crate) fn wasm_check(workspace: &Workspace) -> Option<Command> {
    Toolchain::find()
        .ok()
        .map(|toolchain| toolchain.cargo(workspace, "check"))
}

/// Runs wasm-bindgen, at exactly the version the pages are linked with.
fn bind(module: &Path, out: &Path) -> anyhow::Result<()> {
    let fresh = out.with_extension("new");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh)?;
    }
    Bindgen::new()
        .input_path(module)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&fresh)
        .context("wasm-bindgen failed")?;
    replace_if_different(&fresh, out)
}

/// Leaves unchanged files alone: the collector is compiled anew for every one that is newer.
fn replace_if_different(fresh: &Path, out: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out)?;
    for entry in std::fs::read_dir(fresh)? {
        let from = entry?.path();
        let Some(name) = from.file_name().filter(|_| from.is_file()) else {
            continue;
        };
        let to = out.join(name);
        let bytes = std::fs::read(&from)?;
        if std::fs::read(&to).ok().as_ref() != Some(&bytes) {
            std::fs::write(&to, bytes)?;
        }
    }
    std::fs::remove_dir_all(fresh)?;
    Ok(())
}

impl Toolchain {
    fn find() -> anyhow::Result<Self> {
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let libraries = Path::new(&sysroot).join("lib/rustlib");
        if libraries.join(TARGET).is_dir() || add_target() {
            return Ok(Self::Rustup);
        }
        let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
        let linker = libraries.join(host).join("bin/rust-lld");
        let debian = output(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]))
            .context("no compiler for the browser: neither `rustup target add wasm32-unknown-unknown` nor Debian's rustc-web")?;
        let sources = Path::new(&debian).join("lib/rustlib/src/rust/library/std");
        if !sources.is_dir() {
            bail!("Debian's compiler has no library sources: apt-get install rust-web-src");
        }
        if !linker.is_file() {
            bail!("rustup's linker is missing: {}", linker.display());
        }
        Ok(Self::Debian { linker })
    }

    fn target_directory(&self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Rustup => workspace.target.join("browser"),
            Self::Debian { .. } => workspace.target.join("browser-debian"),
        }
    }

    fn cargo(&self, workspace: &Workspace, verb: &str) -> Command {
        let mut command = workspace.cargo(&[verb, "--target", TARGET]);
        command.env("CARGO_TARGET_DIR", self.target_directory(workspace));
        if let Self::Debian { linker } = self {
            command
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }
}

/// Asks rustup for the target; `false` where there is no rustup or it cannot download.
fn add_target() -> bool {
    Command::new("rustup")
        .args(["target", "add", TARGET])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
