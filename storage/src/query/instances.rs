//! The instances of one service: which of them is asked, which fails, which is slow, which has gone silent.
//!
//! The roll-ups know no instances, so these are counted from the spans that are stored.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Row;
use duckdb::types::Value;

use super::conditions::Conditions;
use super::document;
use super::newest::{documents, tables_in};
use super::services::{PROXY_LET_IN, PROXY_SENT_ON, is_of_proxy};
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{
    AttributeValue, Attributes, CountedSpans, InstanceSummary, InstancesQuery, Page, Scope,
    TimeRange,
};
use crate::rollup::{BUCKET_NS, Totals};

const INSTANCES: &str = include_str!("instances.sql");

/// The instances of a service with spans in the range, busiest first, and after them what names none.
pub fn instances(
    session: &Session<'_>,
    query: &InstancesQuery,
) -> Result<Page<InstanceSummary>, QueryError> {
    let range = whole_buckets(query.range);
    let mut conditions = Conditions::default();
    conditions.add(
        "f.start_time >= make_timestamp_ns(?) AND f.start_time < make_timestamp_ns(?)",
        [
            Value::BigInt(range.from_unix_nano),
            Value::BigInt(range.to_unix_nano),
        ],
    );
    conditions.scope(&query.scope);
    conditions.add(
        "coalesce(r.service_name, 'unknown_service') = ?",
        [Value::Text(query.service.clone())],
    );
    let selects: Vec<String> = tables_in(session, "spans", range)
        .iter()
        .map(|table| {
            let sql = INSTANCES
                .replace("{facts}", &table.facts)
                .replace("{dictionaries}", &table.dictionaries)
                .replace("{where}", &conditions.filter_clause());
            documents(&sql, table.is_text)
        })
        .collect();
    if selects.is_empty() {
        return Ok(Page::default());
    }
    let mut found: BTreeMap<(Scope, Option<String>), Found> = BTreeMap::new();
    session.run(|conn| {
        let mut statement = conn.ask(&selects.join("\nUNION ALL\n"))?;
        // Each SELECT has the same holes.
        let values = std::iter::repeat_n(conditions.values(), selects.len()).flatten();
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let scope = Scope {
                environment: row.get(0)?,
                service_namespace: row.get(1)?,
                cluster: row.get(2)?,
            };
            found.entry((scope, row.get(3)?)).or_default().add(row)?;
        }
        Ok(())
    })?;
    Ok(summaries(found, query.limit))
}

/// What is known of one instance.
#[derive(Default)]
struct Found {
    versions: BTreeSet<String>,
    pod: Option<String>,
    host: Option<String>,
    ranks: BTreeMap<u8, Totals>,
    last: i64,
}

impl Found {
    fn add(&mut self, row: &Row<'_>) -> duckdb::Result<()> {
        self.versions.extend(row.get::<_, Option<String>>(4)?);
        if self.ranks.is_empty() {
            let attributes = document::attributes(row.get::<_, Option<String>>(5)?.as_deref());
            self.pod = named(&attributes, "k8s.pod.name");
            self.host =
                named(&attributes, "host.name").or_else(|| named(&attributes, "k8s.node.name"));
        }
        let totals = self.ranks.entry(row.get(6)?).or_default();
        let (calls, errors): (u64, u64) = (row.get(8)?, row.get(9)?);
        totals.add_counts(calls, errors, row.get(11)?, row.get(12)?, "all");
        if let Some(bucket) = row.get::<_, Option<u16>>(7)? {
            totals.add_bucket(bucket, calls);
        }
        self.last = self.last.max(row.get(10)?);
        Ok(())
    }
}

/// The text of an attribute.
fn named(attributes: &Attributes, key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match &found.value {
        AttributeValue::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// The buckets of the roll-ups that touch a range.
fn whole_buckets(range: TimeRange) -> TimeRange {
    let to = range.to_unix_nano.saturating_add(BUCKET_NS - 1);
    TimeRange {
        from_unix_nano: range.from_unix_nano.div_euclid(BUCKET_NS) * BUCKET_NS,
        to_unix_nano: to.div_euclid(BUCKET_NS) * BUCKET_NS,
    }
}

/// Each by the spans that best stand for the calls of the service. A proxy is no instance of it, unless nothing else
/// is known.
fn summaries(
    found: BTreeMap<(Scope, Option<String>), Found>,
    limit: usize,
) -> Page<InstanceSummary> {
    let ranks = found.values().flat_map(|instance| instance.ranks.keys());
    let Some(best) = ranks.min().copied() else {
        return Page::default();
    };
    let all = found
        .into_iter()
        .filter(|(_, instance)| {
            let mut ranks = instance.ranks.keys();
            ranks.any(|rank| *rank == best || !is_of_proxy(*rank))
        })
        .map(|((scope, instance_id), mut instance)| {
            let totals = instance.ranks.remove(&best).unwrap_or_default();
            InstanceSummary {
                scope,
                instance_id,
                versions: instance.versions.into_iter().collect(),
                pod: instance.pod,
                host: instance.host,
                counted: counted(best),
                calls: totals.calls,
                errors: totals.errors,
                weight: totals.weight,
                error_weight: totals.error_weight,
                latency: totals.latency(),
                last_unix_nano: instance.last,
            }
        });
    let (mut items, mut nameless): (Vec<InstanceSummary>, Vec<InstanceSummary>) =
        all.partition(|instance| instance.instance_id.is_some());
    // Ties keep the order of scope and id.
    items.sort_by_key(|instance| std::cmp::Reverse(instance.calls));
    let total = items.len() as u64;
    items.truncate(limit);
    let truncated = (items.len() as u64) < total;
    items.append(&mut nameless);
    Page {
        truncated,
        items,
        total: Some(total),
        next: None,
    }
}

/// The spans of a rank.
fn counted(rank: u8) -> CountedSpans {
    match rank {
        1 => CountedSpans::Entry,
        PROXY_LET_IN => CountedSpans::ProxyEntry,
        3 => CountedSpans::Outgoing,
        PROXY_SENT_ON => CountedSpans::ProxyOutgoing,
        _ => CountedSpans::Other,
    }
}
