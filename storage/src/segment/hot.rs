//! The hot segment as the writer sees it: the attached file plus the numbers it gave out.
//!
//! Resources, scopes and streams are written once a segment and get small local numbers; rows of a batch
//! refer to the batch's own tables, so their indexes are mapped on the way in. Numbers given out in a
//! transaction that fails are taken back ([`HotWriter::roll_back`]): their rows are not in the file.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, BooleanArray, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, UInt32Type};
use duckdb::Connection;

use super::dictionary;
use super::meta::{FORMAT, Meta};
use super::tables;
use crate::ingest::{
    MetricBatches, PreparedRows, RecentSpans, ResourceRow, ScopeRow, SeriesRow, SpanIdentity,
    service_identity,
};
use crate::resilience::EvidenceBatches;

/// A batch whose columns are finished, ready for the writer.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub resources: Vec<ResourceRow>,
    pub scopes: Vec<ScopeRow>,
    pub rows: PreparedRows,
    /// What names each span; empty for other signals.
    pub identities: Vec<SpanIdentity>,
    /// What the rows say of breakers; committed with them.
    pub evidence: Option<EvidenceBatches>,
    pub bytes: usize,
    pub items: usize,
}

impl Prepared {
    /// Whether every index of the rows is inside the batch's own tables; the reason if not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (resources, scopes) = (self.resources.len(), self.scopes.len());
        match &self.rows {
            PreparedRows::Spans(rows) | PreparedRows::Logs(rows) => {
                check_column(rows, 0, resources)?;
                check_column(rows, 1, scopes)
            }
            PreparedRows::Metrics(rows) => {
                let is_inside = |row: &SeriesRow| {
                    (row.resource as usize) < resources && (row.scope as usize) < scopes
                };
                if !rows.series.iter().all(is_inside) {
                    return Err(
                        "a stream refers to a resource or scope that is not there".to_owned()
                    );
                }
                [&rows.numbers, &rows.histograms, &rows.exemplars]
                    .into_iter()
                    .try_for_each(|batch| check_column(batch, 0, rows.series.len()))
            }
        }
    }
}

impl Prepared {
    /// Puts the service into what names each span, once the indexes are checked.
    pub(crate) fn name_services(&mut self) {
        let PreparedRows::Spans(rows) = &self.rows else {
            return;
        };
        let services: Vec<u64> = self.resources.iter().map(service_identity).collect();
        let resources = rows.column(0).as_primitive::<UInt32Type>().values();
        for (span, resource) in self.identities.iter_mut().zip(resources) {
            *span = span.of_service(services[*resource as usize]);
        }
    }
}

fn check_column(batch: &RecordBatch, column: usize, len: usize) -> Result<(), String> {
    let indexes = batch.column(column).as_primitive::<UInt32Type>().values();
    if indexes.iter().all(|index| (*index as usize) < len) {
        return Ok(());
    }
    Err(format!(
        "{} beyond the {len} the batch has",
        batch.schema().field(column).name()
    ))
}

/// Numbers given to equal values, in order of appearance.
#[derive(Debug)]
struct Numbering<K> {
    known: HashMap<K, u32>,
    /// How many are in the file for certain.
    committed: u32,
}

impl<K> Default for Numbering<K> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            committed: 0,
        }
    }
}

impl<K: Hash + Eq> Numbering<K> {
    /// The number of `key`, and whether it is new.
    fn number(&mut self, key: K) -> (u32, bool) {
        let next =
            u32::try_from(self.known.len()).expect("a segment is rotated long before 2^32 rows");
        let number = *self.known.entry(key).or_insert(next);
        (number, number == next)
    }

    fn commit(&mut self) {
        self.committed = u32::try_from(self.known.len()).expect("counted in number()");
    }

    fn roll_back(&mut self) {
        let committed = self.committed;
        self.known.retain(|_, number| *number < committed);
    }
}

/// Identity of a stream inside a segment: everything but description and metadata.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SeriesKey {
    resource: u32,
    scope: u32,
    name: String,
    unit: String,
    kind: &'static str,
    temporality: Option<String>,
    is_monotonic: Option<bool>,
    attributes: String,
}

/// The writer's side of a hot segment.
#[derive(Debug)]
pub(crate) struct HotWriter {
    alias: String,
    resources: Numbering<ResourceRow>,
    scopes: Numbering<ScopeRow>,
    series: Numbering<SeriesKey>,
}

/// Makes the tables of a new hot segment in the attached, empty database `alias`.
pub(crate) fn create(conn: &Connection, alias: &str, now_ns: i64) -> duckdb::Result<Meta> {
    let schema = format!("\"{alias}\".main");
    let mut sql = String::from("BEGIN;\n");
    for table in tables::DICTIONARIES.iter().chain(&tables::FACTS) {
        sql.push_str(&table.create_hot(&schema));
    }
    sql.push_str(&tables::BREAKER_TABLES.replace("{schema}", &schema));
    conn.execute_batch(&sql)?;
    let meta = Meta {
        format: FORMAT,
        ingest_range: (now_ns, now_ns),
        complete: true,
        ..Meta::default()
    };
    meta.write(conn, &schema)?;
    Meta::write_complete(conn, &schema)?;
    // Into the file itself, so that the log holds rows alone and the format can be read without replaying.
    conn.execute_batch(&format!("COMMIT; CHECKPOINT \"{alias}\";"))?;
    Ok(meta)
}

impl HotWriter {
    /// A writer into the attached hot segment `alias`, which has no rows yet.
    pub(crate) fn new(alias: String) -> Self {
        Self {
            alias,
            resources: Numbering::default(),
            scopes: Numbering::default(),
            series: Numbering::default(),
        }
    }

    /// Appends batches inside the caller's transaction.
    pub(crate) fn append<'a>(
        &mut self,
        conn: &Connection,
        batches: impl Iterator<Item = &'a Prepared>,
        recent: &mut RecentSpans,
    ) -> duckdb::Result<()> {
        let mut spans = Vec::new();
        let mut logs = Vec::new();
        let mut metrics = Vec::new();
        let mut evidence = Vec::new();
        for batch in batches {
            evidence.extend(&batch.evidence);
            let resources = self.number_resources(conn, &batch.resources)?;
            let scopes = self.number_scopes(conn, &batch.scopes)?;
            match &batch.rows {
                PreparedRows::Spans(rows) => {
                    let rows = with_numbers(rows, &[&resources, &scopes]);
                    spans.push(with_resent(&rows, &batch.identities, recent));
                }
                PreparedRows::Logs(rows) => logs.push(with_numbers(rows, &[&resources, &scopes])),
                PreparedRows::Metrics(rows) => {
                    let series =
                        self.number_series(conn, batch, &rows.series, &resources, &scopes)?;
                    metrics.push((rows, series));
                }
            }
        }
        self.append_table(conn, "spans", spans)?;
        self.append_table(conn, "logs", logs)?;
        let of = |pick: fn(&MetricBatches) -> &RecordBatch| -> Vec<RecordBatch> {
            metrics
                .iter()
                .map(|(rows, series)| with_numbers(pick(rows), &[series]))
                .collect()
        };
        self.append_table(conn, "number_points", of(|rows| &rows.numbers))?;
        self.append_table(conn, "histogram_points", of(|rows| &rows.histograms))?;
        self.append_table(conn, "exemplars", of(|rows| &rows.exemplars))?;
        for (at, table) in tables::BREAKER_EVIDENCE.iter().enumerate() {
            let rows = evidence
                .iter()
                .map(|batches| batches.tables()[at].1.clone());
            self.append_table(conn, table, rows.collect())?;
        }
        Ok(())
    }

    /// The transaction is durable: its numbers are for good.
    pub(crate) fn commit(&mut self) {
        self.resources.commit();
        self.scopes.commit();
        self.series.commit();
    }

    /// Resources that are in the file for certain.
    pub(crate) fn committed_resources(&self) -> u32 {
        self.resources.committed
    }

    /// The transaction is gone: so are its numbers.
    pub(crate) fn roll_back(&mut self) {
        self.resources.roll_back();
        self.scopes.roll_back();
        self.series.roll_back();
    }

    fn append_table(
        &self,
        conn: &Connection,
        table: &str,
        batches: Vec<RecordBatch>,
    ) -> duckdb::Result<()> {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let mut appender = conn.appender_to_catalog_and_db(table, &self.alias, "main")?;
        appender.append_record_batch(joined(batches)?)?;
        appender.flush()
    }

    fn number_resources(
        &mut self,
        conn: &Connection,
        rows: &[ResourceRow],
    ) -> duckdb::Result<Vec<u32>> {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut new = Vec::new();
        for row in rows {
            let (number, is_new) = self.resources.number(row.clone());
            numbers.push(number);
            if is_new {
                new.push((number, row));
            }
        }
        self.append_dictionary(conn, "resources", &new, dictionary::resources)?;
        Ok(numbers)
    }

    fn number_scopes(&mut self, conn: &Connection, rows: &[ScopeRow]) -> duckdb::Result<Vec<u32>> {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut new = Vec::new();
        for row in rows {
            let (number, is_new) = self.scopes.number(row.clone());
            numbers.push(number);
            if is_new {
                new.push((number, row));
            }
        }
        self.append_dictionary(conn, "scopes", &new, dictionary::scopes)?;
        Ok(numbers)
    }

    fn number_series(
        &mut self,
        conn: &Connection,
        batch: &Prepared,
        rows: &[SeriesRow],
        resources: &[u32],
        scopes: &[u32],
    ) -> duckdb::Result<Vec<u32>> {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut new = Vec::new();
        for row in rows {
            let key = SeriesKey {
                resource: resources[row.resource as usize],
                scope: scopes[row.scope as usize],
                name: row.name.clone(),
                unit: row.unit.clone(),
                kind: row.kind,
                temporality: row.temporality.clone(),
                is_monotonic: row.is_monotonic,
                attributes: row.attributes.clone(),
            };
            let (resource, scope) = (key.resource, key.scope);
            let (number, is_new) = self.series.number(key);
            numbers.push(number);
            if is_new {
                let id = series_id(row, batch);
                new.push((
                    number,
                    dictionary::NumberedSeries {
                        id,
                        resource,
                        scope,
                        row,
                    },
                ));
            }
        }
        self.append_dictionary(conn, "series", &new, dictionary::series)?;
        Ok(numbers)
    }

    fn append_dictionary<T>(
        &self,
        conn: &Connection,
        table: &str,
        new: &[(u32, T)],
        columns: fn(&[(u32, T)]) -> RecordBatch,
    ) -> duckdb::Result<()> {
        if new.is_empty() {
            Ok(())
        } else {
            self.append_table(conn, table, vec![columns(new)])
        }
    }
}

/// The public `series_id`: equal in every segment for an equal stream.
fn series_id(row: &SeriesRow, batch: &Prepared) -> u64 {
    let resource = batch.resources[row.resource as usize].id();
    let scope = batch.scopes[row.scope as usize].id();
    crate::ingest::identity(&(
        resource,
        scope,
        &row.name,
        &row.unit,
        row.kind,
        &row.temporality,
        row.is_monotonic,
        &row.attributes,
    ))
}

/// One batch of all: the engine goes by vectors of 2,048 rows, and each batch would begin a new one.
fn joined(mut batches: Vec<RecordBatch>) -> duckdb::Result<RecordBatch> {
    if batches.len() == 1 {
        return Ok(batches.remove(0));
    }
    arrow::compute::concat_batches(&batches[0].schema(), &batches)
        .map_err(|error| duckdb::Error::ToSqlConversionFailure(Box::new(error)))
}

/// The batch with its leading index columns mapped from batch-local to segment-local numbers.
fn with_numbers(batch: &RecordBatch, maps: &[&[u32]]) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    for (column, map) in columns.iter_mut().zip(maps) {
        let mapped: UInt32Array = column
            .as_primitive::<UInt32Type>()
            .values()
            .iter()
            .map(|at| map[*at as usize])
            .collect::<Vec<_>>()
            .into();
        *column = Arc::new(mapped) as ArrayRef;
    }
    RecordBatch::try_new(batch.schema(), columns).expect("same types and lengths")
}

/// The batch with its last column: whether each span was stored before.
fn with_resent(
    batch: &RecordBatch,
    identities: &[SpanIdentity],
    recent: &mut RecentSpans,
) -> RecordBatch {
    let resent: BooleanArray = identities
        .iter()
        .map(|span| Some(recent.is_known(*span)))
        .collect();
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("resent", DataType::Boolean, true)));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(resent));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("one identity a span")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_failed_transaction_are_given_out_again() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.number("a"), (0, true));
        numbering.commit();
        assert_eq!(numbering.number("b"), (1, true));
        numbering.roll_back();
        assert_eq!(numbering.number("a"), (0, false));
        assert_eq!(numbering.number("c"), (1, true));
    }
}
