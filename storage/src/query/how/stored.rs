//! How much of each signal there is in a range and scope, and from how many services.

use super::super::conditions::Conditions;
use super::{bounds, clause};
use crate::model::ServicesQuery;

/// A reported change is stored as a log record, but nobody logged it.
const LOGGED: &str = "resource_schema_url IS DISTINCT FROM 'tripline:reported'";

/// Spans, log records and metric points, each with its own SQL.
pub fn stored(query: &ServicesQuery) -> [String; 3] {
    let counted = |what: &str, from: &str, conditions: &Conditions| {
        format!(
            "SELECT count(*) AS {what}\nFROM {from}\n{}",
            clause(conditions)
        )
    };
    let [spans, logs, points] = conditions(query);
    [
        counted("spans", "spans", &spans),
        counted("log_records", "logs", &logs),
        counted("metric_points", "metric_points", &points),
    ]
}

/// Services that sent any of them.
pub fn stored_services(query: &ServicesQuery) -> String {
    let named = |from: &str, conditions: &Conditions| {
        format!(
            "    SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service') AS service\n    \
             FROM {from}\n    {}",
            clause(conditions).replace('\n', "\n    ")
        )
    };
    let [spans, logs, points] = conditions(query);
    let all = [
        named("spans", &spans),
        named("logs", &logs),
        named("metric_points", &points),
    ];
    format!(
        "SELECT count(*) AS services\nFROM (\n{}\n)",
        all.join("\n    UNION\n")
    )
}

/// What is asked of each signal.
fn conditions(query: &ServicesQuery) -> [Conditions; 3] {
    let of = |in_range: &'static str| {
        let mut conditions = Conditions::default();
        conditions.scope(&query.scope);
        conditions.add(in_range, bounds(query.range));
        conditions
    };
    let timed = || of("\"time\" >= make_timestamp_ns(?) AND \"time\" < make_timestamp_ns(?)");
    let mut logs = timed();
    logs.add(LOGGED, []);
    [
        of("start_time >= make_timestamp_ns(?) AND start_time < make_timestamp_ns(?)"),
        logs,
        timed(),
    ]
}
