//! What is read of a segment once and kept: who sent what is in it, how new it is, the sums of its calls.
//!
//! A sealed segment never changes, so an answer about the whole of it is good for as long as it is attached; pages ask
//! for these at every view. Of a hot segment, but for its senders, and of one that a range cuts, the same is read anew.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock};

use duckdb::{Connection, Row};

use super::having::Answers;
use super::meta::Times;
use super::origins::Origins;
use super::sampled::Sampled;
use super::sent::SentTimes;
use super::{Segment, views};
use crate::ask::{Ask, NONE, scope};
use crate::ingest::REPORTED_SCHEMA;
use crate::model::{Scope, ScopeFilter, TimeRange};
use crate::rollup::sums::{alone, stored_edges, stored_services};
use crate::rollup::{self, ByBucket, EdgeSum, Hops, ServiceSum, Summed, Totals};

/// Answers about the whole of a sealed segment, and some of a hot one that a process before this one left behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    pub(super) spans: OnceLock<Vec<u64>>,
    senders: OnceLock<Vec<Sender>>,
    newest: OnceLock<Vec<Newest>>,
    heard: OnceLock<Vec<Heard>>,
    services: OnceLock<Vec<ServiceSum>>,
    edges: OnceLock<Vec<EdgeSum>>,
    alone: OnceLock<Vec<EdgeSum>>,
    open_halves: OnceLock<Vec<u64>>,
    pub(super) open_hops: OnceLock<Vec<Arc<Hops>>>,
    callees: OnceLock<Vec<Called>>,
    pub(super) sent_times: OnceLock<Vec<SentTimes>>,
    pub(super) origins: OnceLock<Origins>,
    pub(super) sampled: Sampled,
    oldest_call: OnceLock<Vec<i64>>,
    /// Traces of other segments that were looked for in it.
    pub(super) having: Arc<Mutex<Answers>>,
}

/// An instance of a version of a service, as a resource names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sender {
    pub scope: Scope,
    pub service_name: Option<String>,
    pub service_version: Option<String>,
    pub service_instance_id: Option<String>,
}

/// The newest of each signal from one service, in nanoseconds, and how much there is of it.
#[derive(Debug, Clone)]
pub(crate) struct Newest {
    pub scope: Scope,
    pub service_name: String,
    pub span: Option<i64>,
    pub log: Option<i64>,
    pub traced_log: Option<i64>,
    pub metric: Option<i64>,
    pub has_version: bool,
    pub has_instance_id: bool,
    pub spans: u64,
    pub logs: u64,
    pub metric_points: u64,
}

/// An instance of a service, whatever its version: scope, service and id.
pub(crate) type Instance = (Scope, Option<String>, Option<String>);

/// When something was heard of an instance, in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub instance: Instance,
    /// Its first and its last log record.
    pub logs: Times,
    /// The last of its spans and points.
    pub other: Option<i64>,
}

/// A service, and what it calls: a service, or the name or address it has for who does not answer.
pub(crate) type Called = ((Scope, String), String);

const NEWEST: &str = include_str!("kept/newest.sql");
const HEARD: &str = include_str!("kept/heard.sql");
const CALLEES: &str = include_str!("kept/callees.sql");

/// Whether a scope is one of those asked about.
pub(crate) fn is_in(scope: &Scope, asked: &ScopeFilter) -> bool {
    let fits = |asked: &Option<String>, own: &Option<String>| asked.is_none() || asked == own;
    fits(&asked.environment, &scope.environment)
        && fits(&asked.service_namespace, &scope.service_namespace)
        && fits(&asked.cluster, &scope.cluster)
}

impl Segment {
    /// Its senders, each once; a history has none.
    pub(crate) fn senders(&self, conn: &Connection) -> duckdb::Result<Cow<'_, [Sender]>> {
        if self.is_history() {
            return Ok(Cow::Borrowed(&[]));
        }
        let sql = format!(
            "SELECT DISTINCT environment, service_namespace, cluster, service_name, service_version, \
             service_instance_id FROM {}.resources WHERE schema_url IS DISTINCT FROM '{REPORTED_SCHEMA}'",
            self.schema()
        );
        let read = || {
            all(conn, &sql, |row| {
                Ok(Sender {
                    scope: scope(row, 0)?,
                    service_name: row.get(3)?,
                    service_version: row.get(4)?,
                    service_instance_id: row.get(5)?,
                })
            })
        };
        if let Some(live) = &self.live {
            let known = live.senders.of(live.resources(), read)?;
            return Ok(Cow::Owned(known.to_vec()));
        }
        keep((!self.is_text()).then_some(&self.kept.senders), read)
    }

    /// The newest of each signal of each service and how much there is, of the rows in the range.
    pub(crate) fn newest(
        &self,
        conn: &Connection,
        range: TimeRange,
    ) -> duckdb::Result<Cow<'_, [Newest]>> {
        let read = || {
            let Some(sql) = self.over_facts(NEWEST, range) else {
                return Ok(Vec::new());
            };
            all(conn, &sql, |row| {
                Ok(Newest {
                    scope: scope(row, 0)?,
                    service_name: row.get(3)?,
                    span: row.get(4)?,
                    log: row.get(5)?,
                    traced_log: row.get(6)?,
                    metric: row.get(7)?,
                    has_version: row.get(8)?,
                    has_instance_id: row.get(9)?,
                    spans: row.get(10)?,
                    logs: row.get(11)?,
                    metric_points: row.get(12)?,
                })
            })
        };
        keep(self.is_inside(range).then_some(&self.kept.newest), read)
    }

    /// When something was heard of each instance; of one whose rows lie in two places, twice.
    pub(crate) fn heard(&self, conn: &Connection) -> duckdb::Result<Cow<'_, [Heard]>> {
        let read = || {
            let selects: Vec<String> = views::places(self)
                .into_iter()
                .map(|facts| {
                    HEARD
                        .replace("{facts}", &facts)
                        .replace("{dictionaries}", &self.schema())
                })
                .collect();
            if selects.is_empty() {
                return Ok(Vec::new());
            }
            all(conn, &selects.join("\nUNION ALL\n"), |row| {
                let (first, last): (Option<i64>, Option<i64>) = (row.get(5)?, row.get(6)?);
                Ok(Heard {
                    instance: (scope(row, 0)?, row.get(3)?, row.get(4)?),
                    logs: first.zip(last),
                    other: row.get(7)?,
                })
            })
        };
        keep((!self.is_text()).then_some(&self.kept.heard), read)
    }

    /// The sums of its `red`; `None` unless all of it is in the range.
    pub(crate) fn whole_services(
        &self,
        conn: &Connection,
        range: TimeRange,
    ) -> duckdb::Result<Option<Cow<'_, [ServiceSum]>>> {
        if !self.has_all_calls_in(range) {
            return Ok(None);
        }
        let read = || stored_services(conn, &self.schema(), None).map(|sums| whole(&sums));
        keep(Some(&self.kept.services), read).map(Some)
    }

    /// The sums of its final edges; `None` unless all of it is in the range.
    pub(crate) fn whole_edges(
        &self,
        conn: &Connection,
        range: TimeRange,
    ) -> duckdb::Result<Option<Cow<'_, [EdgeSum]>>> {
        if !self.has_all_calls_in(range) {
            return Ok(None);
        }
        let read = || stored_edges(conn, &self.schema(), None).map(|sums| whole(&sums));
        keep(Some(&self.kept.edges), read).map(Some)
    }

    /// The sums of its calls that nobody answered, as if nobody did elsewhere; of the whole of it.
    pub(crate) fn whole_alone(&self, conn: &Connection) -> duckdb::Result<Cow<'_, [EdgeSum]>> {
        let read = || alone(conn, &self.schema(), None).map(|sums| whole(&sums));
        keep(Some(&self.kept.alone), read)
    }

    /// Halves that other segments may complete, calls nobody answered apart; of a sealed one.
    pub(crate) fn open_halves(&self, conn: &Connection) -> duckdb::Result<u64> {
        let read = || Ok(vec![rollup::open_halves(conn, &self.schema())?]);
        let counted = keep(Some(&self.kept.open_halves), read)?;
        Ok(counted.first().copied().unwrap_or_default())
    }

    /// Whom services call, each once; of a sealed one.
    pub(crate) fn callees(&self, conn: &Connection) -> duckdb::Result<Cow<'_, [Called]>> {
        let sql = CALLEES.replace("{schema}", &self.schema());
        keep(Some(&self.kept.callees), || {
            all(conn, &sql, |row| {
                Ok(((scope(row, 0)?, row.get(3)?), row.get(4)?))
            })
        })
    }

    /// Start of the oldest bucket of its `red`, in nanoseconds; of a sealed one.
    pub(crate) fn oldest_call(&self, conn: &Connection) -> duckdb::Result<Option<i64>> {
        let sql = format!(
            "SELECT epoch_ns(min(bucket_start)) FROM {}.red HAVING count(*) > 0",
            self.schema()
        );
        let oldest = keep(Some(&self.kept.oldest_call), || {
            all(conn, &sql, |row| row.get(0))
        })?;
        Ok(oldest.first().copied())
    }

    /// Whether every bucket of its roll-ups is in the range. The times of a history are those of its pinned rows alone.
    pub(crate) fn has_all_calls_in(&self, range: TimeRange) -> bool {
        !self.is_history() && self.is_inside(whole_buckets(range))
    }

    /// Whether it is sealed and all of its event times are in the range.
    fn is_inside(&self, range: TimeRange) -> bool {
        let whole =
            |(first, last): (i64, i64)| range.from_unix_nano <= first && last < range.to_unix_nano;
        !self.is_text() && self.meta.outliers == 0 && self.meta.event_range.is_some_and(whole)
    }

    /// `{facts}` of a template filled in for each place its rows are in, and the range.
    fn over_facts(&self, template: &str, range: TimeRange) -> Option<String> {
        if !self.may_hold_time(range.from_unix_nano, range.to_unix_nano) {
            return None;
        }
        let selects: Vec<String> = views::places(self)
            .into_iter()
            .map(|facts| {
                template
                    .replace("{facts}", &facts)
                    .replace("{dictionaries}", &self.schema())
                    .replace(
                        "{from}",
                        &format!("make_timestamp_ns({})", range.from_unix_nano),
                    )
                    .replace(
                        "{to}",
                        &format!("make_timestamp_ns({})", range.to_unix_nano),
                    )
            })
            .collect();
        (!selects.is_empty()).then(|| selects.join("\nUNION ALL\n"))
    }
}

/// The buckets of the roll-ups that touch a range.
fn whole_buckets(range: TimeRange) -> TimeRange {
    TimeRange {
        from_unix_nano: rollup::first_bucket(range),
        ..range
    }
}

/// The sums of all buckets.
fn whole<K: Clone + Eq + Hash>(sums: &ByBucket<K>) -> Vec<Summed<K>> {
    let always = TimeRange {
        from_unix_nano: i64::MIN,
        to_unix_nano: i64::MAX,
    };
    let mut all: HashMap<K, Totals> = HashMap::new();
    sums.add_to(always, &mut all);
    all.into_iter()
        .map(|(of, totals)| Summed { of, totals })
        .collect()
}

/// What `read` reads, from where it is kept if it may be.
pub(super) fn keep<T: Clone>(
    place: Option<&OnceLock<Vec<T>>>,
    read: impl FnOnce() -> duckdb::Result<Vec<T>>,
) -> duckdb::Result<Cow<'_, [T]>> {
    let Some(place) = place else {
        return Ok(Cow::Owned(read()?));
    };
    if place.get().is_none() {
        let rows = read()?;
        return Ok(Cow::Borrowed(place.get_or_init(|| rows)));
    }
    Ok(Cow::Borrowed(place.get().map_or(&[], Vec::as_slice)))
}

pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
) -> duckdb::Result<Vec<T>> {
    let mut question = conn.ask(sql)?;
    let rows = question.query_map(NONE, read)?;
    rows.collect()
}
