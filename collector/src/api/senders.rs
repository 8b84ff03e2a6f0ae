//! Who sends, when each was last heard, and how calls are sampled: for the foot of every page.
//!
//! It reads more than a page may wait for, so it is asked in the background and a page shows the last answer: the
//! first page after a start shows none.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tripline_storage::model::{
    Basis, Scope, ScopeFilter, ServiceOrder, ServiceSummary, ServicesQuery, TimeRange,
};
use tripline_storage::query;

use super::AppState;
use super::when::now_ns;

/// How old the answer may be.
const AGE_MAX: Duration = Duration::from_secs(10);
/// Calls are looked at over this long.
const SAMPLING_NS: u64 = 3600 * 1_000_000_000;
/// Clocks ahead of ours by less are no reason to read a segment row by row.
const AHEAD_NS: u64 = 86_400 * 1_000_000_000;
/// Services that are looked at.
const SERVICES_MAX: usize = 10_000;

/// What is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Senders {
    /// Every service of which anything is stored.
    pub(crate) heard: Vec<Heard>,
    /// How the calls of the last hour were sampled.
    pub(crate) sampling: Sampling,
}

/// When a service was last heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) scope: Scope,
    pub(crate) service_name: String,
    /// Event time of its newest span, log record or point, nanoseconds since the epoch.
    pub(crate) newest_ns: u64,
}

/// Calls recorded, and how many they stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sampling {
    /// Calls recorded.
    pub(crate) recorded: u64,
    /// Calls these stand for, by the weights of samplers.
    pub(crate) stand_for: f64,
    /// Of the recorded, those of services that say nothing of sampling.
    pub(crate) unknown: u64,
}

/// The last answer; shared by all requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownSenders(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Option<(Instant, Arc<Senders>)>>,
    is_asked: AtomicBool,
}

impl Heard {
    /// Whether it is in a scope that is asked about.
    pub(crate) fn is_in(&self, asked: &ScopeFilter) -> bool {
        let fits = |asked: &Option<String>, own: &Option<String>| asked.is_none() || asked == own;
        fits(&asked.environment, &self.scope.environment)
            && fits(&asked.service_namespace, &self.scope.service_namespace)
            && fits(&asked.cluster, &self.scope.cluster)
    }
}

impl Sampling {
    fn of(services: &[ServiceSummary]) -> Self {
        let mut sampling = Self::default();
        for service in services {
            sampling.recorded += service.calls;
            sampling.stand_for += service.weight.max(service.calls as f64);
            if service.basis == Basis::Unknown {
                sampling.unknown += service.calls;
            }
        }
        sampling
    }
}

/// What was last known; asks anew when that is old, without waiting for it.
pub(crate) fn senders(state: &AppState) -> Arc<Senders> {
    let shared = &state.senders.0;
    let known = shared.lock().clone();
    let is_old = known.as_ref().is_none_or(|(at, _)| at.elapsed() >= AGE_MAX);
    if is_old && !shared.is_asked.swap(true, Relaxed) {
        tokio::spawn(ask(state.clone()));
    }
    known.map(|(_, senders)| senders).unwrap_or_default()
}

async fn ask(state: AppState) {
    let now_ns = now_ns();
    let nanos = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    // From the start of time, so that what a sealed segment has is read once and kept.
    let ever = TimeRange {
        from_unix_nano: 0,
        to_unix_nano: nanos(now_ns.saturating_add(AHEAD_NS)),
    };
    let of_services = ServicesQuery {
        range: TimeRange::ending(nanos(now_ns), nanos(SAMPLING_NS)),
        scope: ScopeFilter::default(),
        order: ServiceOrder::Name,
        limit: SERVICES_MAX,
    };
    let asked = state
        .ask(move |session| {
            let coverage = query::coverage(session, ever, &of_services.scope)?;
            let services = query::services_by_spans(session, &of_services)?;
            Ok((coverage.items, services.items))
        })
        .await;
    let shared = &state.senders.0;
    if let Ok((coverage, services)) = asked {
        let heard = coverage.into_iter().filter_map(|service| {
            let newest = [
                service.newest_span_unix_nano,
                service.newest_log_unix_nano,
                service.newest_metric_unix_nano,
            ];
            let newest = newest.into_iter().flatten().max()?;
            Some(Heard {
                scope: service.scope,
                service_name: service.service_name,
                newest_ns: u64::try_from(newest).ok()?,
            })
        });
        let senders = Senders {
            heard: heard.take(SERVICES_MAX).collect(),
            sampling: Sampling::of(&services),
        };
        *shared.lock() = Some((Instant::now(), Arc::new(senders)));
    }
    shared.is_asked.store(false, Relaxed);
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<(Instant, Arc<Senders>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_stand_for_others_and_those_nobody_knows_of_are_told_apart() {
        let service = |calls: u64, weight: f64, basis: Basis| ServiceSummary {
            calls,
            weight,
            basis,
            ..ServiceSummary::default()
        };
        let sampling = Sampling::of(&[
            service(10, 100.0, Basis::Sampled),
            service(20, 20.0, Basis::All),
            service(30, 0.0, Basis::Unknown),
        ]);
        let expected = Sampling {
            recorded: 60,
            stand_for: 150.0,
            unknown: 30,
        };
        assert_eq!(sampling, expected);
    }
}
