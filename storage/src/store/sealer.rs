//! The sealer thread: a full hot segment becomes a sealed one.
//!
//! Rows are sorted as text and cast to VARIANT after the sort (2 µs a row cheaper). Rows whose event time is
//! odd go to the outliers, rows that cannot be cast to `quarantine`: neither ever stops the sealer.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::build::Build;
use super::quarantine;
use super::rotation::FullSegment;
use super::{Shared, StoreError, recovery};
use crate::segment::meta::Meta;
use crate::segment::tables::{self, Table};
use crate::segment::{Keys, Segment};

/// How long it waits after a failure, and when nobody rings.
const PAUSE: Duration = Duration::from_secs(1);
/// Event times this far before the first commit of the segment are outliers.
const EARLIEST_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// Event times this far after its last commit are outliers.
const LATEST_NS: i64 = 3_600 * 1_000_000_000;

/// Runs until the store closes.
pub(crate) fn run(shared: &Shared) {
    while !shared.closing.load(Relaxed) {
        // While retention works in the reserve, no seal may take its room.
        let next = shared.rotation.oldest_full();
        let Some(full) = next.filter(|_| !shared.reserve.is_lent()) else {
            shared.sealer.wait(PAUSE);
            continue;
        };
        let started = Instant::now();
        let sealed = seal(shared, &full);
        shared
            .counters
            .record(|work| &mut work.seals, started.elapsed());
        shared.counters.outcome("sealing", &sealed);
        if sealed.is_ok() {
            let id = full.segment.id;
            drop(full);
            shared.rotation.sealed(id);
            shared.keeper.ring();
        } else {
            shared.sealer.wait(PAUSE);
        }
    }
}

fn seal(shared: &Shared, full: &FullSegment) -> Result<(), StoreError> {
    if recovery::is_empty(&shared.catalog, &full.segment) {
        return discard(shared, full);
    }
    let mut clock = Clock(Instant::now());
    let build = Build::start(shared, "seal")?;
    let mut meta = Meta {
        ingest_range: in_order(full.ingest_range),
        replaces: vec![full.segment.id],
        ..Meta::default()
    };
    let usual = Usual::around(meta.ingest_range);
    let from = full.segment.schema();
    meta.span_keys = Keys::of_texts(build.connection(), &format!("{from}.spans"));
    meta.log_keys = Keys::of_texts(build.connection(), &format!("{from}.logs"));
    clock.lap("attribute keys");
    build.step(2)?;
    for table in tables::DICTIONARIES {
        quarantine::insert(&build, &table, &from, &build.schema(), "true")?;
    }
    meta.outliers = usual.count_outliers(&build, &from)?;
    if meta.outliers > 0 {
        build.create_outliers()?;
    }
    for table in tables::FACTS {
        seal_table(&build, &table, &from, &usual, meta.outliers > 0)?;
    }
    seal_evidence(&build, &full.segment)?;
    clock.lap("cast and sorted");
    build.step(3)?;
    let to = build.schema();
    build.with_all_spans(meta.outliers > 0, |conn, from| {
        crate::rollup::write(conn, from, &to)
    })?;
    clock.lap("rolled up");
    build.count_rows(&mut meta)?;
    clock.lap("counted");
    let traces = build.trace_filter(&mut meta)?;
    clock.lap("trace filter");
    build.finish(meta, traces)?;
    clock.lap("written");
    Ok(())
}

/// Nothing was ever committed into it ([`super::aftermath`]).
fn discard(shared: &Shared, full: &FullSegment) -> Result<(), StoreError> {
    let id = full.segment.id;
    shared.retirement.doom(id);
    let published = shared.catalog.publish(|segments| {
        let others = segments.iter().filter(|segment| segment.id != id);
        others.cloned().collect()
    });
    if published.is_err() {
        shared.retirement.spare(id);
    }
    Ok(published?)
}

/// Tells the debug log how long each part took.
struct Clock(Instant);

impl Clock {
    fn lap(&mut self, part: &str) {
        tracing::debug!(part, micros = self.0.elapsed().as_micros(), "sealing");
        self.0 = Instant::now();
    }
}

fn seal_table(
    build: &Build<'_>,
    table: &Table,
    from: &str,
    usual: &Usual,
    has_outliers: bool,
) -> Result<(), StoreError> {
    let Some(time) = table.event_time.filter(|_| has_outliers) else {
        return quarantine::insert(build, table, from, &build.schema(), "true");
    };
    let is_outlier = usual.is_outlier(time);
    quarantine::insert(
        build,
        table,
        from,
        &build.schema(),
        &format!("NOT {is_outlier}"),
    )?;
    quarantine::insert(build, table, from, &build.outliers_schema(), &is_outlier)
}

/// Breaker evidence as it is, in the order the views read it.
fn seal_evidence(build: &Build<'_>, segment: &Segment) -> Result<(), StoreError> {
    let (from, to) = (segment.schema(), build.schema());
    for table in tables::BREAKER_EVIDENCE {
        let time = match table {
            "breaker_config" => "valid_from",
            _ => "time",
        };
        build.connection().execute_batch(&format!(
            "INSERT INTO {to}.{table} SELECT * FROM {from}.{table} ORDER BY breaker_id, service_instance_id, {time}"
        ))?;
    }
    let parts = [segment.evidence()];
    Ok(crate::resilience::views::write_marks(
        build.connection(),
        &parts,
        &to,
    )?)
}

/// A clock that went back between first and last commit does not turn the range around.
fn in_order((first, last): (i64, i64)) -> (i64, i64) {
    (first.min(last), first.max(last))
}

/// The usual event times of a segment.
struct Usual {
    from: i64,
    to: i64,
}

impl Usual {
    fn around((first, last): (i64, i64)) -> Self {
        Self {
            from: first.saturating_sub(EARLIEST_NS),
            to: last.saturating_add(LATEST_NS),
        }
    }

    /// SQL of "this row is an outlier"; rows without a time are not.
    fn is_outlier(&self, time: &str) -> String {
        let Self { from, to } = self;
        format!(
            "coalesce({time} NOT BETWEEN make_timestamp_ns({from}) AND make_timestamp_ns({to}), false)"
        )
    }

    fn count_outliers(&self, build: &Build<'_>, from: &str) -> Result<u64, StoreError> {
        let counts: Vec<String> = tables::FACTS
            .iter()
            .filter_map(|table| table.event_time.map(|time| (table.name, time)))
            .map(|(table, time)| {
                format!(
                    "(SELECT count(*) FROM {from}.{table} WHERE {})",
                    self.is_outlier(time)
                )
            })
            .collect();
        let sql = format!("SELECT {}", counts.join(" + "));
        Ok(build.connection().query_row(&sql, [], |row| row.get(0))?)
    }
}
