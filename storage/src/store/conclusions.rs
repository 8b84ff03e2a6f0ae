//! What the evidence of breakers leads to, kept until there is more of it.
//!
//! Concluding transitions and states reads the whole history of every breaker; pages ask for them many times a view.
//! So the first question after a change of the set, or after new evidence, concludes once into tables of a schema of its
//! own, and the questions after it read those.
//!
//! Two things are not in the evidence and are looked up in the calls: whom a breaker guards ([`peers`]), and the call
//! that opened it where nobody says which ([`trips`]). What was found stays with the store ([`Found`]), so that only
//! what is new is looked for. Where something is missing still, calls that come later may tell: then the conclusions
//! are drawn again after a while. So they are where a breaker is known by reports alone: whether its instance still lives
//! is seen by all else that it sends ([`heard`]).

mod heard;
mod peers;
mod trips;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use duckdb::Connection;

pub(crate) use self::trips::Inferred;
use super::leases::SegmentSet;
use super::locked;
use crate::resilience::{PeerRule, views};
use crate::retirement::{Retired, Retirement};

/// After so long any new calls are looked at again for what is missing.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// After so long it is looked up again what instances sent that only report.
const HEARD_FOR: Duration = Duration::from_secs(60);

/// Tables of conclusions; they go when the last holder does.
#[derive(Debug)]
pub(crate) struct Conclusions {
    number: u64,
    /// The evidence they were made of.
    evidence: u64,
    /// Something is missing that calls may tell; the calls that were there.
    missing: Option<Look>,
    /// When it was looked up what instances sent that only report, if there are any.
    heard: Option<Instant>,
    retirement: Retirement,
}

/// The latest conclusions over a set.
#[derive(Debug, Default)]
pub(crate) struct Latest(Mutex<Option<Arc<Conclusions>>>);

/// What was looked up in calls for conclusions, shared by all sets of a store.
#[derive(Debug, Default)]
pub(crate) struct Found {
    peers: Mutex<peers::Known>,
    trips: Mutex<trips::Known>,
    /// What people say of callees.
    rules: Vec<PeerRule>,
}

impl Found {
    /// Nothing yet, but what people say.
    pub(crate) fn new(rules: Vec<PeerRule>) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }
}

/// When calls were looked at, and how many there were.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    spans: u64,
}

impl Look {
    fn now(set: &SegmentSet) -> Self {
        Self {
            at: Instant::now(),
            spans: set.spans_known(),
        }
    }

    /// Whether there is enough more to look again: an eighth, or anything after a while.
    fn is_worth_another(self, now: Self) -> bool {
        now.spans > self.spans + self.spans / 8
            || now.spans != self.spans && now.at.duration_since(self.at) >= AGAIN_AFTER
    }
}

impl Conclusions {
    /// The qualified schema they are in, ready for SQL text.
    pub(crate) fn schema(&self) -> String {
        schema_of(self.number)
    }

    fn holds(&self, evidence: u64, set: &SegmentSet) -> bool {
        let may_tell = |missing: Look| missing.is_worth_another(Look::now(set));
        let is_old = |heard: Instant| heard.elapsed() >= HEARD_FOR;
        self.evidence == evidence
            && !self.missing.is_some_and(may_tell)
            && !self.heard.is_some_and(is_old)
    }
}

impl Drop for Conclusions {
    fn drop(&mut self) {
        self.retirement.push(Retired::Conclusions(self.number));
    }
}

/// Name of the schema of the conclusions with this number.
pub(crate) fn schema_of(number: u64) -> String {
    format!("memory.c{number}")
}

impl SegmentSet {
    /// The conclusions from all evidence by now, if somebody has drawn them already.
    pub(crate) fn conclusions(&self) -> Option<Arc<Conclusions>> {
        let evidence = self.evidence_seen();
        let latest = locked(&self.latest.0);
        latest.clone().filter(|latest| latest.holds(evidence, self))
    }

    /// The conclusions from all evidence by now, drawn on `conn` if nobody has yet; who comes meanwhile waits.
    pub(crate) fn conclude(&self, conn: &Connection) -> duckdb::Result<Arc<Conclusions>> {
        let mut latest = locked(&self.latest.0);
        // Read before the rows are: what is committed in between is concluded from, and concluded from again.
        let evidence = self.evidence_seen();
        if let Some(fresh) = latest
            .as_ref()
            .filter(|latest| latest.holds(evidence, self))
        {
            return Ok(Arc::clone(fresh));
        }
        let mut made = Conclusions {
            number: self.retirement.number(),
            evidence,
            missing: None,
            heard: None,
            retirement: self.retirement.clone(),
        };
        self.provide(conn, &["breaker_config"])?;
        let sql = views::conclude(&made.schema(), &self.schema(), &self.evidence());
        conn.execute_batch(&self.as_of.fill(&sql))?;
        // Extras: without them, what the evidence says still stands.
        made.missing = match self.look_up(conn, &made.schema()) {
            Ok(missing) => missing,
            Err(error) => {
                tracing::warn!(%error, "callees and traces of breakers were not looked up");
                Some(Look::now(self))
            }
        };
        let now = Instant::now();
        made.heard = match heard::look_up(self, conn, &made.schema()) {
            Ok(is_any) => is_any.then_some(now),
            Err(error) => {
                tracing::warn!(%error, "what instances sent beside their reports was not looked up");
                Some(now)
            }
        };
        let made = Arc::new(made);
        *latest = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Trips of which a trace is inferred to be the cause, as far as conclusions were drawn.
    pub(crate) fn inferred_from(&self, trace_id: &str) -> Vec<Inferred> {
        locked(&self.found.trips).caused_by(trace_id)
    }

    /// Adds to the tables what calls tell; whether something is missing still.
    fn look_up(&self, conn: &Connection, schema: &str) -> duckdb::Result<Option<Look>> {
        let look = Look::now(self);
        let mut peers = locked(&self.found.peers);
        let mut trips = locked(&self.found.trips);
        let rules = &self.found.rules;
        let has_peers = peers::resolve(self, conn, schema, &mut peers, look, rules)?;
        let has_traces = trips::trace(self, conn, schema, &mut trips, peers.names(), look)?;
        Ok((!has_peers || !has_traces).then_some(look))
    }

    /// Spans in it, as far as that is known without counting.
    fn spans_known(&self) -> u64 {
        let rows = |segment: &Arc<crate::segment::Segment>| {
            segment.known_rows().map_or(0, |[spans, ..]| spans)
        };
        self.segments.iter().map(rows).sum()
    }
}

/// Rows as one text for a parameter: rows are joined by `chr(30)`, their fields by `chr(31)`.
fn joined<R: IntoIterator<Item = String>>(rows: impl IntoIterator<Item = R>) -> String {
    let row = |fields: R| {
        let fields: Vec<String> = fields.into_iter().map(|field| plain(&field)).collect();
        fields.join("\u{1f}")
    };
    let rows: Vec<String> = rows.into_iter().map(row).collect();
    rows.join("\u{1e}")
}

/// Without the marks between rows and fields, which no name has.
fn plain(text: &str) -> String {
    text.replace(['\u{1e}', '\u{1f}'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_looked_at_again_when_there_are_many_more_or_any_after_a_while() {
        let at = Instant::now();
        let look = Look { at, spans: 800 };
        let later = |seconds, spans| Look {
            at: at + Duration::from_secs(seconds),
            spans,
        };
        assert!(!look.is_worth_another(later(9, 900)));
        assert!(look.is_worth_another(later(0, 901)));
        assert!(look.is_worth_another(later(10, 801)));
        assert!(!look.is_worth_another(later(1_000, 800)));
        // The first call of all.
        assert!(Look { at, spans: 0 }.is_worth_another(later(0, 1)));
    }

    #[test]
    fn rows_are_joined_so_that_they_come_apart_again() {
        let rows = [["a", "b\u{1f}c"], ["", "d\u{1e}"]].map(|row| row.map(str::to_owned));
        assert_eq!(joined(rows), "a\u{1f}b c\u{1e}\u{1f}d ");
    }
}
