//! Building a sealed segment file, whoever builds it: sealer, compaction or retention.
//!
//! The commit is a rename. The file is made under a temporary name without a log, describes itself in `meta`
//! (with `complete` last), is checkpointed, closed, fsynced, renamed, and the directory fsynced. Dying at any step
//! leaves a temporary file, which means nothing, or a complete segment that names what it replaces.

use std::path::PathBuf;
use std::sync::Arc;

use duckdb::Connection;

use super::catalog::{Access, sealed_tables};
use super::stats::Counters;
use super::{Shared, StoreError, failpoint};
use crate::segment::live::{self, Times};
use crate::segment::meta::SIGNALS;
use crate::segment::meta::{self, Digits, FORMAT, Meta};
use crate::segment::{Kept, Places, Segment, SegmentState, TraceFilter, files, tables};

/// A sealed segment in the making.
pub(crate) struct Build<'a> {
    shared: &'a Shared,
    /// Prefix of the failpoints: `seal`, `compact`, `retain`.
    work: &'static str,
    id: u64,
    alias: String,
    path: PathBuf,
    conn: Connection,
    /// Set once the file must not be thrown away.
    is_done: bool,
}

impl<'a> Build<'a> {
    /// Makes the file and its empty tables.
    pub(crate) fn start(shared: &'a Shared, work: &'static str) -> Result<Self, StoreError> {
        hit(work, 1)?;
        let conn = shared.catalog.connect()?;
        let id = shared.catalog.take_id()?;
        let path = files::unfinished_path(shared.catalog.dir(), id);
        let build = Self {
            shared,
            work,
            id,
            alias: format!("b{id}"),
            path,
            conn,
            is_done: false,
        };
        shared
            .catalog
            .attach(&build.path, &build.alias, Access::Build)?;
        build.conn.execute_batch(&sealed_tables(&build.schema()))?;
        crate::rollup::create(&build.conn, &build.schema())?;
        Ok(build)
    }

    /// The connection that fills it; the file's schema is [`Self::schema`].
    pub(crate) fn connection(&self) -> &Connection {
        &self.conn
    }

    /// The qualified schema of its tables.
    pub(crate) fn schema(&self) -> String {
        format!("\"{}\".main", self.alias)
    }

    /// The qualified schema of its outliers.
    pub(crate) fn outliers_schema(&self) -> String {
        format!("\"{}\".outliers", self.alias)
    }

    /// Writes what was inserted so far, so that it need not stay in memory.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(self
            .conn
            .execute_batch(&format!("CHECKPOINT \"{}\"", self.alias))?)
    }

    /// Reaches a numbered step.
    pub(crate) fn step(&self, number: u8) -> Result<(), StoreError> {
        Ok(hit(self.work, number)?)
    }

    /// Makes the tables of the outliers.
    pub(crate) fn create_outliers(&self) -> Result<(), StoreError> {
        let schema = self.outliers_schema();
        self.conn
            .execute_batch(&format!("CREATE SCHEMA {schema};"))?;
        let tables: String = tables::FACTS
            .iter()
            .map(|table| table.create_sealed(&schema))
            .collect();
        Ok(self.conn.execute_batch(&tables)?)
    }

    /// One schema with all spans and what they refer to, outliers included, for the roll-ups to read.
    pub(crate) fn with_all_spans(
        &self,
        has_outliers: bool,
        read: impl FnOnce(&Connection, &str) -> duckdb::Result<()>,
    ) -> Result<(), StoreError> {
        let (main, outliers) = (self.schema(), self.outliers_schema());
        if !has_outliers {
            return Ok(read(&self.conn, &main)?);
        }
        let all = format!("\"{}\".every", self.alias);
        self.conn.execute_batch(&format!(
            "CREATE SCHEMA {all};
             CREATE VIEW {all}.spans AS SELECT * FROM {main}.spans UNION ALL SELECT * FROM {outliers}.spans;
             CREATE VIEW {all}.resources AS SELECT * FROM {main}.resources;
             CREATE VIEW {all}.scopes AS SELECT * FROM {main}.scopes;"
        ))?;
        read(&self.conn, &all)?;
        Ok(self
            .conn
            .execute_batch(&format!("DROP SCHEMA {all} CASCADE"))?)
    }

    /// Counts what is in the file into `meta`: rows and event times of the main tables.
    pub(crate) fn count_rows(&self, meta: &mut Meta) -> Result<(), StoreError> {
        let mut schemas = vec![self.schema()];
        if meta.outliers > 0 {
            schemas.push(self.outliers_schema());
        }
        let count = |table: &str| -> duckdb::Result<u64> {
            let mut rows = 0;
            for schema in &schemas {
                rows += self.conn.query_row(
                    &format!("SELECT count(*) FROM {schema}.{table}"),
                    [],
                    |row| row.get::<_, u64>(0),
                )?;
            }
            Ok(rows)
        };
        meta.format = FORMAT;
        meta.spans = count("spans")?;
        meta.logs = count("logs")?;
        meta.points = count("number_points")? + count("histogram_points")?;
        meta.exemplars = count("exemplars")?;
        let evidence = self
            .conn
            .query_row(&tables::count_evidence(&self.schema()), [], |row| {
                row.get(0)
            })?;
        meta.evidence = Some(evidence);
        meta.signal_times = Some(self.signal_times()?);
        meta.event_range = meta
            .signal_times
            .into_iter()
            .flatten()
            .fold(None, live::wider);
        let quarantined = format!("SELECT count(*) FROM {}.quarantine", self.schema());
        meta.quarantined = self.conn.query_row(&quarantined, [], |row| row.get(0))?;
        Ok(())
    }

    /// Event times of the main tables: spans, logs, points.
    fn signal_times(&self) -> duckdb::Result<[Times; SIGNALS]> {
        let schema = self.schema();
        let of = |table: &str, time: &str| -> duckdb::Result<Times> {
            let sql = format!(
                "SELECT epoch_ns(min({time})), epoch_ns(max({time})) FROM {schema}.{table}"
            );
            let (first, last): (Option<i64>, Option<i64>) =
                self.conn
                    .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(first.zip(last))
        };
        let points = live::wider(
            of("number_points", "time")?,
            of("histogram_points", "time")?,
        );
        Ok([of("spans", "start_time")?, of("logs", "time")?, points])
    }

    /// The trace ids of the file, and into `meta` how they are spread.
    pub(crate) fn trace_filter(
        &self,
        meta: &mut Meta,
    ) -> Result<Vec<Arc<TraceFilter>>, StoreError> {
        let mut selects = Vec::new();
        let schemas = [
            Some(self.schema()),
            (meta.outliers > 0).then(|| self.outliers_schema()),
        ];
        for schema in schemas.into_iter().flatten() {
            for table in ["spans", "logs", "exemplars"] {
                selects.push(format!("SELECT trace_id FROM {schema}.{table}"));
            }
        }
        let union = selects.join(" UNION ALL ");
        let sql = format!("SELECT DISTINCT trace_id FROM ({union}) WHERE trace_id IS NOT NULL");
        let mut statement = self.conn.prepare(&sql)?;
        let mut ids = Vec::new();
        for batch in statement.query_arrow([])? {
            ids.push(batch);
        }
        let mut filter =
            TraceFilter::with_capacity(ids.iter().map(arrow::array::RecordBatch::num_rows).sum());
        let mut digits = Digits::default();
        for batch in &ids {
            use arrow::array::AsArray as _;
            for id in batch.column(0).as_string::<i32>().iter().flatten() {
                filter.insert(id);
                let first = id.chars().next().and_then(|first| first.to_digit(16));
                if let Some(first) = first {
                    digits[first as usize] += 1;
                }
            }
        }
        meta.trace_digits = Some(digits);
        Ok(vec![Arc::new(filter)])
    }

    /// Describes the file, makes it durable under its name, publishes it in place of what it replaces.
    pub(crate) fn finish(
        mut self,
        mut meta: Meta,
        traces: Vec<Arc<TraceFilter>>,
    ) -> Result<(), StoreError> {
        let schema = self.schema();
        meta.complete = true;
        meta.write(&self.conn, &schema)?;
        meta::write_filters(&self.conn, &schema, &traces)?;
        let places = Places::of(&self.conn, &schema, &meta.runs[0])?;
        meta::write_places(&self.conn, &schema, &places)?;
        Meta::write_complete(&self.conn, &schema)?;
        self.step(4)?;
        self.checkpoint()?;
        self.shared.catalog.detach(&self.alias)?;
        self.step(5)?;
        files::sync_file(&self.path)?;
        self.step(6)?;
        let path = files::sealed_path(self.shared.catalog.dir(), self.id);
        std::fs::rename(&self.path, &path)?;
        self.is_done = true;
        if let Err(error) = self.publish(path.clone(), meta, traces, places) {
            // Not visible, so it must not be there either: its rows still are where they were.
            files::remove(&path)?;
            files::sync_dir(self.shared.catalog.dir())?;
            return Err(error);
        }
        // Published: whatever happens now, it is done.
        let _ = self.step(9);
        Ok(())
    }

    fn publish(
        &self,
        path: PathBuf,
        meta: Meta,
        traces: Vec<Arc<TraceFilter>>,
        places: Places,
    ) -> Result<(), StoreError> {
        self.step(7)?;
        files::sync_dir(self.shared.catalog.dir())?;
        self.step(8)?;
        let alias = format!("s{}", self.id);
        publish(
            (self.shared, &self.conn),
            self.id,
            alias,
            path,
            meta,
            (traces, places),
        )
    }
}

fn publish(
    (shared, conn): (&Shared, &Connection),
    id: u64,
    alias: String,
    path: PathBuf,
    meta: Meta,
    (traces, places): (Vec<Arc<TraceFilter>>, Places),
) -> Result<(), StoreError> {
    let catalog = &shared.catalog;
    catalog.attach(&path, &alias, Access::ReadOnly)?;
    let attachment = catalog.attachment(id, alias, path);
    let replaces = meta.replaces.clone();
    let segment = Segment {
        id,
        state: SegmentState::Sealed,
        attachment,
        meta,
        traces,
        places,
        live: None,
        kept: Kept::default(),
    };
    if let Err(error) = segment.keep_origins(conn) {
        tracing::debug!(%error, id, "read again when somebody asks");
    }
    let segment = Arc::new(segment);
    replaces.iter().for_each(|id| shared.retirement.doom(*id));
    let published = catalog.publish(|segments| {
        let kept = segments
            .iter()
            .filter(|segment| !replaces.contains(&segment.id))
            .cloned();
        kept.chain([segment]).collect()
    });
    if published.is_err() {
        replaces.iter().for_each(|id| shared.retirement.spare(*id));
    }
    published?;
    Counters::add(&shared.counters.replaced, replaces.len());
    Ok(())
}

impl Drop for Build<'_> {
    /// Throws away what was not finished.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let detached = self.shared.catalog.detach_if_attached(&self.alias);
        if let Err(error) = detached
            .map_err(StoreError::from)
            .and_then(|()| Ok(files::remove(&self.path)?))
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished segment stays until the next start");
        }
    }
}

fn hit(work: &str, number: u8) -> duckdb::Result<()> {
    failpoint::hit_numbered(work, number)
}
