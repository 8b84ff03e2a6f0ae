//! Numbered steps from every format that was ever written to the one of today.
//!
//! A step is SQL over one attached file. All steps of a file and its new format number are one transaction: a crash
//! leaves the file as it was, or migrated with its log, which the next start folds in.

use duckdb::Connection;

use super::meta::{FORMAT, Meta};
use super::tables;

/// Tables that formats before 2 had in sealed files only, and never filled.
const EVIDENCE_TABLES: [&str; 4] = [
    "breaker_transitions",
    "breaker_samples",
    "breaker_config",
    "breaker_marks",
];

/// Samples between the marks are not known any more: an instance counts as heard from its first mark on. Tables that the
/// first step made have the column.
const HEARD_SINCE: &str = "
ALTER TABLE {schema}.breaker_marks ADD COLUMN IF NOT EXISTS heard_since BIGINT;
UPDATE {schema}.breaker_marks AS marks SET heard_since = firsts.since
FROM (
    SELECT breaker_id, service_instance_id, evidence, epoch_ns(min(\"time\")) AS since
    FROM {schema}.breaker_marks GROUP BY ALL
) AS firsts
WHERE marks.breaker_id = firsts.breaker_id AND marks.evidence = firsts.evidence
    AND marks.service_instance_id IS NOT DISTINCT FROM firsts.service_instance_id;
";

/// What proxies count of the hosts behind them; tables that the first step made have the columns.
const HOSTS: &str = "
ALTER TABLE {schema}.breaker_samples ADD COLUMN IF NOT EXISTS hosts_ejected UINTEGER;
ALTER TABLE {schema}.breaker_samples ADD COLUMN IF NOT EXISTS hosts_healthy UINTEGER;
ALTER TABLE {schema}.breaker_samples ADD COLUMN IF NOT EXISTS hosts_total UINTEGER;
ALTER TABLE {schema}.breaker_marks ADD COLUMN IF NOT EXISTS hosts_ejected UINTEGER;
ALTER TABLE {schema}.breaker_marks ADD COLUMN IF NOT EXISTS hosts_healthy UINTEGER;
ALTER TABLE {schema}.breaker_marks ADD COLUMN IF NOT EXISTS hosts_total UINTEGER;
";

/// Since when entries of states were counted, which nobody asked the series that are sealed.
const COUNTED_SINCE: &str = "
ALTER TABLE {schema}.breaker_samples ADD COLUMN IF NOT EXISTS counted_since BIGINT;
ALTER TABLE {schema}.breaker_marks ADD COLUMN IF NOT EXISTS counted_since BIGINT;
";

/// The SQL of the step from `format` to the next, in `schema`.
fn step(format: u32, schema: &str) -> String {
    match format {
        1 => {
            let drops: String = EVIDENCE_TABLES
                .iter()
                .map(|table| format!("DROP TABLE IF EXISTS {schema}.{table};\n"))
                .collect();
            drops + &tables::BREAKER_TABLES.replace("{schema}", schema)
        }
        2 => format!("ALTER TABLE {schema}.spans ADD COLUMN resent BOOLEAN DEFAULT false;"),
        3 => HEARD_SINCE.replace("{schema}", schema),
        4 => HOSTS.replace("{schema}", schema),
        5 => COUNTED_SINCE.replace("{schema}", schema),
        _ => unreachable!("formats start at 1 and end at {FORMAT}"),
    }
}

/// The step for the tables of outliers, which hold facts alone.
fn outliers_step(format: u32, schema: &str) -> String {
    match format {
        2 => step(2, schema),
        _ => String::new(),
    }
}

/// Brings the file attached as `alias` to [`FORMAT`], in one transaction.
pub(crate) fn run(conn: &Connection, alias: &str, meta: &Meta) -> duckdb::Result<()> {
    let (main, outliers) = (format!("\"{alias}\".main"), format!("\"{alias}\".outliers"));
    let mut sql = String::from("BEGIN;\n");
    for format in meta.format..FORMAT {
        sql.push_str(&step(format, &main));
        if meta.outliers > 0 {
            sql.push_str(&outliers_step(format, &outliers));
        }
    }
    sql.push_str(&format!(
        "UPDATE {main}.meta SET value = '{FORMAT}' WHERE key = 'format';\nCOMMIT;"
    ));
    let done = conn.execute_batch(&sql);
    if done.is_err() {
        // Without one there is nothing to roll back, which is as good.
        let _ = conn.execute_batch("ROLLBACK");
    }
    done
}
