//! Sorted rows of many segments a slice at a time.
//!
//! Sorting a million rows with their VARIANT documents takes half a gigabyte, and several such sorts at once more than
//! the engine may have. The inputs are sorted already, so a range of the sort key is a few row groups of each: it is
//! read, sorted and checkpointed alone. Measured on 480,000 rows of 14 attributes: 189 MB at most where one sort took
//! 587, for the same CPU and bytes; and every slice is one row group, with bounds that do not overlap.

use duckdb::Connection;

use super::catalog::ROW_GROUP;

/// Rows a slice has about: less than a row group ([`super::catalog::Access::Build`]), more than the 30,000 below which
/// DuckDB does not shred VARIANTs.
const SLICE_ROWS: u64 = 55_000;

/// Conditions that split the rows of `relations` (qualified tables) by trace, and those without one by time; in
/// the order of `ORDER BY trace_id, <time>`. Each row fulfils exactly one.
pub(super) fn by_trace(
    conn: &Connection,
    relations: &[String],
    time: Option<&str>,
) -> duckdb::Result<Vec<String>> {
    let mut slices = split(conn, relations, "trace_id", "trace_id IS NOT NULL")?;
    match time {
        Some(time) => slices.extend(split(conn, relations, time, "trace_id IS NULL")?),
        None => slices.push("trace_id IS NULL".to_owned()),
    }
    Ok(slices)
}

/// Conditions that split the rows of a relation in the order they lie in, to be put behind the `filled` rows a table has:
/// none goes beyond the end of a row group there. With each comes how many rows the table has then.
pub(super) fn as_stored(filled: u64, rows: u64) -> Vec<(String, u64)> {
    let mut slices = Vec::new();
    let mut begin = 0;
    while begin < rows {
        let left = ROW_GROUP as u64 - (filled + begin) % ROW_GROUP as u64;
        let end = rows.min(begin + left);
        slices.push((format!("rowid >= {begin} AND rowid < {end}"), filled + end));
        begin = end;
    }
    slices
}

/// Splits the rows that fulfil `condition` at values of `key`.
fn split(
    conn: &Connection,
    relations: &[String],
    key: &str,
    condition: &str,
) -> duckdb::Result<Vec<String>> {
    let selects: Vec<String> = relations
        .iter()
        .map(|relation| format!("SELECT {key} AS key FROM {relation} WHERE {condition}"))
        .collect();
    let rows = selects.join(" UNION ALL ");
    let count: u64 = conn.query_row(&format!("SELECT count(*) FROM ({rows})"), [], |row| {
        row.get(0)
    })?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let slices = count.div_ceil(SLICE_ROWS);
    // As literals; quotes are doubled because a key is data.
    let sql = format!(
        "SELECT '''' || replace(min(key)::VARCHAR, '''', '''''') || '''' FROM
             (SELECT key, ntile({slices}) OVER (ORDER BY key) AS slice FROM ({rows}) WHERE key IS NOT NULL)
         GROUP BY slice ORDER BY min(key)"
    );
    let mut statement = conn.prepare(&sql)?;
    let mut bounds: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    bounds.dedup();
    let inner = bounds.get(1..).unwrap_or_default();
    let mut conditions = Vec::with_capacity(inner.len() + 1);
    for at in 0..=inner.len() {
        let from = at.checked_sub(1).map(|before| &inner[before]);
        let to = inner.get(at);
        let range = match (from, to) {
            (None, None) => "true".to_owned(),
            // Rows without a key come with the first.
            (None, Some(to)) => format!("({key} < {to} OR {key} IS NULL)"),
            (Some(from), None) => format!("{key} >= {from}"),
            (Some(from), Some(to)) => format!("{key} >= {from} AND {key} < {to}"),
        };
        conditions.push(format!("{condition} AND {range}"));
    }
    Ok(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(conn: &Connection, condition: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM logs WHERE {condition}");
        conn.query_row(&sql, [], |row| row.get(0))
            .expect("a condition over the table")
    }

    #[test]
    fn every_row_is_in_one_slice_and_no_slice_is_large() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        // A third without a trace, some of these without a time, one trace of 20,000, traces with a quote in the id.
        conn.execute_batch(
            "CREATE TABLE logs AS SELECT
                 CASE WHEN i % 3 = 0 THEN NULL WHEN i < 30000 THEN 'heavy' ELSE '''' || md5(i::VARCHAR) END AS trace_id,
                 CASE WHEN i % 7 <> 0 THEN make_timestamp_ns(i * 1000) END AS time
             FROM range(600000) t(i)",
        )
        .expect("a table");
        let slices = by_trace(&conn, &["logs".to_owned()], Some("time")).expect("slices");
        assert!(slices.len() > 10, "{slices:?}");
        let counts: Vec<u64> = slices.iter().map(|slice| rows(&conn, slice)).collect();
        assert_eq!(counts.iter().sum::<u64>(), 600_000, "{slices:?}");
        assert!(counts.iter().all(|count| *count <= 90_000), "{counts:?}");
        let any = slices.join(") OR (");
        assert_eq!(rows(&conn, &format!("({any})")), 600_000);
    }

    #[test]
    fn slices_of_rows_as_they_lie_end_with_the_row_groups_they_fill() {
        let slices = |filled, rows| {
            as_stored(filled, rows)
                .into_iter()
                .map(|(slice, filled)| (slice.replace("rowid ", ""), filled))
                .collect::<Vec<_>>()
        };
        assert_eq!(slices(0, 61_440), [(">= 0 AND < 61440".to_owned(), 61_440)]);
        assert!(slices(61_440, 0).is_empty());
        assert_eq!(slices(61_440, 3), [(">= 0 AND < 3".to_owned(), 61_443)]);
        assert_eq!(
            slices(61_443, 122_880),
            [
                (">= 0 AND < 61437".to_owned(), 122_880),
                (">= 61437 AND < 122877".to_owned(), 184_320),
                (">= 122877 AND < 122880".to_owned(), 184_323),
            ]
        );
    }

    #[test]
    fn few_rows_are_one_slice_and_none_are_none() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        conn.execute_batch("CREATE TABLE spans AS SELECT 'a' AS trace_id FROM range(3)")
            .expect("a table");
        let of = |relation: &str| by_trace(&conn, &[relation.to_owned()], None).expect("slices");
        assert_eq!(
            of("spans"),
            ["trace_id IS NOT NULL AND true", "trace_id IS NULL"]
        );
        conn.execute_batch("CREATE TABLE none AS FROM spans LIMIT 0")
            .expect("a table");
        assert_eq!(of("none"), ["trace_id IS NULL"]);
    }
}
