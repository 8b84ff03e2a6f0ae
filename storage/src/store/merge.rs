//! Several sealed segments into one: all rows (compaction), or only what outlives them (history).
//!
//! Resources, scopes and streams are numbered anew; the same one in two segments becomes one. Roll-ups are
//! merged, not computed again, and edge halves meet there. Rows of traces are sorted anew where they are few; of many,
//! each member's stay as they lie ([`crate::segment::runs`]).

use std::fmt::Write as _;
use std::sync::Arc;

use duckdb::Connection;

use super::build::Build;
use super::catalog::ROW_GROUP;
use super::conclusions::Conclusions;
use super::{SegmentSet, Shared, StoreError, runs, slices};
use crate::segment::meta::Meta;
use crate::segment::tables::{self, BREAKER_EVIDENCE, Table};
use crate::segment::{Keys, Segment, files};

/// One segment with every row of `group`.
pub(super) fn raw(shared: &Shared, group: &[Arc<Segment>]) -> Result<(), StoreError> {
    let build = Build::start(shared, "compact")?;
    let mut meta = Meta {
        outliers: group.iter().map(|segment| segment.meta.outliers).sum(),
        ..merged_meta(shared, group)
    };
    build.step(2)?;
    let to = build.schema();
    build
        .connection()
        .execute_batch(&dictionaries_sql(group, &to))?;
    let all: Vec<(u64, String)> = group
        .iter()
        .map(|segment| (segment.id, segment.schema()))
        .collect();
    let kept = runs::kept(build.connection(), group, shared.config.sorted_rows_max)?;
    for (signal, table) in tables::FACTS.into_iter().enumerate() {
        if kept.as_ref().is_some_and(|kept| kept.has(&table)) {
            append_facts(&build, signal, &table, group)?;
        } else {
            merge_facts(&build, &table, &all, &to)?;
        }
    }
    if meta.outliers > 0 {
        build.create_outliers()?;
        let outliers: Vec<(u64, String)> = group
            .iter()
            .filter(|segment| segment.meta.outliers > 0)
            .map(|segment| (segment.id, format!("\"{}\".outliers", segment.alias())))
            .collect();
        for table in tables::FACTS {
            merge_facts(&build, &table, &outliers, &build.outliers_schema())?;
        }
    }
    copy_whole(&build, group, &["quarantine"])?;
    merge_evidence(&build, group, &BREAKER_EVIDENCE)?;
    build.step(3)?;
    merge_rollups(&build, group)?;
    build.count_rows(&mut meta)?;
    let traces = match kept {
        Some(kept) => kept.describe(group, &mut meta),
        None => build.trace_filter(&mut meta)?,
    };
    build.finish(meta, traces)
}

/// One segment with what outlives the rows of `group`: roll-ups, breaker history, and the traces that trips name.
pub(super) fn to_history(
    shared: &Shared,
    work: &'static str,
    group: &[Arc<Segment>],
) -> Result<(), StoreError> {
    let build = Build::start(shared, work)?;
    let mut meta = Meta {
        is_history: true,
        format: crate::segment::meta::FORMAT,
        ..merged_meta(shared, group)
    };
    build.step(2)?;
    pin_traces(shared, &build, group)?;
    // Samples are raw telemetry; the marks among them stay.
    merge_evidence(&build, group, &["breaker_transitions", "breaker_config"])?;
    build.step(3)?;
    merge_rollups(&build, group)?;
    keep_causes(shared, &build, group)?;
    build.count_rows(&mut meta)?;
    let traces = build.trace_filter(&mut meta)?;
    build.finish(meta, traces)
}

/// Spans and log records of the traces that any transition of the store names as its cause or contributor, or that are
/// inferred to be.
fn pin_traces(
    shared: &Shared,
    build: &Build<'_>,
    group: &[Arc<Segment>],
) -> Result<(), StoreError> {
    let (conn, to) = (build.connection(), build.schema());
    conn.execute_batch(&dictionaries_sql(group, &to))?;
    let set = shared.catalog.lease();
    let mut named: Vec<String> = set
        .segments
        .iter()
        .map(|segment| {
            let from = format!("{}.breaker_transitions", segment.schema());
            format!(
                "SELECT trace_id FROM {from} UNION ALL
                 SELECT unnest(string_split(contributing_trace_ids, ',')) FROM {from}"
            )
        })
        .collect();
    let concluded = inferred_traces(&set, conn);
    named.extend(concluded.iter().map(|concluded| {
        let from = format!("{}.breaker_transitions", concluded.schema());
        format!(
            "SELECT trace_id FROM {from} UNION ALL SELECT unnest(contributing_trace_ids) FROM {from}"
        )
    }));
    conn.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE pinned_traces AS
         SELECT DISTINCT trace_id FROM ({}) WHERE trace_id <> '';",
        named.join(" UNION ALL ")
    ))?;
    let mut from: Vec<(u64, String)> = Vec::new();
    for segment in group {
        from.push((segment.id, segment.schema()));
        if segment.meta.outliers > 0 {
            from.push((segment.id, format!("\"{}\".outliers", segment.alias())));
        }
    }
    for table in [tables::SPANS, tables::LOGS] {
        let sql = facts_sql(&table, &from, &to, "trace_id IN (FROM pinned_traces)");
        conn.execute_batch(&sql)?;
    }
    Ok(conn.execute_batch("DROP TABLE temp.pinned_traces")?)
}

/// Conclusions with the traces that are inferred to have tripped breakers. Without them the others are kept.
fn inferred_traces(set: &SegmentSet, conn: &Connection) -> Option<Arc<Conclusions>> {
    if !set.may_have_breakers() {
        return None;
    }
    let concluded = set.conclude(conn);
    if let Err(error) = &concluded {
        tracing::warn!(%error, "traces that may have tripped breakers are not kept");
    }
    concluded.ok()
}

fn merge_rollups(build: &Build<'_>, group: &[Arc<Segment>]) -> Result<(), StoreError> {
    let from: Vec<_> = group.iter().map(|segment| segment.calls()).collect();
    Ok(crate::rollup::merge(
        build.connection(),
        &from,
        &build.schema(),
    )?)
}

/// What the entries of all other segments name as their cause outlives the raw rows.
fn keep_causes(
    shared: &Shared,
    build: &Build<'_>,
    group: &[Arc<Segment>],
) -> Result<(), StoreError> {
    let set = shared.catalog.lease();
    let others = set.segments.iter().filter(|segment| {
        !segment.is_text() && !group.iter().any(|member| member.id == segment.id)
    });
    let others: Vec<_> = others.map(|segment| segment.calls()).collect();
    let from: Vec<_> = group.iter().map(|segment| segment.calls()).collect();
    Ok(crate::rollup::keep_causes(
        build.connection(),
        &from,
        &others,
        &build.schema(),
    )?)
}

/// Arrival of the first and of the last row of all of them, nanoseconds.
pub(super) fn ingest_range(group: &[Arc<Segment>]) -> (i64, i64) {
    let ranges = || group.iter().map(|segment| segment.meta.ingest_range);
    let first = ranges().map(|(first, _)| first).min();
    let last = ranges().map(|(_, last)| last).max();
    (first.unwrap_or(0), last.unwrap_or(0))
}

fn merged_meta(shared: &Shared, group: &[Arc<Segment>]) -> Meta {
    let dir = shared.catalog.dir();
    // What a member replaced may still be there, held by a reader: then it is ours to replace now, or a
    // crash after the member's end would bring it back.
    let is_there =
        |id: &u64| files::hot_path(dir, *id).exists() || files::sealed_path(dir, *id).exists();
    let inherited = group
        .iter()
        .flat_map(|segment| segment.meta.replaces.iter().copied())
        .filter(is_there);
    let mut replaces: Vec<u64> = group
        .iter()
        .map(|segment| segment.id)
        .chain(inherited)
        .collect();
    replaces.sort_unstable();
    replaces.dedup();
    Meta {
        ingest_range: ingest_range(group),
        span_keys: Keys::union(group.iter().map(|segment| &segment.meta.span_keys)),
        log_keys: Keys::union(group.iter().map(|segment| &segment.meta.log_keys)),
        replaces,
        ..Meta::default()
    }
}

/// Breaker evidence as it is, and the marks picked out anew: ends of one segment are the middle of two.
fn merge_evidence(
    build: &Build<'_>,
    group: &[Arc<Segment>],
    tables: &[&str],
) -> Result<(), StoreError> {
    copy_whole(build, group, tables)?;
    let parts: Vec<_> = group.iter().map(|segment| segment.evidence()).collect();
    Ok(crate::resilience::views::write_marks(
        build.connection(),
        &parts,
        &build.schema(),
    )?)
}

fn copy_whole(build: &Build<'_>, group: &[Arc<Segment>], names: &[&str]) -> Result<(), StoreError> {
    for name in names {
        for segment in group {
            let sql = format!(
                "INSERT INTO {}.{name} SELECT * FROM {}.{name}",
                build.schema(),
                segment.schema()
            );
            build.connection().execute_batch(&sql)?;
        }
    }
    Ok(())
}

/// New numbers for resources, scopes and streams, in temporary tables (`map_…`: segment, old, new), and the
/// dictionaries under these numbers. The newest segment's text wins.
fn dictionaries_sql(group: &[Arc<Segment>], to: &str) -> String {
    let mut sql = String::new();
    for (table, number, id) in [
        (&tables::RESOURCES, "resource_ix", "resource_id"),
        (&tables::SCOPES, "scope_ix", "scope_id"),
        (&tables::SERIES, "series_ix", "series_id"),
    ] {
        let name = table.name;
        let selects: Vec<String> = group
            .iter()
            .map(|segment| {
                format!(
                    "SELECT {}::UBIGINT AS segment, * FROM {}.{name}",
                    segment.id,
                    segment.schema()
                )
            })
            .collect();
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| match column.name {
                name if name == number => "m.new".to_owned(),
                "resource_ix" => "r.new".to_owned(),
                "scope_ix" => "c.new".to_owned(),
                name => format!("a.\"{name}\""),
            })
            .collect();
        let joins = if name == "series" {
            "JOIN map_resources r ON r.segment = a.segment AND r.old = a.resource_ix
             JOIN map_scopes c ON c.segment = a.segment AND c.old = a.scope_ix"
        } else {
            ""
        };
        let _ = write!(
            sql,
            "CREATE OR REPLACE TEMP TABLE all_{name} AS {selects};
             CREATE OR REPLACE TEMP TABLE map_{name} AS SELECT segment, {number} AS old,
                 (dense_rank() OVER (ORDER BY {id}) - 1)::UINTEGER AS new FROM all_{name};
             INSERT INTO {to}.{name} SELECT * EXCLUDE (segment) FROM (
                 SELECT DISTINCT ON (m.new) {columns}, a.segment FROM all_{name} a
                 JOIN map_{name} m ON m.segment = a.segment AND m.old = a.{number} {joins}
                 ORDER BY m.new, a.segment DESC);
             DROP TABLE all_{name};\n",
            selects = selects.join(" UNION ALL "),
            columns = columns.join(", "),
        );
    }
    sql
}

/// The rows of one fact table, sorted; those with documents a slice at a time.
fn merge_facts(
    build: &Build<'_>,
    table: &Table,
    from: &[(u64, String)],
    to: &str,
) -> Result<(), StoreError> {
    let conn = build.connection();
    if !is_traced(table) {
        return Ok(conn.execute_batch(&facts_sql(table, from, to, "true"))?);
    }
    let relations: Vec<String> = from
        .iter()
        .map(|(_, schema)| format!("{schema}.{}", table.name))
        .collect();
    for slice in slices::by_trace(conn, &relations, table.event_time)? {
        conn.execute_batch(&facts_sql(table, from, to, &slice))?;
        build.checkpoint()?;
    }
    Ok(())
}

/// Whether its rows lie by trace.
fn is_traced(table: &Table) -> bool {
    table.order_by.starts_with("trace_id")
}

/// The rows of one fact table as they lie in one segment after the other, a slice at a time. A row group that is written
/// before it is full is written again with the rows that fill it, so only full ones are (and what is left at the end): of
/// members of 61,952 spans a row took 12 µs instead of 24, and 64 B instead of 103.
fn append_facts(
    build: &Build<'_>,
    signal: usize,
    table: &Table,
    group: &[Arc<Segment>],
) -> Result<(), StoreError> {
    let (conn, to) = (build.connection(), build.schema());
    let mut filled = 0;
    for segment in group {
        let runs = runs::of_segment(conn, segment, signal, table)?;
        let rows: u64 = runs.iter().map(|run| run.rows).sum();
        let from = [(segment.id, segment.schema())];
        for (slice, then) in slices::as_stored(filled, rows) {
            conn.execute_batch(&selected(table, &from, &to, &slice))?;
            if then.is_multiple_of(ROW_GROUP as u64) {
                build.checkpoint()?;
            }
        }
        filled += rows;
    }
    build.checkpoint()
}

/// The rows of some segments that fulfil a condition, sorted.
fn facts_sql(table: &Table, from: &[(u64, String)], to: &str, condition: &str) -> String {
    format!(
        "{} ORDER BY {}",
        selected(table, from, to, condition),
        table.order_by
    )
}

/// The rows of some segments that fulfil a condition, those of one segment as they lie in it.
fn selected(table: &Table, from: &[(u64, String)], to: &str, condition: &str) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column.name {
            "resource_ix" => "r.new AS resource_ix".to_owned(),
            "scope_ix" => "c.new AS scope_ix".to_owned(),
            "series_ix" => "s.new AS series_ix".to_owned(),
            name => format!("f.\"{name}\""),
        })
        .collect();
    let selects: Vec<String> = from
        .iter()
        .map(|(id, schema)| {
            let mut select = format!(
                "SELECT {} FROM (FROM {schema}.{} WHERE {condition}) f",
                columns.join(", "),
                table.name
            );
            for (number, alias, map) in
                [("resource_ix", "r", "resources"), ("scope_ix", "c", "scopes"), ("series_ix", "s", "series")]
            {
                if table.columns.iter().any(|column| column.name == number) {
                    let _ = write!(
                        select,
                        " JOIN map_{map} {alias} ON {alias}.segment = {id} AND {alias}.old = f.{number}"
                    );
                }
            }
            select
        })
        .collect();
    format!(
        "INSERT INTO {to}.{} {}",
        table.name,
        selects.join(" UNION ALL ")
    )
}
