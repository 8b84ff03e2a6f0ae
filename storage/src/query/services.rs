//! The services of a time range.

use std::collections::BTreeMap;

use duckdb::{Connection, params_from_iter};

use super::conditions::Conditions;
use super::histogram::Totals;
use super::live::covered;
use super::{QueryError, Session};
use crate::model::{Page, Scope, ServiceSummary, ServicesQuery};

const RED_OF_SERVICES: &str = include_str!("services.sql");

/// Services known to the store, by scope and name, with their `red` in the range; those without spans in it
/// have no calls.
pub fn services(
    session: &Session<'_>,
    query: &ServicesQuery,
) -> Result<Page<ServiceSummary>, QueryError> {
    let seconds = covered(session, query.range)?.seconds().max(1e-9);
    let mut all = session.run(|conn| summaries(conn, query, seconds))?;
    let total = all.len() as u64;
    all.truncate(query.limit);
    Ok(Page {
        truncated: (all.len() as u64) < total,
        items: all,
        total: Some(total),
        next: None,
    })
}

/// Names a service.
pub(super) type ServiceKey = (Scope, String);

/// Sums of one service, by how well its spans stand for its calls (1 best), and the spans of all kinds.
#[derive(Default)]
struct ByRank {
    ranks: BTreeMap<u8, Totals>,
}

/// Calls of each service in the range: those of its best rank, and its spans of any kind.
pub(super) fn calls(
    conn: &Connection,
    query: &ServicesQuery,
) -> Result<BTreeMap<ServiceKey, (Totals, u64)>, QueryError> {
    let mut conditions = Conditions::default();
    conditions.buckets(query.range);
    conditions.scope(&query.scope);
    let sql = RED_OF_SERVICES.replace("{where}", &conditions.filter_clause());
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.values()))?;
    let mut services: BTreeMap<ServiceKey, ByRank> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let scope = Scope {
            environment: row.get(0)?,
            service_namespace: row.get(1)?,
            cluster: row.get(2)?,
        };
        let by_rank = services.entry((scope, row.get(3)?)).or_default();
        let totals = by_rank.ranks.entry(row.get(4)?).or_default();
        match row.get::<_, Option<u16>>(5)? {
            Some(bucket) => totals.add_bucket(bucket, row.get(6)?),
            None => {
                let basis: String = row.get(9)?;
                totals.add(row.get(6)?, row.get(7)?, row.get(8)?, &basis);
                totals.last_bucket_unix_nano = totals.last_bucket_unix_nano.max(row.get(10)?);
            }
        }
    }
    Ok(services
        .into_iter()
        .map(|(key, by_rank)| (key, by_rank.best()))
        .collect())
}

impl ByRank {
    fn best(self) -> (Totals, u64) {
        let spans = self.ranks.values().map(|totals| totals.calls).sum();
        let last = self
            .ranks
            .values()
            .filter_map(|totals| totals.last_bucket_unix_nano)
            .max();
        let mut best = self.ranks.into_values().next().unwrap_or_default();
        best.last_bucket_unix_nano = last;
        (best, spans)
    }
}

fn summaries(
    conn: &Connection,
    query: &ServicesQuery,
    seconds: f64,
) -> Result<Vec<ServiceSummary>, QueryError> {
    let mut services: BTreeMap<ServiceKey, ServiceSummary> = BTreeMap::new();
    for (key, (totals, spans)) in calls(conn, query)? {
        let summary = ServiceSummary {
            scope: key.0.clone(),
            service_name: key.1.clone(),
            calls: totals.calls,
            errors: totals.errors,
            weight: totals.weight,
            basis: totals.basis(),
            rate_per_second: totals.weight / seconds,
            error_ratio: if totals.calls == 0 {
                0.0
            } else {
                totals.errors as f64 / totals.calls as f64
            },
            latency: totals.latency(),
            spans,
            last_seen_unix_nano: totals.last_bucket_unix_nano,
            ..ServiceSummary::default()
        };
        services.insert(key, summary);
    }
    add_resources(conn, query, &mut services)?;
    Ok(services.into_values().collect())
}

/// Versions and instances, and services that sent no spans in the range.
fn add_resources(
    conn: &Connection,
    query: &ServicesQuery,
    services: &mut BTreeMap<ServiceKey, ServiceSummary>,
) -> Result<(), QueryError> {
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    let sql = format!(
        "SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service'), \
         service_version, count(DISTINCT service_instance_id)::UBIGINT FROM resources {} GROUP BY ALL ORDER BY ALL",
        conditions.filter_clause()
    );
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.values()))?;
    while let Some(row) = rows.next()? {
        let scope = Scope {
            environment: row.get(0)?,
            service_namespace: row.get(1)?,
            cluster: row.get(2)?,
        };
        let key: ServiceKey = (scope, row.get(3)?);
        let summary = services
            .entry(key.clone())
            .or_insert_with(|| ServiceSummary {
                scope: key.0,
                service_name: key.1,
                ..ServiceSummary::default()
            });
        summary.versions.extend(row.get::<_, Option<String>>(4)?);
        summary.instances += row.get::<_, u64>(5)?;
    }
    Ok(())
}
