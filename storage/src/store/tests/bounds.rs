//! What the engine says of attributes whose row groups are too small to be shredded.

use std::path::Path;

use duckdb::Connection;

use super::fixture::config;
use crate::store::catalog::{Access, ROW_GROUP, attach_sql};
use crate::store::engine;

/// Rows of the first table: a row group that is shredded, and one that is not.
const ROWS: usize = ROW_GROUP + 2_000;
const SMALL: usize = 160;

/// Two files as the sealer leaves them; numbers of the second go on after those of the first.
fn sealed(conn: &Connection, dir: &Path) {
    for (alias, from, to) in [("one", 0, ROWS), ("two", ROWS, ROWS + SMALL)] {
        let path = dir.join(format!("{alias}.duckdb"));
        let sql = format!(
            "{};
             CREATE TABLE {alias}.spans (attributes VARIANT);
             INSERT INTO {alias}.spans
                 SELECT ('{{\"number\": ' || i || '}}')::JSON::VARIANT FROM range({from}, {to}) t(i);
             CHECKPOINT {alias};
             DETACH {alias};
             {};",
            attach_sql(&path, alias, Access::Build),
            attach_sql(&path, alias, Access::ReadOnly),
        );
        conn.execute_batch(&sql).expect("a sealed file");
    }
}

#[test]
fn attributes_of_small_row_groups_are_filtered_and_grouped_by_their_own_values() {
    let dir = tempfile::tempdir().expect("a directory");
    let conn = engine::start(&config(dir.path())).expect("an engine");
    sealed(&conn, dir.path());
    let number = |sql: &str| -> usize {
        conn.query_row(sql, [], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    let beyond = ROWS - 100;
    let one =
        format!("SELECT count(*) FROM one.spans WHERE attributes.\"number\"::BIGINT >= {beyond}");
    assert_eq!(number(&one), 100);
    let both = "(SELECT attributes FROM one.spans UNION ALL SELECT attributes FROM two.spans)";
    let filtered =
        format!("SELECT count(*) FROM {both} WHERE attributes.\"number\"::BIGINT >= {beyond}");
    assert_eq!(number(&filtered), 100 + SMALL);
    let grouped = format!(
        "SELECT max(n) FROM (SELECT attributes.\"number\"::BIGINT AS n, count(*) FROM {both} GROUP BY ALL)"
    );
    assert_eq!(number(&grouped), ROWS + SMALL - 1);
}
