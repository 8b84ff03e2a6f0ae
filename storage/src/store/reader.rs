//! A reader: a lease on a set of segments, and a connection that sees exactly these.

use std::cell::OnceCell;
use std::sync::Arc;

use duckdb::{Connection, InterruptHandle};

use super::catalog::Catalog;
use super::conclusions::Conclusions;
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
    /// What it has concluded about breakers.
    conclusions: OnceCell<Arc<Conclusions>>,
    set: Arc<SegmentSet>,
}

impl Reader {
    pub(crate) fn new(catalog: &Catalog) -> Result<Self, ReadError> {
        let set = catalog.lease();
        let conn = catalog.connect()?;
        conn.execute_batch(&format!("USE {}", set.schema()))?;
        Ok(Self {
            conn,
            conclusions: OnceCell::new(),
            set,
        })
    }

    /// From here on the relations of breakers are tables of what is concluded by now; the same for all questions
    /// of this reader.
    pub(crate) fn conclude(&self) -> duckdb::Result<()> {
        if self.conclusions.get().is_some() {
            return Ok(());
        }
        self.keep(self.set.conclude(&self.conn)?)
    }

    /// Whether they are such tables; they become so if somebody has concluded by now.
    pub(crate) fn is_concluded(&self) -> duckdb::Result<bool> {
        if self.conclusions.get().is_none()
            && let Some(fresh) = self.set.conclusions()
        {
            self.keep(fresh)?;
        }
        Ok(self.conclusions.get().is_some())
    }

    fn keep(&self, conclusions: Arc<Conclusions>) -> duckdb::Result<()> {
        let path = format!("{},{}", conclusions.schema(), self.set.schema());
        self.conn
            .execute_batch(&format!("SET search_path = '{path}'"))?;
        let _ = self.conclusions.set(conclusions);
        Ok(())
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
