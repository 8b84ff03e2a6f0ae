//! What roll-ups need to know of a span, picked up while its attributes are encoded.
//!
//! Attribute names are data here: OpenTelemetry's semantic conventions, current and deprecated.

/// What kind of thing an inferred peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerKind {
    /// Named by `service.peer.name` or `peer.service`.
    Service,
    /// A database (`db.system.name`, `db.system`).
    Database,
    /// A message broker's destination (`messaging.system`).
    Messaging,
    /// Any other address.
    External,
}

impl PeerKind {
    /// The word stored in the column `peer_kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Database => "database",
            Self::Messaging => "messaging",
            Self::External => "external",
        }
    }
}

/// Facts of one span, collected by [`Self::string`] and [`Self::int`] as its attributes pass by.
#[derive(Debug, Default, Clone)]
pub struct SpanFacts<'a> {
    peer_service: Option<&'a str>,
    address: Option<&'a str>,
    port: Option<i64>,
    db_system: Option<&'a str>,
    db_namespace: Option<&'a str>,
    messaging_system: Option<&'a str>,
    destination: Option<&'a str>,
    sidecar: bool,
    /// Spans this one stands for (1 = unsampled), if the span says so.
    weight: Option<f64>,
}

impl<'a> SpanFacts<'a> {
    /// Takes note of a string attribute.
    pub fn string(&mut self, key: &str, value: &'a str) {
        let slot = match key {
            "service.peer.name" => &mut self.peer_service,
            "peer.service" if self.peer_service.is_none() => &mut self.peer_service,
            "server.address" => &mut self.address,
            "net.peer.name" | "http.host" | "net.peer.ip" | "network.peer.address"
                if self.address.is_none() =>
            {
                &mut self.address
            }
            "db.system.name" => &mut self.db_system,
            "db.system" if self.db_system.is_none() => &mut self.db_system,
            "db.namespace" => &mut self.db_namespace,
            "db.name" if self.db_namespace.is_none() => &mut self.db_namespace,
            "messaging.system" => &mut self.messaging_system,
            "messaging.destination.name" => &mut self.destination,
            "messaging.destination" if self.destination.is_none() => &mut self.destination,
            "component" if value == "proxy" => {
                self.sidecar = true;
                return;
            }
            _ => return,
        };
        *slot = Some(value);
    }

    /// Takes note of an integer attribute.
    pub fn int(&mut self, key: &str, value: i64) {
        if matches!(key, "server.port" | "net.peer.port") {
            self.port = Some(value);
        }
    }

    /// Marks the span as written by a proxy beside the application (Envoy, Istio).
    pub fn set_sidecar(&mut self) {
        self.sidecar = true;
    }

    /// States how many spans this one stands for (adjusted count).
    pub fn set_weight(&mut self, weight: f64) {
        self.weight = Some(weight);
    }

    /// Reads the W3C `tracestate` for OpenTelemetry's consistent probability sampling threshold
    /// (`ot=th:…`): adjusted count = 2^56 / (2^56 - th), by the specification "TraceState: Probability Sampling".
    pub fn trace_state(&mut self, trace_state: &str) {
        let Some(ot) = trace_state.split(',').find_map(|member| member.trim().strip_prefix("ot=")) else {
            return;
        };
        let Some(th) = ot.split(';').find_map(|field| field.strip_prefix("th:")) else {
            return;
        };
        if th.is_empty() || th.len() > 14 {
            return;
        }
        let Ok(value) = u64::from_str_radix(th, 16) else {
            return;
        };
        let threshold = value << (4 * (14 - th.len()));
        let all = (1_u64 << 56) as f64;
        self.weight = Some(all / (all - threshold as f64));
    }

    /// Whether a proxy beside the application wrote this span.
    pub fn is_sidecar(&self) -> bool {
        self.sidecar
    }

    /// Spans this one stands for, if known.
    pub fn weight(&self) -> Option<f64> {
        self.weight
    }

    /// The callee this span names, if it names one: what it is, and what it is called.
    pub fn peer(&self) -> Option<(PeerKind, String)> {
        if let Some(service) = self.peer_service {
            return Some((PeerKind::Service, service.to_owned()));
        }
        if let Some(system) = self.db_system {
            let name = self.db_namespace.or(self.address);
            return Some((PeerKind::Database, join(system, name)));
        }
        if let Some(system) = self.messaging_system {
            return Some((PeerKind::Messaging, join(system, self.destination)));
        }
        let address = self.address?;
        let name = match self.port {
            Some(port) => format!("{address}:{port}"),
            None => address.to_owned(),
        };
        Some((PeerKind::External, name))
    }
}

fn join(system: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{system}:{name}"),
        None => system.to_owned(),
    }
}
