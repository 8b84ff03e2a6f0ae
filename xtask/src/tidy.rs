//! The house rules that a program can check, as tests (so `cargo test` shows a breach at once).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::Workspace;

fn workspace() -> Workspace {
    Workspace::find().expect("tests run inside the workspace")
}

/// Files that git knows or would add: build output and data directories are not the repository.
fn files(workspace: &Workspace) -> Vec<PathBuf> {
    let output = Command::new("git")
        .current_dir(&workspace.root)
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .output()
        .expect("git lists the files");
    assert!(output.status.success(), "git ls-files failed: {output:?}");
    let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
    let files: Vec<PathBuf> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect();
    assert!(
        files.len() > 20,
        "only {} files found: is this the repository?",
        files.len()
    );
    files
        .into_iter()
        .filter(|file| workspace.path(file).is_file())
        .collect()
}

fn rust_files(workspace: &Workspace) -> Vec<PathBuf> {
    files(workspace)
        .into_iter()
        .filter(|file| has_extension(file, "rs"))
        .collect()
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// Which workspace crates each crate depends on, as cargo resolves it; dev-dependencies left out.
fn crate_graph(workspace: &Workspace) -> BTreeMap<String, BTreeSet<String>> {
    let output = workspace
        .cargo(&["metadata", "--format-version=1", "--no-deps"])
        .output()
        .expect("cargo metadata runs");
    let error = String::from_utf8_lossy(&output.stderr);
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no metadata: {error}"));
    let packages = metadata["packages"]
        .as_array()
        .expect("metadata lists packages");
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let below = |package: &serde_json::Value| {
        let dependencies = package["dependencies"]
            .as_array()
            .expect("a list of dependencies");
        dependencies
            .iter()
            .filter(|dependency| dependency["kind"] != "dev")
            .map(name)
            .filter(|dependency| ours.contains(dependency))
            .collect()
    };
    packages
        .iter()
        .map(|package| (name(package), below(package)))
        .collect()
}

#[test]
fn crates_depend_downwards_only() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (
            "tripline-collector",
            &["tripline-web", "tripline-storage", "tripline-sdk"][..],
        ),
        ("tripline-web", &["tripline-storage"]),
        ("tripline-storage", &["tripline-sdk"]),
        ("tripline-sdk", &[]),
        (
            "tripline-tests",
            &[
                "tripline-collector",
                "tripline-web",
                "tripline-storage",
                "tripline-sdk",
            ],
        ),
        ("xtask", &[]),
    ]);
    let graph = crate_graph(&workspace());
    for (name, dependencies) in &graph {
        let Some(allowed) = allowed.get(name.as_str()) else {
            panic!("{name} has no place in the crate graph of ARCHITECTURE.md; give it one here");
        };
        for dependency in dependencies {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not use {dependency}"
            );
        }
    }
    assert!(
        graph.len() >= allowed.len(),
        "crates are missing: {graph:?}"
    );
}

#[test]
fn the_store_uses_only_the_core_of_the_sdk() {
    let manifest = fs::read_to_string(workspace().path("Cargo.toml")).expect("the root manifest");
    let line = manifest
        .lines()
        .find(|line| line.starts_with("tripline-sdk = "))
        .expect("a line");
    assert!(line.contains("default-features = false"), "{line}");
    let storage = fs::read_to_string(workspace().path("storage/Cargo.toml")).expect("a manifest");
    let uses = storage
        .lines()
        .filter(|line| line.starts_with("tripline-sdk"));
    for line in uses {
        assert!(
            !line.contains("features"),
            "storage asks for more than the core: {line}"
        );
    }
}

#[test]
fn no_crate_below_the_binary_knows_what_it_must_not() {
    // DuckDB is the store's alone; OTLP, HTTP and HTML are not the store's (ARCHITECTURE.md, code map).
    let workspace = workspace();
    for (krate, banned) in [
        (
            "storage",
            &["axum", "tonic", "opentelemetry-proto", "prost", "leptos"][..],
        ),
        (
            "web",
            &["duckdb", "arrow", "tonic", "opentelemetry-proto", "prost"],
        ),
        ("collector", &["duckdb", "leptos"]),
        ("sdk", &["duckdb", "arrow", "leptos"]),
    ] {
        let manifest =
            fs::read_to_string(workspace.path(krate).join("Cargo.toml")).expect("a manifest");
        let dependencies = manifest
            .split("[dev-dependencies]")
            .next()
            .expect("a first part");
        for name in banned {
            let named = |line: &str| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
            };
            assert!(
                !dependencies.lines().any(named),
                "{krate} must not depend on {name}"
            );
        }
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    let nothing = [
        "util", "utils", "common", "helper", "helpers", "misc", "types", "manager",
    ];
    let workspace = workspace();
    for file in rust_files(&workspace) {
        let parts = file.with_extension("");
        for part in parts.iter().map(|part| part.to_string_lossy()) {
            assert!(
                !nothing.contains(&part.as_ref()),
                "{} is named after nothing",
                file.display()
            );
        }
    }
}

#[test]
fn every_rust_file_says_what_it_is() {
    let workspace = workspace();
    for file in rust_files(&workspace) {
        let text = fs::read_to_string(workspace.path(&file)).expect("a readable file");
        assert!(
            text.starts_with("//!"),
            "{} does not open with //!",
            file.display()
        );
    }
}

/// The public items of a Rust file whose documentation has no example, as `file:line: item`. Modules are left out (a
/// module's example stands in its own file), and what a macro makes.
fn without_example(file: &Path, text: &str) -> Vec<String> {
    const ITEMS: [&str; 7] = [
        "fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ",
    ];
    let (mut missing, mut has_example, mut in_attribute) = (Vec::new(), false, false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let public = line
            .strip_prefix("pub ")
            .map(|item| item.trim_start_matches("async "));
        if line == "#[cfg(all(test, not(loom)))]" || line == "#[cfg(test)]" {
            break;
        } else if in_attribute || line.starts_with("#[") {
            in_attribute = !line.ends_with(']');
        } else if let Some(doc) = line.strip_prefix("///") {
            has_example |= doc.contains("```");
        } else if public.is_some_and(|item| ITEMS.iter().any(|kind| item.starts_with(kind))) {
            if !has_example && !line.contains('$') {
                missing.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
            has_example = false;
        } else {
            has_example = false;
        }
    }
    missing
}

#[test]
fn every_public_item_of_the_sdk_has_an_example() {
    let bare = "/// Words.\npub fn bare() {}\n/// ```\n/// ```\n#[expect(\n    a\n)]\npub const fn shown() {}";
    assert_eq!(
        without_example(Path::new("a.rs"), bare),
        ["a.rs:2: pub fn bare() {}"]
    );
    let workspace = workspace();
    let files = rust_files(&workspace);
    let sources = files.iter().filter(|file| file.starts_with("sdk/src"));
    let missing: Vec<String> = sources
        .flat_map(|file| {
            let text = fs::read_to_string(workspace.path(file)).expect("readable");
            without_example(file, &text)
        })
        .collect();
    assert!(missing.is_empty(), "no example:\n{}", missing.join("\n"));
}

#[test]
fn every_integration_file_is_part_of_the_one_program() {
    let workspace = workspace();
    let tests = workspace.path("tests/tests");
    for file in rust_files(&workspace) {
        let Ok(inside) = file.strip_prefix("tests/tests") else {
            continue;
        };
        if inside == Path::new("main.rs") {
            continue;
        }
        let parent = match inside.parent() {
            Some(folder) if folder != Path::new("") => tests.join(folder).with_extension("rs"),
            _ => tests.join("main.rs"),
        };
        let name = inside
            .file_stem()
            .expect("a file name")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&parent)
            .unwrap_or_else(|error| panic!("{} has no parent module: {error}", file.display()));
        let declaration = format!("mod {name};");
        assert!(
            text.lines().any(
                |line| line.trim_start().trim_start_matches("pub ") == declaration
                    || line.trim() == format!("pub(crate) {declaration}")
            ),
            "{} is never compiled: {} lacks `{declaration}`",
            file.display(),
            parent.display()
        );
    }
}

#[test]
fn nothing_in_the_repository_names_this_machine_or_a_registry() {
    // Put together here so that this file does not find itself.
    let join = |parts: &[&str]| parts.concat();
    let banned = [
        join(&["/ro", "ot/"]),
        join(&["/wo", "rk/"]),
        join(&["/ho", "me/"]),
        join(&["/tmp/", "brief"]),
        join(&["registry.np", "mjs.org"]),
        join(&["pypi", ".org"]),
        join(&["files.python", "hosted.org"]),
        join(&["repo.maven.apache", ".org"]),
        join(&["repo1.maven", ".org"]),
        join(&["proxy.golang", ".org"]),
        join(&["index.crates", ".io"]),
        join(&["static.crates", ".io"]),
        join(&["deb.debian", ".org"]),
    ];
    let workspace = workspace();
    for file in files(&workspace) {
        // Binary files (pictures, fuzz inputs, segment fixtures) have no text to read.
        let Ok(text) = fs::read_to_string(workspace.path(&file)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for name in &banned {
                assert!(
                    !line.contains(name),
                    "{}:{} names {name}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn every_crate_carries_the_licence_of_the_repository() {
    let workspace = workspace();
    let licence = fs::read_to_string(workspace.path("LICENSE")).expect("LICENSE exists");
    assert!(
        licence.contains("Apache License"),
        "LICENSE is not the Apache License"
    );
    for krate in ["collector", "storage", "web", "sdk", "tests", "xtask"] {
        let manifest =
            fs::read_to_string(workspace.path(krate).join("Cargo.toml")).expect("a manifest");
        assert!(
            manifest.contains("license.workspace = true"),
            "{krate} names no licence"
        );
    }
}

#[test]
fn no_lint_is_silenced_without_a_reason() {
    let workspace = workspace();
    for file in rust_files(&workspace) {
        let text = fs::read_to_string(workspace.path(&file)).expect("a readable file");
        for marker in [["#[al", "low("].concat(), ["#![al", "low("].concat()] {
            let found = text.contains(&marker);
            assert!(
                !found,
                "{}: use #[expect(…, reason = \"…\")]",
                file.display()
            );
        }
    }
}

#[test]
fn ci_runs_everything_and_never_allows_a_skip() {
    let script = fs::read_to_string(workspace().path(".ci/run")).expect(".ci/run exists");
    assert!(script.contains("cargo xtask test"));
    assert!(!script.contains("--allow-skips") && !script.contains("--only"));
}
