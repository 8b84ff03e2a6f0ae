//! The stock OpenTelemetry clients of four languages, made ready to run.
//!
//! Each folder of `tests/clients` is a small real service of its ecosystem with pinned versions.
//! Its files are copied below the target directory and built there, so the checkout stays clean;
//! what is up to date is not touched again, so a second run needs no network.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::workspace::Workspace;
use crate::{packages, shell};

/// Prepare the client services of the tests (all, or the named languages).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The languages to prepare.
    languages: Vec<Language>,
}

/// An ecosystem whose stock OpenTelemetry SDK is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Python,
    Node,
    Java,
    Go,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no language is hidden");
        f.pad(value.get_name())
    }
}

/// Why the clients are not ready.
#[derive(Debug)]
pub(crate) enum Unprepared {
    /// This machine lacks a toolchain.
    Missing(&'static str),
    /// The toolchain is there and failed.
    Failed(anyhow::Error),
}

impl fmt::Display for Unprepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(tool) => write!(f, "{tool} is missing"),
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for Unprepared {}

impl From<anyhow::Error> for Unprepared {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Where the prepared clients lie, one directory a language.
pub(crate) fn directory(workspace: &Workspace) -> PathBuf {
    workspace.target.join("clients")
}

/// `cargo xtask clients`.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<()> {
    packages::install(packages::CLIENTS);
    Ok(prepare(workspace, &args.languages)?)
}

/// Makes the named clients ready, or all of them.
pub(crate) fn prepare(workspace: &Workspace, languages: &[Language]) -> Result<(), Unprepared> {
    let all = Language::value_variants();
    for language in if languages.is_empty() { all } else { languages } {
        if let Some(tool) = language
            .tools()
            .iter()
            .find(|tool| shell::find(tool).is_none())
        {
            return Err(Unprepared::Missing(tool));
        }
        prepare_one(workspace, *language).with_context(|| format!("client {language}"))?;
    }
    Ok(())
}

/// Copies the sources and builds them when they differ from those of the last good build.
fn prepare_one(workspace: &Workspace, language: Language) -> anyhow::Result<()> {
    let source = workspace.path("tests/clients").join(language.to_string());
    let place = directory(workspace).join(language.to_string());
    fs::create_dir_all(&place)?;
    let stamp = place.join(".built");
    let fingerprint = copy_all(&source, &place)?;
    if fs::read_to_string(&stamp).is_ok_and(|last| last == fingerprint) {
        println!("  {language}: up to date");
        return Ok(());
    }
    for command in language.build() {
        shell::must(command.as_command().current_dir(&place))?;
    }
    fs::write(&stamp, fingerprint)?;
    Ok(())
}

/// Copies a tree and returns all its text, which is small: it says whether anything changed.
fn copy_all(from: &Path, to: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut entries = fs::read_dir(from)
        .with_context(|| format!("cannot read {}", from.display()))?
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            text.push_str(&copy_all(&entry.path(), &target)?);
        } else {
            let content = fs::read_to_string(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            fs::write(&target, &content)?;
            text.push_str(&format!(
                "--- {}\n{content}",
                entry.file_name().to_string_lossy()
            ));
        }
    }
    Ok(text)
}

/// One build command: a program and its arguments.
struct Step(&'static str, &'static [&'static str]);

impl Step {
    fn as_command(&self) -> Command {
        let mut command = Command::new(self.0);
        // A static Go binary needs no C compiler; the variable means nothing to the others.
        command.args(self.1).env("CGO_ENABLED", "0");
        command
    }
}

impl Language {
    fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["python3"],
            Self::Node => &["node", "npm"],
            Self::Java => &["java", "javac", "mvn"],
            Self::Go => &["go"],
        }
    }

    fn build(self) -> &'static [Step] {
        match self {
            Self::Python => &[
                Step("python3", &["-m", "venv", "--clear", "venv"]),
                Step(
                    "venv/bin/pip",
                    &["install", "-q", "--no-deps", "-r", "requirements.txt"],
                ),
            ],
            // Install scripts fetch or compile what this service does not use.
            Self::Node => &[Step(
                "npm",
                &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            )],
            Self::Java => &[Step("mvn", &["-q", "-B", "process-classes"])],
            Self::Go => &[
                Step("go", &["build", "-o", "service", "."]),
                Step("go", &["build", "-o", "hello-service", "./hello"]),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_changes_the_fingerprint_and_reaches_the_copy() {
        let from = tempfile::tempdir().expect("a temporary directory");
        let to = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(from.path().join("src")).expect("a directory");
        fs::write(from.path().join("src/a"), "one").expect("a file");
        let first = copy_all(from.path(), to.path()).expect("a copy");
        fs::write(from.path().join("src/a"), "two").expect("a file");
        let second = copy_all(from.path(), to.path()).expect("a copy");
        assert_ne!(first, second);
        assert_eq!(
            fs::read_to_string(to.path().join("src/a")).expect("the copy"),
            "two"
        );
    }

    #[test]
    fn every_language_has_a_folder_with_pinned_versions() {
        let workspace = Workspace::find().expect("this is the workspace");
        for (language, lock) in [
            (Language::Python, "requirements.txt"),
            (Language::Node, "package-lock.json"),
            (Language::Java, "pom.xml"),
            (Language::Go, "go.sum"),
        ] {
            let lock = workspace
                .path("tests/clients")
                .join(language.to_string())
                .join(lock);
            assert!(lock.exists(), "{} is missing", lock.display());
        }
    }
}
