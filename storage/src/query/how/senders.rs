//! The numbers of each instance and each version of a service: the roll-ups know neither, so they are counted from spans.

use duckdb::types::Value;

use super::super::conditions::Conditions;
use super::{clause, summed};
use crate::model::{InstancesQuery, ServiceQuery, TimeRange};
use crate::rollup::{BUCKET_NS, first_bucket};

const SENT: &str = include_str!("sent.sql");

/// The versions of one service by its own entry spans; rates are over `seconds`.
pub fn versions(query: &ServiceQuery, seconds: f64) -> String {
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    if let Some(own) = &query.own {
        conditions.own_scope(own);
    }
    conditions.add(
        "kind IN ('server', 'consumer') AND NOT coalesce(sidecar, false)",
        [],
    );
    let of = (query.service.as_str(), query.range);
    sent(
        of,
        conditions,
        ("service_version", "first_seen DESC"),
        seconds,
    )
}

/// The instances of one service by the spans that best stand for its calls; rates are over `seconds`.
pub fn instances(query: &InstancesQuery, seconds: f64) -> String {
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    let key = "environment, service_namespace, cluster, service_instance_id";
    let order = "calls DESC, service_instance_id";
    let of = (query.service.as_str(), query.range);
    sent(of, conditions, (key, order), seconds)
}

/// The spans of a service in the buckets that touch a range, by a key and in its order; what was sent again is left out.
fn sent(
    (service, range): (&str, TimeRange),
    mut conditions: Conditions,
    (key, order): (&str, &str),
    seconds: f64,
) -> String {
    conditions.add(
        "coalesce(service_name, 'unknown_service') = ?",
        [Value::Text(service.to_owned())],
    );
    let last = range.to_unix_nano.saturating_sub(1).div_euclid(BUCKET_NS);
    let end = last.saturating_add(1).saturating_mul(BUCKET_NS);
    conditions.add(
        "NOT coalesce(resent, false) \
         AND start_time >= make_timestamp_ns(?) AND start_time < make_timestamp_ns(?)",
        [Value::BigInt(first_bucket(range)), Value::BigInt(end)],
    );
    let counted = SENT
        .replace("{key}", key)
        .replace("{where}", &clause(&conditions));
    let key = format!("{key}, first_seen, last_seen");
    counted.trim_end().to_owned() + &summed(&key, seconds, order)
}
