//! Files that turn out to be damaged while they are read.
//!
//! DuckDB checks a sum on every block it reads and then fails the statement, not the instance, without saying
//! which file. So every sealed segment is read through once, and those that fail are taken out of the set: they
//! stay on disk as they are, are reported, and the healthy ones are served on.

use duckdb::Connection;

use super::stats::RefusedSegment;
use super::{Shared, locked};
use crate::segment::{Segment, SegmentState, tables};

/// Whether a statement failed because a file is damaged.
pub(super) fn is_damage(error: &duckdb::Error) -> bool {
    let text = error.to_string();
    [
        "Corrupt database file",
        "does not match stored checksum",
        "Corrupted",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// Takes every damaged sealed segment out of the set; whether there was one.
pub(super) fn take_out_damaged(shared: &Shared) -> bool {
    let set = shared.catalog.lease();
    let Ok(conn) = shared.catalog.connect() else {
        return false;
    };
    let mut damaged = Vec::new();
    for segment in set
        .segments
        .iter()
        .filter(|segment| segment.state == SegmentState::Sealed)
    {
        if let Err(error) = read_through(&conn, segment)
            && is_damage(&error)
        {
            damaged.push((
                segment.id,
                segment.attachment.path.clone(),
                error.to_string(),
            ));
        }
    }
    if damaged.is_empty() {
        return false;
    }
    let published = shared.catalog.publish(|segments| {
        let is_whole = |id: u64| !damaged.iter().any(|(damaged, ..)| *damaged == id);
        segments
            .iter()
            .filter(|segment| is_whole(segment.id))
            .cloned()
            .collect()
    });
    if let Err(error) = published {
        tracing::error!(%error, "damaged segments could not be taken out");
        return false;
    }
    for (_, path, reason) in damaged {
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        tracing::error!(
            file,
            reason,
            "segment file is damaged; it is left as it is, the others are served"
        );
        locked(&shared.counters.work)
            .refused
            .push(RefusedSegment { file, reason });
    }
    true
}

/// Reads every value of a segment's facts and dictionaries.
fn read_through(conn: &Connection, segment: &Segment) -> duckdb::Result<()> {
    for table in tables::DICTIONARIES.iter().chain(&tables::FACTS) {
        let sums: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("bit_xor(hash(\"{}\"::VARCHAR))", column.name))
            .collect();
        let sql = format!(
            "SELECT {} FROM {}.{}",
            sums.join(", "),
            segment.schema(),
            table.name
        );
        conn.query_row(&sql, [], |_| Ok(()))?;
    }
    Ok(())
}
