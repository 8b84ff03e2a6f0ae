//! Who called whom among spans in memory, by the rules of `rollup/calls.sql`.
//!
//! Those are for files: a seal, a compaction, the public view. To plan and run them over the hot spans of a minute takes
//! the engine 80 ms, which a page cannot wait for as often as a span comes. Both are held to the same count over raw
//! spans (`rollup/tests.rs`).

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::by_bucket::Builder;
use super::hop::{Hop, Hops, Kind, Peer, Service};
use super::sums::EdgeCalls;
use super::{BUCKET_NS, ByBucket};

/// The edges that `open` spans make with each other, with `settled` ones (calls that count already as if nobody answered
/// them) and with `causes`, which others are found by and no more. Calls that count already and that somebody does answer
/// are there a second time, to be taken away.
pub(crate) fn edges_of(
    open: &[Arc<Hops>],
    settled: &[Arc<Hops>],
    causes: &[Arc<Hops>],
) -> ByBucket<EdgeCalls> {
    let open = || open.iter().flat_map(|hops| &hops.all);
    let mut asked: HashSet<u64> = HashSet::new();
    let mut outgoing: HashSet<u64> = HashSet::new();
    for hop in open() {
        asked.extend(hop.parent);
        asked.extend(&hop.causes);
        if hop.kind.goes_out() {
            outgoing.insert(hop.id);
        }
    }
    let settled = settled.iter().flat_map(|hops| &hops.all);
    let answered: Vec<&Hop> = settled
        .filter(|hop| {
            asked.contains(&hop.id) || hop.parent.is_some_and(|id| outgoing.contains(&id))
        })
        .collect();
    let mut causes: HashMap<u64, &Hop> = causes
        .iter()
        .flat_map(|hops| &hops.all)
        .filter(|hop| asked.contains(&hop.id))
        .map(|hop| (hop.id, hop))
        .collect();
    if !causes.is_empty() {
        for hop in open() {
            causes.remove(&hop.id);
        }
    }
    let spans: Vec<&Hop> = open()
        .chain(answered.iter().copied())
        .chain(causes.into_values())
        .collect();
    let mut calls = Calls::default();
    let pairs = Pairs::of(&spans);
    pairs.each_call(|call| calls.add(&call));
    for hop in answered {
        if let Some(peer) = &hop.peer {
            calls.add(&Call::taken_away(hop, peer));
        }
    }
    calls.edges.finish()
}

/// Spans that others are found by, and how they lie to their parents.
struct Pairs<'a> {
    by_id: HashMap<u64, &'a Hop>,
    hops: Vec<Placed<'a>>,
    /// Sidecars' spans that go out, by identity.
    proxies: HashMap<u64, Vec<usize>>,
}

/// A span that takes part in calls.
struct Placed<'a> {
    hop: &'a Hop,
    parent: Option<&'a Hop>,
    dangles: bool,
    under_own_call: bool,
    /// A proxy's outgoing span under the application's.
    folds_into_parent: bool,
    /// An application's entry under its proxy's.
    parent_folds_in: bool,
}

impl<'a> Placed<'a> {
    fn of(hop: &'a Hop, by_id: &HashMap<u64, &'a Hop>) -> Self {
        let parent = hop.parent.and_then(|id| by_id.get(&id).copied());
        let goes_out = hop.kind.goes_out();
        Self {
            hop,
            parent,
            dangles: parent.is_none() && hop.parent.is_some() && hop.is_dangling,
            under_own_call: parent.is_some_and(|p| p.kind.goes_out() && is_same(p, hop)),
            folds_into_parent: parent.is_some_and(|p| {
                hop.sidecar
                    && !p.sidecar
                    && goes_out
                    && p.kind.goes_out()
                    && is_of_application(hop, p)
            }),
            parent_folds_in: parent.is_some_and(|p| {
                p.sidecar
                    && !hop.sidecar
                    && p.kind == Kind::Server
                    && hop.kind == Kind::Server
                    && is_of_application(p, hop)
            }),
        }
    }

    /// The parent of an entry; where the proxy's span stands between, the proxy's.
    fn cause(&self) -> Option<u64> {
        match self.parent {
            Some(proxy) if self.parent_folds_in => proxy.parent,
            _ => self.hop.parent,
        }
    }
}

fn is_same(one: &Hop, other: &Hop) -> bool {
    Arc::ptr_eq(&one.service, &other.service) || one.service == other.service
}

/// Whether a proxy's name is the application's, or begins with it.
fn is_of_application(proxy: &Hop, application: &Hop) -> bool {
    let (proxy, application) = (&proxy.service.1, &application.service.1);
    proxy == application || proxy.split('.').next() == Some(application)
}

/// What an entry was caused by.
#[derive(Default)]
struct Caused {
    /// Callers, and whether their own parent may be another segment's.
    callers: Vec<(u64, bool)>,
    is_found: bool,
}

impl<'a> Pairs<'a> {
    fn of(spans: &[&'a Hop]) -> Self {
        let mut by_id: HashMap<u64, &Hop> = HashMap::with_capacity(spans.len());
        for &hop in spans {
            match by_id.entry(hop.id) {
                Entry::Vacant(place) => {
                    place.insert(hop);
                }
                Entry::Occupied(mut place) => {
                    if rank(hop) < rank(place.get()) {
                        place.insert(hop);
                    }
                }
            }
        }
        let taking_part = spans.iter().copied().filter(|hop| hop.kind != Kind::Other);
        let hops: Vec<Placed<'_>> = taking_part.map(|hop| Placed::of(hop, &by_id)).collect();
        let mut proxies: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, placed) in hops.iter().enumerate() {
            if placed.hop.sidecar && placed.hop.kind.goes_out() {
                proxies.entry(placed.hop.identity).or_default().push(at);
            }
        }
        Self {
            by_id,
            hops,
            proxies,
        }
    }

    fn each_call(&self, mut visit: impl FnMut(Call<'a>)) {
        let folded: HashSet<u64> = self
            .hops
            .iter()
            .filter(|placed| placed.parent_folds_in)
            .filter_map(|placed| placed.hop.parent)
            .collect();
        // A span that is there twice is one entry.
        let mut entries: HashMap<u64, Vec<&Placed<'a>>> = HashMap::new();
        for placed in &self.hops {
            if !placed.hop.kind.goes_out() && !folded.contains(&placed.hop.id) {
                entries.entry(placed.hop.identity).or_default().push(placed);
            }
        }
        let mut answered: HashSet<u64> = HashSet::new();
        for same in entries.values() {
            let caused = self.causes(same);
            answered.extend(caused.callers.iter().map(|(id, _)| *id));
            for entry in same {
                let callers = caused.callers.iter();
                for caller in callers.filter_map(|(id, _)| self.by_id.get(id).copied()) {
                    visit(Call::answered(caller, entry.hop));
                }
                if !caused.is_found
                    && !entry.hop.is_covered
                    && entry.hop.kind == Kind::Consumer
                    && let Some(peer) = &entry.hop.peer
                    && peer.kind == MESSAGING
                {
                    visit(Call::unprompted(entry.hop, peer));
                }
            }
        }
        let nested: HashSet<u64> = self
            .hops
            .iter()
            .filter(|placed| {
                placed.hop.kind.goes_out() && placed.under_own_call && !placed.hop.sidecar
            })
            .filter_map(|placed| placed.hop.parent)
            .collect();
        for placed in &self.hops {
            let hop = placed.hop;
            if hop.kind.goes_out()
                && !placed.folds_into_parent
                && !hop.is_covered
                && !answered.contains(&hop.id)
                && !nested.contains(&hop.id)
                && let Some(peer) = &hop.peer
            {
                visit(Call::unanswered(hop, peer));
            }
        }
        self.each_answered_after_all(&answered, visit);
    }

    /// Calls to databases that their own segment counts as unanswered, and that somebody answers elsewhere.
    fn each_answered_after_all(&self, answered: &HashSet<u64>, mut visit: impl FnMut(Call<'a>)) {
        for &hop in self.by_id.values() {
            if hop.is_covered
                && hop.kind.goes_out()
                && !hop.sidecar
                && let Some(peer) = &hop.peer
                && peer.kind == DATABASE
                && answered.contains(&hop.id)
            {
                visit(Call::taken_away(hop, peer));
            }
        }
    }

    /// What an entry was caused by: its parent, of a consumer what it links to too.
    fn causes(&self, same: &[&Placed<'a>]) -> Caused {
        let parents: HashSet<u64> = same.iter().filter_map(|entry| entry.cause()).collect();
        let linked: HashSet<u64> = same
            .iter()
            .filter(|entry| entry.hop.kind == Kind::Consumer)
            .flat_map(|entry| entry.hop.causes.iter().copied())
            .filter(|id| !parents.contains(id))
            .collect();
        let mut caused = Caused::default();
        for cause in parents.iter().chain(&linked) {
            let Some(&caller) = self.by_id.get(cause) else {
                continue;
            };
            caused.is_found = true;
            if !caller.kind.goes_out() && is_same(caller, same[0].hop) {
                continue;
            }
            let proxies = self.proxies.get(&caller.identity);
            let pairs: Vec<(u64, bool)> = match proxies {
                None => vec![(caller.id, false)],
                Some(proxies) => proxies.iter().map(|at| self.through(*at, caller)).collect(),
            };
            for pair in pairs {
                if !caused.callers.contains(&pair) {
                    caused.callers.push(pair);
                }
            }
        }
        caused
    }

    /// Who called through a proxy: the application whose span it stands under.
    fn through(&self, proxy: usize, caller: &Hop) -> (u64, bool) {
        let proxy = &self.hops[proxy];
        let application = proxy.hop.parent.filter(|_| proxy.folds_into_parent);
        (application.unwrap_or(caller.id), proxy.dangles)
    }
}

/// Where two spans share an id the outgoing one is the parent people mean.
fn rank(hop: &Hop) -> (Reverse<bool>, bool, Option<i64>, &str) {
    let goes_out = hop.kind.goes_out();
    (
        Reverse(goes_out),
        hop.start.is_none(),
        hop.start,
        &hop.service.1,
    )
}

const MESSAGING: &str = "messaging";
const DATABASE: &str = "database";

/// One call.
struct Call<'a> {
    caller: End<'a>,
    callee: End<'a>,
    kind: &'a str,
    start: Option<i64>,
    duration: Option<i64>,
    failed: bool,
    weight: Option<f64>,
    is_minus: bool,
}

/// One end of a call: a service, or who some service names.
#[derive(Clone, Copy)]
enum End<'a> {
    Service(&'a Arc<Service>),
    Peer(&'a Arc<Service>, &'a Arc<Peer>),
}

impl End<'_> {
    /// The same for the same end of one segment's spans.
    fn key(self) -> (usize, usize) {
        match self {
            Self::Service(service) => (Arc::as_ptr(service) as usize, 0),
            Self::Peer(service, peer) => {
                (Arc::as_ptr(service) as usize, Arc::as_ptr(peer) as usize)
            }
        }
    }

    fn name(self) -> Service {
        match self {
            Self::Service(service) => service.as_ref().clone(),
            Self::Peer(service, peer) => (service.0.clone(), peer.name.clone()),
        }
    }
}

impl<'a> Call<'a> {
    fn answered(caller: &'a Hop, entry: &'a Hop) -> Self {
        let both_say = caller.kind == Kind::Client && entry.kind == Kind::Server;
        let is_message = entry.kind == Kind::Consumer || caller.kind == Kind::Producer;
        Self {
            caller: End::Service(&caller.service),
            callee: End::Service(&entry.service),
            kind: if is_message { MESSAGING } else { "service" },
            start: caller
                .start
                .filter(|_| caller.kind.goes_out())
                .or(entry.start),
            duration: caller.duration.filter(|_| both_say).or(entry.duration),
            failed: caller.failed || entry.failed,
            weight: entry.weight.or(caller.weight),
            is_minus: false,
        }
    }

    fn unanswered(hop: &'a Hop, peer: &'a Arc<Peer>) -> Self {
        Self {
            caller: End::Service(&hop.service),
            callee: End::Peer(&hop.service, peer),
            kind: &peer.kind,
            start: hop.start,
            duration: hop.duration,
            failed: hop.failed,
            weight: hop.weight,
            is_minus: false,
        }
    }

    /// What counts as unanswered and is not.
    fn taken_away(hop: &'a Hop, peer: &'a Arc<Peer>) -> Self {
        Self {
            is_minus: true,
            ..Self::unanswered(hop, peer)
        }
    }

    /// A message whose producer is unknown: the destination stands for it.
    fn unprompted(hop: &'a Hop, peer: &'a Arc<Peer>) -> Self {
        Self {
            caller: End::Peer(&hop.service, peer),
            callee: End::Service(&hop.service),
            kind: MESSAGING,
            ..Self::unanswered(hop, peer)
        }
    }

    fn edge(&self) -> EdgeCalls {
        let inferred = match (self.caller, self.callee) {
            (End::Peer(..), _) => Some("caller"),
            (_, End::Peer(..)) => Some("callee"),
            _ => None,
        };
        EdgeCalls {
            caller: self.caller.name(),
            callee: self.callee.name(),
            kind: self.kind.to_owned(),
            is_async: self.kind == MESSAGING,
            inferred: inferred.map(str::to_owned),
            is_minus: self.is_minus,
        }
    }
}

/// Ends by where they are kept, whether it is a message, whether it is to be taken away.
type EdgeKey = ((usize, usize), (usize, usize), bool, bool);

/// Calls added up.
struct Calls {
    edges: Builder<EdgeCalls>,
    numbers: HashMap<EdgeKey, u32>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            edges: Builder::new(),
            numbers: HashMap::new(),
        }
    }
}

impl Calls {
    fn add(&mut self, call: &Call<'_>) {
        let Some(start) = call.start else {
            return;
        };
        let is_message = call.kind == MESSAGING;
        let key = (
            call.caller.key(),
            call.callee.key(),
            is_message,
            call.is_minus,
        );
        let edges = &mut self.edges;
        let number = *self
            .numbers
            .entry(key)
            .or_insert_with(|| edges.number(call.edge()));
        let totals = self.edges.at(number, start - start % BUCKET_NS);
        let weight = call.weight.unwrap_or(1.0);
        let basis = match call.weight {
            None => "unknown",
            Some(weight) if weight > 1.0 => "sampled",
            Some(_) => "all",
        };
        let (failed, failed_weight) = if call.failed { (1, weight) } else { (0, 0.0) };
        totals.add_counts(1, failed, weight, failed_weight, basis);
        if let Some(duration) = call.duration {
            totals.duration_ns += duration as f64;
            totals.add_bucket(bucket_of(duration), 1);
        }
    }
}

/// The bucket of the roll-ups' histogram that a duration in nanoseconds falls into, as SQL says it.
fn bucket_of(duration: i64) -> u16 {
    if duration <= 1 {
        return 0;
    }
    ((duration as f64).log2() * 8.0).ceil() as u16
}
