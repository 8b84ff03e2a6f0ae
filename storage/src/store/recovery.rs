//! What happens between taking the lock and the first batch.
//!
//! Before any view exists: unfinished files are deleted, every segment's format is read, and every file that
//! a complete segment names as replaced is deleted. Hot files are attached, which replays their logs, and wait
//! for the sealer as if they had just been rotated. A file that cannot be opened, or is of a newer format, is
//! left untouched and reported; the others are served.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::catalog::{Access, Catalog};
use super::rotation::{FullSegment, Rotation};
use super::stats::{Counters, RefusedSegment};
use super::{OpenError, StoreConfig, conclusions, engine, locked, now_ns, recall, steward};
use crate::as_of::AsOf;
use crate::ingest::RecentSpans;
use crate::retirement::Retirement;
use crate::segment::files::{self, FileKind, Found, Sequence};
use crate::segment::meta::{self, FORMAT, Meta};
use crate::segment::{Attachment, Kept, Places, Segment, SegmentState, migrate, tables};

/// What the store starts with.
pub(crate) struct Recovered {
    pub catalog: Catalog,
    pub counters: Counters,
    pub rotation: Rotation,
    pub retirement: Retirement,
    pub hot: Arc<Segment>,
    pub recent: RecentSpans,
}

pub(crate) fn recover(config: &StoreConfig) -> Result<Recovered, OpenError> {
    let dir = std::path::absolute(&config.data_dir)
        .map_err(|source| OpenError::from_io(&config.data_dir, source))?;
    let io = |source| OpenError::from_io(&dir, source);
    let conn = engine::start(config)?;
    let found = files::list(&dir).map_err(io)?;
    let floor = found.iter().map(|file| file.id).max().unwrap_or(0);
    let sequence = Sequence::open(&dir, floor).map_err(io)?;
    let retirement = Retirement::default();
    let as_of = AsOf::new(config.as_of_unix_nano);
    let looked_up = conclusions::Found::new(config.peer_rules.clone());
    let catalog = Catalog::new(
        conn,
        dir.clone(),
        sequence,
        retirement.clone(),
        as_of,
        looked_up,
    )?;
    let counters = Counters::default();
    delete_unfinished(&found).map_err(io)?;
    let opened = open_files(&catalog, &counters, &found);
    let kept = without_replaced(&catalog, &retirement, opened);
    let mut segments: Vec<Arc<Segment>> = kept.into_iter().map(Arc::new).collect();
    let rotation = Rotation::default();
    hand_to_the_sealer(&rotation, &segments);
    let recent = recall::recall(
        &catalog.connect()?,
        segments.iter().map(Arc::as_ref),
        now_ns(),
    );
    let hot =
        steward::make_hot(&catalog, config.hot_rows_max).map_err(|error| error.into_open(&dir))?;
    segments.push(Arc::clone(&hot));
    catalog.publish(|_| segments)?;
    Ok(Recovered {
        catalog,
        counters,
        rotation,
        retirement,
        hot,
        recent,
    })
}

fn delete_unfinished(found: &[Found]) -> std::io::Result<()> {
    found
        .iter()
        .filter(|file| file.kind == FileKind::Unfinished)
        .try_for_each(|file| files::remove(&file.path))
}

/// Opens every finished file; what cannot be opened is reported.
fn open_files(catalog: &Catalog, counters: &Counters, found: &[Found]) -> Vec<Segment> {
    let mut opened = Vec::new();
    for file in found
        .iter()
        .filter(|file| file.kind != FileKind::Unfinished)
    {
        match open_file(catalog, file) {
            Ok(segment) => opened.extend(segment),
            Err(reason) => refuse(counters, &file.path, &reason),
        }
    }
    opened
}

/// The segments that stay. Those that others replace go with their files, and so do hot ones that took nothing.
fn without_replaced(
    catalog: &Catalog,
    retirement: &Retirement,
    opened: Vec<Segment>,
) -> Vec<Segment> {
    let replaced: HashSet<u64> = opened
        .iter()
        .flat_map(|segment| segment.meta.replaces.iter().copied())
        .collect();
    let (gone, kept): (Vec<Segment>, Vec<Segment>) = opened
        .into_iter()
        .partition(|segment| replaced.contains(&segment.id) || is_empty(catalog, segment));
    gone.iter().for_each(|segment| retirement.doom(segment.id));
    drop(gone);
    catalog.bury();
    kept
}

/// Hot files of before wait for the sealer as if they had just been rotated.
fn hand_to_the_sealer(rotation: &Rotation, segments: &[Arc<Segment>]) {
    for segment in segments {
        if segment.state == SegmentState::Rotated {
            let ingest_range = (segment.meta.ingest_range.0, last_commit_ns(segment));
            rotation.push_full(FullSegment {
                segment: Arc::clone(segment),
                ingest_range,
            });
        }
    }
}

/// Opens one file as a segment. `None`: it was empty and is gone. The error says why it is refused.
fn open_file(catalog: &Catalog, file: &Found) -> Result<Option<Segment>, String> {
    let alias = match file.kind {
        FileKind::Hot => format!("h{}", file.id),
        _ => format!("s{}", file.id),
    };
    let schema = format!("\"{alias}\".main");
    // Read-only first: a file of a newer format must not be changed, not even by replaying its log.
    if let Err(error) = catalog.attach(&file.path, &alias, Access::ReadOnly) {
        return unfinished_hot(file, error.to_string());
    }
    let attachment = catalog.attachment(file.id, alias.clone(), file.path.clone());
    let read = catalog.with_connection(|conn| Meta::read(conn, &schema));
    let meta = match read {
        Ok(meta) => meta,
        Err(error) => {
            let was_made = file.kind != FileKind::Hot || has_tables(catalog, &alias);
            drop(attachment);
            catalog.bury();
            if was_made {
                return unfinished_hot(file, error.to_string());
            }
            // Its tables are made in one transaction, and no batch comes before they are in the file.
            files::remove(&file.path).map_err(|error| error.to_string())?;
            return Ok(None);
        }
    };
    if meta.format > FORMAT {
        return Err(format!(
            "its format {} is newer than {FORMAT}, the newest this build knows",
            meta.format
        ));
    }
    if !meta.complete {
        return Err("it was never finished".to_owned());
    }
    let segment = if file.kind == FileKind::Sealed {
        sealed_segment(catalog, file, &alias, meta, attachment)?
    } else {
        drop(attachment);
        catalog.bury();
        hot_segment(catalog, file, &alias, meta)?
    };
    Ok(Some(segment))
}

/// A sealed file, attached for reading, in today's format from here on.
fn sealed_segment(
    catalog: &Catalog,
    file: &Found,
    alias: &str,
    meta: Meta,
    attachment: Arc<Attachment>,
) -> Result<Segment, String> {
    let (meta, attachment) = if is_current(&meta, file) {
        (meta, attachment)
    } else {
        drop(attachment);
        catalog.bury();
        migrate_sealed(catalog, file, alias, &meta).map_err(|error| error.to_string())?
    };
    let schema = format!("\"{alias}\".main");
    let (traces, places) = catalog
        .with_connection(|conn| {
            let traces = meta::read_filters(conn, &schema, &meta)?;
            Ok::<_, duckdb::Error>((traces, meta::read_places(conn, &schema)?))
        })
        .map_err(|error| error.to_string())?;
    Ok(Segment {
        id: file.id,
        state: SegmentState::Sealed,
        attachment,
        meta,
        traces,
        places,
        live: None,
        kept: Kept::default(),
    })
}

/// A hot file that is not attached: attached for writing, which replays its log, and in today's format from here on.
fn hot_segment(
    catalog: &Catalog,
    file: &Found,
    alias: &str,
    meta: Meta,
) -> Result<Segment, String> {
    catalog
        .attach(&file.path, alias, Access::Append)
        .map_err(|error| error.to_string())?;
    let attachment = catalog.attachment(file.id, alias.to_owned(), file.path.clone());
    let meta = if meta.format == FORMAT {
        meta
    } else {
        migrated(catalog, alias, &meta).map_err(|error| error.to_string())?
    };
    Ok(Segment {
        id: file.id,
        state: SegmentState::Rotated,
        attachment,
        meta,
        traces: Vec::new(),
        places: Places::default(),
        live: None,
        kept: Kept::default(),
    })
}

/// Whether anything is in the attached file; one that cannot be asked has.
fn has_tables(catalog: &Catalog, alias: &str) -> bool {
    let sql = "SELECT count(*) > 0 FROM duckdb_tables() WHERE database_name = ?";
    catalog.with_connection(|conn| {
        conn.query_row(sql, [alias], |row| row.get(0))
            .unwrap_or(true)
    })
}

/// Whether it is a hot segment into which nothing was ever committed: every start leaves two behind.
pub(super) fn is_empty(catalog: &Catalog, segment: &Segment) -> bool {
    if segment.state == SegmentState::Sealed {
        return false;
    }
    let schema = segment.schema();
    let tables = tables::FACTS.iter().map(|table| table.name);
    let any: Vec<String> = tables
        .chain(tables::BREAKER_EVIDENCE)
        .map(|table| format!("EXISTS (FROM {schema}.{table})"))
        .collect();
    let sql = format!("SELECT NOT ({})", any.join(" OR "));
    let asked = catalog
        .connect()
        .and_then(|conn| conn.query_row(&sql, [], |row| row.get(0)));
    // One that cannot be read is left to those who say so.
    asked.unwrap_or(false)
}

/// Of today's format, and without the log of a migration that was cut short before it was folded in.
fn is_current(meta: &Meta, file: &Found) -> bool {
    meta.format == FORMAT && !files::wal_path(&file.path).exists()
}

/// Brings a sealed file that is not attached to today's format, and attaches it for reading.
fn migrate_sealed(
    catalog: &Catalog,
    file: &Found,
    alias: &str,
    meta: &Meta,
) -> duckdb::Result<(Meta, Arc<Attachment>)> {
    catalog.attach(&file.path, alias, Access::Append)?;
    let done = migrated(catalog, alias, meta).and_then(|meta| {
        catalog.with_connection(|conn| conn.execute_batch(&format!("CHECKPOINT \"{alias}\"")))?;
        Ok(meta)
    });
    catalog.detach(alias)?;
    let meta = done?;
    catalog.attach(&file.path, alias, Access::ReadOnly)?;
    let attachment = catalog.attachment(file.id, alias.to_owned(), file.path.clone());
    Ok((meta, attachment))
}

/// Migrates the attached file; what it says about itself then.
fn migrated(catalog: &Catalog, alias: &str, meta: &Meta) -> duckdb::Result<Meta> {
    catalog.with_connection(|conn| {
        migrate::run(conn, alias, meta)?;
        Meta::read(conn, &format!("\"{alias}\".main"))
    })
}

/// A hot file whose making was cut short never took a batch: it goes. Anything else stays and is refused.
fn unfinished_hot(file: &Found, reason: String) -> Result<Option<Segment>, String> {
    let has_log = files::wal_path(&file.path)
        .metadata()
        .is_ok_and(|log| log.len() > 0);
    let is_tiny = file
        .path
        .metadata()
        .is_ok_and(|metadata| metadata.len() <= HOT_HEADER_BYTES);
    if file.kind == FileKind::Hot && is_tiny && !has_log {
        files::remove(&file.path).map_err(|error| error.to_string())?;
        return Ok(None);
    }
    Err(reason)
}

/// Size of a DuckDB file that has its headers and nothing else.
const HOT_HEADER_BYTES: u64 = 12_288;

fn refuse(counters: &Counters, path: &Path, reason: &str) {
    let refused = RefusedSegment::at(path, reason.to_owned());
    tracing::error!(
        file = refused.file,
        reason,
        "segment file refused; it is left as it is, the others are served"
    );
    locked(&counters.work).refused.push(refused);
}

/// When a recovered hot segment was last committed into: the time its log was written last.
fn last_commit_ns(segment: &Segment) -> i64 {
    let path = &segment.attachment.path;
    let modified = |path: &Path| {
        path.metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    let time = modified(&files::wal_path(path)).or_else(|| modified(path));
    let since = time
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
