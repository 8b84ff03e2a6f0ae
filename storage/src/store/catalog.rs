//! The catalog: which segments exist, and the versioned schemas of public views over them.
//!
//! Every change of the set goes through [`Catalog::publish`]: a new schema, then the pointer moves. The schema's views are
//! made when somebody asks for them. Readers of older versions keep their schema until their lease ends.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use duckdb::Connection;

use super::calls::{Opened, Sums};
use super::conclusions::{self, Found, Latest};
use super::failpoint;
use super::leases::{NO_BREAKERS, SegmentSet, schema_of};
use super::locked;
use super::shortage::Shortage;
use crate::as_of::AsOf;
use crate::empty::EMPTY_SCHEMA;
use crate::resilience::views as breakers;
use crate::retirement::{Retired, Retirement};
use crate::segment::files::{self, Sequence};
use crate::segment::{Attachment, Segment, tables};

/// Rows of a row group of a sealed segment, a multiple of DuckDB's 2,048.
pub(crate) const ROW_GROUP: usize = 61_440;
/// Bytes of a block of a sealed segment, a power of two: DuckDB's own. Half of it takes 55.8 B instead of 60.3 for a span of 14
/// attributes and 5.0 ms instead of 6.1 for a trace of one file, but 63 MiB more memory for 10 M spans; a quarter 95 more.
pub(crate) const BLOCK: usize = 262_144;

/// How a file is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// A sealed segment, or one looked at before it is trusted.
    ReadOnly,
    /// A hot segment: durable log, never checkpointed.
    Append,
    /// A segment being made: no log at all, it means nothing before its rename.
    Build,
}

pub(crate) struct Catalog {
    dir: PathBuf,
    retirement: Retirement,
    as_of: AsOf,
    current: Mutex<Arc<SegmentSet>>,
    /// Gives connections; apart from `ddl`, so that no reader waits for views that are being made.
    door: Mutex<Connection>,
    ddl: Mutex<Ddl>,
    shortage: Shortage,
}

struct Ddl {
    conn: Connection,
    version: u64,
    sequence: Sequence,
}

impl Catalog {
    /// A catalog without segments.
    pub(crate) fn new(
        conn: Connection,
        dir: PathBuf,
        sequence: Sequence,
        retirement: Retirement,
        as_of: AsOf,
        found: Found,
    ) -> duckdb::Result<Self> {
        conn.execute_batch(&format!("CREATE SCHEMA {EMPTY_SCHEMA};"))?;
        conn.execute_batch(&sealed_tables(EMPTY_SCHEMA))?;
        crate::rollup::create(&conn, EMPTY_SCHEMA)?;
        conn.execute_batch(&breakers::create_learned())?;
        conn.execute_batch(&as_of.fill(&breakers::create_of_nothing(NO_BREAKERS)))?;
        conn.execute_batch(&format!("CREATE SCHEMA {}", schema_of(0)))?;
        let empty = SegmentSet {
            version: 0,
            segments: Vec::new(),
            retirement: retirement.clone(),
            latest: Latest::default(),
            opened: Opened::default(),
            found: Arc::new(found),
            sums: Arc::new(Sums::default()),
            as_of,
            views: Mutex::default(),
        };
        let door = Mutex::new(conn.try_clone()?);
        let ddl = Ddl {
            conn,
            version: 0,
            sequence,
        };
        Ok(Self {
            dir,
            retirement,
            as_of,
            current: Mutex::new(Arc::new(empty)),
            door,
            ddl: Mutex::new(ddl),
            shortage: Shortage::default(),
        })
    }

    /// The data directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// When what comes in now came in, nanoseconds since the epoch.
    pub(crate) fn now_ns(&self) -> i64 {
        self.as_of.now_ns()
    }

    /// Whether commits find no memory.
    pub(crate) fn shortage(&self) -> &Shortage {
        &self.shortage
    }

    /// Leases the current set.
    pub(crate) fn lease(&self) -> Arc<SegmentSet> {
        Arc::clone(&locked(&self.current))
    }

    /// A connection to the same engine.
    pub(crate) fn connect(&self) -> duckdb::Result<Connection> {
        locked(&self.door).try_clone()
    }

    /// A new segment number.
    pub(crate) fn take_id(&self) -> std::io::Result<u64> {
        locked(&self.ddl).sequence.take()
    }

    /// Attaches a file under `alias`.
    pub(crate) fn attach(&self, path: &Path, alias: &str, access: Access) -> duckdb::Result<()> {
        locked(&self.ddl)
            .conn
            .execute_batch(&attach_sql(path, alias, access))
    }

    /// Detaches what nobody uses.
    pub(crate) fn detach(&self, alias: &str) -> duckdb::Result<()> {
        locked(&self.ddl)
            .conn
            .execute_batch(&format!("DETACH \"{alias}\""))
    }

    /// Runs something on the catalog's own connection.
    pub(crate) fn with_connection<T>(&self, run: impl FnOnce(&Connection) -> T) -> T {
        run(&locked(&self.ddl).conn)
    }

    /// The counted handle of an attached file.
    pub(crate) fn attachment(&self, id: u64, alias: String, path: PathBuf) -> Arc<Attachment> {
        Arc::new(Attachment {
            id,
            alias,
            path,
            retirement: self.retirement.clone(),
        })
    }

    /// Changes the set: `change` gets the segments of now and returns those of next. On an error nothing
    /// changed.
    pub(crate) fn publish(
        &self,
        change: impl FnOnce(&[Arc<Segment>]) -> Vec<Arc<Segment>>,
    ) -> duckdb::Result<()> {
        let mut ddl = locked(&self.ddl);
        let current = self.lease();
        let mut segments = change(&current.segments);
        segments.sort_by_key(|segment| segment.id);
        let version = ddl.version + 1;
        let schema = schema_of(version);
        // Taken even if it fails: a COMMIT that is said to have failed may have made it ([`super::aftermath`]).
        ddl.version = version;
        ddl.conn.execute_batch(&format!("CREATE SCHEMA {schema}"))?;
        let set = Arc::new(SegmentSet {
            version,
            segments,
            retirement: self.retirement.clone(),
            latest: Latest::default(),
            opened: Opened::default(),
            found: Arc::clone(&current.found),
            sums: Arc::clone(&current.sums),
            as_of: self.as_of,
            views: Mutex::default(),
        });
        drop(current);
        let previous = std::mem::replace(&mut *locked(&self.current), set);
        drop(ddl);
        drop(previous);
        Ok(())
    }

    /// Drops, detaches and unlinks what nobody holds; what cannot be done now is tried again later.
    pub(crate) fn bury(&self) {
        for retired in self.retirement.take() {
            if failpoint::hit("bury.1").is_err() {
                self.retirement.defer(retired);
                continue;
            }
            let done = match &retired {
                Retired::Schema(version) => self.drop_schema(&schema_of(*version)),
                Retired::Conclusions(number) => self.drop_schema(&conclusions::schema_of(*number)),
                Retired::Segment { alias, .. } => self.detach_if_attached(alias),
            };
            if let Err(error) = done {
                tracing::warn!(%error, ?retired, "could not retire yet");
                self.retirement.defer(retired);
                continue;
            }
            if let Retired::Segment {
                path, unlink: true, ..
            } = &retired
            {
                let removed = failpoint::hit("bury.2")
                    .map_err(std::io::Error::other)
                    .and_then(|()| files::remove(path))
                    .and_then(|()| failpoint::hit("bury.3").map_err(std::io::Error::other))
                    .and_then(|()| files::sync_dir(&self.dir));
                if let Err(error) = removed {
                    tracing::warn!(%error, path = %path.display(), "could not delete a segment file");
                    self.retirement.defer(retired);
                }
            }
        }
    }

    fn drop_schema(&self, schema: &str) -> duckdb::Result<()> {
        self.with_connection(|conn| {
            conn.execute_batch(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))
        })
    }

    /// Detaches what may not be attached at all.
    pub(crate) fn detach_if_attached(&self, alias: &str) -> duckdb::Result<()> {
        self.with_connection(|conn| {
            conn.execute_batch(&format!("DETACH DATABASE IF EXISTS \"{alias}\""))
        })
    }
}

/// The tables of a sealed segment, all empty.
pub(crate) fn sealed_tables(schema: &str) -> String {
    let mut sql = String::new();
    for table in tables::DICTIONARIES.iter().chain(&tables::FACTS) {
        sql.push_str(&table.create_sealed(schema));
    }
    sql.push_str(&format!(
        "CREATE TABLE {schema}.quarantine (table_name VARCHAR, reason VARCHAR, row_text VARCHAR);\n"
    ));
    sql.push_str(&tables::BREAKER_TABLES.replace("{schema}", schema));
    sql
}

/// `ATTACH` of one of our own files: the path is quoted as a literal.
pub(crate) fn attach_sql(path: &Path, alias: &str, access: Access) -> String {
    let options = match access {
        Access::ReadOnly => "(READ_ONLY)".to_owned(),
        // Small row groups, so that a scan of the hot part alone uses every thread.
        Access::Append => "(ROW_GROUP_SIZE 16384)".to_owned(),
        // Rows that do not fill a row group are written twice, at the insert and at the checkpoint: with
        // DuckDB's 122,880 a seal costs 30 µs a span, with half of it 16 (14 attributes).
        Access::Build => {
            format!(
                "(RECOVERY_MODE 'no_wal_writes', ROW_GROUP_SIZE {ROW_GROUP}, BLOCK_SIZE {BLOCK})"
            )
        }
    };
    let path = path.to_string_lossy().replace('\'', "''");
    format!("ATTACH '{path}' AS \"{alias}\" {options}")
}
