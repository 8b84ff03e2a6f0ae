//! The public relations over a set of segments, as SQL.
//!
//! Every relation is a UNION ALL of one SELECT a segment. Names in it are our own (aliases made from
//! numbers, columns from [`super::tables`]); nothing from outside becomes SQL text. A hot segment's documents
//! are text and become VARIANT where they are selected; text that is no JSON reads as NULL there and is
//! quarantined by the sealer.

use super::runs::Held;
use super::{Keys, Segment};
use crate::empty::EMPTY_SCHEMA;
use crate::resilience::views as breakers;

/// One schema to read rows from: a segment's own tables, or its outliers.
#[derive(Debug, Clone)]
struct Part {
    /// Where the facts are.
    facts: String,
    /// Where resources, scopes and series are.
    dictionaries: String,
    is_text: bool,
}

/// Relations with one SELECT a segment.
const FACT_RELATIONS: [(&str, &str); 4] = [
    ("spans", include_str!("views/spans.sql")),
    ("logs", include_str!("views/logs.sql")),
    ("metric_points", include_str!("views/metric_points.sql")),
    ("exemplars", include_str!("views/exemplars.sql")),
];

/// Relations of which several segments hold the same row: the newest segment's is shown.
const DICTIONARY_RELATIONS: [(&str, &str, &str); 2] = [
    (
        "resources",
        "resource_id",
        include_str!("views/resources.sql"),
    ),
    ("metrics", "series_id", include_str!("views/metrics.sql")),
];

/// A bucket's start and its exact twin, as every public time has one, and the rest.
const BUCKET: &str = "bucket_start, epoch_ns(bucket_start)::UBIGINT AS bucket_start_unix_nano, * EXCLUDE (bucket_start)";

const CALLS: &str = include_str!("views/calls.sql");
const READABLE_SPANS: &str = include_str!("views/readable_spans.sql");
const REQUEST_STREAMS: &str = include_str!("views/request_streams.sql");
const REQUEST_POINTS: &str = include_str!("views/request_points.sql");
const EDGE_RETRIES: &str = include_str!("views/edge_retries.sql");
const GRPC_ATTEMPTS: &str = include_str!("views/grpc_attempts.sql");
/// On an attempt of gRPC's own instrumentation: how many of its call came before it.
const ATTEMPTS_BEFORE: &str = "previous-rpc-attempts";

/// The body of a fact relation's view (`spans`, `logs`, `metric_points`, `exemplars`) over the given
/// segments, for queries that know which segments they need. `None` for another name.
pub(crate) fn relation<'a>(
    name: &str,
    segments: impl Iterator<Item = &'a Segment>,
) -> Option<String> {
    let (_, template) = FACT_RELATIONS
        .iter()
        .find(|(relation, _)| *relation == name)?;
    let selects: Vec<String> = segments
        .filter(|segment| segment.may_ever_have(name))
        .flat_map(parts)
        .map(|part| part.select(template))
        .collect();
    Some(union_or_empty(&selects, template))
}

/// What questions about calls read of spans, without their documents, over the given segments; and for each of `keys`
/// a column of that name with the attribute's value as text. Keys are our own words.
pub(crate) fn calls<'a>(
    keys: &[&'static str],
    segments: impl Iterator<Item = &'a Segment>,
) -> String {
    over_spans(segments, keys, |is_text, known| {
        calls_template(keys, is_text, known)
    })
}

/// Attempts that gRPC's own instrumentation tells, over those of the given segments that may have some.
pub(crate) fn grpc_attempts<'a>(segments: impl Iterator<Item = &'a Segment>) -> String {
    let with_attempts = segments.filter(|segment| !segment.keys("spans").lack(ATTEMPTS_BEFORE));
    GRPC_ATTEMPTS.replace("{calls}", &calls(&[ATTEMPTS_BEFORE], with_attempts))
}

/// Attributes that are read of spans beside their other columns: those that spans are chosen by, and the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadKeys<'a> {
    pub chosen_by: &'a [&'static str],
    pub others: &'a [&'static str],
}

/// What recognisers read of spans, over the given segments: the events as JSON text, and a column for each of the keys, as of
/// calls. Where attributes are text, they are all there and the other keys are not. `only` is a condition of ours on columns
/// of spans.
pub(crate) fn readable_spans<'a>(
    keys: ReadKeys<'_>,
    only: &str,
    segments: impl Iterator<Item = &'a Segment>,
) -> String {
    let all = [keys.chosen_by, keys.others].concat();
    over_spans(segments, &all, |is_text, known| {
        let others = match is_text {
            true => no_columns(keys.others),
            false => columns_of(keys.others, is_text, known),
        };
        let (attributes, events) = match is_text {
            true => ("f.attributes", "f.events"),
            // Documents are put together for nothing but events, which few spans have.
            false => ("NULL::VARCHAR", "f.events::JSON::VARCHAR"),
        };
        READABLE_SPANS
            .replace("{attributes}", attributes)
            .replace("{events}", events)
            .replace(
                "{columns}",
                &(columns_of(keys.chosen_by, is_text, known) + &others),
            )
            .replace("{only}", only)
    })
}

/// A template over the spans of the given segments, as it is for their form and their attribute keys. Where the runs of a
/// segment differ in which of `keys` they have, each stretch of them is asked by itself.
fn over_spans<'a>(
    segments: impl Iterator<Item = &'a Segment>,
    keys: &[&'static str],
    template: impl Fn(bool, &Keys) -> String,
) -> String {
    let whole = |is_text, known: &Keys| template(is_text, known).replace("{rows}", "true");
    let mut selects: Vec<String> = Vec::new();
    for segment in segments.filter(|segment| segment.may_ever_have("spans")) {
        let known = segment.keys("spans");
        let stretches = segment.stretches(keys);
        for (at, part) in parts(segment).into_iter().enumerate() {
            // Outliers lie in no runs.
            if at > 0 || stretches.is_empty() {
                selects.push(part.select(&whole(part.is_text, &known)));
                continue;
            }
            selects.extend(stretches.iter().map(|(rows, known)| {
                let rows = Held::Rows(vec![rows.clone()]).condition("f.rowid");
                part.select(&template(part.is_text, known).replace("{rows}", &rows))
            }));
        }
    }
    union_or_empty(&selects, &whole(false, &Keys::default()))
}

/// Streams that count requests, and their points, over the given segments; `None` when none has rows. `{names}` is left
/// for the names of their metrics, `{since}` and `{to}` for the times of the points.
pub(crate) fn request_points<'a>(
    segments: impl Iterator<Item = &'a Segment>,
) -> Option<[String; 2]> {
    let parts: Vec<Part> = segments
        .filter(|segment| segment.may_ever_have("metric_points"))
        .flat_map(parts)
        .collect();
    let over = |template: &str| {
        let selects: Vec<String> = parts.iter().map(|part| part.select(template)).collect();
        selects.join("\nUNION ALL\n")
    };
    (!parts.is_empty()).then(|| [over(REQUEST_STREAMS), over(REQUEST_POINTS)])
}

fn calls_template(keys: &[&'static str], is_text: bool, known: &Keys) -> String {
    CALLS.replace("{attributes}", &columns_of(keys, is_text, known))
}

/// A column without values for each of these attributes.
fn no_columns(keys: &[&'static str]) -> String {
    let column = |key: &&str| format!(", NULL::VARCHAR AS \"{key}\"");
    keys.iter().map(column).collect()
}

/// A column for each of these attributes, with its value as text.
fn columns_of(keys: &[&'static str], is_text: bool, known: &Keys) -> String {
    keys.iter()
        .map(|key| {
            let value = if is_text {
                // The key's own bytes first, which needs no parsing.
                format!(
                    "CASE WHEN contains(f.attributes, '\"{key}\":') THEN TRY(json_extract_string(f.attributes, '/{key}')) END"
                )
            } else if known.lack(key) {
                "NULL::VARCHAR".to_owned()
            } else if known.is_flat(key) {
                format!("f.attributes.\"{key}\"::VARCHAR")
            } else {
                // As JSON: a map whose keys differ only in case becomes no text of its own in DuckDB 2.0.0. Nanoseconds
                // a row (2026-11-23, 500,000 rows, 15 keys; keys that all rows have, and one in a hundred): ::VARCHAR,
                // which is pushed into the scan, 10-61 and 18-24; this 297-345 and 106-116; variant_typeof alone
                // 143-200 and 64-68; both in a MATERIALIZED subquery 192-235 and 96-106; CASE on variant_typeof 147-509
                // and 161-201. CASE, TRY and TRY_CAST fail on such a map all the same. Hence the lists of keys.
                format!("json_extract_string(f.attributes.\"{key}\"::JSON, '')")
            };
            format!(", {value} AS \"{key}\"")
        })
        .collect()
}

/// What is concluded about breakers: views that read each other, `breaker_config` and `breaker_transitions`.
const CONCLUDED: &str = "breakers";

/// The public relations, and the unit each is made with: alone, or those of breakers together. A unit comes after those
/// it reads.
pub(crate) const RELATIONS: [(&str, &str); 16] = [
    ("spans", "spans"),
    ("logs", "logs"),
    ("metric_points", "metric_points"),
    ("exemplars", "exemplars"),
    ("resources", "resources"),
    ("metrics", "metrics"),
    ("red", "red"),
    ("service_edges", "service_edges"),
    ("edge_retries", "edge_retries"),
    ("breaker_samples", "breaker_samples"),
    (CONFIG, CONFIG),
    (TRANSITIONS, TRANSITIONS),
    ("breaker_instances", CONCLUDED),
    ("breakers", CONCLUDED),
    ("breaker_intervals", CONCLUDED),
    ("breaker_days", CONCLUDED),
];

const CONFIG: &str = "breaker_config";
const TRANSITIONS: &str = "breaker_transitions";

/// The units that make these relations, each once and in the order they are made in; other names are left out.
pub(crate) fn units(relations: &[&str]) -> Vec<&'static str> {
    let is_asked = |relation: &str| relations.contains(&relation);
    let concludes = RELATIONS
        .iter()
        .any(|(relation, unit)| *unit == CONCLUDED && is_asked(relation));
    let is_read = |relation: &str| concludes && [CONFIG, TRANSITIONS].contains(&relation);
    let mut units: Vec<&'static str> = RELATIONS
        .iter()
        .filter(|(relation, _)| is_asked(relation) || is_read(relation))
        .map(|(_, unit)| *unit)
        .collect();
    units.dedup();
    units
}

/// `CREATE VIEW` of the relations of a unit in `schema`, over these segments.
pub(crate) fn create(unit: &'static str, schema: &str, segments: &[&Segment]) -> String {
    let evidence = || -> Vec<breakers::Part> {
        let with_evidence = segments
            .iter()
            .filter(|segment| segment.may_ever_have_evidence());
        with_evidence.map(|segment| segment.evidence()).collect()
    };
    let rollups = || -> Vec<crate::rollup::Part> {
        let with_calls = segments
            .iter()
            .filter(|segment| segment.may_ever_have_calls());
        with_calls.map(|segment| segment.calls()).collect()
    };
    let body = match unit {
        CONCLUDED => return breakers::create_concluded(schema, &evidence()),
        CONFIG => breakers::config(&evidence()),
        TRANSITIONS => breakers::all_transitions(&evidence()),
        "breaker_samples" => breakers::samples(&evidence()),
        "red" => {
            let red = crate::rollup::red_view_sql(&rollups());
            format!("SELECT {BUCKET} FROM ({red})")
        }
        "service_edges" => {
            let edges = crate::rollup::service_edges_view_sql(&rollups());
            format!("SELECT {BUCKET} FROM ({edges})")
        }
        "edge_retries" => {
            let attempts = calls(&["http.request.resend_count"], segments.iter().copied());
            let retries = EDGE_RETRIES
                .replace("{calls}", &attempts)
                .replace("{grpc}", &grpc_attempts(segments.iter().copied()));
            format!("SELECT {BUCKET} FROM ({retries})")
        }
        name => relation(name, segments.iter().copied())
            .or_else(|| dictionary(name, segments))
            .expect("a unit of the list"),
    };
    format!("CREATE VIEW {schema}.{unit} AS {body};\n")
}

/// The schemas a segment's facts are in.
pub(crate) fn places(segment: &Segment) -> Vec<String> {
    parts(segment).into_iter().map(|part| part.facts).collect()
}

fn parts(segment: &Segment) -> Vec<Part> {
    if !segment.has_rows() {
        return Vec::new();
    }
    let main = Part {
        facts: segment.schema(),
        dictionaries: segment.schema(),
        is_text: segment.is_text(),
    };
    let outliers = Part {
        facts: format!("\"{}\".outliers", segment.alias()),
        ..main.clone()
    };
    if segment.meta.outliers > 0 {
        vec![main, outliers]
    } else {
        vec![main]
    }
}

impl Part {
    /// Fills a template: `{facts}` and `{dictionaries}` are schemas, `{{x}}` is a document column.
    fn select(&self, template: &str) -> String {
        let mut sql = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some(at) = rest.find("{{") {
            let (before, after) = rest.split_at(at);
            let (column, after) = after[2..]
                .split_once("}}")
                .expect("templates close what they open");
            sql.push_str(before);
            if self.is_text {
                sql.push_str(&format!("TRY_CAST({column} AS JSON)::VARIANT"));
            } else {
                sql.push_str(column);
            }
            rest = after;
        }
        sql.push_str(rest);
        sql.replace("{facts}", &self.facts)
            .replace("{dictionaries}", &self.dictionaries)
    }
}

/// A relation needs its columns even when no segment has rows: the templates' own empty schema gives them.
fn union_or_empty(selects: &[String], template: &str) -> String {
    if selects.is_empty() {
        let nothing = Part {
            facts: EMPTY_SCHEMA.to_owned(),
            dictionaries: EMPTY_SCHEMA.to_owned(),
            is_text: false,
        };
        return nothing.select(template);
    }
    selects.join("\nUNION ALL\n")
}

/// The body of a dictionary's view; `None` for another name.
fn dictionary(name: &str, segments: &[&Segment]) -> Option<String> {
    let (_, id, template) = DICTIONARY_RELATIONS
        .iter()
        .find(|(relation, ..)| *relation == name)?;
    let selects: Vec<String> = segments
        .iter()
        .filter(|segment| !segment.meta.is_history)
        .map(|segment| {
            let part = Part {
                facts: segment.schema(),
                dictionaries: segment.schema(),
                is_text: segment.is_text(),
            };
            format!(
                "SELECT {} AS segment_number, * FROM ({})",
                segment.id,
                part.select(template)
            )
        })
        .collect();
    let union = if selects.is_empty() {
        format!(
            "SELECT 0 AS segment_number, * FROM ({})",
            union_or_empty(&[], template)
        )
    } else {
        selects.join("\nUNION ALL\n")
    };
    Some(format!(
        "SELECT * EXCLUDE (segment_number) FROM (SELECT DISTINCT ON ({id}) * FROM ({union}) \
         ORDER BY {id}, segment_number DESC)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_hold_no_map_are_read_as_text_and_others_as_json() {
        let template =
            |known: &str| calls_template(&["error.type"], false, &Keys::from_text(known));
        let text = r#"f.attributes."error.type"::VARCHAR AS"#;
        let json = r#"json_extract_string(f.attributes."error.type"::JSON, '') AS"#;
        assert!(template(r#"{"all":["error.type","b"],"deep":["b"]}"#).contains(text));
        assert!(template(r#"{"all":["error.type"],"deep":["error.type"]}"#).contains(json));
        assert!(template(r#"["error.type"]"#).contains(json));
        assert!(template(r#"{"all":[],"deep":[]}"#).contains("NULL::VARCHAR AS"));
    }

    #[test]
    fn what_a_relation_reads_is_made_before_it_and_everything_once() {
        assert_eq!(units(&["logs", "nothing", "spans"]), ["spans", "logs"]);
        assert_eq!(
            units(&["breaker_days", "breakers"]),
            ["breaker_config", "breaker_transitions", "breakers"]
        );
        for alone in ["breaker_samples", "breaker_transitions"] {
            assert_eq!(units(&[alone]), [alone]);
        }
        let all: Vec<&str> = RELATIONS.iter().map(|(relation, _)| *relation).collect();
        assert_eq!(units(&all).len(), 13);
    }
}
