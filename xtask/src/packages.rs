//! The Debian packages that the tests need, installed when this machine allows it.
//!
//! Only what is missing is installed, and only by root with `apt-get`: elsewhere the names are
//! printed and the stage that needs them fails by itself. Rust's own toolchain is rustup's
//! business and never touched here.

use std::process::{Command, Stdio};

use crate::shell;

/// A program (or a file) that a stage needs, and the Debian package that brings it.
pub(crate) struct Need {
    /// A program to find on `PATH`, or a path that has to exist when it starts with `/`.
    pub(crate) probe: &'static str,
    /// The Debian package.
    pub(crate) package: &'static str,
}

const fn need(probe: &'static str, package: &'static str) -> Need {
    Need { probe, package }
}

/// What compiling DuckDB and the crates with C in them wants.
pub(crate) const BUILD: &[Need] = &[
    need("cc", "gcc"),
    need("c++", "g++"),
    need("ccache", "ccache"),
];

/// The second way to a browser bundle: Debian's compiler with its library sources, for machines
/// where `rustup target add wasm32-unknown-unknown` cannot work.
pub(crate) const BUNDLE: &[Need] = &[
    need("/usr/bin/rustc", "rustc-web"),
    need("/usr/lib/rustlib/src/rust/library", "rust-web-src"),
];

/// The toolchains of the stock OpenTelemetry clients, and the README's first way to send something.
pub(crate) const CLIENTS: &[Need] = &[
    need("curl", "curl"),
    need("python3", "python3-venv"),
    need("node", "nodejs"),
    need("npm", "npm"),
    need("javac", "default-jdk-headless"),
    need("mvn", "maven"),
    need("go", "golang-go"),
];

/// A real browser and the driver that speaks WebDriver to it.
pub(crate) const BROWSER: &[Need] = &[
    need("chromium", "chromium"),
    need("chromedriver", "chromium-driver"),
];

/// Real servers that integration tests talk to, the client of the first page's example, and the witness of what is on the
/// disk before anybody is told.
pub(crate) const PEERS: &[Need] = &[
    need("curl", "curl"),
    need("redis-server", "redis-server"),
    need("prometheus", "prometheus"),
    need("strace", "strace"),
];

/// Installs what is missing; says so when it cannot. Never an error by itself: the stage that
/// needs the program reports what it could not do, in its own words.
pub(crate) fn install(needs: &[Need]) {
    let missing: Vec<&Need> = needs.iter().filter(|need| !present(need.probe)).collect();
    if missing.is_empty() {
        return;
    }
    let names: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if !is_root() || shell::find("apt-get").is_none() {
        println!(
            "  missing: {} (install them with your package manager)",
            names.join(", ")
        );
        return;
    }
    let update = apt(&["update", "-qq"]);
    if let Err(error) = update.and_then(|()| apt(&[&["install", "-y", "-qq"], &names[..]].concat()))
    {
        println!("  could not install {}: {error:#}", names.join(", "));
    }
}

fn present(probe: &str) -> bool {
    if probe.starts_with('/') {
        std::path::Path::new(probe).exists()
    } else {
        shell::find(probe).is_some()
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null());
    shell::must(&mut command)
}
