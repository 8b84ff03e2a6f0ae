//! The services of a time range.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;

use super::live::covered;
use super::requests::{Thinned, requests, thinned};
use super::{QueryError, Session};
use crate::model::{
    Page, ProxyCalls, Scope, ScopeFilter, ServiceSummary, ServicesQuery, TimeRange,
};
use crate::rollup::{ServiceSpans, Summed, Totals};
use crate::segment::kept::is_in;
use crate::store::SegmentSet;

/// Services known to the store with their `red` in the range, and where that is not known to have every call, with what
/// their metrics count; ordered and then cut. Those without spans in it have no calls of spans.
pub fn services(
    session: &Session<'_>,
    query: &ServicesQuery,
) -> Result<Page<ServiceSummary>, QueryError> {
    let seconds = covered(session, query.range)?.seconds().max(1e-9);
    let all = session.run(|conn| {
        let set = session.set();
        let mut known = summaries(set, conn, query, seconds)?;
        let counted = requests(set, conn, query.range, &known.uncertain)?;
        for (key, counts) in counted {
            if let Some(summary) = known.services.get_mut(&key) {
                summary.rate_per_second = counts.calls as f64 / seconds;
                summary.requests = Some(counts);
                summary.error_ratio = summary.counts().share();
            }
        }
        Ok(known.services)
    })?;
    Ok(ordered(all, query))
}

/// The same, without asking their metrics: for who wants to know how spans are sampled.
pub fn services_by_spans(
    session: &Session<'_>,
    query: &ServicesQuery,
) -> Result<Page<ServiceSummary>, QueryError> {
    let seconds = covered(session, query.range)?.seconds().max(1e-9);
    let known = session.run(|conn| summaries(session.set(), conn, query, seconds))?;
    Ok(ordered(known.services, query))
}

fn ordered(
    services: BTreeMap<ServiceKey, ServiceSummary>,
    query: &ServicesQuery,
) -> Page<ServiceSummary> {
    let mut all: Vec<ServiceSummary> = services.into_values().collect();
    query.order.sort(&mut all);
    Page::cut(all, query.limit)
}

/// Names of the services that are stored, in any scope asked about, sorted.
pub fn service_names(
    session: &Session<'_>,
    scope: &ScopeFilter,
) -> Result<Vec<String>, QueryError> {
    let senders = session.run(|conn| Ok(session.set().senders(conn)?))?;
    let names: BTreeSet<String> = senders
        .into_iter()
        .filter(|sender| is_in(&sender.scope, scope))
        .map(|sender| sender.service_name.unwrap_or_else(|| UNKNOWN.to_owned()))
        .collect();
    Ok(names.into_iter().collect())
}

/// What a service without a name is called.
const UNKNOWN: &str = "unknown_service";

/// The roll-up of spans, of the segments that may have some of the range.
pub(super) fn red(set: &SegmentSet, range: TimeRange) -> String {
    set.red_sql(range.from_unix_nano, range.to_unix_nano)
}

/// Names a service.
pub(super) type ServiceKey = (Scope, String);

/// The rank of calls that a proxy let in, as `rollup/sum_red.sql` has it.
pub(super) const PROXY_LET_IN: u8 = 2;
/// The rank of calls that a proxy sent on.
pub(super) const PROXY_SENT_ON: u8 = 4;

/// Whether spans of this rank are a proxy's.
pub(super) fn is_of_proxy(rank: u8) -> bool {
    matches!(rank, PROXY_LET_IN | PROXY_SENT_ON)
}

/// Sums of one service, by how well its spans stand for its calls (1 best).
#[derive(Default)]
struct ByRank {
    ranks: BTreeMap<u8, Totals>,
}

/// What one service was asked in a range.
pub(super) struct Calls {
    /// Of the spans that best stand for its calls.
    pub totals: Totals,
    /// Its spans of any kind.
    pub spans: u64,
    /// The same by the proxy beside it, and whether these are calls it sent on.
    pub proxy: Option<(Totals, bool)>,
    /// All of its spans are a proxy's.
    pub is_proxy: bool,
}

/// Calls of each service in the range.
pub(super) fn calls(
    set: &SegmentSet,
    conn: &Connection,
    query: &ServicesQuery,
) -> Result<BTreeMap<ServiceKey, Calls>, QueryError> {
    let pick = |of: &ServiceSpans| is_in(&of.scope, &query.scope);
    let sums = set.service_sums(conn, query.range, pick)?;
    let mut services: BTreeMap<ServiceKey, ByRank> = BTreeMap::new();
    for Summed { of, totals } in sums {
        let by_rank = services.entry((of.scope, of.service_name)).or_default();
        by_rank.ranks.insert(of.rank, totals);
    }
    Ok(services
        .into_iter()
        .map(|(key, by_rank)| (key, by_rank.calls()))
        .collect())
}

/// The application each proxy stands beside, for those that tell by their name: `cart` for a proxy's service `cart`
/// of another scope, or `cart.shop`. The same rule folds its spans into the application's (`rollup/calls.sql`).
pub(super) fn applications(services: &BTreeMap<ServiceKey, Calls>) -> BTreeMap<ServiceKey, String> {
    let own: BTreeSet<&str> = services
        .iter()
        .filter(|(_, calls)| !calls.is_proxy)
        .map(|((_, name), _)| name.as_str())
        .collect();
    services
        .iter()
        .filter(|(_, calls)| calls.is_proxy)
        .filter_map(|(key, _)| {
            let name = key.1.as_str();
            let first = name.split('.').next().unwrap_or(name);
            let application = [name, first].into_iter().find(|name| own.contains(name))?;
            Some((key.clone(), application.to_owned()))
        })
        .collect()
}

impl ByRank {
    fn calls(self) -> Calls {
        let spans = self.ranks.values().map(|totals| totals.calls).sum();
        let last = self
            .ranks
            .values()
            .filter_map(|totals| totals.last_bucket_unix_nano)
            .max();
        let is_proxy = self.ranks.keys().all(|rank| is_of_proxy(*rank));
        let stands_for_itself = self.ranks.keys().next().copied().is_some_and(is_of_proxy);
        let proxy = [PROXY_LET_IN, PROXY_SENT_ON]
            .into_iter()
            .filter(|_| !stands_for_itself)
            .find_map(|rank| Some((self.ranks.get(&rank)?.clone(), rank == PROXY_SENT_ON)));
        let mut totals = self.ranks.into_values().next().unwrap_or_default();
        totals.last_bucket_unix_nano = last;
        Calls {
            totals,
            spans,
            proxy,
            is_proxy,
        }
    }
}

/// Services as their spans tell of them.
struct Known {
    services: BTreeMap<ServiceKey, ServiceSummary>,
    /// Those that metrics may count better.
    uncertain: Thinned,
}

fn summaries(
    set: &SegmentSet,
    conn: &Connection,
    query: &ServicesQuery,
    seconds: f64,
) -> Result<Known, QueryError> {
    let mut services: BTreeMap<ServiceKey, ServiceSummary> = BTreeMap::new();
    let found = calls(set, conn, query)?;
    let mut uncertain: Thinned = found
        .iter()
        .filter_map(|(key, calls)| Some((key.clone(), thinned(&calls.totals)?)))
        .collect();
    let mut applications = applications(&found);
    for (key, calls) in found {
        let totals = &calls.totals;
        let summary = ServiceSummary {
            scope: key.0.clone(),
            service_name: key.1.clone(),
            calls: totals.calls,
            errors: totals.errors,
            weight: totals.weight,
            error_weight: totals.error_weight,
            basis: totals.basis(),
            rate_per_second: totals.weight / seconds,
            error_ratio: totals.counts().share(),
            latency: totals.latency(),
            spans: calls.spans,
            last_seen_unix_nano: totals.last_bucket_unix_nano,
            proxy: calls
                .proxy
                .as_ref()
                .map(|(totals, is_outgoing)| ProxyCalls {
                    is_outgoing: *is_outgoing,
                    calls: totals.calls,
                    errors: totals.errors,
                    weight: totals.weight,
                    error_weight: totals.error_weight,
                    rate_per_second: totals.weight / seconds,
                    latency: totals.latency(),
                }),
            proxy_of: applications.remove(&key),
            ..ServiceSummary::default()
        };
        services.insert(key, summary);
    }
    add_senders(set, conn, query, &mut services)?;
    for service in services.values_mut() {
        service.rate_seconds = seconds;
    }
    // Of few calls a sampler may have kept none.
    let silent = services.iter().filter(|(_, service)| service.spans == 0);
    uncertain.extend(silent.map(|(key, _)| (key.clone(), 0.0)));
    Ok(Known {
        services,
        uncertain,
    })
}

/// What the senders of a service call themselves, each once.
#[derive(Default)]
struct Named {
    versions: BTreeSet<String>,
    instances: BTreeSet<String>,
}

/// Versions and instances, and services that sent no spans in the range.
fn add_senders(
    set: &SegmentSet,
    conn: &Connection,
    query: &ServicesQuery,
    services: &mut BTreeMap<ServiceKey, ServiceSummary>,
) -> Result<(), QueryError> {
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let mut others: BTreeMap<ServiceKey, Named> = BTreeMap::new();
    let mut known: BTreeMap<ServiceKey, Named> = BTreeMap::new();
    for segment in set.segments() {
        let told = if segment.may_hold_time(from, to) {
            &mut known
        } else {
            &mut others
        };
        let senders = segment.senders(conn)?;
        for sender in senders
            .iter()
            .filter(|sender| is_in(&sender.scope, &query.scope))
        {
            let name = sender.service_name.as_deref().unwrap_or(UNKNOWN);
            let named = told
                .entry((sender.scope.clone(), name.to_owned()))
                .or_default();
            named.versions.extend(sender.service_version.clone());
            named.instances.extend(sender.service_instance_id.clone());
        }
    }
    // Pods come and go: those of other segments stand for a service that those of the range do not know.
    others.extend(known);
    for (key, named) in others {
        let summary = services
            .entry(key.clone())
            .or_insert_with(|| ServiceSummary {
                scope: key.0,
                service_name: key.1,
                ..ServiceSummary::default()
            });
        summary.versions = named.versions.into_iter().collect();
        summary.instances = named.instances.len() as u64;
    }
    Ok(())
}
