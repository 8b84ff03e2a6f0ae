//! Values and rows as each format has them, whole or recognisably broken.

use serde_json::Value;

use super::super::{Format, Limits, Request, SqlError};
use super::{house, request};

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
