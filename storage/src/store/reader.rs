//! A reader: a lease on a set of segments, and a connection that sees exactly these.

use std::sync::Arc;

use duckdb::{Connection, InterruptHandle};

use super::catalog::Catalog;
use super::leases::SegmentSet;

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The engine gave no connection.
    #[error("no connection to read with")]
    Engine(#[from] duckdb::Error),
    /// A forced seal did not happen.
    #[error("not everything could be sealed: {reason}")]
    NotSealed {
        /// The last error behind it.
        reason: String,
    },
}

/// A connection whose search path is the public views over the leased set. The connection goes first, then
/// the lease: the order of the fields.
pub struct Reader {
    conn: Connection,
    set: Arc<SegmentSet>,
}

impl Reader {
    pub(crate) fn new(catalog: &Catalog) -> Result<Self, ReadError> {
        let set = catalog.lease();
        let conn = catalog.connect()?;
        conn.execute_batch(&format!("USE {}", set.schema()))?;
        Ok(Self { conn, set })
    }

    /// The connection; the public views resolve by their bare names.
    pub fn connection(&self) -> &Connection {
        &self.conn
    }

    /// The leased set, for queries that choose segments.
    pub fn segments(&self) -> &SegmentSet {
        &self.set
    }

    /// Interrupts what the connection runs, from another thread.
    pub fn interrupt_handle(&self) -> Arc<InterruptHandle> {
        self.conn.interrupt_handle()
    }
}
