//! Who is hurt: requests at the entry points whose traces cross an edge of the incident.
//!
//! An entry point is a root span. A request is *failed* when its root failed and a call on such an edge failed or was
//! refused in its trace; *degraded* when its root did not fail though such a call did and no retry made it good (a
//! fallback answered); else unaffected. A refused call has no span of its
//! own on the edge: what its library writes is recognised as the waterfall recognises it ([`super::refused_spans`]). Counts
//! undo sampling by the spans' own weights, and that of many spans a share of the traces is read ([`super::sample`]); what
//! is estimated comes with its interval.

use std::collections::BTreeSet;

use duckdb::{Connection, params};

use super::causes::members;
use super::refused_spans::{RefusedSpans, scope_of};
use super::sample::{Sample, wilson};
use super::{QueryError, SECOND, Session, calls_sql, end};
use crate::ask::Ask;
use crate::model::{BlastRadius, EntryPoint, Incident, IncidentBreaker, TimeRange};
use crate::resilience::{BREAKER_KEYS, Subject};

const BLAST: &str = include_str!("blast.sql");
/// The window before the trip belongs to the incident.
const LEAD_NS: i64 = 10 * SECOND;
/// Counted at most; the beginning of a longer incident stands for it.
const LENGTH_MAX_NS: i64 = 3600 * SECOND;

/// Requests by entry point, during the incident, in the scopes of its owners and of those by whom calls came to them;
/// read of about `spans_max` spans at most.
pub(super) fn blast_radius(
    session: &Session<'_>,
    incident: &Incident,
    now: i64,
    spans_max: f64,
) -> Result<BlastRadius, QueryError> {
    let from = incident.start_unix_nano - LEAD_NS;
    let range = TimeRange {
        from_unix_nano: from,
        to_unix_nano: end(incident, now).min(from + LENGTH_MAX_NS) + SECOND,
    };
    session.run(|conn| {
        let sample = Sample::of(session.set(), conn, range, spans_max)?;
        let sql = BLAST
            .replace("{calls}", &calls_sql(session, range, &BREAKER_KEYS))
            .replace("{sample}", &sample.condition());
        let times = sample.one_in as f64;
        let refused = refused_traces(session, conn, incident, range, sample)?;
        let mut statement = conn.ask(&sql)?;
        let mut rows = statement.query(params![
            range.from_unix_nano,
            range.to_unix_nano,
            members(&incident.breakers),
            refused
        ])?;
        let mut blast = BlastRadius {
            range: Some(range),
            one_in: sample.one_in,
            ..BlastRadius::default()
        };
        let (mut requests, mut crossing, mut squares) = (0.0, 0.0, 0.0);
        let (mut is_sampled, mut is_unknown) = (false, false);
        while let Some(row) = rows.next()? {
            let number = |at: usize| row.get::<_, Option<f64>>(at).map(Option::unwrap_or_default);
            let estimate = |at: usize| number(at).map(|counted| counted * times);
            let entry = EntryPoint {
                scope: crate::ask::scope(row, 10)?,
                service: row.get(0)?,
                name: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                requests: estimate(2)?,
                crossing: estimate(3)?,
                failed: estimate(4)?,
                degraded: estimate(5)?,
                unaffected: 0.0,
            };
            requests += entry.requests;
            crossing += entry.crossing;
            blast.counted += row.get::<_, u64>(8)?;
            squares += number(9)?;
            is_sampled |= row.get::<_, bool>(6)?;
            is_unknown |= row.get::<_, bool>(7)?;
            blast.entry_points.push(EntryPoint {
                unaffected: entry.requests - entry.failed - entry.degraded,
                ..entry
            });
        }
        if requests > 0.0 {
            blast.crossing_share = crossing / requests;
            // Requests of different weights say as much as so many of one (L. Kish's effective sample size).
            let counted = requests / times;
            if is_sampled || sample.one_in > 1 {
                blast.crossing_interval =
                    Some(wilson(blast.crossing_share, counted * counted / squares));
            }
        }
        blast.basis = match (is_sampled, is_unknown) {
            (true, _) => "sampled",
            (false, true) => "unknown",
            (false, false) => "all",
        }
        .to_owned();
        Ok(blast)
    })
}

/// Traces in which a breaker of the incident refused a call, joined by `chr(30)`.
fn refused_traces(
    session: &Session<'_>,
    conn: &Connection,
    incident: &Incident,
    range: TimeRange,
    sample: Sample,
) -> Result<String, QueryError> {
    let breakers = &incident.breakers;
    let owners: BTreeSet<String> = breakers.iter().map(|b| b.service_name.clone()).collect();
    let refused = RefusedSpans::of(session.set(), conn, range, &owners, sample)?;
    let is_member = |subject: &Subject| breakers.iter().any(|b| may_be(b, subject));
    let traces: BTreeSet<&str> = refused
        .found
        .iter()
        .filter(|found| is_member(&found.subject))
        .filter_map(|found| found.trace_id.as_deref())
        .collect();
    let traces: Vec<&str> = traces.into_iter().collect();
    Ok(traces.join("\u{1e}"))
}

/// Whether it was this breaker that refused. An error that names nobody is of one that was open then; one that names the
/// callee alone, of whoever guards that.
pub(super) fn may_be(breaker: &IncidentBreaker, subject: &Subject) -> bool {
    let is_owner = subject.service_name.as_ref() == Some(&breaker.service_name)
        && scope_of(subject) == breaker.scope;
    let is_named = subject.name == breaker.name && subject.key == breaker.key;
    let is_callee = breaker.peer.as_ref() == Some(&subject.name);
    is_owner
        && matches!(subject.pattern.as_str(), "breaker" | "ejection")
        && (subject.name.is_empty() || is_named || is_callee)
}
