//! The instances of one service: which of them is asked, which fails, which is slow, which has gone silent.
//!
//! The roll-ups know no instances, so these are counted from the spans that are stored.

use std::collections::{BTreeMap, BTreeSet};

use super::document;
use super::sent::{SentBy, each_sent_by, service_name};
use super::services::{PROXY_LET_IN, PROXY_SENT_ON, is_of_proxy};
use super::{QueryError, Session};
use crate::model::{
    AttributeValue, Attributes, CountedSpans, InstanceSummary, InstancesQuery, Page, Scope,
};
use crate::rollup::Totals;
use crate::segment::kept::is_in;
use crate::segment::origins::Resource;

/// The instances of a service with spans in the range, busiest first, and after them what names none.
pub fn instances(
    session: &Session<'_>,
    query: &InstancesQuery,
) -> Result<Page<InstanceSummary>, QueryError> {
    let mut found: BTreeMap<(Scope, Option<String>), Found> = BTreeMap::new();
    let is_of_it = |resource: &Resource| {
        service_name(resource) == query.service && is_in(&resource.scope, &query.scope)
    };
    session.run(|conn| {
        Ok(each_sent_by(
            session.set(),
            conn,
            query.range,
            is_of_it,
            |sent| {
                let of = &sent.resource;
                let instance = (of.scope.clone(), of.service_instance_id.clone());
                found.entry(instance).or_default().add(sent);
            },
        )?)
    })?;
    Ok(summaries(found, query.limit))
}

/// What is known of one instance.
#[derive(Default)]
struct Found {
    versions: BTreeSet<String>,
    pod: Option<String>,
    host: Option<String>,
    ranks: BTreeMap<u8, Totals>,
    last: i64,
}

impl Found {
    fn add(&mut self, sent: &SentBy<'_>) {
        let of = sent.resource;
        self.versions.extend(of.service_version.clone());
        if self.ranks.is_empty() {
            let attributes = document::attributes(of.attributes.as_deref());
            self.pod = named(&attributes, "k8s.pod.name");
            self.host =
                named(&attributes, "host.name").or_else(|| named(&attributes, "k8s.node.name"));
        }
        sent.add_to(self.ranks.entry(sent.rank).or_default());
        self.last = self.last.max(sent.last);
    }
}

/// The text of an attribute.
fn named(attributes: &Attributes, key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match &found.value {
        AttributeValue::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// Each by the spans that best stand for the calls of the service. A proxy is no instance of it, unless nothing else
/// is known.
fn summaries(
    found: BTreeMap<(Scope, Option<String>), Found>,
    limit: usize,
) -> Page<InstanceSummary> {
    let ranks = found.values().flat_map(|instance| instance.ranks.keys());
    let Some(best) = ranks.min().copied() else {
        return Page::default();
    };
    let all = found
        .into_iter()
        .filter(|(_, instance)| {
            let mut ranks = instance.ranks.keys();
            ranks.any(|rank| *rank == best || !is_of_proxy(*rank))
        })
        .map(|((scope, instance_id), mut instance)| {
            let totals = instance.ranks.remove(&best).unwrap_or_default();
            InstanceSummary {
                scope,
                instance_id,
                versions: instance.versions.into_iter().collect(),
                pod: instance.pod,
                host: instance.host,
                counted: counted(best),
                calls: totals.calls,
                errors: totals.errors,
                weight: totals.weight,
                error_weight: totals.error_weight,
                latency: totals.latency(),
                last_unix_nano: instance.last,
            }
        });
    let (mut items, mut nameless): (Vec<InstanceSummary>, Vec<InstanceSummary>) =
        all.partition(|instance| instance.instance_id.is_some());
    // Ties keep the order of scope and id.
    items.sort_by_key(|instance| std::cmp::Reverse(instance.calls));
    let mut page = Page::cut(items, limit);
    page.items.append(&mut nameless);
    page
}

/// The spans of a rank.
fn counted(rank: u8) -> CountedSpans {
    match rank {
        1 => CountedSpans::Entry,
        PROXY_LET_IN => CountedSpans::ProxyEntry,
        3 => CountedSpans::Outgoing,
        PROXY_SENT_ON => CountedSpans::ProxyOutgoing,
        _ => CountedSpans::Other,
    }
}
