//! How a number of a page comes about: SQL over the public relations that answers the same question, its range, scope
//! and filter written as literals. People open it in `/sql` and go on from there; nothing of it is run here.

mod senders;
mod stored;

use duckdb::types::Value;

pub use self::senders::{instances, versions};
pub use self::stored::{stored, stored_services};
use super::activity::COUNTED_BEFORE_NS;
use super::conditions::Conditions;
use super::heatmap::{Grid, ONCE};
use super::pulse::pulse_steps;
use super::requests::{BASELINE_NS, REQUEST_METRICS, counted_sql};
use super::service::{of_service, steps_of};
use super::{QueryError, breakers, lanes, logs, search};
use crate::model::{
    BreakersQuery, EncodingsQuery, GraphQuery, HeatmapQuery, LanesQuery, LogQuery,
    MetricPointsQuery, MetricsQuery, ServiceOrder, ServiceQuery, ServicesQuery, TimeRange,
    TraceOrder, TraceQuery, TransitionsQuery,
};

const OF_RED: &str = include_str!("how/of_red.sql");
const BREAKERS: &str = include_str!("how/breakers.sql");
const LANES: &str = include_str!("how/lanes.sql");
const INTERVALS: &str = include_str!("how/intervals.sql");
const CHANGES: &str = include_str!("how/changes.sql");
const BREAKER_WINDOWS: &str = include_str!("how/breaker_windows.sql");
const BREAKER_CALLS: &str = include_str!("how/breaker_calls.sql");
const BREAKER_HOSTS: &str = include_str!("how/breaker_hosts.sql");
const REVIEW: &str = include_str!("how/review.sql");
const ENCODINGS: &str = include_str!("how/encodings.sql");
const OF_EDGES: &str = include_str!("how/of_edges.sql");
const SUMMED: &str = include_str!("how/summed.sql");
const REQUEST_STREAMS: &str = include_str!("how/request_streams.sql");
const REQUEST_POINTS: &str = include_str!("how/request_points.sql");
const HEATMAP: &str = include_str!("how/heatmap.sql");
const TRACES: &str = include_str!("how/traces.sql");
const ORDERED_TRACES: &str = include_str!("how/ordered_traces.sql");
const LOG_HISTOGRAM: &str = include_str!("how/log_histogram.sql");
const LOGS: &str = include_str!("how/logs.sql");
const METRICS: &str = include_str!("how/metrics.sql");
const METRIC_POINTS: &str = include_str!("how/metric_points.sql");

/// What names a service in `red`.
const SERVICE: &str = "environment, service_namespace, cluster, service_name";
/// What names an edge in `service_edges`.
const EDGE: &str = "environment, service_namespace, cluster, caller, callee_environment, callee_service_namespace, \
    callee_cluster, callee, kind, is_async";

/// Calls, failures and durations of each service, or of those of one name; rates are over `seconds`.
pub fn services(query: &ServicesQuery, name: Option<&str>, seconds: f64) -> String {
    let order = match query.order {
        ServiceOrder::Name => SERVICE,
        ServiceOrder::Impact => "error_weight DESC, weight DESC, service_name",
        ServiceOrder::Rate => "rate_per_second DESC, service_name",
        ServiceOrder::Errors => "error_ratio DESC, error_weight DESC, service_name",
        ServiceOrder::P95 => "p95_ms DESC NULLS LAST, service_name",
    };
    let mut conditions = of_services(query);
    if let Some(name) = name {
        conditions.add("service_name = ?", [Value::Text(name.to_owned())]);
    }
    let counted = Counted {
        columns: SERVICE,
        service: "PARTITION BY environment, service_namespace, cluster, service_name",
        conditions: &conditions,
    };
    counted.summed(SERVICE, seconds, order)
}

/// Requests of each service, or of those of one name, as their metrics count them; rates are over `seconds`. Which of
/// them a page shows is told by their spans.
pub fn requests(query: &ServicesQuery, name: Option<&str>, seconds: f64) -> String {
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    if let Some(name) = name {
        conditions.add(
            "coalesce(service_name, 'unknown_service') = ?",
            [Value::Text(name.to_owned())],
        );
    }
    let of = clause(&conditions).replacen("WHERE ", "AND ", 1);
    let range = query.range;
    let points = REQUEST_POINTS
        .replace(
            "{after}",
            &time(range.from_unix_nano.saturating_sub(BASELINE_NS)),
        )
        .replace("{until}", &time(range.to_unix_nano));
    let select = format!(
        "SELECT *, errors / calls AS error_ratio, calls / {:?} AS rate_per_second\nFROM by_service\n\
         ORDER BY errors DESC, calls DESC, service_name",
        seconds.max(1e-9)
    );
    let of_names = |template: &str| {
        let text = template.replace("{names}", REQUEST_METRICS);
        text.replace("{and}", &of)
    };
    counted_sql(
        &of_names(REQUEST_STREAMS),
        &of_names(&points),
        &select,
        range,
    )
}

/// The two halves of the range of each service, that movers are found by.
pub fn movers(query: &ServicesQuery) -> String {
    let steps = pulse_steps(query.range);
    let half = (steps.count / 2).max(1) * steps.width;
    let middle = time(steps.from.saturating_add(half));
    let columns = format!(
        "{SERVICE}, CASE WHEN bucket_start < {middle} THEN 'earlier' ELSE 'later' END AS half"
    );
    let counted = Counted {
        columns: &columns,
        service: "PARTITION BY environment, service_namespace, cluster, service_name",
        conditions: &of_services(query),
    };
    let key = format!("{SERVICE}, half");
    counted.summed(&key, half as f64 / 1e9, &key)
}

/// Rate, errors and duration of one service by step of time.
pub fn over_time(query: &ServiceQuery) -> String {
    let (from, width) = steps_of(query);
    let columns = format!(
        "make_timestamp_ns({from} + (epoch_ns(bucket_start) - {from}) // {width} * {width}) AS step"
    );
    let conditions = calls_of_service(query);
    let counted = Counted {
        columns: &columns,
        service: "",
        conditions: &conditions,
    };
    counted.summed("step", width as f64 / 1e9, "step")
}

/// What one service is asked to do; rates are over `seconds`.
pub fn operations(query: &ServiceQuery, seconds: f64) -> String {
    let counted = Counted {
        columns: "name",
        service: "",
        conditions: &calls_of_service(query),
    };
    counted.summed("name", seconds, "calls DESC, name")
}

/// Calls, failures and durations of each edge; rates are over `seconds`.
pub fn edges(query: &GraphQuery, seconds: f64) -> String {
    let mut conditions = Conditions::default();
    conditions.buckets(query.range);
    conditions.scope(&query.scope);
    if let Some(service) = &query.service {
        let name = Value::Text(service.clone());
        conditions.add("(caller = ? OR callee = ?)", [name.clone(), name]);
    }
    let of_edges = OF_EDGES
        .replace("{columns}", EDGE)
        .replace("{where}", &clause(&conditions));
    of_edges.trim_end().to_owned() + &summed(EDGE, seconds, "calls DESC, caller, callee")
}

/// Spans by start and duration; the range must be given.
///
/// # Errors
/// An attribute is compared with what is no text, boolean or number.
pub fn heatmap(query: &HeatmapQuery) -> Result<String, QueryError> {
    let grid = Grid::of(query, query.spans.range.unwrap_or(EVER));
    let mut fits = of_spans(&TraceQuery {
        range: Some(grid.range),
        ..query.spans.clone()
    })?;
    fits.add(ONCE, []);
    Ok(HEATMAP
        .replace("{from}", &grid.from.to_string())
        .replace("{width}", &grid.width.to_string())
        .replace("{where}", &clause(&fits)))
}

/// The traces of a list.
///
/// # Errors
/// An attribute is compared with what is no text, boolean or number.
pub fn traces(query: &TraceQuery) -> Result<String, QueryError> {
    let (template, order) = match query.order {
        TraceOrder::Start => (TRACES, "newest"),
        TraceOrder::Duration => (ORDERED_TRACES, "duration_ms"),
        TraceOrder::Errors => (ORDERED_TRACES, "failed_count"),
        TraceOrder::Spans => (ORDERED_TRACES, "span_count"),
    };
    Ok(template
        .replace("{order}", order)
        .replace("{limit}", &query.limit.to_string())
        .replace("{where}", &clause(&of_spans(query)?)))
}

/// Log records over time by severity and service; the range must be given.
///
/// # Errors
/// An attribute is compared with what is no text, boolean or number.
pub fn log_histogram(query: &LogQuery, steps: u32) -> Result<String, QueryError> {
    let range = query.range.unwrap_or(EVER);
    Ok(LOG_HISTOGRAM
        .replace("{from}", &range.from_unix_nano.to_string())
        .replace("{width}", &step_width(range, steps).to_string())
        .replace("{where}", &clause(&of_logs(query)?)))
}

/// The log records of a list.
///
/// # Errors
/// An attribute is compared with what is no text, boolean or number.
pub fn log_records(query: &LogQuery) -> Result<String, QueryError> {
    Ok(LOGS
        .replace("{limit}", &query.limit.to_string())
        .replace("{where}", &clause(&of_logs(query)?)))
}

/// The metrics of a list.
pub fn metrics(query: &MetricsQuery) -> String {
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    conditions.text("service_name = ?", query.service.as_ref());
    if let Some(text) = query.text.as_ref().filter(|text| !text.is_empty()) {
        conditions.add(
            "contains(lower(name), ?)",
            [Value::Text(text.to_lowercase())],
        );
    }
    conditions.streams(query.filter.as_ref());
    if let Some(range) = query.range {
        conditions.add(
            "series_id IN (SELECT series_id FROM metric_points \
             WHERE \"time\" >= make_timestamp_ns(?) AND \"time\" < make_timestamp_ns(?))",
            bounds(range),
        );
    }
    METRICS.replace("{where}", &clause(&conditions))
}

/// The points of one metric.
pub fn metric_points(query: &MetricPointsQuery) -> String {
    let mut conditions = Conditions::default();
    conditions.add("name = ?", [Value::Text(query.name.clone())]);
    conditions.scope(&query.scope);
    conditions.text("service_name = ?", query.service.as_ref());
    conditions.streams(query.filter.as_ref());
    let (from, to) = (
        time(query.range.from_unix_nano),
        time(query.range.to_unix_nano),
    );
    METRIC_POINTS
        .replace("{time}", &format!("\"time\" >= {from} AND \"time\" < {to}"))
        .replace("{where}", &clause(&conditions))
}

/// The breakers of a list.
pub fn breaker_states(query: &BreakersQuery) -> String {
    BREAKERS
        .replace("{breakers}", &breakers::relation(query.at_unix_nano))
        .replace("{limit}", &query.limit.to_string())
        .replace("{where}", &clause(&breakers::conditions(query)))
}

/// What breakers did in a range: trips, and how many instances refuse at its end.
pub fn breaker_lanes(query: &LanesQuery) -> String {
    of_intervals(LANES, query)
}

/// What each instance of a breaker was in, through a range.
pub fn breaker_intervals(query: &LanesQuery) -> String {
    of_intervals(INTERVALS, query)
}

/// Changes of state, newest first.
pub fn breaker_changes(query: &TransitionsQuery) -> String {
    CHANGES
        .replace("{limit}", &query.limit.to_string())
        .replace("{where}", &clause(&breakers::of_transitions(query)))
}

/// The latest window of each instance of a breaker before the end of a range.
pub fn breaker_windows(breaker_id: &str, range: TimeRange) -> String {
    of_breaker(BREAKER_WINDOWS, breaker_id, range)
}

/// Calls through a breaker by outcome, as its own counters have them.
pub fn breaker_calls(breaker_id: &str, range: TimeRange) -> String {
    of_breaker(BREAKER_CALLS, breaker_id, range)
}

/// Hosts that an ejection counted.
pub fn breaker_hosts(breaker_id: &str, range: TimeRange) -> String {
    of_breaker(BREAKER_HOSTS, breaker_id, range)
}

/// Key figures of breakers over a range; what is estimated of their callees is left out.
pub fn breaker_review(query: &LanesQuery) -> String {
    of_intervals(REVIEW, query)
}

/// Numbers of unknown meaning in a range.
pub fn breaker_numbers(query: &EncodingsQuery) -> String {
    let mut conditions = Conditions::default();
    conditions.add(
        "evidence = 'metric' AND (state = 'unknown' OR learned) \
         AND \"time\" >= make_timestamp_ns(?) AND \"time\" < make_timestamp_ns(?)",
        bounds(query.range),
    );
    conditions.text("service_name = ?", query.service.as_ref());
    ENCODINGS.replace("{where}", &clause(&conditions))
}

fn of_breaker(template: &str, breaker_id: &str, range: TimeRange) -> String {
    let before = range.from_unix_nano.saturating_sub(COUNTED_BEFORE_NS);
    template
        .replace("{before}", &time(before))
        .replace("{from}", &time(range.from_unix_nano))
        .replace("{to}", &time(range.to_unix_nano))
        .replace("{id}", &literal(&Value::Text(breaker_id.to_owned())))
}

fn of_intervals(template: &str, query: &LanesQuery) -> String {
    template
        .replace("{from}", &query.range.from_unix_nano.to_string())
        .replace("{to}", &query.range.to_unix_nano.to_string())
        .replace("{where}", &clause(&lanes::of_people(query)))
}

/// Rows of `red` that count as calls.
struct Counted<'a> {
    /// What is read of each besides its numbers.
    columns: &'a str,
    /// What a service is within them, as a window has it; empty where all rows are of one.
    service: &'a str,
    conditions: &'a Conditions,
}

impl Counted<'_> {
    fn summed(&self, key: &str, seconds: f64, order: &str) -> String {
        let counted = OF_RED
            .replace("{columns}", self.columns)
            .replace("{service}", self.service)
            .replace("{where}", &clause(self.conditions));
        counted.trim_end().to_owned() + &summed(key, seconds, order)
    }
}

fn summed(key: &str, seconds: f64, order: &str) -> String {
    SUMMED
        .replace("{key}", key)
        .replace("{seconds}", &format!("{:?}", seconds.max(1e-9)))
        .replace("{order}", order)
}

fn of_services(query: &ServicesQuery) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.buckets(query.range);
    conditions.scope(&query.scope);
    conditions
}

fn calls_of_service(query: &ServiceQuery) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.buckets(query.range);
    of_service(query, &mut conditions);
    conditions
}

fn of_spans(query: &TraceQuery) -> Result<Conditions, QueryError> {
    let mut conditions = search::conditions(query, None);
    conditions.attributes_of_view(&query.attributes)?;
    conditions.of_view(query.filter.as_ref(), query.range);
    Ok(conditions)
}

fn of_logs(query: &LogQuery) -> Result<Conditions, QueryError> {
    let mut conditions = logs::conditions(query, None);
    conditions.attributes_of_view(&query.attributes)?;
    conditions.of_view(query.filter.as_ref(), query.range);
    Ok(conditions)
}

/// All times there are.
const EVER: TimeRange = TimeRange {
    from_unix_nano: 0,
    to_unix_nano: TimeRange::LAST_UNIX_NANO,
};

/// Nanoseconds of each of so many equal steps.
fn step_width(range: TimeRange, steps: u32) -> i64 {
    let length = range
        .to_unix_nano
        .saturating_sub(range.from_unix_nano)
        .max(1);
    (length - 1) / i64::from(steps.max(1)) + 1
}

fn bounds(range: TimeRange) -> [Value; 2] {
    [
        Value::BigInt(range.from_unix_nano),
        Value::BigInt(range.to_unix_nano),
    ]
}

/// `WHERE …` with its values in it. Of a public view a row and its resource are one: `f`.
fn clause(conditions: &Conditions) -> String {
    let text = conditions
        .listed()
        .replace("r.service_name", "f.service_name");
    filled(&text, conditions.values())
}

/// The text with a literal in each hole.
fn filled(text: &str, values: &[Value]) -> String {
    let mut filled = String::with_capacity(text.len() * 2);
    let mut rest = text;
    for value in values {
        let Some((before, after)) = rest.split_once('?') else {
            break;
        };
        let is_time = before
            .strip_suffix("make_timestamp_ns(")
            .zip(after.strip_prefix(')'));
        match (is_time, value) {
            (Some((before, after)), Value::BigInt(ns)) => {
                filled.push_str(before);
                filled.push_str(&time(*ns));
                rest = after;
            }
            _ => {
                filled.push_str(before);
                filled.push_str(&literal(value));
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// A value as SQL has it. Quotes are doubled, and nothing else ends a text; NUL would end the statement.
fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{}'", text.replace('\0', "").replace('\'', "''")),
        Value::Boolean(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::UBigInt(value) => value.to_string(),
        Value::Double(value) => format!("{value:?}::DOUBLE"),
        _ => "NULL".to_owned(),
    }
}

/// The last moment that is written as a date: beyond, the engine has no dates.
const DATED_MAX: i64 = 9_000_000_000_000_000_000;

/// A moment as SQL has it.
fn time(ns: i64) -> String {
    if !(0..DATED_MAX).contains(&ns) {
        return format!("make_timestamp_ns({ns})");
    }
    let mut text = String::new();
    let nanos = u32::try_from(ns % 1_000_000_000).unwrap_or(0);
    crate::sql::timestamp(&mut text, ns / 1_000_000_000, nanos);
    let text = text.trim_end_matches('Z').replace('T', " ");
    let text = text.strip_suffix(".000000000").unwrap_or(&text);
    format!("'{text}'::TIMESTAMP_NS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_literals_that_nothing_can_leave() {
        let text = |text: &str| Value::Text(text.to_owned());
        let sql = filled(
            "WHERE a = ? AND b > make_timestamp_ns(?) AND c < ? AND d = ? AND e = ?",
            &[
                text("it's ?; -- \\' \0"),
                Value::BigInt(1_700_000_000_123_000_000),
                Value::Double(0.5),
                Value::Boolean(true),
                Value::BigInt(-3),
            ],
        );
        assert_eq!(
            sql,
            "WHERE a = 'it''s ?; -- \\'' ' AND b > '2023-11-14 22:13:20.123000000'::TIMESTAMP_NS AND c < 0.5::DOUBLE \
             AND d = true AND e = -3"
        );
        assert_eq!(
            time(1_700_000_000_000_000_000),
            "'2023-11-14 22:13:20'::TIMESTAMP_NS"
        );
        assert_eq!(time(i64::MAX), format!("make_timestamp_ns({})", i64::MAX));
    }
}
