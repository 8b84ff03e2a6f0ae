//! Attributes of mixed types beside numbers, against the numbers that were stored.

use serde_json::{Value, json};

use super::super::{Format, Limits};
use super::{House, batch, house, request};
use crate::ingest::{LogColumns, LogRow, Rows};

/// What senders wrote for one key, with the number it is.
const SENT: [(&str, Option<f64>); 14] = [
    ("10", Some(10.0)),
    ("9.5", Some(9.5)),
    ("-3", Some(-3.0)),
    ("0.25", Some(0.25)),
    ("3", Some(3.0)),
    ("3.0", Some(3.0)),
    (r#""12""#, Some(12.0)),
    (r#""plain""#, None),
    ("[1,2]", None),
    (r#"{"Id":1}"#, None),
    ("1e300", Some(1e300)),
    ("-7.5", Some(-7.5)),
    ("true", None),
    ("1234567890123456788", Some(1_234_567_890_123_456_788.0)),
];

fn stored(house: &House) {
    let mut columns = LogColumns::default();
    for (number, (value, _)) in SENT.iter().enumerate() {
        let attributes = format!(r#"{{"cart.total":{value},"place":{number}}}"#);
        columns.push(&LogRow {
            time_unix_nano: 1_767_225_601_000_000_001,
            attributes: &attributes,
            ..LogRow::default()
        });
    }
    futures::executor::block_on(house.store.append(batch(Rows::Logs(columns)))).expect("stored");
}

fn both_forms(check: impl Fn(&House, &str)) {
    let house = house(Limits::default());
    stored(&house);
    check(&house, "hot");
    house.store.seal_now().expect("sealed");
    check(&house, "sealed");
}

fn rows(house: &House, query: &str) -> Value {
    house.json(query)["rows"].clone()
}

/// Places of the rows that a condition finds.
fn found(house: &House, condition: &str) -> Vec<u64> {
    let query = format!(
        "SELECT attributes.place::BIGINT FROM logs WHERE attributes.place IS NOT NULL AND {condition} ORDER BY 1"
    );
    let rows = rows(house, &query);
    let rows = rows.as_array().expect("rows");
    rows.iter()
        .map(|row| row[0].as_u64().expect("a place"))
        .collect()
}

/// Whether a number stands so to a bound.
type Holds = fn(f64, f64) -> bool;

/// Places of the values that are such a number.
fn expected(is_such: impl Fn(f64) -> bool) -> Vec<u64> {
    let places = (0..).zip(SENT);
    places
        .filter(|(_, (_, number))| number.is_some_and(&is_such))
        .map(|(place, _)| place)
        .collect()
}

#[test]
fn comparisons_with_numbers_find_whole_numbers_and_doubles_alike() {
    both_forms(|house, form| {
        for bound in [3.0, 2.5, -3.0, 9.5, 1000.0] {
            let cases: [(&str, Holds); 4] = [
                (">", |number, bound| number > bound),
                (">=", |number, bound| number >= bound),
                ("<", |number, bound| number < bound),
                ("<=", |number, bound| number <= bound),
            ];
            for (operator, holds) in cases {
                let expected = expected(|number| holds(number, bound));
                for condition in [
                    format!("attributes.\"cart.total\" {operator} {bound}"),
                    format!("attributes['cart.total'] {operator} {bound}::DOUBLE"),
                    format!("attributes.\"cart.total\" {operator} (SELECT {bound})"),
                ] {
                    let found = found(house, &condition);
                    assert_eq!(found, expected, "{form}: {condition}");
                }
            }
        }
        let key = "attributes.\"cart.total\"";
        for (condition, expected) in [
            (format!("{key} = 3"), vec![4, 5]),
            (format!("{key} = 9.5"), vec![1]),
            (format!("{key} IN (3, 0.25, 10)"), vec![0, 3, 4, 5]),
            (format!("{key} NOT IN (3, 0.25, 10, 9.5)"), vec![2, 6, 7, 8, 9, 10, 11, 12, 13]),
            (format!("{key} <> 3"), vec![0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13]),
            (format!("{key} BETWEEN 0 AND 9.5"), vec![1, 3, 4, 5]),
            (format!("{key} * 2 = 19"), vec![1]),
            (format!("{key} = 'plain'"), vec![7]),
            (format!("{key} = 1234567890123456788"), vec![13]),
            (format!("{key} = 1234567890123456789"), vec![]),
            (
                "EXISTS (SELECT total FROM (SELECT attributes.\"cart.total\" AS total, attributes.place AS p FROM logs) \
                 WHERE p = logs.attributes.place AND total >= 9.5)".to_owned(),
                vec![0, 1, 6, 10, 13],
            ),
        ] {
            assert_eq!(found(house, &condition), expected, "{form}: {condition}");
        }
    });
}

#[test]
fn functions_of_numbers_calculate_with_fractions_and_keep_the_names_of_columns() {
    both_forms(|house, form| {
        let usual = "attributes.place < 6";
        let sum = "SELECT sum(attributes.\"cart.total\"), avg(attributes.\"cart.total\"), median(attributes.\"cart.total\"), \
                   max(attributes.\"cart.total\"), min(attributes.\"cart.total\") FROM logs";
        let answer = house.json(&format!("{sum} WHERE {usual}"));
        assert_eq!(
            answer["rows"][0],
            json!([22.75, 22.75 / 6.0, 3.0, 10, -3]),
            "{form}"
        );
        let names = |answer: &Value| {
            answer["columns"]
                .as_array()
                .expect("columns")
                .iter()
                .map(|column| column["name"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(&answer)[0],
            "sum(attributes.\"cart.total\")",
            "{form}"
        );
        let rounded = "SELECT round(attributes.\"cart.total\", 1) AS tenth, attributes.\"cart.total\" / 2 FROM logs \
                       WHERE attributes.place = 1";
        assert_eq!(rows(house, rounded), json!([[9.5, 4.75]]), "{form}");
        let grouped = "WITH carts AS (SELECT attributes.\"cart.total\" AS total, attributes.place % 2 AS odd FROM logs \
                       WHERE attributes.place < 6) \
                       SELECT odd, sum(total) AS sum, max(total) AS top FROM carts GROUP BY odd HAVING max(total) > 9 ORDER BY top";
        assert_eq!(
            rows(house, grouped),
            json!([[1.0, 12.75, 9.5], [0.0, 10.0, 10]]),
            "{form}"
        );
    });
}

#[test]
fn attributes_come_in_the_order_of_their_numbers() {
    both_forms(|house, form| {
        let query = "SELECT attributes.place::BIGINT FROM logs WHERE attributes.place < 5 ORDER BY attributes.\"cart.total\" DESC";
        assert_eq!(
            rows(house, query),
            json!([[0], [1], [4], [3], [2]]),
            "{form}"
        );
        let windowed = "SELECT attributes.place::BIGINT FROM logs WHERE attributes.place < 5 \
                        QUALIFY row_number() OVER (ORDER BY attributes.\"cart.total\" DESC) = 2";
        assert_eq!(rows(house, windowed), json!([[1]]), "{form}");
        let distinct = "SELECT DISTINCT attributes.place::BIGINT AS place FROM logs WHERE attributes.\"cart.total\" > 9 ORDER BY place";
        assert_eq!(
            rows(house, distinct),
            json!([[0], [1], [6], [10], [13]]),
            "{form}"
        );
    });
}

#[test]
fn an_explanation_is_of_what_runs_and_an_error_of_what_was_written() {
    let house = house(Limits::default());
    let explained = house.text(
        "EXPLAIN SELECT count(*) FROM logs WHERE attributes.k > 3",
        Format::Json,
    );
    assert!(explained.contains("variant_typeof"), "{explained}");
    let wrong = "SELECT sum(attributes.k, nosuch) FROM logs";
    let (_, outcome) = house.run(&request(wrong, Format::Json));
    let message = outcome.expect_err("no such column").to_string();
    assert!(
        message.contains("nosuch") && !message.contains("number("),
        "{message}"
    );
}
