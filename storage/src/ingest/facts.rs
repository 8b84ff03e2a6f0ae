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
    proxy: bool,
    /// The proxy is a gateway: a hop of its own, not one beside an application.
    gateway: bool,
    /// Spans this one stands for (1 = unsampled), as `tracestate` says: the most exact source.
    trace_state_weight: Option<f64>,
    /// The same, as an attribute says.
    attribute_weight: Option<f64>,
    sampler_is_probabilistic: bool,
    sampler_param: Option<f64>,
}

/// Whether a resource with this attribute is a proxy beside an application: every span of it is a sidecar's.
pub fn is_proxy_resource(key: &str, value: &str) -> bool {
    match key {
        // Envoy's own OpenTelemetry tracer.
        "telemetry.sdk.name" => value == "envoy",
        "service.name" | "k8s.container.name" | "container.name" => {
            matches!(value, "istio-proxy" | "linkerd-proxy" | "envoy-sidecar")
        }
        _ => false,
    }
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
                self.proxy = true;
                return;
            }
            // Istio: `sidecar~<ip>~<pod>~<domain>` or `router~…`.
            "node_id" => {
                self.proxy |= value.starts_with("sidecar~");
                self.gateway |= value.starts_with("router~");
                return;
            }
            "sampler.type" => {
                self.sampler_is_probabilistic = value == "probabilistic";
                return;
            }
            "sampling.probability" | "sampler.param" | "SampleRate" => {
                if let Ok(value) = value.parse() {
                    self.double(key, value);
                }
                return;
            }
            _ => return,
        };
        *slot = Some(value);
    }

    /// Takes note of an integer attribute.
    pub fn int(&mut self, key: &str, value: i64) {
        match key {
            "server.port" | "net.peer.port" => self.port = Some(value),
            "SampleRate" | "sampling.probability" | "sampler.param" => {
                self.double(key, value as f64);
            }
            _ => {}
        }
    }

    /// Takes note of a double attribute.
    pub fn double(&mut self, key: &str, value: f64) {
        match key {
            // A ratio: one in 1/p was kept.
            "sampling.probability" => self.attribute_weight = plausible(1.0 / value),
            // Honeycomb: one in N was kept.
            "SampleRate" => self.attribute_weight = plausible(value),
            "sampler.param" => self.sampler_param = Some(value),
            _ => {}
        }
    }

    /// Marks the span as written by a proxy beside the application (Envoy, Istio).
    pub fn set_sidecar(&mut self) {
        self.proxy = true;
    }

    /// Reads the W3C `tracestate` for OpenTelemetry's consistent probability sampling threshold
    /// (`ot=th:…`): adjusted count = 2^56 / (2^56 - th), by the specification "TraceState: Probability Sampling".
    pub fn trace_state(&mut self, trace_state: &str) {
        let Some(ot) = trace_state
            .split(',')
            .find_map(|member| member.trim().strip_prefix("ot="))
        else {
            return;
        };
        let Some(th) = ot.split(';').find_map(|field| field.strip_prefix("th:")) else {
            return;
        };
        // `from_str_radix` takes a sign; the field does not.
        if th.is_empty() || th.len() > 14 || th.starts_with('+') {
            return;
        }
        let Ok(value) = u64::from_str_radix(th, 16) else {
            return;
        };
        let threshold = value << (4 * (14 - th.len()));
        // The difference is exact before it is a double; the largest threshold alone would round to all of them.
        let all = 1_u64 << 56;
        self.trace_state_weight = Some(all as f64 / (all - threshold) as f64);
    }

    /// Whether a proxy beside the application wrote this span.
    pub fn is_sidecar(&self) -> bool {
        self.proxy && !self.gateway
    }

    /// Spans this one stands for, if known.
    pub fn weight(&self) -> Option<f64> {
        // Jaeger's samplers: `sampler.type` = probabilistic, `sampler.param` = the probability.
        let jaeger = || {
            let probability = self
                .sampler_param
                .filter(|_| self.sampler_is_probabilistic)?;
            plausible(1.0 / probability)
        };
        self.trace_state_weight
            .or(self.attribute_weight)
            .or_else(jaeger)
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

/// A weight is at least one and finite; anything else is a mistake of the sender.
fn plausible(weight: f64) -> Option<f64> {
    (weight.is_finite() && weight >= 1.0).then_some(weight)
}

fn join(system: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{system}:{name}"),
        None => system.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_from_tracestate_first_then_from_attributes() {
        let mut facts = SpanFacts::default();
        facts.string("sampler.type", "probabilistic");
        facts.double("sampler.param", 0.01);
        assert_eq!(facts.weight(), Some(100.0));
        facts.int("SampleRate", 20);
        assert_eq!(facts.weight(), Some(20.0));
        facts.trace_state("rojo=1,ot=rv:abc;th:8");
        assert_eq!(facts.weight(), Some(2.0));
        facts.trace_state("ot=th:ffffffffffffff");
        assert_eq!(facts.weight(), Some((1_u64 << 56) as f64));
    }

    #[test]
    fn implausible_weights_are_not_believed() {
        for probability in [0.0, -1.0, 2.0, f64::NAN, f64::INFINITY] {
            let mut facts = SpanFacts::default();
            facts.double("sampling.probability", probability);
            facts.trace_state("ot=th:+8");
            assert_eq!(facts.weight(), None, "{probability}");
        }
    }

    #[test]
    fn a_gateway_is_no_sidecar() {
        let mut facts = SpanFacts::default();
        facts.string("component", "proxy");
        assert!(facts.is_sidecar());
        facts.string(
            "node_id",
            "router~10.0.0.1~gw.istio-system~svc.cluster.local",
        );
        assert!(!facts.is_sidecar());
    }
}
