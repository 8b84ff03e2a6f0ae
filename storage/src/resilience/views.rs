//! The public relations of breakers, as SQL over the evidence of a set of segments.
//!
//! | relation | what it adds to the evidence |
//! |---|---|
//! | `breaker_samples` | what people said numbers of unknown meaning mean |
//! | `breaker_config` | nothing |
//! | `breaker_transitions` | de-duplication (R7), and the changes that samples prove (R1 to R4) |
//! | `breaker_instances` | the latest state of each instance, `stale` by R5 |
//! | `breakers` | instances folded into the logical breaker |
//! | `breaker_intervals` | every state of each instance from when to when, silences (R5) among them |
//! | `breaker_days` | time in state, trips and flapping of the logical breaker a day |
//!
//! Concluding reads not every sample but the *marks*: those beside a change or a silence, which the sealer picks out
//! once. Of a hot segment, which is small, every sample is a mark. Names in the SQL are our own; nothing from outside becomes SQL text.

use duckdb::Connection;

use crate::empty::EMPTY_SCHEMA;

const SAMPLES: &str = include_str!("views/samples.sql");
const CONFIG: &str = include_str!("views/config.sql");
const TRANSITIONS: &str = include_str!("views/transitions.sql");
const KNOWN: &str = include_str!("views/known.sql");
const INSTANCES: &str = include_str!("views/instances.sql");
const BREAKERS: &str = include_str!("views/breakers.sql");
const MARKS: &str = include_str!("views/marks.sql");
const LEARNED: &str = include_str!("views/learned.sql");
const PACE: &str = include_str!("views/pace.sql");
const SPELLS: &str = include_str!("views/spells.sql");
const INTERVALS: &str = include_str!("views/intervals.sql");
const DAYS: &str = include_str!("views/days.sql");
/// When instances that only report were last heard of, and are stale from: nobody was asked. Evidence does not tell it,
/// conclusions look it up.
const NOBODY_HEARD: &str = "(SELECT NULL::VARCHAR AS breaker_id, NULL::VARCHAR AS instance, NULL::BIGINT AS until_ns, NULL::BIGINT AS stale_at WHERE false)";

/// The table of what people said numbers mean: `raw_state`, service (empty for any), state.
pub(crate) fn learned_table() -> String {
    format!("{EMPTY_SCHEMA}.learned_states")
}

/// A segment with evidence.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Its qualified schema, ready for SQL text.
    pub schema: String,
    /// It has samples and no marks yet.
    pub is_hot: bool,
}

/// The body of `breaker_samples` over these segments.
pub(crate) fn samples(parts: &[Part]) -> String {
    SAMPLES.replace("{evidence}", &learned(&rows("breaker_samples", parts)))
}

/// The body of `breaker_config` over these segments.
pub(crate) fn config(parts: &[Part]) -> String {
    rows_of(CONFIG, "breaker_config", parts)
}

/// The body of `breaker_transitions` over these segments.
pub(crate) fn all_transitions(parts: &[Part]) -> String {
    transitions(&format!("({})", pace(parts)), parts)
}

/// `CREATE VIEW` of what is concluded about breakers, over these segments, in a schema that has their `breaker_config` and
/// `breaker_transitions`.
pub(crate) fn create_concluded(schema: &str, parts: &[Part]) -> String {
    let pace = format!("({})", pace(parts));
    let told = format!("{schema}.breaker_transitions");
    let instances = format!("({})", known(&told, schema, &pace, parts));
    // Within the intervals the transitions are read once, under the name `told`.
    let states = format!("({})", known("told", schema, &pace, parts));
    let spells = format!("({})", spells(&told, &states, &pace, parts));
    [
        (
            "breaker_instances",
            INSTANCES
                .replace("{known}", &instances)
                .replace("{heard}", NOBODY_HEARD),
        ),
        ("breakers", BREAKERS.replace("{schema}", schema)),
        (
            "breaker_intervals",
            INTERVALS
                .replace("{spells}", &spells)
                .replace("{heard}", NOBODY_HEARD),
        ),
        ("breaker_days", DAYS.replace("{schema}", schema)),
    ]
    .map(|(name, body)| format!("CREATE VIEW {schema}.{name} AS {body};\n"))
    .concat()
}

/// Every relation of breakers in a schema of its own, over no evidence at all.
pub(crate) fn create_of_nothing(schema: &str) -> String {
    format!(
        "CREATE SCHEMA {schema};\n\
         CREATE VIEW {schema}.breaker_samples AS {};\n\
         CREATE VIEW {schema}.breaker_config AS {};\n\
         CREATE VIEW {schema}.breaker_transitions AS {};\n{}",
        samples(&[]),
        config(&[]),
        all_transitions(&[]),
        create_concluded(schema, &[])
    )
}

/// `CREATE TABLE` of what people said numbers mean, which the views read; there is one, and it stays.
pub(crate) fn create_learned() -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (raw_state VARCHAR, service_name VARCHAR, state VARCHAR);\n",
        learned_table()
    )
}

/// Makes `schema` with what the evidence of these segments leads to by now as tables, under the names of the public
/// relations; `settings` is the schema whose `breaker_config` it takes.
pub(crate) fn conclude(schema: &str, settings: &str, parts: &[Part]) -> String {
    let table = |name: &str| format!("{schema}.{name}");
    let told = table("breaker_transitions");
    let (pace, transitions) = (pace(parts), transitions(&table("pace"), parts));
    let known = known(&told, settings, &table("pace"), parts);
    let spells = spells(&told, &table("known"), &table("pace"), parts);
    let instances = INSTANCES
        .replace("{known}", &table("known"))
        .replace("{heard}", &table("heard"));
    let breakers = BREAKERS.replace("{schema}", schema);
    let intervals = INTERVALS
        .replace("{spells}", &table("spells"))
        .replace("{heard}", &table("heard"));
    let days = DAYS.replace("{schema}", schema);
    format!(
        "CREATE SCHEMA {schema};\n\
         CREATE TABLE {schema}.pace AS {pace};\n\
         CREATE TABLE {schema}.breaker_transitions AS {transitions};\n\
         CREATE TABLE {schema}.known AS {known};\n\
         CREATE TABLE {schema}.spells AS {spells};\n\
         CREATE TABLE {schema}.heard (breaker_id VARCHAR, instance VARCHAR, until_ns BIGINT, stale_at BIGINT);\n\
         CREATE VIEW {schema}.breaker_instances AS {instances};\n\
         CREATE VIEW {schema}.breakers AS {breakers};\n\
         CREATE VIEW {schema}.breaker_intervals AS {intervals};\n\
         CREATE VIEW {schema}.breaker_days AS {days};\n\
         CREATE TABLE {schema}.callee_names (environment VARCHAR, service_namespace VARCHAR, cluster VARCHAR, \
         service_name VARCHAR, called VARCHAR, callee VARCHAR);\n\
         CREATE TABLE {schema}.callees_under_breakers (breaker_id VARCHAR, callee VARCHAR);\n"
    )
}

fn rows_of(template: &str, table: &str, parts: &[Part]) -> String {
    template.replace("{evidence}", &rows(table, parts))
}

fn pace(parts: &[Part]) -> String {
    PACE.replace("{marks}", &marks(parts))
}

fn transitions(pace: &str, parts: &[Part]) -> String {
    rows_of(TRANSITIONS, "breaker_transitions", parts)
        .replace("{marks}", &marks(parts))
        .replace("{pace}", pace)
}

fn known(transitions: &str, settings: &str, pace: &str, parts: &[Part]) -> String {
    let reported = some(
        "breaker_id, service_instance_id, peer_service, peer_address, peer_evidence, \"time\"",
        "breaker_transitions",
        "breaker_transitions",
        parts,
    );
    KNOWN
        .replace("{marks}", &marks(parts))
        .replace("{reported}", &reported)
        .replace("{transitions}", transitions)
        .replace("{config}", &format!("{settings}.breaker_config"))
        .replace("{pace}", pace)
}

fn spells(transitions: &str, known: &str, pace: &str, parts: &[Part]) -> String {
    SPELLS
        .replace("{marks}", &marks(parts))
        .replace("{transitions}", transitions)
        .replace("{known}", known)
        .replace("{pace}", pace)
}

/// Fills the marks of a sealed segment in the making from the samples and marks of others.
pub(crate) fn write_marks(conn: &Connection, from: &[Part], to: &str) -> duckdb::Result<()> {
    conn.execute_batch(
        &MARKS
            .replace("{to}", &format!("{to}.breaker_marks"))
            .replace("{pace}", &pace(from))
            .replace("{samples}", &reported_marks(from)),
    )
}

/// SQL that names the breakers whose evidence names a trace; the trace id is parameter 1 and 2.
pub(crate) fn of_trace(parts: &[Part]) -> String {
    format!(
        "SELECT breaker_id FROM {} WHERE trace_id = ? UNION SELECT breaker_id FROM {} WHERE trace_id = ?",
        some(
            "breaker_id, trace_id",
            "breaker_transitions",
            "breaker_transitions",
            parts
        ),
        some(
            "breaker_id, trace_id",
            "breaker_samples",
            "breaker_marks",
            parts
        ),
    )
}

/// SQL of the latest spans in which breakers were seen: breaker, trace and span. The ids of the breakers, joined by
/// `chr(30)`, are parameter 1; `each` is how many spans of one breaker, `all` how many altogether: every breaker has its
/// latest before any has more.
pub(crate) fn spans_of(parts: &[Part], each: usize, all: usize) -> String {
    let columns = "breaker_id, trace_id, span_id, \"time\"";
    let (changes, samples) = ("breaker_transitions", "breaker_samples");
    format!(
        "SELECT breaker_id, trace_id, span_id FROM ( \
         SELECT *, row_number() OVER (PARTITION BY breaker_id ORDER BY \"time\" DESC, span_id) AS nth \
         FROM (FROM {} UNION ALL FROM {}) \
         WHERE trace_id IS NOT NULL AND span_id IS NOT NULL AND \"time\" IS NOT NULL \
         AND breaker_id IN (SELECT unnest(string_split($1, chr(30))))) WHERE nth <= {each} \
         ORDER BY nth, \"time\" DESC, breaker_id, span_id LIMIT {all}",
        some(columns, changes, changes, parts),
        some(columns, samples, "breaker_marks", parts),
    )
}

/// SQL of whether there is evidence of any breaker.
pub(crate) fn has_any(parts: &[Part]) -> String {
    format!(
        "SELECT EXISTS (FROM {}) OR EXISTS (FROM {}) OR EXISTS (FROM {})",
        some("1", "breaker_config", "breaker_config", parts),
        some("1", "breaker_transitions", "breaker_transitions", parts),
        some("1", "breaker_samples", "breaker_marks", parts),
    )
}

/// Some columns of a table in all segments, by its name in hot and in sealed ones: what is not named is not planned.
fn some(columns: &str, hot: &str, sealed: &str, parts: &[Part]) -> String {
    let empty = format!("SELECT {columns} FROM {EMPTY_SCHEMA}.{sealed}");
    let of = |part: &Part| {
        let table = if part.is_hot { hot } else { sealed };
        format!("SELECT {columns} FROM {}.{table}", part.schema)
    };
    let selects: Vec<String> = std::iter::once(empty).chain(parts.iter().map(of)).collect();
    format!("({})", selects.join(" UNION ALL "))
}

/// The rows of a table in all segments; the empty schema gives the columns when there is none.
fn rows(table: &str, parts: &[Part]) -> String {
    let selects: Vec<String> = std::iter::once(EMPTY_SCHEMA)
        .chain(parts.iter().map(|part| part.schema.as_str()))
        .map(|schema| format!("SELECT * FROM {schema}.{table}"))
        .collect();
    format!("({})", selects.join(" UNION ALL "))
}

/// Marks with what their numbers were said to mean.
fn marks(parts: &[Part]) -> String {
    learned(&reported_marks(parts))
}

fn learned(rows: &str) -> String {
    let sql = LEARNED
        .replace("{rows}", rows)
        .replace("{learned}", &learned_table());
    format!("({sql})")
}

fn reported_marks(parts: &[Part]) -> String {
    let of = |part: &Part| match part.is_hot {
        true => format!(
            "SELECT * EXCLUDE (hosts_ejected, hosts_healthy, hosts_total, counted_since), NULL::BIGINT AS interval_ns, \
             NULL::BIGINT AS heard_since, hosts_ejected, hosts_healthy, hosts_total, counted_since FROM {}.breaker_samples",
            part.schema
        ),
        false => format!("SELECT * FROM {}.breaker_marks", part.schema),
    };
    let empty = format!("SELECT * FROM {EMPTY_SCHEMA}.breaker_marks");
    let selects: Vec<String> = std::iter::once(empty).chain(parts.iter().map(of)).collect();
    format!("({})", selects.join(" UNION ALL "))
}
