//! Roll-ups: `red` and `service_edges`, computed once when a segment is sealed and live for the hot part.
//!
//! A row is one bucket of [`BUCKET_NS`]; the same bucket may have a row in several segments, so readers add
//! them up. Durations are exponential histograms of base [`HISTOGRAM_BASE`], which merge by addition. A span
//! that was stored again (same trace, span, service and start) counts once.
//!
//! `service_edges` = the final edges of sealed segments + what the halves they left open make together with
//! each other and with the hot spans. A half is an entry whose cause is in another segment, or a call
//! nobody answered here. A cause that is no half (answered before, counted as a database's, no client's span) is
//! looked for in the raw rows (`rollup/causes.sql`). `rollup/calls.sql` says what a call is, `rollup/pairs.rs` the same
//! of spans in memory.

mod by_bucket;
mod durations;
mod hop;
mod pairs;
pub(crate) mod sums;
mod totals;

use duckdb::{Connection, OptionalExt as _};

use crate::empty::EMPTY_SCHEMA;
pub(crate) use by_bucket::{BucketSum, ByBucket, Counted, Summed, first_bucket};
pub(crate) use hop::{Hops, cause_hops, hot_hops, open_hops, plain_hops};
pub(crate) use pairs::edges_of;
pub(crate) use sums::{EdgeCalls, EdgeSum, Operation, ServiceSpans, ServiceSum};
pub(crate) use totals::Totals;

/// Width of `bucket_start`: 10 s. The SQL says the same number.
pub const BUCKET_NS: i64 = 10_000_000_000;

/// Base of the duration histograms: 2^(1/8), about 9 % a bucket (OpenTelemetry's scale 3). Bucket `i` holds
/// durations in (base^(i-1), base^i] nanoseconds; bucket 0 also those of 0 and below.
pub const HISTOGRAM_BASE: f64 = 1.090_507_732_665_257_7;

const TABLES: &str = include_str!("rollup/tables.sql");
const HOPS: &str = include_str!("rollup/hops.sql");
const HALVES_STORED: &str = include_str!("rollup/halves_stored.sql");
const ONCE: &str = include_str!("rollup/once.sql");
const SPLIT: &str = include_str!("rollup/split.sql");
const OPEN_TRACES: &str = include_str!("rollup/open_traces.sql");
const ALONE_CALLS: &str = include_str!("rollup/alone_calls.sql");
/// Whether a stored half is plain, as `split.sql` says it.
const PLAIN: &str =
    "coalesce(kind = 'client' AND NOT sidecar AND NOT is_covered AND NOT is_dangling, false)";
const CAUSES: &str = include_str!("rollup/causes.sql");
const CALLS: &str = include_str!("rollup/calls.sql");
const RED: &str = include_str!("rollup/red.sql");
const EDGES: &str = include_str!("rollup/edges.sql");
const RESOLVE: &str = include_str!("rollup/resolve.sql");
const HALVES: &str = include_str!("rollup/halves.sql");
const MERGE_RED: &str = include_str!("rollup/merge_red.sql");
const MERGE_EDGES: &str = include_str!("rollup/merge_edges.sql");
const MINUS_EDGES: &str = include_str!("rollup/minus_edges.sql");
const WITHOUT_MINUS: &str = include_str!("rollup/without_minus.sql");

/// Calls of `rollup_resolved` that count.
const RESOLVED: &str = "(FROM rollup_resolved WHERE NOT is_half AND NOT is_minus)";
/// What [`split`] seeks: the spans, and their traces.
const SOUGHT: (&str, &str) = ("sought", "SELECT trace_id FROM sought");
/// A half as it is stored.
const AS_STORED: &str = "* EXCLUDE (name, service, id, parent_id, identity)";

/// One segment as the roll-up views see it, or some rows of a hot one.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Its qualified schema, ready for SQL text.
    pub schema: String,
    /// A hot segment: it has raw rows (documents as text) but no roll-up tables.
    pub is_text: bool,
    /// The schemas its raw rows are in, of a sealed one.
    pub places: Vec<String>,
    /// Only the rows after this one count, of a hot one.
    pub after_row: Option<i64>,
    /// Only the rows up to this one count, of a hot one.
    pub to_row: Option<i64>,
}

/// Creates the roll-up tables in `schema` (a new sealed segment), empty.
pub fn create(conn: &Connection, schema: &str) -> duckdb::Result<()> {
    conn.execute_batch(&TABLES.replace("{schema}", schema))
}

/// Fills the roll-up tables of `to_schema` from the raw rows of `from_schema` (hot or sealed form).
pub fn write(conn: &Connection, from_schema: &str, to_schema: &str) -> duckdb::Result<()> {
    let stored = hops(&Part {
        schema: from_schema.to_owned(),
        is_text: links_are_text(conn, from_schema)?,
        ..Part::default()
    });
    let once = ONCE.replace("{stored}", &stored);
    conn.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE rollup_spans AS WITH {once} SELECT * FROM spans_once;"
    ))?;
    let resolve = format!(
        "WITH spans_once AS (FROM rollup_spans), {CALLS} {}",
        resolve()
    );
    let filled = conn.execute_batch(&format!(
        "INSERT INTO {to_schema}.red WITH spans_once AS (FROM rollup_spans) {RED};
         CREATE OR REPLACE TEMP TABLE rollup_resolved AS {resolve};
         INSERT INTO {to_schema}.edges {edges};
         INSERT INTO {to_schema}.edge_halves {halves};",
        edges = edges(RESOLVED),
        halves = HALVES.replace("{rows}", "rollup_resolved"),
    ));
    conn.execute_batch(
        "DROP TABLE IF EXISTS temp.rollup_spans; DROP TABLE IF EXISTS temp.rollup_resolved;",
    )?;
    filled
}

/// Merges the roll-up tables of sealed segments into those of `to_schema`, matching edge halves again.
pub fn merge(conn: &Connection, from: &[Part], to_schema: &str) -> duckdb::Result<()> {
    let schemas = schemas(from);
    let union = |table: &str| {
        let selects: Vec<String> = schemas
            .iter()
            .map(|schema| format!("SELECT * FROM {schema}.{table}"))
            .collect();
        selects.join(" UNION ALL ")
    };
    if schemas.is_empty() {
        return Ok(());
    }
    let split = split(&schemas, &schemas, &[], "", &found(from, &schemas));
    let minus = edges("(FROM rollup_resolved WHERE is_minus)");
    let all_edges = format!(
        "{} UNION ALL ({}) UNION ALL ({})",
        union("edges"),
        edges(RESOLVED),
        MINUS_EDGES.replace("{rows}", &format!("({minus})")),
    );
    let filled = conn.execute_batch(&format!(
        "INSERT INTO {to_schema}.red {red};
         CREATE OR REPLACE TEMP TABLE rollup_resolved AS WITH {split}, {CALLS} {resolve};
         INSERT INTO {to_schema}.edges {edges};
         INSERT INTO {to_schema}.edge_halves {halves};
         INSERT INTO {to_schema}.edge_halves WITH {split} SELECT {AS_STORED} FROM alone
             UNION ALL SELECT DISTINCT {AS_STORED} FROM stored WHERE kind = 'internal';",
        red = MERGE_RED.replace("{rows}", &union("red")),
        resolve = resolve(),
        edges = MERGE_EDGES.replace("{rows}", &all_edges),
        halves = HALVES.replace("{rows}", "rollup_resolved"),
    ));
    conn.execute_batch("DROP TABLE IF EXISTS temp.rollup_resolved;")?;
    filled
}

/// Adds to the halves of `to_schema`, the history that takes the place of `from`, the spans and halves of `from` that entries
/// of the `asking` segments name as their cause: the raw rows they would be looked for in are deleted.
pub(crate) fn keep_causes(
    conn: &Connection,
    from: &[Part],
    asking: &[Part],
    to_schema: &str,
) -> duckdb::Result<()> {
    let known = format!(
        "{} UNION ALL BY NAME SELECT *, NULL AS segment FROM ({})",
        whole_traces(from, of_sought),
        halves(&schemas(from), ""),
    );
    let found = causes(&known, &[to_schema.to_owned()], SOUGHT);
    let split = split(&schemas(asking), &[], &[], "", &found);
    conn.execute_batch(&format!(
        "INSERT INTO {to_schema}.edge_halves WITH {split}
         SELECT {AS_STORED} FROM (SELECT DISTINCT ON (id) * FROM found);"
    ))
}

/// The body of the public view `red` over these segments.
pub fn red_view_sql(parts: &[Part]) -> String {
    let mut selects = rolled_up(parts, "red");
    let hot: Vec<String> = parts.iter().filter(|part| part.is_text).map(hops).collect();
    if !hot.is_empty() {
        let once = ONCE.replace("{stored}", &hot.join(" UNION ALL "));
        selects.push(format!("SELECT * FROM (WITH {once} {RED})"));
    }
    selects.join("\nUNION ALL\n")
}

/// The body of the public view `service_edges` over these segments.
pub fn service_edges_view_sql(parts: &[Part]) -> String {
    let all = EdgeParts {
        finals: parts,
        near: parts,
        settled: &[],
        all: parts,
    };
    service_edges_sql(&all)
}

/// Segments by what edges are made of them.
pub(crate) struct EdgeParts<'a> {
    /// Their final edges count.
    pub finals: &'a [Part],
    /// So do their calls that nobody answers. Of them, as of `settled`, the raw rows are searched for causes.
    pub near: &'a [Part],
    /// Their calls that nobody answered there count already ([`alone_rows_sql`]): those that somebody answers elsewhere
    /// are taken away again, as rows that are `is_minus`. None of them is `near`. Where there are any, the traces that
    /// may have such calls are parameter 1, joined by commas.
    pub settled: &'a [Part],
    /// Every segment that has halves or hot spans.
    pub all: &'a [Part],
}

/// Final edges, and those that halves and the hot spans make. `parts.settled` must be empty: nothing is bound to its traces.
pub(crate) fn service_edges_sql(parts: &EdgeParts<'_>) -> String {
    let finals = rolled_up(parts.finals, "edges").join("\nUNION ALL\n");
    if parts.all.is_empty() {
        return finals;
    }
    let (with, rows) = edge_rows_sql(parts);
    let live = EDGES
        .replace("{more}", ", is_minus")
        .replace("{rows}", &rows);
    let edges = WITHOUT_MINUS
        .replace("{finals}", &finals)
        .replace("{live}", &live)
        .replace(
            "{minus}",
            &MINUS_EDGES.replace("{rows}", "live WHERE is_minus"),
        )
        .replace("{merged}", &MERGE_EDGES.replace("{rows}", "FROM less"));
    format!("SELECT * FROM (WITH {with}, {edges})")
}

/// Calls added up to rows of `edges`.
fn edges(rows: &str) -> String {
    EDGES.replace("{more}", "").replace("{rows}", rows)
}

/// Calls for good, halves, and calls of which the segments of the halves have counted what is not so.
fn resolve() -> String {
    RESOLVE.replace("{minus}", &answered_after_all())
}

/// Calls to databases that somebody answered in another segment than the client's, as that counts them.
fn answered_after_all() -> String {
    ALONE_CALLS.replace("{alone}", "answered_after_all")
}

/// The calls that halves and the hot spans make, one by one: the relations to be read first, and the rows.
fn edge_rows_sql(parts: &EdgeParts<'_>) -> (String, String) {
    let raw: Vec<Part> = parts.near.iter().chain(parts.settled).cloned().collect();
    let split = split(
        &schemas(parts.all),
        &schemas(parts.near),
        &schemas(parts.settled),
        &all_hops(parts.all),
        &found(&raw, &schemas(&raw)),
    );
    let rows = format!(
        "(SELECT * EXCLUDE (is_open), false AS is_minus FROM calls UNION ALL BY NAME \
         SELECT *, false AS is_minus FROM ({}) UNION ALL BY NAME SELECT *, true AS is_minus FROM ({}) \
         UNION ALL BY NAME SELECT *, true AS is_minus FROM ({}))",
        ALONE_CALLS.replace("{alone}", "alone"),
        ALONE_CALLS.replace("{alone}", "unsettled"),
        answered_after_all(),
    );
    (format!("{split}, {CALLS}"), rows)
}

/// The calls that nobody answered in a rolled-up schema, as if nobody did elsewhere, one by one.
fn alone_rows_sql(schema: &str) -> String {
    let plain = format!("(FROM {schema}.edge_halves WHERE {PLAIN})");
    let calls = ALONE_CALLS.replace("{alone}", &plain);
    format!("(SELECT *, false AS is_minus FROM ({calls}))")
}

/// Halves of a rolled-up schema that other segments may complete, calls nobody answered apart.
pub(crate) fn open_halves(conn: &Connection, schema: &str) -> duckdb::Result<u64> {
    let sql = format!("SELECT count(*)::UBIGINT FROM {schema}.edge_halves WHERE NOT {PLAIN}");
    conn.query_row(&sql, [], |row| row.get(0))
}

/// The traces that the open halves of some segments and the hot spans of others are of, and those they link to, each once.
fn open_traces_sql(open: &[Part]) -> String {
    let hot: String = open
        .iter()
        .filter(|part| part.is_text)
        .map(|part| format!(" UNION ALL SELECT trace_id, links FROM ({})", hops(part)))
        .collect();
    OPEN_TRACES
        .replace("{stored}", &halves(&schemas(open), ""))
        .replace("{hot}", &hot)
        .replace("{plain}", PLAIN)
}

/// The hot spans of these segments, to be added to other rows.
fn all_hops(parts: &[Part]) -> String {
    let hot = parts.iter().filter(|part| part.is_text);
    hot.map(|part| format!(" UNION ALL BY NAME {}", hops(part)))
        .collect()
}

/// The schemas of the sealed ones.
fn schemas(parts: &[Part]) -> Vec<String> {
    let sealed = parts.iter().filter(|part| !part.is_text);
    sealed.map(|part| part.schema.clone()).collect()
}

/// The halves of sealed segments as those that are alone and, with the hot spans and with what is `found` of their causes
/// ([`found`]), those to be matched.
fn split(stored: &[String], near: &[String], settled: &[String], hot: &str, found: &str) -> String {
    let of_traces = " WHERE trace_id IN (SELECT unnest(string_split($1, ',')))";
    SPLIT
        .replace("{stored}", &halves(stored, ""))
        .replace("{near}", &halves(near, ""))
        .replace("{settled}", &halves(settled, of_traces))
        .replace("{hot}", hot)
        .replace("{found}", found)
        .replace("{plain}", PLAIN)
}

/// What [`split`] seeks of the raw rows of these segments, as far as it is none of the halves kept in some schemas.
fn found(raw: &[Part], kept_in: &[String]) -> String {
    causes(&whole_traces(raw, of_sought), kept_in, SOUGHT)
}

/// The rows of the traces that [`split`] seeks.
fn of_sought(_place: &str) -> String {
    format!(" AND f.trace_id IN ({})", SOUGHT.1)
}

/// The spans of some of `whole_traces` that are sought (a relation of ids, and SQL of their traces) and none of the halves
/// kept in some schemas.
fn causes(whole_traces: &str, kept_in: &[String], (ids, traces): (&str, &str)) -> String {
    let of_traces = format!(" WHERE trace_id IN ({traces})");
    let kept = format!("SELECT id FROM ({})", halves(kept_in, &of_traces));
    CAUSES
        .replace("{raw}", whole_traces)
        .replace("{sought}", ids)
        .replace("{halves}", &kept)
}

/// Raw spans of sealed segments without their links; `rows` says of each place which.
fn whole_traces(segments: &[Part], rows: impl Fn(&str) -> String) -> String {
    let nowhere = Part {
        schema: EMPTY_SCHEMA.to_owned(),
        places: vec![EMPTY_SCHEMA.to_owned()],
        ..Part::default()
    };
    let places = std::iter::once(&nowhere)
        .chain(segments)
        .flat_map(|part| part.places.iter().map(move |place| (part, place)));
    let selects: Vec<String> = places
        .map(|(part, place)| {
            let spans = HOPS
                .replace("{facts}", place)
                .replace("{dictionaries}", &part.schema)
                .replace("{links}", "NULL")
                .replace("{rows}", &rows(place));
            format!("SELECT *, '{}' AS segment FROM ({spans})", part.schema)
        })
        .collect();
    selects.join(" UNION ALL ")
}

/// The halves of rolled-up schemas, of the rows that fit a condition.
fn halves(schemas: &[String], only: &str) -> String {
    let of = |schema: &str, only: &str| {
        HALVES_STORED
            .replace("{schema}", schema)
            .replace("{only}", only)
    };
    let own = schemas.iter().map(|schema| of(schema, only));
    let selects: Vec<String> = std::iter::once(of(EMPTY_SCHEMA, "")).chain(own).collect();
    selects.join(" UNION ALL ")
}

fn rolled_up(parts: &[Part], table: &str) -> Vec<String> {
    let sealed = parts
        .iter()
        .filter(|part| !part.is_text)
        .map(|part| part.schema.as_str());
    // The empty schema gives the columns when no segment does.
    std::iter::once(EMPTY_SCHEMA)
        .chain(sealed)
        .map(|schema| format!("SELECT * FROM {schema}.{table}"))
        .collect()
}

fn hops(part: &Part) -> String {
    let links = if part.is_text {
        "f.links"
    } else {
        "f.links::JSON"
    };
    let after = part.after_row.map(|row| format!(" AND f.rowid > {row}"));
    let to = part.to_row.map(|row| format!(" AND f.rowid <= {row}"));
    HOPS.replace("{facts}", &part.schema)
        .replace("{dictionaries}", &part.schema)
        .replace("{links}", links)
        .replace(
            "{rows}",
            &[after, to].into_iter().flatten().collect::<String>(),
        )
}

/// Whether a segment's documents are text. Without rows it does not matter.
fn links_are_text(conn: &Connection, schema: &str) -> duckdb::Result<bool> {
    let sql = format!("SELECT typeof(links) <> 'VARIANT' FROM {schema}.spans LIMIT 1");
    Ok(conn
        .query_row(&sql, [], |row| row.get(0))
        .optional()?
        .unwrap_or(true))
}

#[cfg(test)]
mod tests;
