//! Golden fixtures of the recognisers: OTLP in at the decoder's door, rows of the relations out.
//!
//! `TRIPLINE_UPDATE=1` writes what comes out into the fixtures and `SUPPORT.md`; read the difference before
//! committing it. A fixture says where its telemetry is from: `recorded` names the committed script that ran the real
//! library, `from-source` the project, file and version its names were read in. A recorded breaker opens and closes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tripline_collector::decode::{Logs, Metrics, Signal, Traces};
use tripline_storage::ingest::Batch;
use tripline_storage::resilience::whatif::settings;
use tripline_storage::resilience::{RecogniserFile, SHIPPED};
use tripline_storage::store::{Store, StoreConfig};

/// What is shown of each relation. Fixtures are old, so that of instances the last state is shown.
const VIEWS: [(&str, &str); 4] = [
    (
        "transitions",
        "SELECT pattern, name, key, from_state, to_state, time_lo_unix_nano::BIGINT - 1700000000000000000 AS lo,
         time_unix_nano::BIGINT - 1700000000000000000 AS hi, reason, trace_id[:2] AS trace, trace_evidence, evidence,
         confidence, origin FROM breaker_transitions ORDER BY pattern, name, key, time, to_state",
    ),
    (
        "samples",
        "SELECT pattern, name, key, time_unix_nano::BIGINT - 1700000000000000000 AS time, state, raw_state, failure_rate,
         window_calls, ok, failed, ignored, rejected, ns_in_state, entered, hosts_ejected, hosts_healthy, hosts_total,
         trace_id[:2] AS trace, evidence, confidence, origin
         FROM breaker_samples ORDER BY pattern, name, key, time, evidence",
    ),
    (
        "config",
        "SELECT name, key, config_hash, config, source FROM breaker_config ORDER BY ALL",
    ),
    (
        "instances",
        "SELECT pattern, name, key, service_name, service_instance_id, environment, last_state, evidence, peer_service,
         peer_address FROM breaker_instances ORDER BY ALL",
    ),
];

/// Where the fixtures are.
pub(crate) fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/recognisers")
}

fn fixtures() -> BTreeMap<String, Value> {
    std::fs::read_dir(directory())
        .expect("the fixtures")
        .map(|entry| entry.expect("readable").path())
        .map(|path| {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path).expect("readable");
            let fixture =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, fixture)
        })
        .collect()
}

fn batch(request: &Value) -> Batch {
    let (signal, body) = request
        .as_object()
        .and_then(|request| request.iter().next())
        .expect("one signal");
    let body = body.to_string();
    let decoded = match signal.as_str() {
        "traces" => Traces::from_json(body.as_bytes(), 0),
        "metrics" => Metrics::from_json(body.as_bytes(), 0),
        "logs" => Logs::from_json(body.as_bytes(), 0),
        other => panic!("{other} is no signal"),
    };
    let decoded = decoded.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(decoded.rejected(), 0, "{:?}", decoded.reason());
    decoded.batch
}

/// The rows of every view, one line a row: `column=value` of what is not NULL.
async fn relations(fixture: &Value, is_sealed: bool) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        data_dir: directory.path().to_owned(),
        threads: 1,
        memory_bytes_max: 128 << 20,
        ..StoreConfig::default()
    })
    .expect("a store");
    for request in fixture["requests"].as_array().expect("requests") {
        store.append(batch(request)).await.expect("appended");
    }
    if is_sealed {
        store.seal_now().expect("sealed");
    }
    let reader = store.reader().expect("a reader");
    let mut out = serde_json::Map::new();
    for (name, sql) in VIEWS {
        let sql = format!("SELECT to_json(r)::VARCHAR FROM ({sql}) r");
        let mut statement = reader.views().expect("views").prepare(&sql).expect(name);
        let rows: Vec<Value> = statement
            .query_map([], |row| row.get::<_, String>(0))
            .expect(name)
            .map(|row| line(&row.expect(name)).into())
            .collect();
        if !rows.is_empty() {
            out.insert(name.to_owned(), rows.into());
        }
    }
    Value::Object(out)
}

fn line(row: &str) -> String {
    let row: Value = serde_json::from_str(row).expect("JSON");
    let mut text = String::new();
    for (column, value) in row.as_object().expect("a row") {
        if !value.is_null() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(
                text,
                "{}{column}={value}",
                if text.is_empty() { "" } else { " " }
            );
        }
    }
    text
}

#[tokio::test]
async fn every_fixture_becomes_its_rows_hot_and_sealed() {
    let is_update = std::env::var_os("TRIPLINE_UPDATE").is_some();
    let mut wrong = Vec::new();
    for (name, mut fixture) in fixtures() {
        let hot = relations(&fixture, false).await;
        assert_eq!(
            hot,
            relations(&fixture, true).await,
            "{name}: sealing changed what is known"
        );
        if fixture["basis"] == "recorded" {
            let origin = fixture["recogniser"].as_str().unwrap_or_default();
            assert!(
                opens_and_closes(&hot, origin),
                "{name} is no recorded story: {hot:#}"
            );
        }
        if hot == fixture["expect"] {
            continue;
        }
        wrong.push(format!("{name}: {hot:#}"));
        if is_update {
            fixture["expect"] = hot;
            let file = directory().join(format!("{name}.json"));
            std::fs::write(file, written(&fixture)).expect("written");
        }
    }
    assert!(wrong.is_empty() || is_update, "{}", wrong.join("\n"));
}

/// Whether these rows say, all of them by one recogniser, that a breaker opened and was closed later.
fn opens_and_closes(rows: &Value, origin: &str) -> bool {
    let transitions = rows["transitions"].as_array().into_iter().flatten();
    let lines: Vec<&str> = transitions.filter_map(Value::as_str).collect();
    let says = |line: &str, wanted: &str| line.split(' ').any(|word| word == wanted);
    let is_opening = |line: &&str| says(line, "from_state=closed") && says(line, "to_state=open");
    let opened = lines.iter().position(is_opening);
    let closed = lines.iter().rposition(|line| says(line, "to_state=closed"));
    let origin = format!("origin={origin}");
    matches!((opened, closed), (Some(opened), Some(closed)) if opened < closed)
        && lines.iter().all(|line| says(line, &origin))
}

/// A fixture as text: what is short has a line, what is long has one for each of its parts.
pub(crate) fn written(fixture: &Value) -> String {
    let mut text = String::new();
    write_into(&mut text, fixture, 0);
    text + "\n"
}

fn write_into(text: &mut String, value: &Value, depth: usize) {
    const SHORT: usize = 140;
    let whole = value.to_string();
    let (brackets, parts): (_, Vec<(String, &Value)>) = match value {
        Value::Array(items) if depth + whole.len() > SHORT => {
            let parts = items.iter().map(|item| (String::new(), item));
            (["[", "]"], parts.collect())
        }
        Value::Object(members) if depth + whole.len() > SHORT => {
            let parts = members
                .iter()
                .map(|(key, part)| (format!("{}: ", json!(key)), part));
            (["{", "}"], parts.collect())
        }
        _ => {
            text.push_str(&whole);
            return;
        }
    };
    text.push_str(brackets[0]);
    let mut between = "\n";
    for (key, part) in parts {
        let _ = write!(text, "{between}{}{key}", " ".repeat(depth + 1));
        write_into(text, part, depth + 1);
        between = ",\n";
    }
    let _ = write!(text, "\n{}{}", " ".repeat(depth), brackets[1]);
}

#[test]
fn every_recogniser_has_a_fixture_and_support_md_counts_them() {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (name, fixture) in fixtures() {
        assert_ne!(fixture["expect"], json!({}), "{name} expects nothing");
        let count = counts
            .entry(
                fixture["recogniser"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            )
            .or_default();
        let basis = match fixture["basis"].as_str() {
            Some("recorded") => {
                count.0 += 1;
                ["script", "library"]
            }
            Some("from-source") => {
                count.1 += 1;
                ["project", "file"]
            }
            other => panic!("{name}: {other:?} is no basis"),
        };
        for field in basis.into_iter().chain(["recogniser", "version", "says"]) {
            assert!(
                fixture[field].is_string(),
                "{name} does not say its {field}"
            );
        }
    }
    let files = files();
    let known: BTreeSet<&str> = files.iter().map(|file| file.origin.as_str()).collect();
    let covered: BTreeSet<&str> = counts.keys().map(String::as_str).collect();
    assert_eq!(known, covered, "recognisers and the fixtures' recognisers");

    let mut text = String::from(
        "# Recognised breakers\n\nWhat Tripline knows breakers by, and what each recogniser is tested with: telemetry \
         *recorded* from the real library\nby `cargo xtask record`, or written *from source*. Made from \
         `storage/src/resilience/recognisers/` and `tests/fixtures/recognisers/`;\ndo not edit by hand \
         (`TRIPLINE_UPDATE=1 cargo test -p tripline-tests recognisers`).\n\n\
         | origin | what | recorded | from source | names read in |\n|---|---|---|---|---|\n",
    );
    for file in &files {
        let (recorded, from_source) = counts[&file.origin];
        let _ = writeln!(
            text,
            "| {} | {} | {recorded} | {from_source} | {} |",
            file.origin,
            file.title,
            file.source.join("; ")
        );
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../SUPPORT.md");
    if std::env::var_os("TRIPLINE_UPDATE").is_some() {
        std::fs::write(path, &text).expect("SUPPORT.md is writable");
    }
    let on_disk = std::fs::read_to_string(path).expect("SUPPORT.md exists");
    assert!(
        on_disk == text,
        "SUPPORT.md is stale: TRIPLINE_UPDATE=1 cargo test -p tripline-tests recognisers"
    );
}

/// The recognisers that come with the binary.
fn files() -> Vec<RecogniserFile> {
    SHIPPED
        .iter()
        .map(|(name, text)| RecogniserFile::parse(name, text).expect("a recogniser"))
        .collect()
}

#[test]
fn every_recogniser_says_how_its_breakers_are_replayed_or_why_they_are_not() {
    let mut replayed = 0;
    for file in files() {
        let origin = &file.origin;
        match (&file.replay, &file.no_replay) {
            (Some(rules), None) => {
                settings::read(&rules.defaults).expect(origin);
                assert!(!rules.differs.is_empty(), "{origin} is no copy of ours");
                replayed += 1;
            }
            (None, Some(why)) => assert!(!why.is_empty(), "{origin}"),
            both => panic!("{origin}: {both:?}"),
        }
    }
    assert!(replayed > 10, "{replayed} libraries");
}
