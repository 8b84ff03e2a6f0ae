//! The first page anybody sees: where to send telemetry, what was tried already, and how to send a first span.

use leptos::prelude::*;

use super::{Door, Overview};
use crate::units;

/// What the overview shows while nothing is stored.
pub(super) fn first_run(data: &Overview) -> AnyView {
    let http = format!("http://{}", data.otlp_http);
    let grpc = format!("http://{}", data.otlp_grpc);
    let curl = format!(
        "NOW=$(date +%s)\ncurl {http}/v1/traces -H 'content-type: application/json' -d '{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[\n  {{\"key\":\"service.name\",\"value\":{{\"stringValue\":\"hello\"}}}}]}},\"scopeSpans\":[{{\"spans\":[{{\n  \"traceId\":\"5b8aa5a2d2c872e8321cf37308d69df2\",\"spanId\":\"051581bf3cb55c13\",\"name\":\"first span\",\"kind\":2,\n  \"startTimeUnixNano\":\"'$NOW'000000000\",\"endTimeUnixNano\":\"'$NOW'050000000\"}}]}}]}}]}}'"
    );
    let python = format!(
        "pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install\nOTEL_SERVICE_NAME=my-service OTEL_EXPORTER_OTLP_ENDPOINT={grpc} \\\n  opentelemetry-instrument python app.py"
    );
    let node = format!(
        "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\nOTEL_SERVICE_NAME=my-service OTEL_EXPORTER_OTLP_ENDPOINT={http} \\\n  node --require @opentelemetry/auto-instrumentations-node/register app.js"
    );
    let java = format!(
        "OTEL_SERVICE_NAME=my-service OTEL_EXPORTER_OTLP_ENDPOINT={http} \\\n  java -javaagent:opentelemetry-javaagent.jar -jar app.jar"
    );
    let collector = format!(
        "exporters:\n  otlp:\n    endpoint: {}\n    tls: {{ insecure: true }}\nservice:\n  pipelines:\n    traces: {{ receivers: [otlp], exporters: [otlp] }}",
        data.otlp_grpc
    );
    let environment =
        format!("export OTEL_EXPORTER_OTLP_ENDPOINT={grpc}\nexport OTEL_SERVICE_NAME=my-service");
    let go = format!(
        "// go get go.opentelemetry.io/contrib/exporters/autoexport go.opentelemetry.io/otel/sdk/trace\nexporter, err := autoexport.NewSpanExporter(ctx)\notel.SetTracerProvider(trace.NewTracerProvider(trace.WithBatcher(exporter)))\n\n// then run it with\nOTEL_SERVICE_NAME=my-service OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_ENDPOINT={grpc} ./app"
    );
    let rust = format!(
        "// cargo add opentelemetry opentelemetry_sdk opentelemetry-otlp --features opentelemetry-otlp/grpc-tonic\nlet exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;\nlet provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();\nopentelemetry::global::set_tracer_provider(provider);\n\n// then run it with\nOTEL_SERVICE_NAME=my-service OTEL_EXPORTER_OTLP_ENDPOINT={grpc} cargo run"
    );
    let (host, port) = data
        .otlp_grpc
        .rsplit_once(':')
        .unwrap_or((&data.otlp_grpc, "4317"));
    let istio = format!(
        "# in the mesh configuration\nextensionProviders:\n- name: tripline\n  opentelemetry: {{ service: {host}, port: {port} }}\n---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{ name: tripline, namespace: istio-system }}\nspec:\n  tracing:\n  - providers: [{{ name: tripline }}]\n    randomSamplingPercentage: 100"
    );
    let is_local = [&data.otlp_grpc, &data.otlp_http]
        .iter()
        .all(|a| a.starts_with("127.") || a.starts_with("[::1]"));
    view! {
        <section class="panel welcome" id="first-run" data-live="reload">
            <h1>"Waiting for telemetry"</h1>
            <p class="lead">"Nothing has arrived yet. Point any OpenTelemetry exporter here; there is nothing to configure."
            <span class="needs-wasm">" When something arrives, this page changes by itself."</span> <noscript>" Then reload."</noscript></p>
            <dl class="addresses">
                <dt>"OTLP/gRPC"</dt><dd><code>{data.otlp_grpc.clone()}</code></dd>
                <dt>"OTLP/HTTP"</dt><dd><code>{http.clone()}</code></dd>
            </dl>
            {is_local.then(|| view! {
                <p class="quiet">"Loopback only: other machines and pods cannot reach these. Start with "
                <code>"--otlp-grpc 0.0.0.0:4317 --otlp-http 0.0.0.0:4318"</code> " to change that."</p>
            })}
            {doors(&data.doors)}
            <p class="quiet">"No service at hand? " <code>"tripline demo"</code> " runs a small shop that sends everything."</p>
        </section>
        <section class="panel">
            <h2>"Send your first span"</h2>
            <div class="recipes">
                {recipe("curl, one span", curl, true)} {recipe("Any SDK", environment, false)} {recipe("Python", python, false)}
                {recipe("Node.js", node, false)} {recipe("Java", java, false)} {recipe("Go", go, false)} {recipe("Rust", rust, false)}
                {recipe("OpenTelemetry Collector", collector, false)} {recipe("Istio", istio, false)}
            </div>
        </section>
    }
    .into_any()
}

/// What was tried already, and why it did not work: the answer to "I do send, where is it?".
fn doors(doors: &[Door]) -> AnyView {
    let rows = doors
        .iter()
        .map(|door| {
            let class = if door.refused > 0 { "share bad" } else { "quiet" };
            view! {
                <tr><th scope="row">{door.name}</th><td class="num">{units::count(door.accepted + door.refused)}</td>
                <td class="num"><span class=class>{units::count(door.refused)}</span></td>
                <td class="wide">{door.last_reason.clone().unwrap_or_else(|| "–".to_owned())}</td></tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll"><table class="list">
            <thead><tr><th>"Receiver"</th><th class="num">"Requests seen"</th><th class="num">"Refused"</th><th>"Why the last was refused"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn recipe(name: &str, text: String, is_open: bool) -> AnyView {
    view! { <details class="recipe" open=is_open><summary>{name.to_owned()}</summary><pre><code>{text}</code></pre></details> }.into_any()
}
