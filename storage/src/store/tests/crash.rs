//! Death at every numbered step: everything acknowledged is there after the restart, exactly once.
//!
//! The test binary starts itself as a child that works on a store with a failpoint armed and writes down what
//! was acknowledged; the parent then opens the directory and compares.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::fixture::{append, config, eventually, log, number, spans};
use crate::store::{Store, StoreConfig, failpoint};

const CHILD: &str = "store::tests::crash::child_that_dies_at_a_failpoint";

fn quick(dir: &Path) -> StoreConfig {
    StoreConfig {
        compaction_fan_in: 2,
        sorted_rows_max: 100,
        hot_rows_max: 40,
        maintenance_interval: Duration::from_millis(20),
        ..config(dir)
    }
}

/// Not a test of its own: what the children of the tests below run, and nothing without their environment.
/// Keeps rotating, sealing, compacting and, in its second half, expiring, until it dies or a bound.
#[test]
fn child_that_dies_at_a_failpoint() {
    let Some(dir) = std::env::var_os("TRIPLINE_CRASH_DIR").map(std::path::PathBuf::from) else {
        return;
    };
    let mut acknowledged = std::fs::File::options()
        .append(true)
        .create(true)
        .open(dir.join("acknowledged"))
        .expect("file");
    let retain = std::env::var_os("TRIPLINE_CRASH_RETAIN").is_some();
    let retention_age = if retain {
        Duration::from_millis(1)
    } else {
        Duration::from_secs(86_400)
    };
    let config = StoreConfig {
        retention_age,
        ..quick(&dir)
    };
    // A step of the rotation that fails may fail the opening, which makes the first hot segment.
    let store = Store::open(config.clone())
        .or_else(|_| Store::open(config))
        .expect("open");
    // Where the step only fails once, a few rounds past it are enough; where it kills, it must be reached.
    let is_fatal = !std::env::var("TRIPLINE_FAILPOINT").is_ok_and(|step| step.contains(':'));
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut number = 0;
    while Instant::now() < deadline && (is_fatal || store.stats().compactions.count < 2) {
        if append(&store, spans("shop", number, number + 20)).is_ok() {
            writeln!(acknowledged, "{number}").expect("written");
            acknowledged.sync_data().expect("synced");
        }
        number += 20;
        let _ = store.seal_now();
    }
}

fn run_child(dir: &Path, step: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("this binary"));
    child.args(["--exact", CHILD, "--nocapture"]);
    child
        .env("TRIPLINE_FAILPOINT", step)
        .env("TRIPLINE_CRASH_DIR", dir);
    if step.starts_with("retain") {
        child.env("TRIPLINE_CRASH_RETAIN", "1");
    }
    let status = child
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it starts");
    status.code().is_none()
}

fn check_after_death(step: &str) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    assert!(run_child(dir.path(), step), "{step} was never reached");
    let acknowledged = std::fs::read_to_string(dir.path().join("acknowledged")).unwrap_or_default();
    let firsts: Vec<i64> = acknowledged
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    let acknowledged = i64::try_from(firsts.len()).expect("few") * 20;
    let store = Store::open(quick(dir.path())).expect("open");
    assert_eq!(store.stats().segments_refused, [], "{step}");
    let total = number(&store, "SELECT count(*) FROM spans");
    assert_eq!(
        number(&store, "SELECT count(DISTINCT span_id) FROM spans"),
        total,
        "{step}: doubled"
    );
    if !step.starts_with("retain") {
        for first in &firsts {
            let sql = format!(
                "SELECT count(*) FROM spans WHERE ('0x' || span_id)::BIGINT BETWEEN {first} + 1 AND {first} + 20"
            );
            assert_eq!(number(&store, &sql), 20, "{step}: span {first} and after");
        }
        // What was committed and not yet answered may be there too: one batch.
        assert!(
            total <= acknowledged + 20,
            "{step}: {total} of {acknowledged}"
        );
    }
    // Roll-ups outlive the rows: no call is lost or counted twice on the way into the history.
    let calls = number(&store, "SELECT coalesce(sum(calls), 0)::BIGINT FROM red");
    assert!(
        (acknowledged..=acknowledged + 20).contains(&calls),
        "{step}: {calls} calls of {acknowledged} acknowledged"
    );
    append(&store, log("shop", "after")).expect("it goes on");
    store.seal_now().expect("sealed");
    assert_eq!(
        number(&store, "SELECT count(DISTINCT span_id) FROM spans"),
        total,
        "{step}: after sealing"
    );
    assert_eq!(
        number(&store, "SELECT count(*) FROM spans"),
        total,
        "{step}: after sealing"
    );
    eventually("no unfinished file is left", || {
        let names = std::fs::read_dir(dir.path())
            .expect("readable")
            .map(|entry| entry.expect("entry").file_name());
        !names
            .into_iter()
            .any(|name| name.to_string_lossy().ends_with(".tmp"))
    });
}

fn check_all(work: &str) {
    let prefix = format!("{work}.");
    let steps = failpoint::NAMES
        .iter()
        .filter(|step| step.starts_with(&prefix));
    assert!(steps.map(|step| check_after_death(step)).count() >= 3);
}

#[test]
fn death_at_any_step_of_a_commit_loses_and_doubles_nothing() {
    check_all("commit");
}

#[test]
fn death_at_any_step_of_a_rotation_loses_and_doubles_nothing() {
    check_all("rotate");
}

#[test]
fn death_at_any_step_of_a_seal_loses_and_doubles_nothing() {
    check_all("seal");
}

#[test]
fn death_at_any_step_of_a_compaction_loses_and_doubles_nothing() {
    check_all("compact");
}

#[test]
fn death_at_any_step_of_retention_doubles_no_row_and_loses_no_call() {
    check_all("retain");
}

#[test]
fn death_at_any_step_of_a_burial_loses_and_doubles_nothing() {
    check_all("bury");
}

#[test]
fn a_step_that_fails_once_is_tried_again_and_nothing_is_lost() {
    for step in [
        "seal.3",
        "seal.7",
        "seal.8",
        "compact.3",
        "compact.7",
        "rotate.2",
        "rotate.4",
        "bury.2",
    ] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(
            !run_child(dir.path(), &format!("{step}:once-error")),
            "{step} must not kill"
        );
        let acknowledged =
            std::fs::read_to_string(dir.path().join("acknowledged")).unwrap_or_default();
        let store = Store::open(quick(dir.path())).expect("open");
        let total = i64::try_from(acknowledged.lines().count()).expect("few") * 20;
        assert!(total > 0);
        assert_eq!(
            number(&store, "SELECT count(*) FROM spans"),
            total,
            "{step}"
        );
        assert_eq!(
            number(&store, "SELECT count(DISTINCT span_id) FROM spans"),
            total,
            "{step}"
        );
    }
}
