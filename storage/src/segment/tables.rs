//! The tables of a segment, as data: one list makes the hot tables, the sealed ones and the SELECT between.
//!
//! The order of columns is the order of the Arrow columns the ingest side builds, because an appender
//! goes by position; a test compares the two.

/// How a column is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The same type in hot and sealed.
    Plain(&'static str),
    /// Hot-encoded text in hot, VARIANT in sealed.
    Document,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub name: &'static str,
    pub form: Form,
}

/// One table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub name: &'static str,
    pub columns: &'static [Column],
    /// Sort order of the sealed form.
    pub order_by: &'static str,
    /// The column of event time, for tables whose odd rows go to the outliers.
    pub event_time: Option<&'static str>,
}

const fn plain(name: &'static str, sql_type: &'static str) -> Column {
    Column {
        name,
        form: Form::Plain(sql_type),
    }
}

const fn document(name: &'static str) -> Column {
    Column {
        name,
        form: Form::Document,
    }
}

pub(crate) const RESOURCES: Table = Table {
    name: "resources",
    columns: &[
        plain("resource_ix", "UINTEGER"),
        plain("resource_id", "UBIGINT"),
        plain("service_name", "VARCHAR"),
        plain("service_namespace", "VARCHAR"),
        plain("service_version", "VARCHAR"),
        plain("service_instance_id", "VARCHAR"),
        plain("environment", "VARCHAR"),
        plain("cluster", "VARCHAR"),
        document("attributes"),
        plain("schema_url", "VARCHAR"),
        plain("dropped_attributes_count", "UINTEGER"),
        plain("entity_refs", "VARCHAR"),
    ],
    order_by: "resource_ix",
    event_time: None,
};

pub(crate) const SCOPES: Table = Table {
    name: "scopes",
    columns: &[
        plain("scope_ix", "UINTEGER"),
        plain("scope_id", "UBIGINT"),
        plain("name", "VARCHAR"),
        plain("version", "VARCHAR"),
        document("attributes"),
        plain("schema_url", "VARCHAR"),
        plain("dropped_attributes_count", "UINTEGER"),
    ],
    order_by: "scope_ix",
    event_time: None,
};

pub(crate) const SERIES: Table = Table {
    name: "series",
    columns: &[
        plain("series_ix", "UINTEGER"),
        plain("series_id", "UBIGINT"),
        plain("resource_ix", "UINTEGER"),
        plain("scope_ix", "UINTEGER"),
        plain("name", "VARCHAR"),
        plain("unit", "VARCHAR"),
        plain("kind", "VARCHAR"),
        plain("temporality", "VARCHAR"),
        plain("is_monotonic", "BOOLEAN"),
        document("attributes"),
        plain("description", "VARCHAR"),
        document("metadata"),
    ],
    order_by: "series_ix",
    event_time: None,
};

pub(crate) const SPANS: Table = Table {
    name: "spans",
    columns: &[
        plain("resource_ix", "UINTEGER"),
        plain("scope_ix", "UINTEGER"),
        plain("trace_id", "VARCHAR"),
        plain("span_id", "VARCHAR"),
        plain("parent_span_id", "VARCHAR"),
        plain("trace_state", "VARCHAR"),
        plain("flags", "UINTEGER"),
        plain("name", "VARCHAR"),
        plain("kind", "VARCHAR"),
        plain("start_time", "TIMESTAMP_NS"),
        plain("start_exception", "UBIGINT"),
        plain("duration_ns", "BIGINT"),
        plain("end_exception", "UBIGINT"),
        plain("status_code", "VARCHAR"),
        plain("status_message", "VARCHAR"),
        document("attributes"),
        document("events"),
        document("links"),
        plain("dropped_attributes_count", "UINTEGER"),
        plain("dropped_events_count", "UINTEGER"),
        plain("dropped_links_count", "UINTEGER"),
        plain("peer", "VARCHAR"),
        plain("peer_kind", "VARCHAR"),
        plain("sidecar", "BOOLEAN"),
        plain("weight", "DOUBLE"),
        plain("resent", "BOOLEAN"),
    ],
    order_by: "trace_id, start_time",
    event_time: Some("start_time"),
};

pub(crate) const LOGS: Table = Table {
    name: "logs",
    columns: &[
        plain("resource_ix", "UINTEGER"),
        plain("scope_ix", "UINTEGER"),
        plain("time", "TIMESTAMP_NS"),
        plain("time_exception", "UBIGINT"),
        plain("observed_time", "TIMESTAMP_NS"),
        plain("observed_exception", "UBIGINT"),
        plain("severity_number", "INTEGER"),
        plain("severity_text", "VARCHAR"),
        plain("event_name", "VARCHAR"),
        plain("body", "VARCHAR"),
        plain("body_type", "VARCHAR"),
        plain("trace_id", "VARCHAR"),
        plain("span_id", "VARCHAR"),
        plain("flags", "UINTEGER"),
        document("attributes"),
        plain("dropped_attributes_count", "UINTEGER"),
    ],
    order_by: "trace_id, time",
    event_time: Some("time"),
};

pub(crate) const NUMBER_POINTS: Table = Table {
    name: "number_points",
    columns: &[
        plain("series_ix", "UINTEGER"),
        plain("time", "TIMESTAMP_NS"),
        plain("time_exception", "UBIGINT"),
        plain("start_time", "TIMESTAMP_NS"),
        plain("start_exception", "UBIGINT"),
        plain("flags", "UINTEGER"),
        plain("value_int", "BIGINT"),
        plain("value_double", "DOUBLE"),
    ],
    order_by: "series_ix, time",
    event_time: Some("time"),
};

pub(crate) const HISTOGRAM_POINTS: Table = Table {
    name: "histogram_points",
    columns: &[
        plain("series_ix", "UINTEGER"),
        plain("time", "TIMESTAMP_NS"),
        plain("time_exception", "UBIGINT"),
        plain("start_time", "TIMESTAMP_NS"),
        plain("start_exception", "UBIGINT"),
        plain("flags", "UINTEGER"),
        plain("count", "UBIGINT"),
        plain("sum", "DOUBLE"),
        plain("min", "DOUBLE"),
        plain("max", "DOUBLE"),
        plain("bucket_counts", "UBIGINT[]"),
        plain("explicit_bounds", "DOUBLE[]"),
        plain("scale", "INTEGER"),
        plain("zero_count", "UBIGINT"),
        plain("zero_threshold", "DOUBLE"),
        plain("positive_offset", "INTEGER"),
        plain("positive_bucket_counts", "UBIGINT[]"),
        plain("negative_offset", "INTEGER"),
        plain("negative_bucket_counts", "UBIGINT[]"),
        plain("quantiles", "DOUBLE[]"),
        plain("quantile_values", "DOUBLE[]"),
    ],
    order_by: "series_ix, time",
    event_time: Some("time"),
};

pub(crate) const EXEMPLARS: Table = Table {
    name: "exemplars",
    columns: &[
        plain("series_ix", "UINTEGER"),
        plain("point_time", "TIMESTAMP_NS"),
        plain("point_time_exception", "UBIGINT"),
        plain("time", "TIMESTAMP_NS"),
        plain("time_exception", "UBIGINT"),
        plain("value_int", "BIGINT"),
        plain("value_double", "DOUBLE"),
        plain("trace_id", "VARCHAR"),
        plain("span_id", "VARCHAR"),
        document("filtered_attributes"),
    ],
    order_by: "trace_id, time",
    event_time: None,
};

/// Who sent it: small tables that rows refer to by number.
pub(crate) const DICTIONARIES: [Table; 3] = [RESOURCES, SCOPES, SERIES];
/// What was sent.
pub(crate) const FACTS: [Table; 5] = [SPANS, LOGS, NUMBER_POINTS, HISTOGRAM_POINTS, EXEMPLARS];

/// Tables of breaker evidence, the same in hot and sealed segments.
pub(crate) const BREAKER_TABLES: &str = include_str!("breakers.sql");

/// Names of the tables in [`BREAKER_TABLES`].
pub(crate) const BREAKER_EVIDENCE: [&str; 3] =
    ["breaker_transitions", "breaker_samples", "breaker_config"];

/// SQL that counts a sealed segment's breaker evidence.
pub(crate) fn count_evidence(schema: &str) -> String {
    let counts: Vec<String> = BREAKER_EVIDENCE
        .iter()
        .chain(["breaker_marks"].iter())
        .map(|table| format!("(SELECT count(*) FROM {schema}.{table})"))
        .collect();
    format!("SELECT {}", counts.join(" + "))
}

impl Table {
    /// `CREATE TABLE` of the hot form.
    pub(crate) fn create_hot(&self, schema: &str) -> String {
        self.create(schema, "VARCHAR")
    }

    /// `CREATE TABLE` of the sealed form.
    pub(crate) fn create_sealed(&self, schema: &str) -> String {
        self.create(schema, "VARIANT")
    }

    fn create(&self, schema: &str, document: &str) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| match column.form {
                Form::Plain(sql_type) => format!("{} {sql_type}", quoted(column.name)),
                Form::Document => format!("{} {document}", quoted(column.name)),
            })
            .collect();
        format!(
            "CREATE TABLE {schema}.{} ({});\n",
            self.name,
            columns.join(", ")
        )
    }

    /// The columns of a hot table as a sealed one has them.
    pub(crate) fn sealing_list(&self) -> String {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| match column.form {
                Form::Plain(_) => quoted(column.name),
                Form::Document => format!("{0}::JSON::VARIANT AS {0}", quoted(column.name)),
            })
            .collect();
        names.join(", ")
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{LogColumns, MetricColumns, SpanColumns};
    use arrow::record_batch::RecordBatch;

    fn names(batch: &RecordBatch) -> Vec<String> {
        batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    fn declared(table: &Table) -> Vec<String> {
        table
            .columns
            .iter()
            .map(|column| column.name.to_owned())
            .collect()
    }

    #[test]
    fn hot_tables_have_the_columns_that_ingest_builds_in_the_same_order() {
        let mut spans = names(&SpanColumns::default().finish());
        spans.push("resent".to_owned());
        assert_eq!(declared(&SPANS), spans);
        assert_eq!(declared(&LOGS), names(&LogColumns::default().finish()));
        let metrics = MetricColumns::default().finish();
        assert_eq!(declared(&NUMBER_POINTS), names(&metrics.numbers));
        assert_eq!(declared(&HISTOGRAM_POINTS), names(&metrics.histograms));
        assert_eq!(declared(&EXEMPLARS), names(&metrics.exemplars));
    }
}
