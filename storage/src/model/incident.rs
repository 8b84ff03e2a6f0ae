//! Incidents: trips of breakers that belong together, their likely root, and who is hurt.

use serde::{Deserialize, Serialize};

use super::{
    BeforeAfter, BreakerTransition, Finding, Scope, ScopeFilter, TimeRange, WorstMoment, exact,
};

/// Asks for incidents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentsQuery {
    /// Those that touch this time.
    pub range: TimeRange,
    /// Only of breakers in these scopes.
    pub scope: ScopeFilter,
    /// Only those a breaker of this service, or its callee, is part of.
    pub service: Option<String>,
    /// At most so many, newest first.
    pub limit: usize,
    /// What is now: breakers that are open have been until then.
    #[serde(with = "exact")]
    pub now_unix_nano: i64,
}

/// Trips linked in time and call path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Nanoseconds of the first trip and the breaker that tripped, `<ns>-<16 hex>`.
    pub incident_id: String,
    /// The first trip.
    #[serde(with = "exact")]
    pub start_unix_nano: i64,
    /// When the last breaker closed, or was last heard of; `None` while one refuses or probes.
    #[serde(with = "exact::option")]
    pub end_unix_nano: Option<i64>,
    /// `open` while a breaker refuses, `probing` while one is half-open, `recovered` when all are closed, `silent` when
    /// it is over and one of them fell silent before it closed.
    pub state: String,
    /// Changes from closed to open, of every instance.
    pub trips: u32,
    /// Its breakers in the order they tripped.
    pub breakers: Vec<IncidentBreaker>,
    /// Where it likely began.
    pub root: Option<Root>,
}

/// One breaker's part in an incident.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IncidentBreaker {
    /// Names the logical breaker.
    pub breaker_id: String,
    /// Scope of the service that owns it.
    #[serde(flatten)]
    pub scope: Scope,
    /// The service that owns it: the caller.
    pub service_name: String,
    /// Its name.
    pub name: String,
    /// Which of a keyed family.
    pub key: Option<String>,
    /// The callee it guards, if that is known.
    pub peer: Option<String>,
    /// How the callee is known: `reported`, `span`, `address`, `trace`, `user_rule`, `name`, `edge`.
    pub peer_evidence: Option<String>,
    /// Its first trip, as reported: the window at that moment, the trace.
    pub trip: BreakerTransition,
    /// When its last instance closed, or was last heard of; `None` while one refuses or probes.
    #[serde(with = "exact::option")]
    pub closed_unix_nano: Option<i64>,
    /// Its last instance did not close: it fell silent.
    #[serde(default)]
    pub fell_silent: bool,
    /// Changes from closed to open.
    pub trips: u32,
    /// Probes that failed and opened it again.
    pub reopenings: u32,
    /// Instances that tripped.
    pub instances: u32,
    /// Of these that refuse now.
    pub instances_open: u32,
    /// Breakers of the incident that are further down its calls, as indices into the list.
    pub downstream: Vec<usize>,
}

/// Where an incident likely began, and why that is likely.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Root {
    /// The service (or inferred peer) that fails by itself.
    pub service: String,
    /// The breaker nearest to it.
    pub breaker_id: String,
    /// 0 to 1: 0.35 × precedence + 0.3 × nothing open below + 0.35 × its own trouble.
    pub score: f64,
    /// What speaks for it, strongest first.
    pub evidence: Vec<Clue>,
}

/// One reason to believe something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Clue {
    /// `trip_order`, `no_open_callee`, `own_errors`, `slow`, `callee_fails`, `onset`, `shared_traces`.
    pub kind: String,
    /// In words.
    pub sentence: String,
    /// The number behind it, if there is one.
    pub value: Option<f64>,
}

/// Everything about one incident.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IncidentDetail {
    /// What the list says of it.
    pub incident: Incident,
    /// When each of its services began to fail or to be slow, earliest first.
    pub onsets: Vec<Onset>,
    /// One trace for each way in which calls failed.
    pub error_classes: Vec<ErrorClass>,
    /// What changed near its beginning, oldest first.
    pub changes: Vec<ChangeEvent>,
    /// Services of it that report no version: their deploys cannot be seen.
    pub services_without_version: Vec<String>,
    /// Who is hurt.
    pub blast: BlastRadius,
    /// Whether it gets better.
    pub recovery: Recovery,
    /// How its calls, and the requests at its entry points, did before, during and after it.
    #[serde(default)]
    pub before_after: BeforeAfter,
    /// Its calls while most instances refused.
    #[serde(default)]
    pub worst: WorstMoment,
    /// Every transition of its breakers during it, oldest first; to `stale` where an instance fell silent.
    pub transitions: Vec<BreakerTransition>,
    /// What makes it worse or hard to see, about the services in it.
    pub findings: Vec<Finding>,
    /// How many of these there are in all: the list has the strongest of each kind first.
    #[serde(default)]
    pub findings_total: u64,
}

/// When a service began to fail or to be slow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Onset {
    /// The service.
    pub service: String,
    /// `errors` or `latency`.
    pub what: String,
    /// The second it began.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Before: failed share, or mean seconds.
    pub before: f64,
    /// From then on: failed share, or mean seconds.
    pub after: f64,
}

/// Calls through a breaker that failed in one way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorClass {
    /// The breaker.
    pub breaker_id: String,
    /// `error.type`, else a status or its message, else `slow` or `error`.
    pub class: String,
    /// Failed calls of this class around the trip.
    pub count: u64,
    /// Trace that stands for it.
    pub trace_id: String,
    /// The deepest failing span of it that is stored.
    pub span_id: String,
    /// Service of that span.
    pub span_service: String,
    /// `tripped it`, `contributed` or `similar`.
    pub label: String,
}

/// Something that changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeEvent {
    /// When.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// `version`, `settings`, or what the event says it is (`deploy`, `flag`, `config`).
    pub kind: String,
    /// Where.
    pub service: String,
    /// What.
    pub description: String,
}

/// Requests at the entry points, by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// The time that was counted.
    pub range: Option<TimeRange>,
    /// Entry points, most failed first.
    pub entry_points: Vec<EntryPoint>,
    /// Share of requests whose trace crosses an edge of the incident, 0 to 1.
    pub crossing_share: f64,
    /// Where it lies with 95 % confidence; `None` unless it is estimated from a part of the requests.
    pub crossing_interval: Option<(f64, f64)>,
    /// `all`, `sampled` (weights were used) or `unknown`.
    pub basis: String,
    /// One stored trace in so many was read; counts are multiplied by it.
    pub one_in: u64,
    /// Requests that were read.
    pub counted: u64,
}

/// One way into the system, during the incident.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntryPoint {
    /// Where the service lives.
    #[serde(flatten)]
    pub scope: Scope,
    /// Service that takes the request.
    pub service: String,
    /// Its operation.
    pub name: String,
    /// Requests, sampling undone.
    pub requests: f64,
    /// Whose trace crosses an edge of the incident.
    pub crossing: f64,
    /// Failed, with a failed or refused call on such an edge in their trace.
    pub failed: f64,
    /// Answered though such a call failed for good or was refused: a fallback or a default.
    pub degraded: f64,
    /// The rest.
    pub unaffected: f64,
}

/// How an incident goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// `worsening`, `flat`, `recovering`, `recovered` or `silent`.
    pub verdict: String,
    /// Why, in words.
    pub reason: String,
    /// Instances that refuse, at each change.
    pub open: Vec<OpenAt>,
    /// Refused calls a minute.
    pub rejected: Vec<RejectedInMinute>,
    /// How these are known: by the `counter` of a breaker, or by `spans`, sampling undone.
    pub rejected_basis: Option<String>,
    /// Probes: half-open states that ended, and how many of them closed the breaker.
    pub probes: u32,
    /// Of these that closed it.
    pub probes_passed: u32,
    /// Failed share at the entry points whose requests cross its edges, in the five minutes before now, or after its end
    /// once these are over.
    pub entry_error_share: Option<f64>,
    /// The same in the five minutes before it began, those of `before_after`.
    pub entry_error_share_before: Option<f64>,
}

impl Recovery {
    /// Calls refused in the worst minute; 0 where none is counted.
    pub fn rejected_max(&self) -> u64 {
        let minutes = self.rejected.iter();
        minutes.map(|minute| minute.rejected).max().unwrap_or(0)
    }
}

/// How many instances refuse from a moment on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAt {
    /// The moment.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Instances.
    pub open: u32,
}

/// Calls refused in one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedInMinute {
    /// Its beginning.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Calls.
    pub rejected: u64,
}
