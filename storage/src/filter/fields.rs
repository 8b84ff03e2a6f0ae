//! The fields a signal has besides its attributes.

use super::{KeyScope, Signal};

/// A field: what people call it, what it holds, where it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its names; the first is the one to show.
    pub names: &'static [&'static str],
    /// What it holds.
    pub kind: FieldKind,
    /// Where it is kept.
    pub place: Place,
    /// The column there, a fixed text of ours.
    pub column: &'static str,
    /// What it is, for completion.
    pub help: &'static str,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// Hex digits, case ignored.
    Hex,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number of nanoseconds.
    Duration,
    /// `true` or `false`.
    Bool,
    /// A severity: its word means the whole group of four numbers.
    Severity,
}

/// Where a field is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the row itself.
    Row,
    /// In the row of its resource.
    Resource,
    /// In the row of its instrumentation scope.
    InstrumentationScope,
}

/// Kinds of spans.
pub const KINDS: &[&str] = &[
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
];
/// Statuses of spans.
pub const STATUSES: &[&str] = &["unset", "ok", "error"];
/// Severities with the first number of each.
pub const SEVERITIES: [(&str, i64); 6] = [
    ("trace", 1),
    ("debug", 5),
    ("info", 9),
    ("warn", 13),
    ("error", 17),
    ("fatal", 21),
];
const SEVERITY_WORDS: &[&str] = &["trace", "debug", "info", "warn", "error", "fatal"];
const METRIC_KINDS: &[&str] = &[
    "gauge",
    "sum",
    "histogram",
    "exponential_histogram",
    "summary",
];
const TEMPORALITIES: &[&str] = &["delta", "cumulative", "unspecified"];

const fn field(
    names: &'static [&'static str],
    kind: FieldKind,
    place: Place,
    column: &'static str,
    help: &'static str,
) -> Field {
    Field {
        names,
        kind,
        place,
        column,
        help,
    }
}

const fn of_resource(
    names: &'static [&'static str],
    column: &'static str,
    help: &'static str,
) -> Field {
    field(names, FieldKind::Text, Place::Resource, column, help)
}

const RESOURCE: [Field; 6] = [
    of_resource(
        &["service", "service.name", "service_name"],
        "service_name",
        "service that sent it",
    ),
    of_resource(
        &["version", "service.version", "service_version"],
        "service_version",
        "version of the service",
    ),
    of_resource(
        &["instance", "service.instance.id", "service_instance_id"],
        "service_instance_id",
        "instance (pod) of the service",
    ),
    of_resource(
        &["environment", "deployment.environment.name"],
        "environment",
        "deployment environment",
    ),
    of_resource(
        &["namespace", "service.namespace", "service_namespace"],
        "service_namespace",
        "namespace of the service",
    ),
    of_resource(&["cluster", "k8s.cluster.name"], "cluster", "cluster"),
];
const SCOPE: [Field; 2] = [
    field(
        &["scope.name"],
        FieldKind::Text,
        Place::InstrumentationScope,
        "name",
        "instrumentation scope",
    ),
    field(
        &["scope.version"],
        FieldKind::Text,
        Place::InstrumentationScope,
        "version",
        "version of the instrumentation scope",
    ),
];

const fn row(
    names: &'static [&'static str],
    kind: FieldKind,
    column: &'static str,
    help: &'static str,
) -> Field {
    field(names, kind, Place::Row, column, help)
}

const SPANS: [Field; 11] = [
    row(
        &["name", "span.name"],
        FieldKind::Text,
        "f.name",
        "name of the span",
    ),
    row(
        &["duration"],
        FieldKind::Duration,
        "f.duration_ns",
        "length of the span, with a unit",
    ),
    row(
        &["status", "status_code"],
        FieldKind::Word(STATUSES),
        "f.status_code",
        "status of the span",
    ),
    row(
        &["status_message"],
        FieldKind::Text,
        "f.status_message",
        "message of the status",
    ),
    row(
        &["kind", "span.kind"],
        FieldKind::Word(KINDS),
        "f.kind",
        "kind of the span",
    ),
    row(
        &["peer"],
        FieldKind::Text,
        "f.peer",
        "whom a client span called, when inferred",
    ),
    row(
        &["sidecar"],
        FieldKind::Bool,
        "f.sidecar",
        "written by a proxy beside the application",
    ),
    row(
        &["trace_id", "trace"],
        FieldKind::Hex,
        "f.trace_id",
        "trace",
    ),
    row(&["span_id"], FieldKind::Hex, "f.span_id", "span"),
    row(
        &["parent_span_id", "parent"],
        FieldKind::Hex,
        "f.parent_span_id",
        "parent span; absent for a root",
    ),
    row(
        &["trace_state"],
        FieldKind::Text,
        "f.trace_state",
        "W3C trace state",
    ),
];
const LOGS: [Field; 6] = [
    row(
        &["severity"],
        FieldKind::Severity,
        "f.severity_number",
        "severity: a word or a number from 1 to 24",
    ),
    row(
        &["severity_text"],
        FieldKind::Text,
        "f.severity_text",
        "severity as it was sent",
    ),
    row(
        &["body", "message"],
        FieldKind::Text,
        "f.body",
        "body of the record",
    ),
    row(
        &["event", "event_name"],
        FieldKind::Text,
        "f.event_name",
        "name of the event",
    ),
    row(
        &["trace_id", "trace"],
        FieldKind::Hex,
        "f.trace_id",
        "trace",
    ),
    row(&["span_id", "span"], FieldKind::Hex, "f.span_id", "span"),
];
const METRICS: [Field; 6] = [
    row(
        &["name", "metric"],
        FieldKind::Text,
        "f.name",
        "name of the metric",
    ),
    row(
        &["kind", "type"],
        FieldKind::Word(METRIC_KINDS),
        "f.type",
        "kind of the metric",
    ),
    row(&["unit"], FieldKind::Text, "f.unit", "unit (UCUM)"),
    row(
        &["temporality"],
        FieldKind::Word(TEMPORALITIES),
        "f.temporality",
        "delta or cumulative",
    ),
    row(
        &["monotonic"],
        FieldKind::Bool,
        "f.is_monotonic",
        "a counter that only grows",
    ),
    row(
        &["description"],
        FieldKind::Text,
        "f.description",
        "description",
    ),
];

/// A field of the events or links of a span.
#[derive(Debug, Clone, Copy)]
pub struct PartField {
    /// Which of the two.
    pub scope: KeyScope,
    /// Its name, also where it is kept: a fixed text of ours.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// What it is, for completion.
    pub help: &'static str,
}

/// What events and links have besides attributes.
pub const PART_FIELDS: [PartField; 4] = [
    PartField {
        scope: KeyScope::Event,
        name: "name",
        kind: FieldKind::Text,
        help: "name of an event of the span",
    },
    PartField {
        scope: KeyScope::Link,
        name: "trace_id",
        kind: FieldKind::Hex,
        help: "trace that a link of the span leads to",
    },
    PartField {
        scope: KeyScope::Link,
        name: "span_id",
        kind: FieldKind::Hex,
        help: "span that a link of the span leads to",
    },
    PartField {
        scope: KeyScope::Link,
        name: "trace_state",
        kind: FieldKind::Text,
        help: "W3C trace state of a link of the span",
    },
];

/// The field of that name of events or links.
pub fn part_field(scope: KeyScope, name: &str) -> Option<&'static PartField> {
    PART_FIELDS
        .iter()
        .find(|field| field.scope == scope && field.name == name)
}

/// The fields of a signal, the most useful first.
pub fn fields(signal: Signal) -> impl Iterator<Item = &'static Field> {
    let own: &'static [Field] = match signal {
        Signal::Spans => &SPANS,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    };
    RESOURCE
        .iter()
        .take(1)
        .chain(own)
        .chain(RESOURCE.iter().skip(1))
        .chain(&SCOPE)
}

/// The field of that name.
pub(crate) fn field_named(signal: Signal, name: &str) -> Option<&'static Field> {
    fields(signal).find(|field| field.names.contains(&name))
}

impl FieldKind {
    /// The words it is one of, if it is.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Word(words) => words,
            Self::Severity => SEVERITY_WORDS,
            Self::Bool => &["true", "false"],
            _ => &[],
        }
    }
}
