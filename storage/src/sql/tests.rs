//! User SQL over a real store: hot rows and sealed ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Format, Gate, Gone, Limits, Request, STACK_BYTES, SqlError, Summary, schema_docs};
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
    let gate = Gate::new(store.reader().expect("a reader").connection(), limits).expect("a gate");
    House {
        store,
        gate,
        _dir: dir,
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
fn values_have_the_promised_json() {
    let house = house(Limits::default());
    let cases = [
        ("9007199254740992", "9007199254740992", "BIGINT"),
        ("9007199254740993", "\"9007199254740993\"", "BIGINT"),
        ("-9007199254740993", "\"-9007199254740993\"", "BIGINT"),
        (
            "18446744073709551615::UBIGINT",
            "\"18446744073709551615\"",
            "UBIGINT",
        ),
        ("1.50::DECIMAL(5,2)", "\"1.50\"", "DECIMAL(5,2)"),
        ("'nan'::DOUBLE", "\"NaN\"", "DOUBLE"),
        ("'-inf'::FLOAT", "\"-Infinity\"", "FLOAT"),
        ("0.1::FLOAT", "0.1", "FLOAT"),
        ("1e300", "1e300", "DOUBLE"),
        ("true", "true", "BOOLEAN"),
        ("NULL::INTEGER", "null", "INTEGER"),
        (
            "TIMESTAMP_NS '2026-01-02 03:04:05.000000006'",
            "\"2026-01-02T03:04:05.000000006Z\"",
            "TIMESTAMP_NS",
        ),
        (
            "TIMESTAMP '2026-01-02 03:04:05.000006'",
            "\"2026-01-02T03:04:05.000006000Z\"",
            "TIMESTAMP",
        ),
        ("DATE '2026-01-02'", "\"2026-01-02\"", "DATE"),
        ("TIME '03:04:05'", "\"03:04:05.000000000\"", "TIME"),
        ("INTERVAL 90 MINUTE", "\"PT5400S\"", "INTERVAL"),
        ("'\\x00\\xFF'::BLOB", "\"00ff\"", "BLOB"),
        (
            "[1, NULL, 9007199254740993]",
            "[1,null,\"9007199254740993\"]",
            "BIGINT[]",
        ),
        (
            "{'a': 1, 'b': 'x'}",
            "{\"a\":1,\"b\":\"x\"}",
            "STRUCT(a INTEGER, b VARCHAR)",
        ),
        ("MAP {'k': 1}", "{\"k\":1}", "MAP(VARCHAR, INTEGER)"),
        ("MAP {1: 'v'}", "{\"1\":\"v\"}", "MAP(INTEGER, VARCHAR)"),
        (
            "'{\"a\": [1, 9007199254740993]}'::JSON",
            "{\"a\":[1,\"9007199254740993\"]}",
            "JSON",
        ),
        (
            "{'a': 1.5::DOUBLE, 'n': 'nan'::DOUBLE}::VARIANT",
            "{\"a\":1.5,\"n\":\"NaN\"}",
            "VARIANT",
        ),
        (
            "170141183460469231731687303715884105727::HUGEINT",
            "\"170141183460469231731687303715884105727\"",
            "HUGEINT",
        ),
        (
            "'5b8efff7-9803-8103-d269-b633813fc60c'::UUID",
            "\"5b8efff7-9803-8103-d269-b633813fc60c\"",
            "UUID",
        ),
        ("'x\"<script>'", "\"x\\\"<script>\"", "VARCHAR"),
    ];
    let mut wrong = Vec::new();
    for (expression, json, sql_type) in cases {
        let (bytes, outcome) =
            house.run(&request(&format!("SELECT {expression} AS v"), Format::Json));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let expected = format!("\"rows\":[[{json}]]");
        let typed = format!("\"type\":{}}}", Value::from(sql_type));
        if outcome.is_err() || !text.contains(&expected) || !text.contains(&typed) {
            wrong.push(format!(
                "{expression}: expected {json} of {sql_type}, got {text} {outcome:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn attributes_are_json_and_rows_keep_their_order() {
    let house = house(Limits::default());
    let answer = house
        .json("SELECT attributes, duration_ns FROM spans ORDER BY duration_ns DESC; -- newest");
    assert_eq!(answer["columns"][0]["type"], "VARIANT");
    assert_eq!(answer["rows"][0][0]["big"], "9007199254740993");
    assert_eq!(answer["rows"][0][0]["http.route"], "/r/4");
    let durations: Vec<i64> = answer["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| row[1].as_i64())
        .collect();
    assert_eq!(durations.len(), 80);
    assert!(durations.is_sorted_by(|a, b| a >= b), "{durations:?}");
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
fn csv_cells_are_no_formulas() {
    let house = house(Limits::default());
    let csv = house.text(
        "SELECT body, -5 AS n, NULL AS nothing, '' AS empty FROM logs ORDER BY body",
        Format::Csv,
    );
    assert_eq!(
        csv,
        "body,n,nothing,empty\r\n\"'=cmd|' /C calc'!A0\",-5,,\"\"\r\nhot,-5,,\"\"\r\n\
         \"it failed: \"\"order=17\"\", retry\",-5,,\"\"\r\n"
    );
    assert_eq!(
        house.text("SELECT 1 AS a, 2 AS a", Format::Ndjson),
        "{\"a\":1,\"a_1\":2}\n"
    );
    assert!(
        house
            .text("SELECT 'x' AS a", Format::Table)
            .starts_with("a\n-\nx\n(1 rows")
    );
}

#[test]
fn arrow_and_parquet_hold_the_rows() {
    let house = house(Limits::default());
    let query =
        "SELECT trace_id, start_time, attributes, duration_ns FROM spans ORDER BY duration_ns";
    let (bytes, outcome) = house.run(&request(query, Format::Arrow));
    outcome.expect("answered");
    let batches: Vec<_> = arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None)
        .expect("a stream")
        .collect::<Result<_, _>>()
        .expect("batches");
    assert_eq!(
        batches
            .iter()
            .map(arrow::record_batch::RecordBatch::num_rows)
            .sum::<usize>(),
        80
    );
    assert_eq!(batches[0].schema().field(2).name(), "attributes");
    let (bytes, outcome) = house.run(&request(query, Format::Parquet));
    outcome.expect("answered");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn types_that_only_the_engine_has_are_texts_or_refused() {
    let house = house(Limits::default());
    let answer = house.json(
        "SELECT '10101'::BIT, '10:11:12+02'::TIMETZ, 340282366920938463463374607431768211455::UHUGEINT, 5::BIGNUM",
    );
    assert_eq!(
        answer["rows"][0],
        serde_json::json!([
            "10101",
            "10:11:12+02",
            "340282366920938463463374607431768211455",
            "5"
        ])
    );
    assert_eq!(answer["columns"][0]["type"], "BIT");
    for query in [
        "SELECT union_value(k := 1) AS u",
        "SELECT [union_value(k := 1)] AS u",
    ] {
        let (_, outcome) = house.run(&request(query, Format::Parquet));
        assert!(
            matches!(outcome, Err(SqlError::Unsupported { .. })),
            "{query}: {outcome:?}"
        );
    }
    // Two columns of one name, as a join has them, are found by two.
    let (bytes, outcome) = house.run(&request("SELECT 1 AS a, 2 AS a", Format::Parquet));
    outcome.expect("answered");
    assert!(bytes.windows(3).any(|name| name == b"a_1"));
}

#[test]
fn nothing_that_broke_looks_complete() {
    let house = house(Limits::default());
    // Streams rows for a while, then fails on a value.
    let query = "SELECT i, CASE WHEN i = 999999 THEN error('broken') ELSE 'some text to fill the rows' END FROM range(1000000) t(i)";
    for format in [
        Format::Json,
        Format::Csv,
        Format::Ndjson,
        Format::Arrow,
        Format::Parquet,
    ] {
        let (bytes, outcome) = house.run(&Request {
            limit: Some(1_000_000),
            ..request(query, format)
        });
        assert!(
            matches!(outcome, Err(SqlError::Invalid { .. })),
            "{format:?} {outcome:?}"
        );
        let complete = match format {
            Format::Json => serde_json::from_slice::<Value>(&bytes).is_ok(),
            Format::Parquet => bytes.ends_with(b"PAR1"),
            Format::Arrow => {
                !bytes.is_empty()
                    && arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None)
                        .is_ok_and(|reader| reader.into_iter().all(|batch| batch.is_ok()))
            }
            Format::Ndjson => {
                bytes
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .all(|line| serde_json::from_slice::<Value>(line).is_ok())
                    && !bytes.is_empty()
            }
            Format::Csv | Format::Table => {
                bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 0 && !bytes.is_empty()
            }
        };
        assert!(
            !complete,
            "{format:?} looks complete after {} bytes",
            bytes.len()
        );
    }
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
fn only_so_many_run_at_once() {
    let house = house(Limits {
        concurrent_max: 2,
        ..Limits::default()
    });
    let held = (
        house.gate.admit().expect("free"),
        house.gate.admit().expect("free"),
    );
    assert!(matches!(
        house.gate.admit(),
        Err(SqlError::Busy { running: 2, .. })
    ));
    drop(held);
    assert!(house.gate.admit().is_ok());
}

#[test]
fn a_reader_that_leaves_ends_the_query() {
    let house = house(Limits::default());
    let permit = house.gate.admit().expect("free");
    let reader = house.store.reader().expect("a reader");
    let endless = Request {
        limit: Some(1_000_000),
        ..request(
            "SELECT i, hash(i) FROM range(1000000000) t(i)",
            Format::Ndjson,
        )
    };
    let outcome = permit.run(&reader, &endless, &mut |_| Err(Gone));
    assert!(matches!(outcome, Err(SqlError::Gone)));
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

/// Six ways to run away. Each has to end soon after its deadline (or before, at a bound), and the process must
/// not grow beyond its bound.
#[test]
fn runaway_queries_are_stopped_close_to_their_deadline() {
    let house = house(Limits::default());
    let timeout = Duration::from_millis(700);
    let hogs = [
        (
            "aggregate",
            "SELECT i % 10000019, string_agg(i::VARCHAR || 'some longer text to hold on to', '') FROM range(10000000000) t(i) GROUP BY ALL ORDER BY 2",
        ),
        (
            "sort",
            "FROM range(10000000000) t(i) SELECT i, hash(i) ORDER BY hash(i)",
        ),
        (
            "cross join",
            "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000) c WHERE a.range * b.range % 7 = c.range",
        ),
        (
            "recursion",
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        ),
        (
            "list(range())",
            "SELECT list(range) FROM range(100000000000)",
        ),
        (
            "regexp",
            "SELECT max(regexp_replace(repeat('ab' || i, 10000), '(a|b|ab)*c', 'x', 'g')) FROM range(100000000) t(i)",
        ),
    ];
    let mut worst = Duration::ZERO;
    for (name, query) in hogs {
        let started = Instant::now();
        let (_, outcome) = house.run(&Request {
            timeout: Some(timeout),
            ..request(query, Format::Json)
        });
        let took = started.elapsed();
        assert!(
            matches!(
                outcome,
                Err(SqlError::Deadline { .. } | SqlError::Memory { .. })
            ),
            "{name}: {outcome:?}"
        );
        let late = took.saturating_sub(timeout);
        println!(
            "{name}: {} ms late, {:?}",
            late.as_millis(),
            outcome.err().map(|error| error.to_string())
        );
        worst = worst.max(late);
    }
    println!("worst lateness: {} ms", worst.as_millis());
    assert!(
        worst < Duration::from_secs(5),
        "interrupted {} ms late",
        worst.as_millis()
    );
    assert_eq!(house.json("SELECT 1")["rows"][0][0], 1);
}
