//! Spans as calls are made of them, in memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use duckdb::{Connection, Row, ToSql};

use super::{PLAIN, Part, causes, halves, hops, whole_traces};
use crate::ask::{Ask as _, NONE, scope};
use crate::model::Scope;

const ROWS: &str = include_str!("hop_rows.sql");

/// What a span is in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Client,
    Producer,
    Server,
    Consumer,
    Other,
}

impl Kind {
    fn of(word: &str) -> Self {
        match word {
            "client" => Self::Client,
            "producer" => Self::Producer,
            "server" => Self::Server,
            "consumer" => Self::Consumer,
            _ => Self::Other,
        }
    }

    pub(super) fn goes_out(self) -> bool {
        matches!(self, Self::Client | Self::Producer)
    }
}

/// A service and its scope.
pub(super) type Service = (Scope, String);

/// Whom a span says it called, or was called by, and the kind of an edge to it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    pub name: String,
    pub kind: String,
}

/// A span, its identities as hashes: `rollup/hops.sql` says of what.
#[derive(Debug)]
pub(super) struct Hop {
    pub id: u64,
    pub parent: Option<u64>,
    pub identity: u64,
    pub kind: Kind,
    /// Nanoseconds since the epoch.
    pub start: Option<i64>,
    /// Nanoseconds.
    pub duration: Option<i64>,
    pub failed: bool,
    /// Spans it stands for, if that is known.
    pub weight: Option<f64>,
    pub sidecar: bool,
    /// A half: its parent was not there. Without its parent a span is one too.
    pub is_dangling: bool,
    /// A half: others speak for its call.
    pub is_covered: bool,
    pub service: Arc<Service>,
    pub peer: Option<Arc<Peer>>,
    /// The spans a consumer links to.
    pub causes: Box<[u64]>,
}

/// Spans, and the traces that they are of or link to, each once.
#[derive(Debug, Default)]
pub(crate) struct Hops {
    pub(super) all: Vec<Hop>,
    pub(crate) traces: Vec<String>,
    /// Causes of entries that are not among these spans: the index of their trace in `traces`, and their identity.
    sought: Vec<(usize, u64)>,
}

impl Hops {
    /// Whether there is no span.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Causes of its entries that are not among its spans: the trace, and the span's identity.
    pub(crate) fn sought(&self) -> impl Iterator<Item = (&str, u64)> {
        let named =
            move |(trace, id): &(usize, u64)| Some((self.traces.get(*trace)?.as_str(), *id));
        self.sought.iter().filter_map(named)
    }
}

/// Rows of a hot segment.
pub(crate) fn hot_hops(conn: &Connection, rows: &Part) -> duckdb::Result<Hops> {
    read(conn, &hops(rows), NONE)
}

/// The halves of a sealed segment that others may complete, calls nobody answered apart.
pub(crate) fn open_hops(conn: &Connection, schema: &str) -> duckdb::Result<Hops> {
    let only = format!(" WHERE NOT {PLAIN}");
    read(conn, &halves(&[schema.to_owned()], &only), NONE)
}

/// The calls of some traces that nobody answered in a sealed segment.
pub(crate) fn plain_hops(conn: &Connection, schema: &str, traces: &[&str]) -> duckdb::Result<Hops> {
    let only = format!(" WHERE {PLAIN} AND trace_id IN (SELECT unnest(string_split($1, ',')))");
    read(
        conn,
        &halves(&[schema.to_owned()], &only),
        [traces.join(",")],
    )
}

/// Of a sealed segment the spans that entries elsewhere name as their cause, `ids` in `traces`, and that are no halves;
/// `held` says of each place where in it rows of these traces may be.
pub(crate) fn cause_hops(
    conn: &Connection,
    segment: &Part,
    (traces, ids): (&[&str], &[u64]),
    held: impl Fn(&str) -> String,
) -> duckdb::Result<Hops> {
    let of_traces = "SELECT unnest(string_split($1, ','))";
    let of_ids = "(SELECT unnest(string_split($2, ','))::UBIGINT AS id) sought";
    let spans = whole_traces(std::slice::from_ref(segment), |place| {
        format!(" AND f.trace_id IN ({of_traces}) AND {}", held(place))
    });
    let found = causes(
        &spans,
        std::slice::from_ref(&segment.schema),
        (of_ids, of_traces),
    );
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    read(conn, &found, [traces.join(","), ids.join(",")])
}

fn read(
    conn: &Connection,
    rows: &str,
    values: impl IntoIterator<Item: ToSql>,
) -> duckdb::Result<Hops> {
    let mut question = conn.ask(&ROWS.replace("{rows}", rows))?;
    let mut rows = question.query(values)?;
    let mut all = Vec::new();
    let mut traces = Numbered::default();
    let mut sought: Vec<(usize, u64)> = Vec::new();
    let mut services: HashMap<Service, Arc<Service>> = HashMap::new();
    let mut peers: HashMap<(String, String), Arc<Peer>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let service: Service = (scope(row, 12)?, row.get(15)?);
        let service = match services.get(&service) {
            Some(known) => Arc::clone(known),
            None => Arc::clone(
                services
                    .entry(service.clone())
                    .or_insert_with(|| Arc::new(service)),
            ),
        };
        let peer: Option<String> = row.get(16)?;
        let peer = match peer {
            Some(name) => {
                let kind = row.get::<_, Option<String>>(17)?.unwrap_or_default();
                let of = (name.clone(), kind.clone());
                let peer = peers
                    .entry(of)
                    .or_insert_with(|| Arc::new(Peer { name, kind }));
                Some(Arc::clone(peer))
            }
            None => None,
        };
        let links: Option<String> = row.get(18)?;
        let linked: Option<String> = row.get(19)?;
        let linked = linked.as_deref().unwrap_or_default().split(',');
        let linked = linked.filter(|id| !id.is_empty());
        let linked: Vec<usize> = linked.map(|id| traces.number(id)).collect();
        let trace: Option<String> = row.get(0)?;
        let trace = trace.map(|id| traces.number(&id));
        let hop = hop(row, service, peer, ids(links.as_deref()))?;
        if matches!(hop.kind, Kind::Server | Kind::Consumer) {
            sought.extend(trace.zip(hop.parent));
            sought.extend(linked.into_iter().zip(hop.causes.iter().copied()));
        }
        all.push(hop);
    }
    all.shrink_to_fit();
    if !sought.is_empty() {
        let own: HashSet<u64> = all.iter().map(|hop| hop.id).collect();
        sought.retain(|(_, id)| !own.contains(id));
        sought.shrink_to_fit();
    }
    Ok(Hops {
        all,
        traces: traces.all,
        sought,
    })
}

/// Trace ids, each once, numbered from 0 in the order they were met.
#[derive(Default)]
struct Numbered {
    all: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Numbered {
    fn number(&mut self, trace: &str) -> usize {
        if let Some(number) = self.numbers.get(trace) {
            return *number;
        }
        let number = self.all.len();
        self.all.push(trace.to_owned());
        self.numbers.insert(trace.to_owned(), number);
        number
    }
}

fn hop(
    row: &Row<'_>,
    service: Arc<Service>,
    peer: Option<Arc<Peer>>,
    causes: Box<[u64]>,
) -> duckdb::Result<Hop> {
    Ok(Hop {
        id: row.get(1)?,
        parent: row.get(2)?,
        identity: row.get(3)?,
        kind: Kind::of(row.get::<_, Option<String>>(4)?.as_deref().unwrap_or("")),
        start: row.get(5)?,
        duration: row.get(6)?,
        failed: row.get(7)?,
        weight: row.get(8)?,
        sidecar: row.get(9)?,
        is_dangling: row.get(10)?,
        is_covered: row.get(11)?,
        service,
        peer,
        causes,
    })
}

fn ids(links: Option<&str>) -> Box<[u64]> {
    let links = links.unwrap_or_default().split(',');
    links.filter_map(|id| id.parse().ok()).collect()
}
