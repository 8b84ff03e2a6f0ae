//! What is written in place of a statement.

use super::with_numbers;

/// What runs in place of a statement.
fn rewritten(statement: &str) -> String {
    with_numbers(statement)
        .into_iter()
        .next()
        .unwrap_or_else(|| "as it was".to_owned())
}

#[test]
fn a_number_beside_an_attribute_is_compared_as_a_number() {
    for (condition, expected) in [
        ("attributes.k > 3", "above(attributes.k , 3)"),
        (
            "attributes.\"a.b\">=-3.5",
            "at_least(attributes.\"a.b\", -3.5)",
        ),
        (
            "s.attributes['k'] < 1000",
            "below(s.attributes['k'] , 1000)",
        ),
        (
            "events[1].attributes.k <= 3",
            "at_most(events[1].attributes.k , 3)",
        ),
        ("attributes.k = 3", "attributes.k  IN ( 3, (3)::DOUBLE)"),
        (
            "attributes.k <> 3",
            "attributes.k  NOT IN ( 3, (3)::DOUBLE)",
        ),
        (
            "attributes.k IN (1, 2.5)",
            "attributes.k IN (1, 2.5, (1)::DOUBLE, (2.5)::DOUBLE)",
        ),
        (
            "attributes.k NOT IN (1)",
            "attributes.k NOT IN (1, (1)::DOUBLE)",
        ),
        (
            "attributes.k BETWEEN 1 AND 2",
            "number(attributes.k) BETWEEN 1 AND 2",
        ),
        ("attributes.k < 1e3", "number(attributes.k) < 1e3"),
        ("3 < attributes.k", "3 < number(attributes.k)"),
        ("(attributes.k) > 3", "(number(attributes.k)) > 3"),
        (
            "attributes.k > 3::DOUBLE",
            "number(attributes.k) > 3::DOUBLE",
        ),
        (
            "attributes.k > (SELECT avg(attributes.k) FROM spans)",
            "number(attributes.k) > (SELECT avg(number(attributes.k)) FROM spans)",
        ),
        ("attributes.k * 2 > 3", "number(attributes.k) * 2 > 3"),
        (
            "coalesce(attributes.k, attributes.n) > 3",
            "coalesce(number(attributes.k), number(attributes.n)) > 3",
        ),
        (
            "name = 'é' AND attributes.k > 3",
            "name = 'é' AND above(attributes.k , 3)",
        ),
    ] {
        let query = |condition: &str| format!("SELECT 1 FROM spans s WHERE {condition}");
        let shown = rewritten(&query(condition));
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&shown), squeezed(&query(expected)), "{condition}");
    }
}

#[test]
fn functions_of_numbers_and_orders_read_numbers() {
    for (statement, expected) in [
        (
            "SELECT sum(attributes.k), round(attributes.k, 1) FROM spans",
            "SELECT sum(number(attributes.k)), round(number(attributes.k), 1) FROM spans",
        ),
        (
            "SELECT max(attributes.k) FILTER (attributes.n > 3), count(attributes.k) FROM spans",
            "SELECT arg_max(attributes.k, in_order(attributes.k)) FILTER (above(attributes.n , 3)), \
             count(attributes.k) FROM spans",
        ),
        (
            "SELECT name FROM spans ORDER BY attributes.k DESC LIMIT 3",
            "SELECT name FROM spans ORDER BY in_order(attributes.k) DESC LIMIT 3",
        ),
        (
            "SELECT avg(attributes.k) OVER (ORDER BY attributes.n) FROM spans",
            "SELECT avg(number(attributes.k)) OVER (ORDER BY in_order(attributes.n)) FROM spans",
        ),
        (
            "SELECT name, max(attributes.k) AS top FROM spans GROUP BY ALL HAVING max(attributes.k) > 3 ORDER BY top",
            "SELECT name, arg_max(attributes.k, in_order(attributes.k)) AS top FROM spans GROUP BY ALL \
             HAVING max(number(attributes.k)) > 3 ORDER BY in_order(top)",
        ),
        (
            "SELECT CASE attributes.k WHEN 1 THEN 2 WHEN 2.5 THEN 3 END FROM spans",
            "SELECT CASE number(attributes.k) WHEN 1 THEN 2 WHEN 2.5 THEN 3 END FROM spans",
        ),
        (
            "SELECT greatest(attributes.k, 3), greatest(attributes.k, name) FROM spans",
            "SELECT greatest(number(attributes.k), 3), greatest(attributes.k, name) FROM spans",
        ),
        (
            "WITH t AS (SELECT attributes.total, attributes['n'] AS n FROM spans) SELECT sum(total) FROM t WHERE t.n > 3",
            "WITH t AS (SELECT attributes.total, attributes['n'] AS n FROM spans) \
             SELECT sum(number(total)) FROM t WHERE above(t.n , 3)",
        ),
        (
            "SELECT sum(a.k) FROM (SELECT resource_attributes AS a FROM spans)",
            "SELECT sum(number(a.k)) FROM (SELECT resource_attributes AS a FROM spans)",
        ),
        (
            "EXPLAIN ANALYZE SELECT sum(attributes.k) FROM spans",
            "EXPLAIN ANALYZE SELECT sum(number(attributes.k)) FROM spans",
        ),
    ] {
        let squeezed = |text: &str| {
            text.replace(" ,", ",")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(squeezed(&rewritten(statement)), squeezed(expected));
    }
}

#[test]
fn everything_else_stays_as_it_was_written() {
    for statement in [
        "SELECT attributes.k FROM spans WHERE attributes.k = 'a'",
        "SELECT attributes.k FROM spans WHERE attributes.k::INTEGER > 3 GROUP BY attributes.k",
        "SELECT 1 FROM spans WHERE attributes.k IN (1, 'a')",
        "SELECT CASE attributes.k WHEN 'a' THEN 1 WHEN 3 THEN 2 END FROM spans",
        "SELECT attributes.k || 'a', count(attributes.k) FROM spans",
        "SELECT sum(duration_ns) FROM spans WHERE name > 'attributes.k > 3'",
        "SELECT 1 FROM spans WHERE attributes.k = 1234567890123456789 OR attributes.k > 1234567890123456789",
        "SELECT 1 FROM spans WHERE attributes.k BETWEEN 1234567890123456789 AND 1234567890123456790",
        "SELECT 1 FROM spans WHERE attributes.k <> 1e3 OR attributes.k IN (1, 1e3)",
        "SELECT 1 FROM spans, (SELECT 'zz' AS value) AS v WHERE attributes.k = v.value",
        "WITH late AS (SELECT attributes.k AS late, duration_ns FROM spans) SELECT sum(late.duration_ns) FROM late",
        "SELECT attributes.k > other.attributes.k FROM spans, spans AS other",
        "SELECT sum(attributes.k FROM spans",
        "SELECT 1; SELECT sum(attributes.k) FROM spans",
        "attributes",
    ] {
        assert_eq!(rewritten(statement), "as it was", "{statement}");
    }
}

#[test]
fn an_order_that_cannot_be_changed_leaves_the_rest() {
    let texts = with_numbers(
        "SELECT DISTINCT name FROM spans WHERE attributes.k > 3 ORDER BY attributes.k",
    );
    let (first, second) = (texts[0].as_str(), texts[1].as_str());
    assert!(
        first.contains("above(") && first.contains("in_order("),
        "{first}"
    );
    assert!(
        second.contains("above(") && !second.contains("in_order("),
        "{second}"
    );
}
