//! The calls of an incident: how they did before, during and after it, and as a graph when it was at its worst.

use serde::{Deserialize, Serialize};

use super::{CallCounts, Graph, Latency, Scope, TimeRange, exact};

/// How calls and requests did before, during and after an incident, by whole buckets of 10 s.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BeforeAfter {
    /// The five minutes before; `None` only where nothing was asked.
    pub before: Option<TimeRange>,
    /// From shortly before the first trip to its end, or to now; at most an hour.
    pub during: Option<TimeRange>,
    /// The five minutes after it; `None` until they have begun.
    pub after: Option<TimeRange>,
    /// The calls between its services, then the entry points, each with most calls during it first.
    pub courses: Vec<Course>,
}

/// The calls of one edge, or the requests at one entry point, before, during and after.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Where the service lives.
    #[serde(flatten)]
    pub scope: Scope,
    /// Who calls; at an entry point, who takes the requests.
    pub service: String,
    /// Who is called; `None` at an entry point.
    pub peer: Option<String>,
    /// The operation of an entry point; `None` of an edge.
    pub operation: Option<String>,
    /// Before the incident.
    pub before: Phase,
    /// During it.
    pub during: Phase,
    /// After it; `None` where there is no time after it yet.
    pub after: Option<Phase>,
}

/// Calls of a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Calls seen.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    pub weight: f64,
    /// Of the weight, that of failed calls.
    pub error_weight: f64,
    /// How long they took, as the caller saw it.
    pub latency: Latency,
}

impl Phase {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}

/// The calls between the services of an incident and its entry points, while most of its instances refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorstMoment {
    /// States of breakers are those of this moment: the last one at which so many refused.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// How many instances refused then.
    pub instances_open: u32,
    /// The calls of this time, which ends at that moment.
    pub range: Option<TimeRange>,
    /// Services and calls with their breakers.
    pub graph: Graph,
}
