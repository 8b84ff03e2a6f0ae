//! The list of metrics.

use duckdb::types::Value;

use super::conditions::Conditions;
use super::filter::check_regexes;
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{MetricSummary, MetricsQuery, Page};

/// The metrics stored, by name; of a range, those with a point in it.
pub fn metrics(
    session: &Session<'_>,
    query: &MetricsQuery,
) -> Result<Page<MetricSummary>, QueryError> {
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
    let mut values = Vec::new();
    let seen = query.range.map_or_else(String::new, |range| {
        let points = session
            .set()
            .relation_sql("metric_points", |segment| {
                segment.may_hold_time(range.from_unix_nano, range.to_unix_nano)
            })
            .expect("metric_points is a relation");
        conditions.add("series_id IN (FROM seen)", []);
        values = vec![
            Value::BigInt(range.from_unix_nano),
            Value::BigInt(range.to_unix_nano),
        ];
        format!(
            "WITH seen AS (SELECT series_id FROM ({points}) \
             WHERE \"time\" >= make_timestamp_ns(?) AND \"time\" < make_timestamp_ns(?)) "
        )
    });
    values.extend_from_slice(conditions.values());
    let sql = format!(
        "{seen}SELECT name, type, unit, temporality, is_monotonic, any_value(description), count(*)::UBIGINT, \
         array_to_string(list_sort(list_distinct(list(service_name))), chr(31)) \
         FROM metrics f {} GROUP BY name, type, unit, temporality, is_monotonic \
         ORDER BY name, type, unit, temporality, is_monotonic",
        conditions.filter_clause()
    );
    let items: Vec<MetricSummary> = session.run_over(&["metrics"], |conn| {
        if let Some(filter) = &query.filter {
            check_regexes(conn, filter)?;
        }
        let mut statement = conn.ask(&sql)?;
        let rows = statement.query_map(&values, |row| {
            let services: Option<String> = row.get(7)?;
            Ok(MetricSummary {
                name: row.get(0)?,
                kind: row.get(1)?,
                unit: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                temporality: row.get(3)?,
                is_monotonic: row.get(4)?,
                description: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                streams: row.get(6)?,
                services: services
                    .filter(|text| !text.is_empty())
                    .map(|text| text.split('\u{1f}').map(str::to_owned).collect())
                    .unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    })?;
    Ok(Page::cut(items, query.limit.max(1)))
}
