//! Blocks that somebody copies to send a first span: only those that what is served can answer.

use super::receivers::{Credential, Place, Receivers};

/// Its name and its text.
pub(super) type Recipe = (&'static str, String);

/// All that work here, the shortest way first.
pub(super) fn recipes(receivers: &Receivers) -> Vec<Recipe> {
    let ways = Ways::of(receivers);
    let (mostly_grpc, mostly_http) = (
        ways.grpc.as_ref().or(ways.http.as_ref()),
        ways.http.as_ref().or(ways.grpc.as_ref()),
    );
    [
        curl(receivers).map(|text| ("curl, one span", text)),
        mostly_grpc.map(|way| ("Any SDK", exports(way))),
        mostly_grpc.map(|way| ("Python", python(way))),
        mostly_http.map(|way| ("Node.js", node(way))),
        mostly_http.map(|way| ("Java", java(way))),
        mostly_grpc.map(|way| ("Go", go(way))),
        mostly_grpc.map(|way| ("Rust", rust(way))),
        collector(receivers).map(|text| ("OpenTelemetry Collector", text)),
        istio(receivers).map(|text| ("Istio", text)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The protocols that SDKs can use: they speak to hosts, not to sockets.
struct Ways {
    grpc: Option<Way>,
    http: Option<Way>,
}

/// How an SDK is told to send.
struct Way {
    is_grpc: bool,
    is_encrypted: bool,
    /// Settings, as a shell reads them.
    settings: Vec<String>,
}

impl Ways {
    fn of(receivers: &Receivers) -> Self {
        let way = |place: Option<Place>, is_grpc: bool| {
            let place = place?;
            let Place::Tcp { scheme, .. } = &place else {
                return None;
            };
            let (variable, address) = if is_grpc {
                ("ENDPOINT", place.url())
            } else {
                endpoint(&place, &receivers.traces_path)
            };
            let protocol = if is_grpc { "grpc" } else { "http/protobuf" };
            let mut settings = vec![
                "OTEL_SERVICE_NAME=my-service".to_owned(),
                format!("OTEL_EXPORTER_OTLP_PROTOCOL={protocol}"),
                format!("OTEL_EXPORTER_OTLP_{variable}={}", shell(&address)),
            ];
            settings.extend(receivers.credential.as_ref().map(headers));
            Some(Way {
                is_grpc,
                is_encrypted: *scheme == "https",
                settings,
            })
        };
        Self {
            grpc: way(receivers.grpc_place(), true),
            http: way(receivers.http_place(), false),
        }
    }
}

impl Way {
    /// A command with its settings before it.
    fn before(&self, command: &str) -> String {
        format!("{} \\\n  {command}", self.settings.join(" \\\n  "))
    }
}

/// Where an exporter of OTLP/HTTP sends traces, and the setting for that: a base, to which it adds `/v1/traces`, or all of
/// it where the path is another one.
fn endpoint(place: &Place, traces_path: &str) -> (&'static str, String) {
    let url = place.url();
    match traces_path.strip_suffix("/v1/traces") {
        Some(base) => ("ENDPOINT", format!("{url}{base}")),
        None => ("TRACES_ENDPOINT", format!("{url}{traces_path}")),
    }
}

/// Pairs are written as in W3C baggage, where a blank is encoded.
fn headers(credential: &Credential) -> String {
    let Credential { header, value } = credential;
    let pair = format!("{header}={}", value.replace(' ', "%20"));
    format!("OTEL_EXPORTER_OTLP_HEADERS={}", shell(&pair))
}

/// A word as a shell reads it.
fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:._-=%".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn curl(receivers: &Receivers) -> Option<String> {
    let path = &receivers.traces_path;
    let target = match receivers.http_place()? {
        place @ Place::Tcp { .. } => shell(&format!("{}{path}", place.url())),
        Place::Unix {
            scheme,
            path: socket,
        } => format!(
            "--unix-socket {} {}",
            shell(&socket),
            shell(&format!("{scheme}://localhost{path}"))
        ),
    };
    let credential = receivers
        .credential
        .as_ref()
        .map(|Credential { header, value }| format!(" -H {}", shell(&format!("{header}: {value}"))))
        .unwrap_or_default();
    Some(format!(
        "NOW=$(date +%s)\ncurl {target} -H 'content-type: application/json'{credential} -d '{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[\n  {{\"key\":\"service.name\",\"value\":{{\"stringValue\":\"hello\"}}}}]}},\"scopeSpans\":[{{\"spans\":[{{\n  \"traceId\":\"5b8aa5a2d2c872e8321cf37308d69df2\",\"spanId\":\"051581bf3cb55c13\",\"name\":\"first span\",\"kind\":2,\n  \"startTimeUnixNano\":\"'$NOW'000000000\",\"endTimeUnixNano\":\"'$NOW'050000000\"}}]}}]}}]}}'"
    ))
}

fn exports(way: &Way) -> String {
    let lines: Vec<String> = way
        .settings
        .iter()
        .map(|setting| format!("export {setting}"))
        .collect();
    lines.join("\n")
}

fn python(way: &Way) -> String {
    let run = way.before("opentelemetry-instrument python app.py");
    format!(
        "pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install\n{run}"
    )
}

fn node(way: &Way) -> String {
    let run =
        way.before("node --require @opentelemetry/auto-instrumentations-node/register app.js");
    format!("npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\n{run}")
}

fn java(way: &Way) -> String {
    way.before("java -javaagent:opentelemetry-javaagent.jar -jar app.jar")
}

fn go(way: &Way) -> String {
    let run = way.before("./app");
    format!(
        "// go get go.opentelemetry.io/contrib/exporters/autoexport go.opentelemetry.io/otel/sdk/trace\nexporter, err := autoexport.NewSpanExporter(ctx)\notel.SetTracerProvider(trace.NewTracerProvider(trace.WithBatcher(exporter)))\n\n// then run it with\n{run}"
    )
}

fn rust(way: &Way) -> String {
    let features = match (way.is_grpc, way.is_encrypted) {
        (true, false) => " --features opentelemetry-otlp/grpc-tonic",
        (true, true) => {
            " --features opentelemetry-otlp/grpc-tonic,opentelemetry-otlp/tls-ring,opentelemetry-otlp/tls-roots"
        }
        (false, false) => "",
        (false, true) => " --features opentelemetry-otlp/reqwest-rustls",
    };
    let client = if way.is_grpc { "tonic" } else { "http" };
    let run = way.before("cargo run");
    format!(
        "// cargo add opentelemetry opentelemetry_sdk opentelemetry-otlp{features}\nlet exporter = opentelemetry_otlp::SpanExporter::builder().with_{client}().build()?;\nlet provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();\nopentelemetry::global::set_tracer_provider(provider);\n\n// then run it with\n{run}"
    )
}

/// An exporter of the Collector: that of gRPC speaks to sockets too.
fn collector(receivers: &Receivers) -> Option<String> {
    let (name, mut lines) = match (receivers.grpc_place(), receivers.http_place()) {
        (Some(place), _) => {
            let (endpoint, scheme) = match place {
                Place::Tcp {
                    scheme, host, port, ..
                } => (format!("{host}:{port}"), scheme),
                Place::Unix { scheme, path } => (format!("unix:{path}"), scheme),
            };
            let mut lines = vec![format!("endpoint: {endpoint}")];
            lines.extend((scheme == "http").then(|| "tls: { insecure: true }".to_owned()));
            ("otlp", lines)
        }
        (None, Some(place @ Place::Tcp { .. })) => {
            let (setting, address) = endpoint(&place, &receivers.traces_path);
            let line = format!("{}: {address}", setting.to_lowercase());
            ("otlphttp", vec![line])
        }
        _ => return None,
    };
    if let Some(Credential { header, value }) = &receivers.credential {
        lines.push(format!("headers: {{ {header}: \"{value}\" }}"));
    }
    Some(format!(
        "exporters:\n  {name}:\n    {}\nservice:\n  pipelines:\n    traces: {{ receivers: [otlp], exporters: [{name}] }}",
        lines.join("\n    ")
    ))
}

fn istio(receivers: &Receivers) -> Option<String> {
    let is_tcp = |place: &Place| matches!(place, Place::Tcp { .. });
    let grpc = receivers.grpc_place().filter(is_tcp);
    let is_grpc = grpc.is_some();
    let Place::Tcp {
        scheme, host, port, ..
    } = grpc.or_else(|| receivers.http_place())?
    else {
        return None;
    };
    let header = receivers
        .credential
        .as_ref()
        .map(|Credential { header, value }| format!("[{{ name: {header}, value: \"{value}\" }}]"));
    let more = match (is_grpc, header) {
        (true, None) => String::new(),
        (true, Some(header)) => format!("\n    grpc: {{ initialMetadata: {header} }}"),
        (false, header) => {
            let headers = header.map_or_else(String::new, |header| format!(", headers: {header}"));
            format!("\n    http: {{ path: {}{headers} }}", receivers.traces_path)
        }
    };
    let encrypted = if scheme == "https" {
        "# the receiver speaks TLS: the mesh needs a DestinationRule for it, with tls mode SIMPLE\n"
    } else {
        ""
    };
    Some(format!(
        "{encrypted}# in the mesh configuration\nextensionProviders:\n- name: tripline\n  opentelemetry:\n    service: {host}\n    port: {port}{more}\n---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{ name: tripline, namespace: istio-system }}\nspec:\n  tracing:\n  - providers: [{{ name: tripline }}]\n    randomSamplingPercentage: 100"
    ))
}
