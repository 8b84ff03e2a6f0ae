//! One sample of a breaker, put together of the points of one time.

use std::collections::BTreeMap;

use super::Plan;
use crate::resilience::evidence::{SampleRow, Subject};
use crate::resilience::index::Sink;
use crate::resilience::words::UNKNOWN;

/// Confidence in a gauge that says the state, in one whose numbers are not known, and in counters alone.
const OF_STATE: u32 = 60;
const OF_UNKNOWN: u32 = 10;
const OF_COUNTERS: u32 = 50;

/// One sample being put together.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) row: SampleRow,
    /// One-hot states with a value above zero.
    pub(super) hot: Vec<Hot>,
    /// The number of a numeric gauge, and the state that the dictionary says it is.
    pub(super) number: Option<(f64, Option<&'static str>)>,
    /// The folded name of the gauge, where the dictionary says nothing of its number.
    pub(super) unknown_in: Option<String>,
    /// Hosts by cluster: a name has one a port and subset.
    hosts: BTreeMap<String, Hosts>,
    /// More was said than how many hosts there are.
    pub(super) tells: bool,
}

/// Hosts of one cluster.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hosts {
    pub(super) ejected: Option<u32>,
    pub(super) healthy: Option<u32>,
    pub(super) total: Option<u32>,
}

impl Hosts {
    /// The share that is out, and how many are.
    fn lost(self) -> (f64, u32) {
        match (self.ejected, self.total) {
            (Some(out), Some(all)) if all > 0 => (f64::from(out) / f64::from(all), out),
            (Some(out), _) => (0.0, out),
            (None, _) => (-1.0, 0),
        }
    }
}

/// A state with the label that names it, and its value.
pub(super) struct Hot {
    pub(super) state: Option<&'static str>,
    pub(super) raw: String,
    pub(super) value: f64,
}

impl Parts {
    /// Of several streams of one name (a cluster's ports, its subsets) it is enough that one refuses.
    pub(super) fn keep_most(&mut self, value: f64, refusing: &'static str) {
        let most = self.number.map_or(value, |(so_far, _)| value.max(so_far));
        let state = if most > 0.0 { refusing } else { "closed" };
        self.number = Some((most, Some(state)));
    }

    /// Of several streams of one name the one with the fewest permits left says the state.
    pub(super) fn keep_least(&mut self, value: f64, sink: Sink) {
        if !value.is_finite() {
            return;
        }
        let least = self.number.map_or(value, |(so_far, _)| value.min(so_far));
        let state = match sink {
            Sink::CapPermitsLeft if least <= 0.0 => "saturated",
            Sink::RatePermitsLeft if least < 0.0 => "throttling",
            _ => "closed",
        };
        self.number = Some((least, Some(state)));
    }

    /// Hosts of the cluster that a stream is of.
    pub(super) fn hosts_of(&mut self, plan: &Plan) -> &mut Hosts {
        self.hosts.entry(plan.cluster.clone()).or_default()
    }

    /// The sample, with what its state is and how sure that is.
    pub(super) fn finish(self, subject: Subject, time: i64) -> SampleRow {
        let mut row = SampleRow {
            subject,
            time_unix_nano: time,
            evidence: "metric",
            confidence: OF_COUNTERS,
            ..self.row
        };
        if let Some((number, state)) = self.number {
            row.state = Some(state.unwrap_or(UNKNOWN));
            // What it means is learned by the gauge, so that is said too.
            row.raw_state = Some(match (state, self.unknown_in) {
                (None, Some(name)) => format!("{name}={number}"),
                _ => number.to_string(),
            });
        }
        let most = self.hot.iter().map(|hot| hot.value).fold(0.0, f64::max);
        let mut hottest: Vec<&Hot> = self.hot.iter().filter(|hot| hot.value >= most).collect();
        hottest.sort_by(|a, b| a.raw.cmp(&b.raw));
        match hottest.as_slice() {
            [] => {}
            [one] => {
                row.state = Some(one.state.unwrap_or(UNKNOWN));
                row.raw_state = Some(one.raw.clone());
            }
            // R3: two states at once; which is newer is for the transition counters to say.
            several => {
                let raw: Vec<&str> = several.iter().map(|hot| hot.raw.as_str()).collect();
                row.state = Some(UNKNOWN);
                row.raw_state = Some(raw.join("+"));
            }
        }
        // The cluster that lost most: sums would count the hosts of a port again in each subset.
        let worst = self.hosts.into_values().max_by(|one, other| {
            let ((share, out), (other_share, other_out)) = (one.lost(), other.lost());
            share.total_cmp(&other_share).then(out.cmp(&other_out))
        });
        if let Some(hosts) = worst {
            row.hosts_ejected = hosts.ejected;
            row.hosts_healthy = hosts.healthy;
            row.hosts_total = hosts.total;
        }
        row.confidence = match row.state {
            Some(UNKNOWN) => OF_UNKNOWN,
            Some(_) => OF_STATE,
            None => OF_COUNTERS,
        };
        row
    }
}
