//! Files that turn out to be damaged while they are read.
//!
//! DuckDB checks a sum on every block it reads and then fails the statement, not the instance, without saying
//! which file. So every sealed segment is read through once, and those that fail are taken out of the set: they
//! stay on disk as they are, are reported, and the healthy ones are served on.

use std::collections::BTreeMap;

use duckdb::Connection;

use super::stats::RefusedSegment;
use super::{Shared, locked};
use crate::segment::{Segment, SegmentState};

/// Whether a statement failed because a file is damaged.
pub(super) fn is_damage(error: &duckdb::Error) -> bool {
    let text = error.to_string();
    [
        "Corrupt database file",
        "does not match stored checksum",
        "Corrupted",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// Takes every damaged sealed segment out of the set; whether there was one.
pub(super) fn take_out_damaged(shared: &Shared) -> bool {
    let set = shared.catalog.lease();
    let Ok(conn) = shared.catalog.connect() else {
        return false;
    };
    let mut damaged = Vec::new();
    for segment in set
        .segments
        .iter()
        .filter(|segment| segment.state == SegmentState::Sealed)
    {
        if let Err(error) = read_through(&conn, segment)
            && is_damage(&error)
        {
            damaged.push((
                segment.id,
                segment.attachment.path.clone(),
                error.to_string(),
            ));
        }
    }
    if damaged.is_empty() {
        return false;
    }
    let published = shared.catalog.publish(|segments| {
        let is_whole = |id: u64| !damaged.iter().any(|(damaged, ..)| *damaged == id);
        segments
            .iter()
            .filter(|segment| is_whole(segment.id))
            .cloned()
            .collect()
    });
    if let Err(error) = published {
        tracing::error!(%error, "damaged segments could not be taken out");
        return false;
    }
    for (_, path, reason) in damaged {
        let refused = RefusedSegment::at(&path, reason);
        tracing::error!(
            file = refused.file,
            reason = refused.reason,
            "segment file is damaged; it is left as it is, the others are served"
        );
        locked(&shared.counters.work).refused.push(refused);
    }
    true
}

/// Reads every value of every table of a segment's file.
fn read_through(conn: &Connection, segment: &Segment) -> duckdb::Result<()> {
    for (table, columns) in tables(conn, segment.alias())? {
        let sums: Vec<String> = columns
            .iter()
            .map(|column| format!("bit_xor(hash({column}))"))
            .collect();
        let sql = format!("SELECT {} FROM {table}", sums.join(", "));
        conn.query_row(&sql, [], |_| Ok(()))?;
    }
    Ok(())
}

/// The tables of an attached file, outliers and roll-ups too, and their columns as texts. A VARIANT is read as JSON:
/// DuckDB 2.0.0 fails to make text of a map whose keys differ only in case.
fn tables(conn: &Connection, alias: &str) -> duckdb::Result<BTreeMap<String, Vec<String>>> {
    let mut statement = conn.prepare(
        "SELECT schema_name, table_name, column_name, contains(data_type, 'VARIANT') \
         FROM duckdb_columns() WHERE database_name = ? AND NOT internal ORDER BY column_index",
    )?;
    let mut rows = statement.query([alias])?;
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (schema, table, column): (String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let is_variant: bool = row.get(3)?;
        let form = if is_variant { "JSON" } else { "VARCHAR" };
        tables
            .entry(format!("\"{alias}\".\"{schema}\".\"{table}\""))
            .or_default()
            .push(format!("\"{column}\"::{form}"));
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{append, batch, open};
    use crate::ingest::{LogColumns, LogRow, ResourceRow, Rows};

    #[test]
    fn maps_whose_keys_differ_only_in_case_are_read_through() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let odd = r#"{"Aa":1,"aA":{"b":1,"B":2}}"#;
        let mut logs = LogColumns::default();
        logs.push(&LogRow {
            time_unix_nano: 1_700_000_000_000_000_000,
            attributes: odd,
            ..LogRow::default()
        });
        let resource = ResourceRow {
            attributes: odd.to_owned(),
            ..ResourceRow::default()
        };
        append(&store, batch(vec![resource], Rows::Logs(logs)));
        store.seal_now().expect("sealed");
        let reader = store.reader().expect("a reader");
        let sealed: Vec<_> = reader
            .segments()
            .segments()
            .iter()
            .filter(|segment| segment.state == SegmentState::Sealed)
            .collect();
        assert_eq!(sealed.len(), 1);
        let conn = reader.connection();
        read_through(conn, sealed[0]).expect("every value is read");
        let tables = tables(conn, sealed[0].alias()).expect("its tables");
        for read in ["main.logs", "outliers.logs", "main.red"] {
            let is_read = tables
                .keys()
                .any(|table| table.replace('"', "").ends_with(read));
            assert!(is_read, "{read} of {tables:?}");
        }
    }
}
