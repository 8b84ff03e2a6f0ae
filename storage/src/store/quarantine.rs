//! From a hot table to its sealed form, with what cannot be cast set aside.
//!
//! The usual case is one INSERT. When it fails because of a value, the rows that fail are found by halving
//! (the hot table's row numbers are dense), kept in `quarantine` as text with the reason, and left out.

use super::StoreError;
use super::build::Build;
use crate::segment::tables::{Form, Table};

/// Rows set aside one by one before the rest of the table is given up on: a segment with more bad rows than
/// this has a bug behind it, and halving would take for ever.
const ROWS_MAX: usize = 1_000;

/// Inserts the rows of `from` that fulfil `condition` into `to`, sorted and cast.
pub(super) fn insert(
    build: &Build<'_>,
    table: &Table,
    from: &str,
    to: &str,
    condition: &str,
) -> Result<(), StoreError> {
    let run = |condition: &str| {
        build
            .connection()
            .execute_batch(&insert_sql(table, from, to, condition))
    };
    let error = match run(condition) {
        Ok(()) => return Ok(()),
        Err(error) if is_about_a_value(&error) => error,
        Err(error) => return Err(error.into()),
    };
    tracing::error!(%error, table = table.name, "rows cannot be sealed; looking for them");
    let bad = find_bad_rows(build, table, from)?;
    if bad.is_empty() {
        return Err(error.into());
    }
    let numbers: Vec<String> = bad.iter().map(|(row, _)| row.to_string()).collect();
    let condition = format!("({condition}) AND rowid NOT IN ({})", numbers.join(", "));
    run(&condition)?;
    // Once, whichever of main tables and outliers comes first.
    let known = format!(
        "SELECT count(*) FROM {}.quarantine WHERE table_name = ?",
        build.schema()
    );
    if build
        .connection()
        .query_row(&known, [table.name], |row| row.get::<_, u64>(0))?
        == 0
    {
        for (row, reason) in bad {
            set_aside(build, table, from, row, &reason)?;
        }
    }
    Ok(())
}

fn insert_sql(table: &Table, from: &str, to: &str, condition: &str) -> String {
    let (name, columns, order) = (table.name, table.sealing_list(), table.order_by);
    format!(
        "INSERT INTO {to}.{name} SELECT {columns} FROM (SELECT * FROM {from}.{name} WHERE {condition} ORDER BY {order})"
    )
}

fn is_about_a_value(error: &duckdb::Error) -> bool {
    let text = error.to_string();
    [
        "Conversion Error",
        "Invalid Input Error",
        "Out of Range Error",
        "Malformed JSON",
    ]
    .iter()
    .any(|kind| text.contains(kind))
}

fn find_bad_rows(
    build: &Build<'_>,
    table: &Table,
    from: &str,
) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = format!("SELECT coalesce(max(rowid), -1) FROM {from}.{}", table.name);
    let last: i64 = build.connection().query_row(&sql, [], |row| row.get(0))?;
    let mut bad = Vec::new();
    let mut ranges = vec![(0, last)];
    while let Some((first, last)) = ranges.pop() {
        if last < first || bad.len() >= ROWS_MAX {
            continue;
        }
        match probe(build, table, from, first, last) {
            Ok(()) => {}
            Err(error) if !is_about_a_value(&error) => return Err(error.into()),
            Err(error) if first == last => bad.push((first, error.to_string())),
            Err(_) => {
                let middle = first + (last - first) / 2;
                ranges.push((middle + 1, last));
                ranges.push((first, middle));
            }
        }
    }
    Ok(bad)
}

/// Casts the documents of a range of rows, for the error alone.
fn probe(
    build: &Build<'_>,
    table: &Table,
    from: &str,
    first: i64,
    last: i64,
) -> duckdb::Result<()> {
    let casts: Vec<String> = table
        .columns
        .iter()
        .filter(|column| column.form == Form::Document)
        .map(|column| format!("\"{0}\"::JSON::VARIANT AS \"{0}\"", column.name))
        .collect();
    build.connection().execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE quarantine_probe AS
         SELECT {} FROM {from}.{} WHERE rowid BETWEEN {first} AND {last}",
        casts.join(", "),
        table.name
    ))
}

fn set_aside(
    build: &Build<'_>,
    table: &Table,
    from: &str,
    row: i64,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {}.quarantine SELECT ?, ?, to_json(f)::VARCHAR FROM {from}.{} f WHERE rowid = {row}",
        build.schema(),
        table.name
    );
    build.connection().execute(&sql, [table.name, reason])?;
    Ok(())
}
