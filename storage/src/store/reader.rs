//! A reader: a lease on a set of segments, and a connection that sees exactly these.

use std::cell::OnceCell;
use std::sync::Arc;

use duckdb::{Connection, InterruptHandle};

use super::catalog::Catalog;
use super::conclusions::Conclusions;
use super::leases::{NO_BREAKERS, SegmentSet};
use super::shortage::Shortage;
use crate::segment::views;

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

/// A connection whose search path is the public views over the leased set, as far as they were asked for. The connection
/// goes first, then the lease: the order of the fields.
pub struct Reader {
    conn: Connection,
    /// What it has concluded about breakers.
    conclusions: OnceCell<Arc<Conclusions>>,
    shortage: Shortage,
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
            shortage: catalog.shortage().clone(),
            set,
        })
    }

    /// Another over the same set, with what this one has concluded: for a question at the same time.
    pub(crate) fn beside(&self) -> duckdb::Result<Self> {
        let conn = self.conn.try_clone()?;
        conn.execute_batch(&format!("USE {}", self.set.schema()))?;
        let other = Self {
            conn,
            conclusions: OnceCell::new(),
            shortage: self.shortage.clone(),
            set: Arc::clone(&self.set),
        };
        if let Some(concluded) = self.conclusions.get() {
            other.keep(Arc::clone(concluded))?;
        }
        Ok(other)
    }

    /// From here on these public relations resolve by their bare names; other names mean nothing.
    pub fn provide(&self, relations: &[&str]) -> duckdb::Result<()> {
        self.set.provide(&self.conn, relations)
    }

    /// The connection, with every public relation.
    pub fn views(&self) -> duckdb::Result<&Connection> {
        let all: Vec<&str> = views::RELATIONS.iter().map(|(name, _)| *name).collect();
        self.provide(&all)?;
        Ok(&self.conn)
    }

    /// From here on the relations of breakers are there: what is concluded by now are tables, the same for all questions
    /// of this reader; all of them are empty where nothing is evidence of a breaker.
    pub(crate) fn conclude(&self) -> duckdb::Result<()> {
        if self.conclusions.get().is_some() {
            return Ok(());
        }
        if !self.set.may_have_breakers() {
            return self.look_first_in(NO_BREAKERS);
        }
        self.provide(&["breaker_samples", "breaker_config"])?;
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
        self.look_first_in(&conclusions.schema())?;
        let _ = self.conclusions.set(conclusions);
        Ok(())
    }

    fn look_first_in(&self, schema: &str) -> duckdb::Result<()> {
        let path = format!("{schema},{}", self.set.schema());
        self.conn
            .execute_batch(&format!("SET search_path = '{path}'"))
    }

    /// The connection; public relations resolve by their bare names once somebody asked for them.
    pub fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Whether commits find no memory.
    pub(crate) fn shortage(&self) -> &Shortage {
        &self.shortage
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
