//! When instances that only report their breakers' changes were last heard of at all.
//!
//! How often such a breaker would speak up nobody knows, so its own silence says nothing (R5 counts intervals). But whoever
//! sends spans, log records or metrics beside the reports, and then nothing any more, is gone, and what it held open with
//! it. An instance of which nothing but reports ever came is left as they say, for as long as these are stored: of
//! whoever is in no raw telemetry any more, retention has seen the end.

use std::collections::BTreeMap;

use duckdb::{Connection, params};

use super::super::leases::SegmentSet;
use super::joined;
use crate::ask::{Ask as _, NONE, scope};
use crate::segment::Segment;
use crate::segment::kept::{Heard, Instance};
use crate::segment::live::{Times, wider};

/// Who has sent nothing for so long is gone: three of the longest usual intervals of metrics, five minutes. Spans and
/// log records come with the calls, and a quiet quarter of an hour is rarer than a quiet minute.
const SILENT_AFTER_NS: i64 = 900_000_000_000;

/// An instance of a breaker that exports no metrics.
struct Reporter {
    breaker_id: String,
    /// Empty when it has no id.
    instance_id: String,
    instance: Instance,
    /// Its first and its last report, nanoseconds.
    reports: (i64, i64),
}

/// What was heard of an instance, reports and all.
#[derive(Debug, Clone, Copy)]
struct Said {
    reports: (i64, i64),
    /// Something it sent is stored still.
    is_stored: bool,
    logs: Times,
    other: Option<i64>,
}

impl Said {
    fn of(reports: (i64, i64)) -> Self {
        Self {
            reports,
            is_stored: false,
            logs: None,
            other: None,
        }
    }

    fn add(&mut self, heard: &Heard) {
        self.logs = wider(self.logs, heard.logs);
        self.other = self.other.max(heard.other);
    }

    /// When something came last.
    fn last(&self) -> i64 {
        let log = self.logs.map(|(_, last)| last);
        self.reports.1.max(log.max(self.other).unwrap_or(i64::MIN))
    }

    /// Whether it says something that nothing came of it since.
    fn may_be_silent(&self) -> bool {
        !self.is_stored || self.is_more_than_reports()
    }

    /// Whether anything but reports came: these are log records too.
    fn is_more_than_reports(&self) -> bool {
        let (first, last) = self.reports;
        self.other.is_some()
            || self
                .logs
                .is_some_and(|logs| logs.0 < first || last < logs.1)
    }
}

/// Fills the table `heard` of `schema`; whether there is any instance that only reports.
pub(super) fn look_up(set: &SegmentSet, conn: &Connection, schema: &str) -> duckdb::Result<bool> {
    let reporters = reporters(conn, schema)?;
    let mut said: BTreeMap<Instance, Said> = BTreeMap::new();
    for Reporter {
        instance, reports, ..
    } in &reporters
    {
        let of_it = said.entry(instance.clone()).or_insert(Said::of(*reports));
        // Of all its breakers.
        of_it.reports = (
            of_it.reports.0.min(reports.0),
            of_it.reports.1.max(reports.1),
        );
    }
    // The newest first: what is older tells nothing of whoever spoke since.
    for segment in set.segments().iter().rev() {
        if !may_tell(segment, conn, &mut said)? {
            continue;
        }
        for heard in segment.heard(conn)?.iter() {
            if let Some(known) = said.get_mut(&heard.instance) {
                known.add(heard);
            }
        }
    }
    let rows = reporters.iter().filter_map(|reporter| {
        let said = said.get(&reporter.instance)?;
        said.may_be_silent().then(|| {
            [
                reporter.breaker_id.clone(),
                reporter.instance_id.clone(),
                said.last().to_string(),
                said.last().saturating_add(SILENT_AFTER_NS).to_string(),
            ]
        })
    });
    let rows = joined(rows);
    if !rows.is_empty() {
        conn.execute(
            &format!(
                "INSERT INTO {schema}.heard SELECT part[1], part[2], part[3]::BIGINT, part[4]::BIGINT FROM \
                 (SELECT string_split(unnest(string_split(?, chr(30))), chr(31)) AS part)"
            ),
            params![rows],
        )?;
    }
    Ok(!reporters.is_empty())
}

fn reporters(conn: &Connection, schema: &str) -> duckdb::Result<Vec<Reporter>> {
    let sql = format!(
        "SELECT breaker_id, instance, environment, service_namespace, cluster, service_name, service_instance_id, \
         epoch_ns(first_seen), epoch_ns(last_seen) FROM {schema}.known \
         WHERE interval_ns IS NULL AND first_seen IS NOT NULL ORDER BY breaker_id, instance"
    );
    let mut question = conn.ask(&sql)?;
    let rows = question.query_map(NONE, |row| {
        Ok(Reporter {
            breaker_id: row.get(0)?,
            instance_id: row.get(1)?,
            instance: (scope(row, 2)?, row.get(5)?, row.get(6)?),
            reports: (row.get(7)?, row.get(8)?),
        })
    })?;
    rows.collect()
}

/// Whether a segment has rows of one of these instances that may be newer than what is known of it; notes whose it has.
fn may_tell(
    segment: &Segment,
    conn: &Connection,
    said: &mut BTreeMap<Instance, Said>,
) -> duckdb::Result<bool> {
    if said.is_empty() {
        return Ok(false);
    }
    let is_measured = !segment.is_text() && segment.meta.outliers == 0;
    let newest = segment.meta.event_range.map_or(i64::MIN, |(_, last)| last);
    let mut may_tell = false;
    for sender in segment.senders(conn)?.iter() {
        let instance = (
            sender.scope.clone(),
            sender.service_name.clone(),
            sender.service_instance_id.clone(),
        );
        if let Some(known) = said.get_mut(&instance) {
            known.is_stored = true;
            may_tell |= !is_measured || !known.is_more_than_reports() || known.last() < newest;
        }
    }
    Ok(may_tell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_log_records_and_no_more_than_reports_by_themselves() {
        let heard = |logs: Times, other: Option<i64>| {
            let mut said = Said::of((10, 20));
            said.is_stored = true;
            said.add(&Heard {
                instance: Instance::default(),
                logs,
                other,
            });
            (said.may_be_silent(), said.last())
        };
        assert_eq!(heard(None, None), (false, 20));
        assert_eq!(heard(Some((10, 20)), None), (false, 20));
        // One report of two in this file.
        assert_eq!(heard(Some((20, 20)), None), (false, 20));
        assert_eq!(heard(Some((9, 20)), None), (true, 20));
        assert_eq!(heard(Some((10, 21)), None), (true, 21));
        assert_eq!(heard(None, Some(3)), (true, 20));
        assert_eq!(heard(Some((9, 30)), Some(40)), (true, 40));
        // All of it has expired.
        assert!(Said::of((10, 20)).may_be_silent());
    }
}
