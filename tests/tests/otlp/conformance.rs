//! CONFORMANCE.md names, for every id of the checklist, a test that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The sections that apply: letter and how many lines each has.
const IDS: [(char, u32); 15] = [
    ('T', 12),
    ('Z', 10),
    ('N', 13),
    ('R', 8),
    ('E', 10),
    ('L', 11),
    ('B', 4),
    ('A', 3),
    ('S', 1),
    ('C', 10),
    ('P', 11),
    ('G', 8),
    ('M', 13),
    ('V', 3),
    ('F', 2),
];
/// Ids that do not apply, by decision; their rows say why instead of naming a test.
const EXCEPTED: [&str; 3] = ["E10", "F01", "F02"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// Names of all test functions in the Rust sources of the workspace.
fn test_functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in [
        "collector/src",
        "storage/src",
        "tests/tests",
        "storage/tests",
        "collector/tests",
        "sdk/tests",
    ] {
        collect(&root().join(folder), &mut names);
    }
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("readable");
            collect_from(&text, names);
        }
    }
}

fn collect_from(text: &str, names: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("async fn ").or(line.strip_prefix("fn ")) {
            // Tests inside proptest! have their attribute too.
            if is_test {
                names.extend(rest.split('(').next().map(str::to_owned));
            }
            is_test = false;
        }
    }
}

/// The rows of a matrix: id to the text of its second column.
fn rows(file: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join(file)).expect("a readable matrix");
    text.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let (id, tests) = (cells.next()?, cells.next()?);
            let numbered = id.len() == 3 && id[1..].bytes().all(|byte| byte.is_ascii_digit());
            numbered.then(|| (id.to_owned(), tests.to_owned()))
        })
        .collect()
}

#[test]
fn every_id_of_the_checklist_names_a_test_that_exists() {
    check("CONFORMANCE.md", &IDS);
}

#[test]
fn every_duty_of_the_sdk_s_exporter_names_a_test_that_exists() {
    check("sdk/CONFORMANCE.md", &[('K', 10)]);
}

fn check(file: &str, ids: &[(char, u32)]) {
    let (rows, tests) = (rows(file), test_functions());
    let mut missing = Vec::new();
    for (letter, count) in ids.iter().copied() {
        for number in 1..=count {
            let id = format!("{letter}{number:02}");
            let Some(named) = rows.get(&id) else {
                missing.push(format!("{id}: no row"));
                continue;
            };
            if EXCEPTED.contains(&id.as_str()) {
                continue;
            }
            let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
            if named.is_empty() {
                missing.push(format!("{id}: names no test"));
            }
            missing.extend(
                named
                    .iter()
                    .filter(|name| !tests.contains(**name))
                    .map(|name| format!("{id}: no test {name}")),
            );
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
