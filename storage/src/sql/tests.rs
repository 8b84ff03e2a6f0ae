//! User SQL over a real store: hot rows and sealed ones.

mod formats;
mod numbers;
mod running;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Format, Gate, Limits, Request, STACK_BYTES, SqlError, Summary, schema_docs};
use crate::ingest::{Batch, LogColumns, LogRow, ResourceRow, Rows, ScopeRow, SpanColumns, SpanRow};
use crate::store::{Store, StoreConfig};

struct House {
    store: Arc<Store>,
    gate: Arc<Gate>,
    _dir: tempfile::TempDir,
}

/// A store with sealed and with hot rows.
fn house(limits: Limits) -> House {
    let dir = tempfile::tempdir().expect("a directory");
    let config = StoreConfig {
        data_dir: dir.path().to_owned(),
        threads: 2,
        memory_bytes_max: 256 << 20,
        temp_bytes_max: 256 << 20,
        ..StoreConfig::default()
    };
    let store = Arc::new(Store::open(config).expect("a new store opens"));
    for batch in [
        spans(0, 40),
        log("=cmd|' /C calc'!A0"),
        log("it failed: \"order=17\", retry"),
    ] {
        futures::executor::block_on(store.append(batch)).expect("stored");
    }
    store.seal_now().expect("sealed");
    for batch in [spans(40, 80), log("hot")] {
        futures::executor::block_on(store.append(batch)).expect("stored");
    }
    let gate = Gate::new(&store.reader().expect("a reader"), limits).expect("a gate");
    House {
        store,
        gate,
        _dir: dir,
    }
}

fn batch(rows: Rows) -> Batch {
    let resource = ResourceRow {
        service_name: Some("shop".to_owned()),
        attributes: r#"{"service.name":"shop"}"#.to_owned(),
        ..ResourceRow::default()
    };
    let scope = ScopeRow {
        name: "lib".to_owned(),
        attributes: "{}".to_owned(),
        ..ScopeRow::default()
    };
    Batch {
        resources: vec![resource],
        scopes: vec![scope],
        rows,
        bytes: 10_000,
    }
}

fn spans(from: u64, to: u64) -> Batch {
    let mut columns = SpanColumns::default();
    for number in from..to {
        let attributes = format!(
            r#"{{"http.route":"/r/{}","http.response.status_code":{},"big":9007199254740993,"nan":{{"$double":"NaN"}}}}"#,
            number % 5,
            if number % 7 == 0 { 500 } else { 200 }
        );
        let start = 1_767_225_600_000_000_000 + number * 1_000_000_001;
        columns.push(&SpanRow {
            trace_id: [u8::try_from(number / 8).expect("small"); 16],
            span_id: (number + 1).to_be_bytes(),
            parent_span_id: (!number.is_multiple_of(8)).then(|| number.to_be_bytes()),
            name: if number % 2 == 0 {
                "GET /"
            } else {
                "POST /pay"
            },
            kind: if number % 2 == 0 { "server" } else { "client" },
            start_unix_nano: start,
            end_unix_nano: start + number * 1_000_000,
            status_code: if number % 7 == 0 { "error" } else { "ok" },
            attributes: &attributes,
            events: Some(r#"[{"time_unix_nano":1,"name":"e","attributes":{}}]"#),
            ..SpanRow::default()
        });
    }
    batch(Rows::Spans(columns))
}

fn log(body: &str) -> Batch {
    let mut columns = LogColumns::default();
    columns.push(&LogRow {
        time_unix_nano: 1_767_225_601_000_000_001,
        arrival_unix_nano: 1_767_225_601_000_000_001,
        severity_number: 17,
        body: Some(body),
        body_type: Some("string"),
        trace_id: Some([1; 16]),
        attributes: "{}",
        ..LogRow::default()
    });
    batch(Rows::Logs(columns))
}

impl House {
    fn run(&self, request: &Request) -> (Vec<u8>, Result<Summary, SqlError>) {
        std::thread::scope(|scope| {
            let query = || {
                let permit = match self.gate.admit() {
                    Ok(permit) => permit,
                    Err(error) => return (Vec::new(), Err(error)),
                };
                let reader = self.store.reader().expect("a reader");
                let mut out = Vec::new();
                let outcome = permit.run(&reader, request, &mut |bytes| {
                    out.extend(bytes);
                    Ok(())
                });
                (out, outcome)
            };
            let thread = std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, query);
            thread.expect("a thread").join().expect("no panic")
        })
    }

    fn json(&self, query: &str) -> Value {
        let (bytes, outcome) = self.run(&request(query, Format::Json));
        if let Err(error) = outcome {
            panic!("{query}: {error:?}");
        }
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    fn text(&self, query: &str, format: Format) -> String {
        let (bytes, outcome) = self.run(&request(query, format));
        outcome.unwrap_or_else(|error| panic!("{query}: {error:?}"));
        String::from_utf8(bytes).expect("text")
    }
}

fn request(query: &str, format: Format) -> Request {
    Request {
        query: query.to_owned(),
        limit: None,
        timeout: Some(Duration::from_secs(60)),
        format,
    }
}

#[test]
fn an_answer_that_many_threads_make_is_in_the_order_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = StoreConfig {
        data_dir: dir.path().to_owned(),
        threads: 4,
        ..StoreConfig::default()
    };
    let store = Store::open(config).expect("a new store opens");
    let reader = store.reader().expect("a reader");
    let mut statement = reader
        .views()
        .expect("views")
        .prepare("SELECT hash(range) AS n FROM range(600_000) ORDER BY n")
        .expect("a query");
    let rows = statement
        .query_map([], |row| row.get::<_, u64>(0))
        .expect("it runs");
    let all: Vec<u64> = rows.collect::<Result<_, _>>().expect("numbers");
    assert!(all.is_sorted() && all.len() == 600_000);
}

#[test]
fn ordinary_questions_are_answered() {
    let house = house(Limits::default());
    let mut wrong = Vec::new();
    for query in include_str!("guard/cases/ordinary.sql")
        .split("\n\n")
        .map(str::trim)
        .filter(|query| !query.is_empty())
    {
        let (bytes, outcome) = house.run(&request(query, Format::Json));
        match outcome {
            Err(error) => wrong.push(format!("{query}\n   {error:?}")),
            Ok(_) if serde_json::from_slice::<Value>(&bytes).is_err() => {
                wrong.push(format!(
                    "{query}\n   no JSON: {}",
                    String::from_utf8_lossy(&bytes)
                ));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(house.json("SELECT count(*) FROM spans")["rows"][0][0], 80);
    assert_eq!(
        house.json(
            "SELECT count(*) FROM spans WHERE start_time < now() AND start_time > '2026-01-01'"
        )["rows"][0][0],
        79
    );
    assert_eq!(
        house.json("SELECT count(*) FROM spans WHERE start_time > now()")["rows"][0][0],
        0
    );
    assert_eq!(
        house.json("SHOW TABLES")["rows"].as_array().map(Vec::len),
        Some(schema_docs::RELATIONS.len())
    );
}

#[test]
fn every_public_column_is_documented_as_it_is() {
    let house = house(Limits::default());
    let mut wrong = Vec::new();
    for relation in schema_docs::RELATIONS {
        let described = house.json(&format!(
            "SELECT column_name, column_type FROM (DESCRIBE {})",
            relation.name
        ));
        let real: Vec<String> = described["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| {
                format!(
                    "{} {}",
                    row[0].as_str().unwrap_or("?"),
                    row[1].as_str().unwrap_or("?")
                )
            })
            .collect();
        let documented: Vec<String> = relation
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.sql_type))
            .collect();
        if real != documented {
            let missing: Vec<_> = real
                .iter()
                .filter(|column| !documented.contains(column))
                .collect();
            let stale: Vec<_> = documented
                .iter()
                .filter(|column| !real.contains(column))
                .collect();
            wrong.push(format!(
                "{}: undocumented {missing:?}, gone {stale:?}, or another order {real:?}",
                relation.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn results_are_cut_at_their_bounds_and_say_so() {
    let house = house(Limits {
        bytes_max: 200_000,
        ..Limits::default()
    });
    let limited = |limit| {
        let (bytes, outcome) = house.run(&Request {
            limit: Some(limit),
            ..request("SELECT name FROM spans", Format::Json)
        });
        let json: Value = serde_json::from_slice(&bytes).expect("JSON");
        (
            json["rows"].as_array().map(Vec::len),
            json["truncated"].clone(),
            outcome.expect("answered").truncated,
        )
    };
    assert_eq!(limited(10), (Some(10), true.into(), true));
    assert_eq!(limited(80), (Some(80), false.into(), false));
    assert_eq!(limited(0), (Some(0), true.into(), true));
    let (bytes, outcome) = house.run(&Request {
        limit: Some(1_000_000),
        ..request("SELECT i, hash(i) FROM range(1000000) t(i)", Format::Csv)
    });
    assert!(outcome.expect("answered").truncated);
    assert!(bytes.len() < 400_000, "{} bytes", bytes.len());
}

#[test]
fn errors_are_of_their_kind() {
    let house = house(Limits::default());
    let error = |query: &str| {
        house
            .run(&request(query, Format::Json))
            .1
            .expect_err("an error")
    };
    assert!(matches!(
        error("SELECT getenv('x')"),
        SqlError::Refused {
            position: Some(7),
            ..
        }
    ));
    assert!(matches!(
        error("SELEC 1"),
        SqlError::Syntax {
            position: Some(0),
            ..
        }
    ));
    assert!(matches!(
        error("SELECT nope FROM spans"),
        SqlError::Invalid { .. }
    ));
    assert!(matches!(
        error("SELECT 'x'::INTEGER"),
        SqlError::Invalid { .. }
    ));
    assert!(matches!(
        error("SELECT range(100000000)"),
        SqlError::Invalid { .. }
    ));
    assert!(matches!(
        error("SELECT repeat('x', 1000000000)"),
        SqlError::Invalid { .. }
    ));
    // Lines are counted in what was sent, when it is bound and when it runs.
    for (query, line) in [
        ("SELECT nope FROM spans", "LINE 1: SELECT nope"),
        ("SELECT 1,\n  nope FROM spans", "LINE 2:   nope"),
        ("SELECT\n'x'::INTEGER", "LINE 2: 'x'"),
        (
            "SELECT (name || 'x')::INTEGER FROM spans",
            "LINE 1: SELECT (name",
        ),
    ] {
        let message = error(query).to_string();
        assert!(message.contains(line), "{query}: {message}");
    }
}

#[test]
fn the_second_wall_stands_without_the_guard() {
    let house = house(Limits::default());
    let reader = house.store.reader().expect("a reader");
    for query in [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/tripline-must-not-exist.csv'",
        "ATTACH '/tmp/tripline-must-not-exist.duckdb' AS elsewhere",
        "INSTALL httpfs",
        "LOAD '/tmp/x.duckdb_extension'",
        "SET memory_limit = '64GB'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
    ] {
        assert!(
            reader.views().expect("views").execute_batch(query).is_err(),
            "{query}"
        );
    }
}
