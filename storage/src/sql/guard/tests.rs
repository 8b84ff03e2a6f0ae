//! Statements an analyst writes run, statements beyond reading are refused: a table of each.

use super::*;

/// Cases are separated by an empty line; those of refusals start with a comment: a part of the reason.
fn cases(text: &str) -> Vec<&str> {
    text.split("\n\n")
        .map(str::trim)
        .filter(|case| !case.is_empty())
        .collect()
}

#[test]
fn every_trap_is_refused_with_its_reason() {
    let cases = cases(include_str!("cases/refused.sql"));
    assert!(cases.len() >= 80, "{} refusals", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let (reason, text) = case.split_once('\n').unwrap_or((case, case));
        let reason = reason.trim_start_matches("-- ");
        match check(text) {
            Err(Refusal::Refused { reason: given, .. }) if given.contains(reason) => {}
            other => wrong.push(format!("{text}\n   expected {reason:?}, got {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ordinary_questions_pass() {
    let cases = cases(include_str!("cases/ordinary.sql"));
    assert!(cases.len() >= 80, "{} questions", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|text| {
            check(text)
                .err()
                .map(|refusal| format!("{text}\n   {refusal:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refusal_says_where() {
    let text = "SELECT 1, getenv('HOME')";
    assert_eq!(
        check(text).expect_err("getenv is refused"),
        Refusal::refused("the function getenv() is not allowed", text.find("getenv"))
    );
    assert!(matches!(
        check("SELECT\nFROM FROM"),
        Err(Refusal::Syntax {
            position: Some(_),
            ..
        })
    ));
    let explained = "EXPLAIN SELECT getenv('x')";
    assert_eq!(
        check(explained).expect_err("refused").position(),
        explained.find("getenv")
    );
}

#[test]
fn nesting_and_size_are_bounded() {
    let nested = |open: &str, close: &str, n: usize| {
        format!("SELECT {}1{}", open.repeat(n), close.repeat(n))
    };
    let texts = [
        nested("(", ")", 20_000),
        nested("abs(", ")", 10_000),
        format!("{}SELECT 1{}", "FROM (".repeat(9_000), ")".repeat(9_000)),
        format!(
            "{}SELECT 1{}",
            "WITH a AS (".repeat(5_000),
            ") FROM a".repeat(3_000)
        ),
        format!(
            "SELECT * FROM spans{}",
            " JOIN spans USING (a)".repeat(3_000)
        ),
        "[".repeat(60_000),
        "/*".repeat(30_000),
        "SELECT 1".repeat(10_000),
    ];
    for text in texts {
        assert!(check(&text).is_err(), "{}…", &text[..20]);
    }
    let reasonable = format!("SELECT {}", vec!["name"; 200].join(" || "));
    assert!(check(&format!("{reasonable} FROM spans")).is_ok());
}

#[test]
fn show_tables_lists_the_public_relations_as_a_whole_statement_alone() {
    for text in [
        "SHOW TABLES",
        "show tables;",
        "(SHOW TABLES)",
        "SHOW",
        "DESCRIBE TABLES",
    ] {
        let checked = check(text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
        assert_eq!(checked.text(), list_relations(), "{text}");
    }
    // With more around it, nothing that asks for less or for something else is answered with the list.
    for text in [
        "SELECT count(*) FROM (SHOW TABLES)",
        "SELECT * FROM (SHOW TABLES) WHERE name = 'spans'",
        "(SHOW TABLES) LIMIT 1",
        "SHOW TABLES ORDER BY name",
        "SHOW TABLES WHERE name = 'spans'",
        "WITH one AS (SELECT 1) SHOW TABLES",
        "SHOW TABLES USING SAMPLE 1",
    ] {
        assert!(check(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_checked_is_what_runs() {
    let text = "SELECT name FROM spans -- x";
    assert_eq!(check(text).expect("allowed").text(), text);
    assert_eq!(
        check("explain  select 1").expect("allowed").text(),
        "EXPLAIN select 1"
    );
}

#[test]
fn a_pivot_that_ends_within_a_bracket_or_a_string_is_refused_for_what_was_written() {
    for (text, said, at) in [
        ("PIVOT spans ON lower(", "at or near \"(\"", "("),
        ("PIVOT spans ON 'kind", "unterminated string", "'"),
        ("FROM (PIVOT spans ON [kind", "at or near \"kind\"", "kind"),
        (
            "PIVOT spans ON kind, lower(name USING count(*)",
            "at or near \"USING\"",
            "USING",
        ),
        (
            "EXPLAIN PIVOT spans ON \"kind",
            "unterminated quoted identifier",
            "\"",
        ),
    ] {
        let refusal = check(text).expect_err(text);
        let Refusal::Syntax { message, position } = refusal else {
            panic!("{text}: {refusal:?}");
        };
        assert!(message.contains(said), "{text}: {message}");
        assert_eq!(position, text.find(at), "{text}");
    }
}
