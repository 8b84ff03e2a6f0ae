//! Random but plausible traces: proxies, databases (some send spans themselves), messages, nested clients, calls without a
//! client's span or answered twice, resent, orphaned and skewed spans.

use crate::fixture;
use crate::ingest::{ResourceRow, Rows, SpanColumns, SpanRow};
use crate::store::Store;

/// A span as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sent {
    pub trace: [u8; 16],
    pub id: [u8; 8],
    pub parent: Option<[u8; 8]>,
    pub service: (&'static str, String),
    pub kind: &'static str,
    pub name: String,
    pub start: i64,
    pub duration: i64,
    pub error: bool,
    pub peer: Option<(&'static str, &'static str)>,
    pub sidecar: bool,
    pub weight: Option<f64>,
    pub links: Vec<([u8; 16], [u8; 8])>,
}

/// Long ago: what lies so far before it arrives is an outlier.
const LONG_AGO: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
const ENVIRONMENTS: [&str; 2] = ["prod", "dev"];

pub(super) struct Workload {
    state: u64,
    /// When it begins.
    base: i64,
    sent: Vec<Sent>,
    producers: Vec<usize>,
    /// Also what needs its trace in one segment: proxies, nested clients.
    in_one_segment: bool,
}

impl Workload {
    /// With an odd seed it is of today.
    pub(super) fn new(seed: u64) -> Self {
        let today = crate::store::now_ns() / (600 * SECOND) * (600 * SECOND) - 1_800 * SECOND;
        Self {
            state: seed + 1,
            base: if seed % 2 == 1 { today } else { LONG_AGO },
            sent: Vec::new(),
            producers: Vec::new(),
            in_one_segment: true,
        }
    }

    /// Traces with everything that can happen in one segment, some spans resent.
    pub(super) fn everything(mut self, traces: usize) -> Vec<Sent> {
        self.traces(traces);
        self.resend();
        self.shuffled()
    }

    /// Traces whose spans may arrive in any order, in any segment, some of them again.
    pub(super) fn across_segments(mut self, traces: usize) -> Vec<Sent> {
        self.in_one_segment = false;
        self.traces(traces);
        self.resend();
        self.shuffled()
    }

    fn resend(&mut self) {
        for at in 0..self.sent.len() {
            if self.chance(10) {
                self.sent.push(self.sent[at].clone());
            }
        }
    }

    fn traces(&mut self, traces: usize) {
        for _ in 0..traces {
            let environment = ENVIRONMENTS[self.below(2)];
            let trace = self.bytes();
            let start = self.base + self.below(60) as i64 * SECOND;
            let parent = self.chance(30).then(|| self.id());
            let service = self.below(4);
            self.enter(trace, environment, parent, service, 0, start);
        }
        for _ in 0..traces / 4 {
            let mut links = Vec::new();
            for _ in 0..self.below(4).min(self.producers.len()) {
                let chosen = self.below(self.producers.len());
                let producer = &self.sent[self.producers[chosen]];
                links.push((producer.trace, producer.id));
            }
            let (trace, environment) = (self.bytes(), ENVIRONMENTS[self.below(2)]);
            let service = self.below(4);
            let at = self.span(
                trace,
                environment,
                service,
                None,
                "consumer",
                self.base + 70 * SECOND,
                77,
            );
            self.sent[at].links = links;
            self.sent[at].peer = self.chance(50).then_some(("messaging", "kafka:orders"));
        }
    }

    /// A server span, perhaps behind its proxy's.
    fn enter(
        &mut self,
        trace: [u8; 16],
        environment: &'static str,
        mut parent: Option<[u8; 8]>,
        service: usize,
        depth: usize,
        start: i64,
    ) {
        // A clock that is off.
        let start = if self.chance(20) {
            start + (self.below(6) as i64 - 3) * SECOND
        } else {
            start
        };
        if self.in_one_segment && self.chance(30) {
            let at = self.span(
                trace,
                environment,
                service,
                parent,
                "server",
                start,
                SECOND / 10,
            );
            self.sent[at].sidecar = true;
            if self.chance(50) {
                self.sent[at].service.1 = format!("s{service}.shop");
            }
            parent = Some(self.sent[at].id);
            if self.chance(20) {
                return;
            }
        }
        let at = self.span(
            trace,
            environment,
            service,
            parent,
            "server",
            start,
            SECOND / 10,
        );
        for _ in 0..self.below(3) {
            self.work(at, service, depth, start);
        }
    }

    fn work(&mut self, server: usize, service: usize, depth: usize, start: i64) {
        let Sent {
            trace,
            id,
            service: (environment, _),
            ..
        } = self.sent[server].clone();
        let parent = if self.chance(30) {
            let at = self.span(trace, environment, service, Some(id), "internal", start, 5);
            self.sent[at].id
        } else {
            id
        };
        let outgoing = |this: &mut Self, kind, duration, peer| {
            let at = this.span(
                trace,
                environment,
                service,
                Some(parent),
                kind,
                start + 1,
                duration,
            );
            this.sent[at].peer = peer;
            at
        };
        match self.below(10) {
            0 | 1 => {
                let client = outgoing(
                    self,
                    "client",
                    1_000,
                    Some(("database", "postgresql:orders")),
                );
                let cause = Some(self.sent[client].id);
                // A database that sends spans itself; at times two of its nodes answer.
                for _ in 0..[0, 0, 1, 2][self.below(4)] {
                    let at = self.span(trace, environment, 0, cause, "server", start + 2, 500);
                    self.sent[at].service.1 = "db".to_owned();
                }
            }
            2 => {
                outgoing(self, "client", 1_000, Some(("external", "api.example:443")));
            }
            3 if self.in_one_segment => {
                let outer = outgoing(self, "client", 1_000, Some(("external", "sdk.example:443")));
                let outer = self.sent[outer].id;
                let at = self.span(
                    trace,
                    environment,
                    service,
                    Some(outer),
                    "client",
                    start + 1,
                    900,
                );
                self.sent[at].peer = Some(("external", "socket.example:443"));
            }
            4 => {
                let producer = outgoing(self, "producer", 100, Some(("messaging", "kafka:orders")));
                self.producers.push(producer);
                if self.chance(40) {
                    let (id, consumer) = (self.sent[producer].id, self.below(4));
                    let at = self.span(
                        trace,
                        environment,
                        consumer,
                        Some(id),
                        "consumer",
                        start + SECOND,
                        100,
                    );
                    self.sent[at].peer = Some(("messaging", "kafka:orders"));
                }
            }
            // A caller that is not instrumented as a client.
            5 if depth < 3 && service < 3 => {
                self.enter(
                    trace,
                    environment,
                    Some(parent),
                    service + 1,
                    depth + 1,
                    start,
                );
            }
            _ if depth < 3 => {
                let peer = [None, Some(("service", "x")), Some(("external", "x:1"))][self.below(3)];
                let client = outgoing(self, "client", SECOND / 5, peer);
                let mut cause = self.sent[client].id;
                if self.in_one_segment && self.chance(30) {
                    let at = self.span(
                        trace,
                        environment,
                        service,
                        Some(cause),
                        "client",
                        start,
                        SECOND / 5,
                    );
                    self.sent[at].sidecar = true;
                    self.sent[at].service.1 = format!("s{service}.shop");
                    self.sent[at].peer = Some(("external", "x:2"));
                    cause = self.sent[at].id;
                }
                // Sent twice by what is between them, a call is answered twice.
                for _ in 0..[0, 1, 1, 1, 2][self.below(5)] {
                    let callee = self.below(4);
                    self.enter(trace, environment, Some(cause), callee, depth + 1, start);
                }
            }
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a row of a table")]
    fn span(
        &mut self,
        trace: [u8; 16],
        environment: &'static str,
        service: usize,
        parent: Option<[u8; 8]>,
        kind: &'static str,
        start: i64,
        duration: i64,
    ) -> usize {
        let span = Sent {
            trace,
            id: self.id(),
            parent,
            service: (environment, format!("s{service}")),
            kind,
            name: format!("n{}", self.below(3)),
            start,
            duration,
            error: self.chance(20),
            peer: None,
            sidecar: false,
            weight: [None, None, Some(1.0), Some(4.0)][self.below(4)],
            links: Vec::new(),
        };
        self.sent.push(span);
        self.sent.len() - 1
    }

    /// xorshift64*.
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 33) as usize) % bound.max(1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn id(&mut self) -> [u8; 8] {
        (self.next() | 1).to_be_bytes()
    }

    fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.id());
        bytes[8..].copy_from_slice(&self.id());
        bytes
    }

    fn shuffled(mut self) -> Vec<Sent> {
        for at in (1..self.sent.len()).rev() {
            let other = self.below(at + 1);
            self.sent.swap(at, other);
        }
        self.sent
    }
}

/// Sends the spans in small batches of mixed services.
pub(super) fn append(store: &Store, sent: &[Sent], seed: u64) {
    for chunk in sent.chunks(7 + (seed % 20) as usize) {
        let mut resources: Vec<ResourceRow> = Vec::new();
        let mut columns = SpanColumns::default();
        for span in chunk {
            let resource = ResourceRow {
                service_name: Some(span.service.1.clone()),
                environment: Some(span.service.0.to_owned()),
                attributes: "{}".to_owned(),
                ..ResourceRow::default()
            };
            let at = resources
                .iter()
                .position(|known| *known == resource)
                .unwrap_or_else(|| {
                    resources.push(resource);
                    resources.len() - 1
                });
            let links: Vec<String> = span
                .links
                .iter()
                .map(|(trace, id)| {
                    format!(r#"{{"trace_id":"{}","span_id":"{}"}}"#, hex(trace), hex(id))
                })
                .collect();
            let links = (!links.is_empty()).then(|| format!("[{}]", links.join(",")));
            columns.push(&SpanRow {
                resource: u32::try_from(at).expect("small"),
                trace_id: span.trace,
                span_id: span.id,
                parent_span_id: span.parent,
                name: &span.name,
                kind: span.kind,
                start_unix_nano: u64::try_from(span.start).expect("after 1970"),
                end_unix_nano: u64::try_from(span.start + span.duration).expect("after 1970"),
                status_code: if span.error { "error" } else { "unset" },
                attributes: "{}",
                links: links.as_deref(),
                peer: span.peer.map(|(_, name)| name),
                peer_kind: span.peer.map(|(kind, _)| kind),
                sidecar: span.sidecar,
                weight: span.weight,
                ..SpanRow::default()
            });
        }
        fixture::append(store, fixture::batch(resources, Rows::Spans(columns)));
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
