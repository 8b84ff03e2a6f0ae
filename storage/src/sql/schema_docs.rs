//! The public relations: their columns, their types, and a line on each.
//!
//! This list is what the guard allows, what SCHEMA.md shows (`TRIPLINE_UPDATE=1 cargo test -p tripline-storage
//! schema` writes it), and what a test compares with the views a store really makes.

mod breakers;
mod rollups;
mod telemetry;

/// One public relation.
#[derive(Debug)]
pub struct Relation {
    /// Its name in SQL.
    pub name: &'static str,
    /// What a row is.
    pub doc: &'static str,
    /// Its columns in order.
    pub columns: &'static [Column],
}

/// One column of a public relation.
#[derive(Debug)]
pub struct Column {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its type as `DESCRIBE` prints it.
    pub sql_type: &'static str,
    /// What it says.
    pub doc: &'static str,
}

const fn column(name: &'static str, sql_type: &'static str, doc: &'static str) -> Column {
    Column {
        name,
        sql_type,
        doc,
    }
}

/// Every public relation.
pub const RELATIONS: &[Relation] = &[
    telemetry::SPANS,
    telemetry::LOGS,
    telemetry::METRICS,
    telemetry::METRIC_POINTS,
    telemetry::EXEMPLARS,
    telemetry::RESOURCES,
    rollups::RED,
    rollups::SERVICE_EDGES,
    rollups::EDGE_RETRIES,
    breakers::BREAKERS,
    breakers::BREAKER_INSTANCES,
    breakers::BREAKER_TRANSITIONS,
    breakers::BREAKER_SAMPLES,
    breakers::BREAKER_CONFIG,
    breakers::BREAKER_INTERVALS,
    breakers::BREAKER_DAYS,
];

/// Whether `name` (lower case) is a public relation.
pub fn is_relation(name: &str) -> bool {
    RELATIONS.iter().any(|relation| relation.name == name)
}

/// Whether a public relation has a column of this name (lower case) and type.
pub(crate) fn is_column(name: &str, sql_type: &str) -> bool {
    RELATIONS
        .iter()
        .flat_map(|relation| relation.columns)
        .any(|column| column.name == name && column.sql_type == sql_type)
}

const PREAMBLE: &str = "\
# SQL schema

The relations `POST /api/v1/sql` and `tripline sql` can read. Made from `storage/src/sql/schema_docs/`, which a
test compares with the views of a store; do not edit by hand.

- Times are UTC. A `TIMESTAMP_NS` column is NULL where the sender wrote 0 or 2^63-1 and more; its
  `…_unix_nano` twin has the exact number.
- Ids are lower-case hex text: `WHERE trace_id = '5b8efff798038103d269b633813fc60c'`.
- Attributes are `VARIANT`: `attributes.\"http.route\"` keeps the type the sender used; cast where a function needs
  one, `attributes.\"http.response.status_code\"::INTEGER >= 500`. Bytes are `{\"$bytes\":\"<hex>\"}`, doubles that are
  not finite `{\"$double\":\"NaN\"}`, which `::DOUBLE` fails on: `number(attributes.\"k\")` reads every value, those
  too, and is NULL where there is no number.
- A number beside an attribute compares with whole numbers and doubles alike, `attributes.\"cart.total\" > 9.5`, though DuckDB
  2.0.0 itself compares values of VARIANT by their type first and rounds them for `sum()`, `round()` or `*`: comparisons with
  numbers, arithmetic, functions of numbers, `min()`, `max()` and ORDER BY read such attributes by `number()`, under the names
  that your queries give them too. What such a function answers is a `DOUBLE`. Elsewhere (`a.attributes.k > b.attributes.k`,
  GROUP BY, DISTINCT, `list_sort()`) 3 and 3.0 are two values: write `number(attributes.\"k\")`.
- `->>`, `json_extract_string()`, `json_keys()`, `json_type()`, `json_array_length()`, `json_value()`, `json_exists()` and
  `json_contains()` read attributes as they are; `->`, `json_extract()`, `json_each()` and the others `attributes::JSON`.
- A map whose keys differ only in case (`{\"Id\":1,\"id\":2}`) has no text form: `attributes.\"k\"::VARCHAR` fails where
  one is stored, and so does `SUMMARIZE spans`. `attributes.\"k\"::JSON->>'$'` reads every value as text.
- `now()`, `current_timestamp`, `today()` and `ago(INTERVAL 1 HOUR)` are UTC and compare with every time column.
- DuckDB 2.0.0 leaves out the zone of a time in a text, so `start_time > '2026-01-01T00:00:00+02:00'` is refused. Write
  UTC with `Z`, or `(TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP`; a bare `TIMESTAMPTZ` compares with no time column.
  A text of your own under the name of a time column is compared as `time::VARCHAR`.
- `range()`, `repeat()`, `lpad()` and their like are bounded in expressions; `FROM range(…)` is not.
";

/// SCHEMA.md.
pub fn markdown() -> String {
    let mut text = PREAMBLE.to_owned();
    for relation in RELATIONS {
        text.push_str(&format!(
            "\n## {}\n\n{}\n\n| column | type | |\n|---|---|---|\n",
            relation.name, relation.doc
        ));
        for column in relation.columns {
            text.push_str(&format!(
                "| `{}` | `{}` | {} |\n",
                column.name, column.sql_type, column.doc
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_md_is_what_the_documentation_makes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../SCHEMA.md");
        if std::env::var_os("TRIPLINE_UPDATE").is_some() {
            std::fs::write(path, markdown()).expect("SCHEMA.md is writable");
        }
        let on_disk = std::fs::read_to_string(path).expect("SCHEMA.md exists");
        assert!(
            on_disk == markdown(),
            "SCHEMA.md is stale: TRIPLINE_UPDATE=1 cargo test -p tripline-storage schema"
        );
    }

    /// Of the relations of telemetry and roll-ups; `time` and `start_time` alike.
    #[test]
    fn every_time_has_its_exact_twin() {
        for relation in RELATIONS {
            for column in relation.columns {
                let twin = format!("{}_unix_nano", column.name);
                let has_twin = relation
                    .columns
                    .iter()
                    .any(|other| other.name == twin && other.sql_type == "UBIGINT");
                assert!(
                    column.sql_type != "TIMESTAMP_NS" || has_twin,
                    "{}.{} has no {twin}",
                    relation.name,
                    column.name
                );
            }
        }
    }

    #[test]
    fn every_column_is_documented_once() {
        for relation in RELATIONS {
            let mut names: Vec<_> = relation.columns.iter().map(|column| column.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(
                names.len(),
                relation.columns.len(),
                "{} repeats a column",
                relation.name
            );
            assert!(
                relation.columns.iter().all(|column| !column.doc.is_empty()),
                "{}",
                relation.name
            );
        }
    }
}
