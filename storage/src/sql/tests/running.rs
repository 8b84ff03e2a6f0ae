//! How many run at once, and what ends one that runs.

use std::time::{Duration, Instant};

use super::super::{Format, Gone, Limits, Request, SqlError};
use super::{batch, house, request};
use crate::ingest::{LogColumns, LogRow, Rows};

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
fn what_is_said_of_a_map_without_a_text_form_works() {
    let house = house(Limits::default());
    let mut columns = LogColumns::default();
    for attributes in [r#"{"odd":{"Aa":1,"aA":2}}"#, r#"{"odd":"plain"}"#] {
        columns.push(&LogRow {
            time_unix_nano: 1_767_225_601_000_000_001,
            attributes,
            ..LogRow::default()
        });
    }
    futures::executor::block_on(house.store.append(batch(Rows::Logs(columns)))).expect("stored");
    for form in ["hot", "sealed"] {
        if form == "sealed" {
            house.store.seal_now().expect("sealed");
        }
        let text = "SELECT attributes.odd::VARCHAR FROM logs WHERE attributes.odd IS NOT NULL";
        let (_, outcome) = house.run(&request(text, Format::Json));
        let Err(SqlError::Invalid { message }) = outcome else {
            panic!("{form}: {outcome:?}");
        };
        assert!(message.contains("::JSON->>'$'"), "{form}: {message}");
        let answer = house.json(
            "SELECT attributes.\"odd\"::JSON->>'$' FROM logs WHERE attributes.odd IS NOT NULL ORDER BY 1",
        );
        assert_eq!(answer["rows"][0][0], "plain", "{form}");
        assert_eq!(answer["rows"][1][0], r#"{"Aa":1,"aA":2}"#, "{form}");
    }
}

/// Whoever holds memory that a commit needs goes, long before the deadline; afterwards statements run as ever.
#[test]
fn statements_give_way_while_a_commit_finds_no_memory() {
    let house = house(Limits::default());
    let endless = Request {
        timeout: Some(Duration::from_secs(60)),
        ..request(
            "SELECT sum(hash(a.range, b.range)) FROM range(1000000) a, range(1000000) b",
            Format::Json,
        )
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| house.run(&endless)))
            .collect();
        while house.gate.running() < running.len() {
            assert!(began.elapsed() < Duration::from_secs(30), "never ran");
            std::thread::sleep(Duration::from_millis(5));
        }
        let shortage = house.store.reader().expect("a reader").shortage().begin();
        for ended in running {
            let (_, outcome) = ended.join().expect("no panic");
            assert!(
                matches!(&outcome, Err(SqlError::Memory { what }) if what.contains("storing")),
                "{outcome:?}"
            );
        }
        drop(shortage);
    });
    assert!(began.elapsed() < Duration::from_secs(30), "too late");
    let answer = house.json("SELECT count(*) FROM range(3000000) a, range(10) b");
    assert_eq!(answer["rows"][0][0], 30_000_000);
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
