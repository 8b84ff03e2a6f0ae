//! Services: what they do and how well.

use serde::{Deserialize, Serialize};

use super::{Basis, CallCounts, Latency, Scope, ScopeFilter, TimeRange, exact};

/// Asks for the services of a time range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicesQuery {
    /// Rounded outwards to whole buckets of 10 s.
    pub range: TimeRange,
    /// Scopes.
    pub scope: ScopeFilter,
    /// Which come first.
    pub order: ServiceOrder,
    /// At most so many.
    pub limit: usize,
}

/// Which services of a list come first; ties by name and scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceOrder {
    /// By scope and name.
    #[default]
    Name,
    /// Most failed calls first, of as many the most calls; by what they stand for.
    Impact,
    /// Most calls a second first.
    Rate,
    /// Greatest failed share first.
    Errors,
    /// Longest 95th percentile first.
    P95,
}

impl ServiceOrder {
    /// Each with its word in a URL.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("impact", Self::Impact),
        ("name", Self::Name),
        ("rate", Self::Rate),
        ("errors", Self::Errors),
        ("p95", Self::P95),
    ];

    /// Puts services into this order.
    pub fn sort(self, services: &mut [ServiceSummary]) {
        let p95 = |service: &ServiceSummary| service.latency.p95_ns.unwrap_or(-1.0);
        services.sort_by(|a, b| {
            let by_number = match self {
                Self::Name => {
                    return (&a.scope, &a.service_name).cmp(&(&b.scope, &b.service_name));
                }
                Self::Impact => {
                    let (a, b) = (a.counts(), b.counts());
                    let by_failed = b.failed().total_cmp(&a.failed());
                    by_failed.then(b.all().total_cmp(&a.all()))
                }
                Self::Rate => b.rate_per_second.total_cmp(&a.rate_per_second),
                Self::Errors => b
                    .error_ratio
                    .total_cmp(&a.error_ratio)
                    .then(b.counts().failed().total_cmp(&a.counts().failed())),
                Self::P95 => p95(b).total_cmp(&p95(a)),
            };
            by_number.then_with(|| (&a.service_name, &a.scope).cmp(&(&b.service_name, &b.scope)))
        });
    }
}

/// One service in a time range. Calls are its entry spans (`server`, `consumer`); a service without any
/// counts its root-most kind it has: `client` and `producer`, else `internal`. An application's own spans come before
/// those of the proxy beside it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceSummary {
    /// Its scope.
    #[serde(flatten)]
    pub scope: Scope,
    /// Its name.
    pub service_name: String,
    /// Calls seen in the range.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// What the counts stand on.
    pub basis: Basis,
    /// The same as its metrics count them, every one: only where spans are not known to be all there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestCounts>,
    /// Calls a second over `rate_seconds`: of `requests` if there are any, else of the spans (weighted).
    pub rate_per_second: f64,
    /// Seconds of the range that rates are over: from the oldest span stored, of any service, to now at the latest.
    #[serde(default)]
    pub rate_seconds: f64,
    /// Failed share of the same (weighted), 0 to 1; 0 without calls.
    pub error_ratio: f64,
    /// Latency of the calls.
    pub latency: Latency,
    /// All its spans of any kind in the range.
    pub spans: u64,
    /// Values of `service.version` in the segments of the range (whole ones: may name a few from outside it); of a
    /// service that these do not know, all that are stored.
    pub versions: Vec<String>,
    /// Distinct values of `service.instance.id` in the same segments.
    pub instances: u64,
    /// Newest span of it in the range, to the bucket of 10 s; `None` when it only sent logs or metrics.
    #[serde(with = "exact::option")]
    pub last_seen_unix_nano: Option<i64>,
    /// What the proxy beside it counted; the calls above are the application's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyCalls>,
    /// All of its spans are a proxy's: the application that the proxy stands beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_of: Option<String>,
}

impl ServiceSummary {
    /// Calls and failures to be shown: as its metrics count them where they do, else as its spans do.
    pub fn counted(&self) -> (u64, u64) {
        let counts = self.counts();
        (counts.calls, counts.errors)
    }

    /// The same with what they stand for.
    pub fn counts(&self) -> CallCounts {
        let spans = (self.calls, self.errors);
        let weights = (self.weight, self.error_weight);
        counts(self.requests.as_ref(), spans, weights)
    }
}

/// Calls and failures: as metrics count them, else these of spans with their weights.
pub(super) fn counts(
    requests: Option<&RequestCounts>,
    spans: (u64, u64),
    weights: (f64, f64),
) -> CallCounts {
    requests.map_or_else(
        || CallCounts::weighted(spans, weights),
        |counts| CallCounts::every(counts.calls, counts.errors),
    )
}

/// Requests to a service as the standard metrics of its servers count them: every one, however its spans are sampled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    /// Names of the metrics, as they are stored: `http.server.request.duration`.
    pub metrics: Vec<String>,
    /// Requests in the range.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
}

/// Calls as the proxy beside an application counts them: those it let in, or if it let none in, those it sent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ProxyCalls {
    /// They were sent on, not let in.
    pub is_outgoing: bool,
    /// Calls seen in the range.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    #[serde(default)]
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// Calls a second over the `rate_seconds` of its service (weighted).
    pub rate_per_second: f64,
    /// Latency of the calls.
    pub latency: Latency,
}

impl ProxyCalls {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}

/// Steps of a [`ServicePulse`] at most: each is a whole number of buckets of 10 s.
pub const PULSE_STEPS: u32 = 24;

/// One service over a range in a few equal steps, and its two halves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServicePulse {
    /// Its scope.
    #[serde(flatten)]
    pub scope: Scope,
    /// Its name.
    pub service_name: String,
    /// Oldest first.
    pub points: Vec<PulsePoint>,
    /// The first half of the range.
    pub earlier: HalfSummary,
    /// The second.
    pub later: HalfSummary,
}

/// Calls of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PulsePoint {
    /// Calls.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    #[serde(default)]
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
}

impl PulsePoint {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}

/// Calls of half a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HalfSummary {
    /// Calls.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    #[serde(default)]
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// Latency that 95 % of them stay under, nanoseconds.
    pub p95_ns: Option<f64>,
}

impl HalfSummary {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}

/// Asks how one service did over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceQuery {
    /// Its name.
    pub service: String,
    /// Rounded outwards to whole buckets of 10 s.
    pub range: TimeRange,
    /// Only in these scopes.
    pub scope: ScopeFilter,
    /// Only in exactly this one of them: a part that is `None` was not reported.
    pub own: Option<Scope>,
    /// Steps of time.
    pub steps: u32,
}

/// One service over time, by version, and what changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceDetail {
    /// Equal steps, oldest first; a step without calls has none.
    pub points: Vec<RedPoint>,
    /// What it is asked to do, busiest first.
    #[serde(default)]
    pub operations: Vec<OperationSummary>,
    /// Operations in all.
    #[serde(default)]
    pub operations_total: u64,
    /// Versions that carried traffic, the newest to appear first.
    pub versions: Vec<VersionSummary>,
    /// What changed, oldest first: reported events, and versions that appeared.
    pub changes: Vec<Change>,
}

/// Entry spans of one name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OperationSummary {
    /// Name of the spans.
    pub name: String,
    /// Calls counted.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls the counted ones stand for.
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// Durations.
    pub latency: Latency,
}

impl OperationSummary {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}

/// Rate, errors and duration of one step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RedPoint {
    /// Start of the step.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Length of the step in seconds.
    pub seconds: f64,
    /// Calls counted.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls the counted ones stand for.
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// Durations.
    pub latency: Latency,
}

impl RedPoint {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}

/// Calls one version of a service answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VersionSummary {
    /// `service.version`; `None` when not reported.
    pub version: Option<String>,
    /// Calls (entry spans).
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    #[serde(default)]
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// Durations.
    pub latency: Latency,
    /// Its first call in the range.
    #[serde(with = "exact")]
    pub first_unix_nano: i64,
    /// Its last call in the range.
    #[serde(with = "exact")]
    pub last_unix_nano: i64,
}

impl VersionSummary {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}

/// Asks for changes that were reported, and for flags that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesQuery {
    /// Of this time.
    pub range: TimeRange,
    /// Only of these scopes, and of none.
    pub scope: ScopeFilter,
    /// Only of this service, and of none.
    pub service: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Something that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Where, if it is of one service.
    pub service_name: Option<String>,
    /// `deploy`, `flag`, `config`, or what was reported.
    pub kind: String,
    /// In words.
    pub description: String,
    /// `reported`, `version` for a version that appeared in spans, or `evaluated` for a flag that gave another variant.
    pub evidence: String,
}
