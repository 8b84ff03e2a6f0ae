//! Death at every numbered step: everything acknowledged of all three signals is there after the restart, exactly once, and
//! no batch is halved.
//!
//! The test binary starts itself as a child that works on a store with a failpoint armed and writes down what
//! was acknowledged; the parent then opens the directory and compares.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::fixture::{append, config, eventually, logs, number, points, spans};
use crate::ingest::Batch;
use crate::store::{Store, StoreConfig, failpoint};

const CHILD: &str = "store::tests::crash::child_that_dies_at_a_failpoint";
/// Items of a batch.
const BATCH: u64 = 20;

/// Items that are numbered, and the SQL that reads their numbers back.
struct Signal {
    name: &'static str,
    make: fn(&str, u64, u64) -> Batch,
    numbers: &'static str,
}

static SIGNALS: [Signal; 3] = [
    Signal {
        name: "spans",
        make: spans,
        numbers: "SELECT ('0x' || span_id)::BIGINT - 1 AS number FROM spans",
    },
    Signal {
        name: "logs",
        make: logs,
        numbers: "SELECT body::BIGINT AS number FROM logs",
    },
    Signal {
        name: "points",
        make: points,
        numbers: "SELECT coalesce(value_int, \"count\"::BIGINT) AS number FROM metric_points",
    },
];

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
    let leading = std::env::var("TRIPLINE_CRASH_SIGNAL").expect("a signal");
    let leading = SIGNALS.iter().position(|signal| signal.name == leading);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut number = 0;
    while Instant::now() < deadline && (is_fatal || store.stats().compactions.count < 2) {
        for turn in 0..SIGNALS.len() {
            let signal = &SIGNALS[(leading.expect("known") + turn) % SIGNALS.len()];
            if append(&store, (signal.make)("shop", number, number + BATCH)).is_ok() {
                // In one piece: the process may die at any moment.
                let line = format!("{} {number}\n", signal.name);
                acknowledged.write_all(line.as_bytes()).expect("written");
                acknowledged.sync_data().expect("synced");
            }
        }
        number += BATCH;
        let _ = store.seal_now();
    }
}

/// Whether it died. `leading` is the signal that is stored first.
fn run_child(dir: &Path, step: &str, leading: &Signal) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("this binary"));
    child.args(["--exact", CHILD, "--nocapture"]);
    child
        .env("TRIPLINE_FAILPOINT", step)
        .env("TRIPLINE_CRASH_DIR", dir)
        .env("TRIPLINE_CRASH_SIGNAL", leading.name);
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

/// First numbers of the batches of a signal that were acknowledged.
fn acknowledged(dir: &Path, signal: &Signal) -> Vec<i64> {
    let told = std::fs::read_to_string(dir.join("acknowledged")).unwrap_or_default();
    let of_signal = told.lines().filter_map(|line| {
        let (name, first) = line.split_once(' ')?;
        (name == signal.name).then(|| first.parse().ok())?
    });
    of_signal.collect()
}

/// How many items of so many batches.
fn items(batches: usize) -> i64 {
    i64::try_from(batches).expect("few") * i64::try_from(BATCH).expect("few")
}

/// Every acknowledged batch is there whole and once, and at most one that was committed and not yet answered; how many items
/// that makes.
fn check_stored(store: &Store, signal: &Signal, firsts: &[i64], step: &str) -> i64 {
    let (name, numbers) = (signal.name, signal.numbers);
    let total = number(store, &format!("SELECT count(*) FROM ({numbers})"));
    let distinct = format!("SELECT count(DISTINCT number) FROM ({numbers})");
    assert_eq!(number(store, &distinct), total, "{step}: {name} doubled");
    if step.starts_with("retain") {
        return total;
    }
    for first in firsts {
        let sql = format!(
            "SELECT count(*) FROM ({numbers}) WHERE number >= {first} AND number < {first} + {BATCH}"
        );
        assert_eq!(number(store, &sql), items(1), "{step}: {name} from {first}");
    }
    let acknowledged = items(firsts.len());
    assert!(
        total == acknowledged || total == acknowledged + items(1),
        "{step}: {total} {name} of {acknowledged}"
    );
    let halved = format!(
        "SELECT count(*) FROM (SELECT number // {BATCH} AS batch FROM ({numbers}) GROUP BY ALL HAVING count(*) <> {BATCH})"
    );
    assert_eq!(number(store, &halved), 0, "{step}: {name} halved");
    if name == "points" {
        let beside = "SELECT count(*) FROM exemplars";
        assert_eq!(number(store, beside), total / 2, "{step}: exemplars");
    }
    total
}

fn check_after_death(step: &str, leading: &Signal) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    assert!(
        run_child(dir.path(), step, leading),
        "{step} was never reached"
    );
    let store = Store::open(quick(dir.path())).expect("open");
    assert_eq!(store.stats().segments_refused, [], "{step}");
    let stored = SIGNALS.each_ref().map(|signal| {
        let firsts = acknowledged(dir.path(), signal);
        let total = check_stored(&store, signal, &firsts, step);
        (signal, firsts, total)
    });
    // Roll-ups outlive the rows: no call is lost or counted twice on the way into the history.
    let calls = number(&store, "SELECT coalesce(sum(calls), 0)::BIGINT FROM red");
    let [(_, firsts, _), ..] = &stored;
    let told = items(firsts.len());
    assert!(
        (told..=told + items(1)).contains(&calls),
        "{step}: {calls} calls of {told} acknowledged"
    );
    store.seal_now().expect("sealed");
    for (signal, firsts, total) in &stored {
        let after = check_stored(&store, signal, firsts, step);
        assert_eq!(after, *total, "{step}: {} after sealing", signal.name);
    }
    append(&store, logs("shop", 1_000_000, 1_000_000 + BATCH)).expect("it goes on");
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
    assert!(
        steps
            .map(|step| check_after_death(step, &SIGNALS[0]))
            .count()
            >= 3
    );
}

#[test]
fn death_at_any_step_of_a_commit_of_any_signal_loses_doubles_and_halves_nothing() {
    for step in ["commit.1", "commit.2", "commit.3"] {
        for leading in &SIGNALS {
            check_after_death(step, leading);
        }
    }
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
            !run_child(dir.path(), &format!("{step}:once-error"), &SIGNALS[0]),
            "{step} must not kill"
        );
        let store = Store::open(quick(dir.path())).expect("open");
        for signal in &SIGNALS {
            let firsts = acknowledged(dir.path(), signal);
            assert!(!firsts.is_empty(), "{step}: no {}", signal.name);
            let total = check_stored(&store, signal, &firsts, step);
            assert_eq!(total, items(firsts.len()), "{step}: {}", signal.name);
        }
    }
}
