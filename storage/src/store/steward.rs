//! The steward thread: keeps the next hot segment ready and buries what nobody holds.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::catalog::{Access, Catalog};
use super::{Shared, StoreError, failpoint};
use crate::segment::{Kept, Live, Places, Segment, SegmentState, files, hot};

/// How often it looks when nobody rings.
const TICK: Duration = Duration::from_secs(1);

/// Runs until the store closes.
pub(crate) fn run(shared: &Shared) {
    while !shared.closing.load(Relaxed) {
        if shared.rotation.needs_next() {
            let made = make_next(shared);
            shared.counters.outcome("rotation", &made);
        }
        shared.catalog.bury();
        // A question may break the engine as well as a commit, and then only who asked hears of it.
        let asked = shared.catalog.connect();
        if let Err(error) = asked.and_then(|conn| conn.execute_batch("SELECT 1")) {
            shared.note_fatal(&error, None);
        }
        shared.steward().wait(TICK);
    }
    shared.catalog.bury();
}

fn make_next(shared: &Shared) -> Result<(), StoreError> {
    let segment = make_hot(&shared.catalog, shared.config.hot_rows_max)?;
    let published = Arc::clone(&segment);
    shared
        .catalog
        .publish(|segments| segments.iter().cloned().chain([published]).collect())?;
    failpoint::hit("rotate.4")?;
    shared.rotation.set_next(segment);
    // A close that asked for a rotation, or a full segment, waits for this.
    shared.queue.ring();
    Ok(())
}

/// Makes a hot segment of about `rows_max` rows: its file, its tables; attached, not yet part of the set.
pub(crate) fn make_hot(catalog: &Catalog, rows_max: usize) -> Result<Arc<Segment>, StoreError> {
    failpoint::hit("rotate.1")?;
    let id = catalog.take_id()?;
    let alias = format!("h{id}");
    let path = files::hot_path(catalog.dir(), id);
    catalog.attach(&path, &alias, Access::Append)?;
    let attachment = catalog.attachment(id, alias.clone(), path);
    failpoint::hit("rotate.2")?;
    let made = catalog
        .connect()
        .and_then(|conn| hot::create(&conn, &alias, catalog.now_ns()));
    let meta = match made {
        Ok(meta) => meta,
        Err(error) => {
            // Half a hot segment holds nothing: it goes when `attachment` does.
            attachment.retirement.doom(id);
            return Err(error.into());
        }
    };
    files::sync_dir(catalog.dir())?;
    failpoint::hit("rotate.3")?;
    Ok(Arc::new(Segment {
        id,
        state: SegmentState::Hot,
        attachment,
        meta,
        traces: Vec::new(),
        places: Places::default(),
        live: Some(Arc::new(Live::new(rows_max))),
        kept: Kept::default(),
    }))
}
