//! The same numbers, counted span by span without any SQL.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::workload::Sent;

type Service = (String, String);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub bucket: i64,
    pub caller: Service,
    pub callee: Service,
    pub kind: String,
    pub inferred: String,
    pub basis: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Red {
    pub bucket: i64,
    pub service: Service,
    pub name: String,
    pub kind: String,
    pub sidecar: bool,
    pub basis: String,
}

const BUCKET: i64 = 10_000_000_000;

/// Calls, errors, weight, weight of the errors, sum of durations.
pub(super) type Counts = [i64; 5];

fn add<K: Ord>(
    sums: &mut BTreeMap<K, Counts>,
    key: K,
    error: bool,
    weight: Option<f64>,
    duration: i64,
) {
    let sum = sums.entry(key).or_default();
    sum[0] += 1;
    sum[1] += i64::from(error);
    let weight = weight.unwrap_or(1.0) as i64;
    sum[2] += weight;
    sum[3] += i64::from(error) * weight;
    sum[4] += duration;
}

fn basis(weight: Option<f64>) -> String {
    match weight {
        None => "unknown",
        Some(weight) if weight > 1.0 => "sampled",
        Some(_) => "all",
    }
    .to_owned()
}

fn service(span: &Sent) -> Service {
    (span.service.0.to_owned(), span.service.1.clone())
}

/// Each span once.
fn once(sent: &[Sent]) -> Vec<&Sent> {
    let mut seen = HashSet::new();
    sent.iter()
        .filter(|span| seen.insert((span.trace, span.id, span.service.clone(), span.start)))
        .collect()
}

pub(super) fn red_of(sent: &[Sent]) -> BTreeMap<Red, Counts> {
    let mut sums = BTreeMap::new();
    for span in once(sent) {
        let key = Red {
            bucket: span.start / BUCKET * BUCKET,
            service: service(span),
            name: span.name.clone(),
            kind: span.kind.to_owned(),
            sidecar: span.sidecar,
            basis: basis(span.weight),
        };
        add(&mut sums, key, span.error, span.weight, span.duration);
    }
    sums
}

fn goes_out(span: &Sent) -> bool {
    matches!(span.kind, "client" | "producer")
}

struct Spans<'a> {
    by_id: HashMap<([u8; 16], [u8; 8]), &'a Sent>,
}

impl<'a> Spans<'a> {
    fn parent(&self, span: &Sent) -> Option<&'a Sent> {
        self.by_id.get(&(span.trace, span.parent?)).copied()
    }

    /// A proxy and the application beside it.
    fn is_pod(proxy: &Sent, application: &Sent) -> bool {
        let name = &proxy.service.1;
        proxy.sidecar
            && !application.sidecar
            && (*name == application.service.1
                || name.split('.').next() == Some(&application.service.1))
    }

    /// The span that stands for an outgoing one: the application's, for a proxy's.
    fn caller(&self, span: &'a Sent) -> &'a Sent {
        match self.parent(span) {
            Some(parent) if goes_out(span) && goes_out(parent) && Self::is_pod(span, parent) => {
                parent
            }
            _ => span,
        }
    }

    /// The proxy's entry that an application's entry lies behind.
    fn proxy(&self, span: &Sent) -> Option<&'a Sent> {
        self.parent(span).filter(|parent| {
            span.kind == "server" && parent.kind == "server" && Self::is_pod(parent, span)
        })
    }
}

pub(super) fn edges_of(sent: &[Sent]) -> BTreeMap<Edge, Counts> {
    let spans = once(sent);
    let by_id = spans
        .iter()
        .map(|span| ((span.trace, span.id), *span))
        .collect();
    let index = Spans { by_id };
    let folded: HashSet<_> = spans
        .iter()
        .filter_map(|span| index.proxy(span))
        .map(|span| span.id)
        .collect();
    let mut sums = BTreeMap::new();
    let mut answered = HashSet::new();
    for entry in spans
        .iter()
        .filter(|span| matches!(span.kind, "server" | "consumer"))
    {
        if folded.contains(&entry.id) {
            continue;
        }
        let parent = index
            .proxy(entry)
            .map_or(entry.parent, |proxy| proxy.parent);
        let mut causes: BTreeSet<_> = parent.map(|id| (entry.trace, id)).into_iter().collect();
        causes.extend(entry.links.iter().copied());
        let found: Vec<&Sent> = causes
            .iter()
            .filter_map(|cause| index.by_id.get(cause).copied())
            .collect();
        for cause in &found {
            if goes_out(cause) || cause.service != entry.service {
                let caller = index.caller(cause);
                answered.insert(caller.id);
                add_call(&mut sums, caller, entry);
            }
        }
        if let (true, true, Some(("messaging", peer))) =
            (found.is_empty(), entry.kind == "consumer", entry.peer)
        {
            let key = Edge {
                bucket: entry.start / BUCKET * BUCKET,
                caller: (entry.service.0.to_owned(), peer.to_owned()),
                callee: service(entry),
                kind: "messaging".to_owned(),
                inferred: "caller".to_owned(),
                basis: basis(entry.weight),
            };
            add(&mut sums, key, entry.error, entry.weight, entry.duration);
        }
    }
    add_unanswered(&mut sums, &spans, &index, &answered);
    sums
}

fn add_call(sums: &mut BTreeMap<Edge, Counts>, caller: &Sent, entry: &Sent) {
    let is_message = entry.kind == "consumer" || caller.kind == "producer";
    let is_request = caller.kind == "client" && entry.kind == "server";
    let weight = entry.weight.or(caller.weight);
    let start = if goes_out(caller) {
        caller.start
    } else {
        entry.start
    };
    let key = Edge {
        bucket: start / BUCKET * BUCKET,
        caller: service(caller),
        callee: service(entry),
        kind: if is_message { "messaging" } else { "service" }.to_owned(),
        inferred: String::new(),
        basis: basis(weight),
    };
    let duration = if is_request {
        caller.duration
    } else {
        entry.duration
    };
    add(sums, key, caller.error || entry.error, weight, duration);
}

fn add_unanswered(
    sums: &mut BTreeMap<Edge, Counts>,
    spans: &[&Sent],
    index: &Spans<'_>,
    answered: &HashSet<[u8; 8]>,
) {
    let spoken_for: HashSet<_> = spans
        .iter()
        .filter(|span| goes_out(span) && !span.sidecar)
        .filter_map(|span| {
            index
                .parent(span)
                .filter(|parent| goes_out(parent) && parent.service == span.service)
        })
        .map(|parent| parent.id)
        .collect();
    for span in spans.iter().filter(|span| goes_out(span)) {
        let stands_alone = index.caller(span).id == span.id && !spoken_for.contains(&span.id);
        let Some((kind, peer)) = span
            .peer
            .filter(|_| stands_alone && !answered.contains(&span.id))
        else {
            continue;
        };
        let key = Edge {
            bucket: span.start / BUCKET * BUCKET,
            caller: service(span),
            callee: (span.service.0.to_owned(), peer.to_owned()),
            kind: kind.to_owned(),
            inferred: "callee".to_owned(),
            basis: basis(span.weight),
        };
        add(sums, key, span.error, span.weight, span.duration);
    }
}
