//! Logs on standard output, one JSON object a line, with the trace they belong to; and the
//! `tracing` subscriber that feeds it, the exported logs and the exported spans.

use std::fmt;
use std::io::Write;
use std::time::SystemTime;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterFn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::Providers;
use super::environment;
use crate::{rfc3339, telemetry::names};

/// What a service writes to standard output.
///
/// ```
/// assert_eq!(tripline_sdk::setup::Console::default(), tripline_sdk::setup::Console::Off);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Console {
    /// Nothing.
    #[default]
    Off,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`, `service.name`,
    /// `trace_id` and `span_id` if there is a trace, and the event's fields.
    Json,
}

/// What is heard when nobody says otherwise. The exporters' own machinery is told apart: at
/// `debug` it would drown the program.
const FILTER: &str =
    "info,h2=warn,hyper=warn,hyper_util=warn,tonic=warn,tower=warn,opentelemetry=warn";

/// The subscriber of a pipeline.
pub(super) fn dispatch(
    providers: &Providers,
    console: Console,
    filter: Option<&str>,
) -> tracing::Dispatch {
    let told = environment::read("RUST_LOG");
    let directives = filter.or(told.as_deref()).unwrap_or(FILTER);
    let spans = {
        use opentelemetry::trace::TracerProvider;
        let tracer = providers.traces.tracer(names::SCOPE);
        tracing_opentelemetry::layer().with_tracer(tracer)
    };
    // The exporter's own complaints go to the console only.
    let not_ours = FilterFn::new(|metadata| !metadata.target().starts_with("opentelemetry"));
    let logs = OpenTelemetryTracingBridge::new(&providers.logs).with_filter(not_ours);
    let service = providers
        .resource
        .get(&opentelemetry::Key::from_static_str("service.name"));
    let service = service.map(|name| name.to_string()).unwrap_or_default();
    let lines = (console == Console::Json).then_some(JsonLines { service });
    let subscriber = Registry::default()
        .with(EnvFilter::new(directives))
        .with(spans)
        .with(logs)
        .with(lines);
    tracing::Dispatch::new(subscriber)
}

struct JsonLines {
    service: String,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut line = line(&self.service, event, SystemTime::now()).to_string();
        line.push('\n');
        // A closed standard output is no reason to stop serving.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

fn line(service: &str, event: &Event<'_>, at: SystemTime) -> Value {
    let mut fields = Fields(Map::new());
    event.record(&mut fields);
    let mut line = Map::new();
    let mut put = |key: &str, value: String| line.insert(key.to_owned(), Value::String(value));
    put("timestamp", rfc3339::format(at));
    put("level", event.metadata().level().to_string());
    put("target", event.metadata().target().to_owned());
    put("service.name", service.to_owned());
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() {
            put("trace_id", span.trace_id().to_string());
            put("span_id", span.span_id().to_string());
        }
    });
    for (key, value) in fields.0 {
        // A field must not pass for the trace the line belongs to.
        line.entry(key).or_insert(value);
    }
    Value::Object(line)
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, value.to_string());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanContext, TraceState};
    use opentelemetry::{SpanId, TraceFlags, TraceId};
    use std::sync::{Arc, Mutex};

    struct Collect(Arc<Mutex<Vec<Value>>>);

    impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collect {
        fn on_event(&self, event: &Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            let line = line("orders", event, SystemTime::UNIX_EPOCH);
            self.0.lock().expect("one thread").push(line);
        }
    }

    #[test]
    fn a_line_names_the_trace_it_belongs_to() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let subscriber = Registry::default().with(Collect(Arc::clone(&lines)));
        let span = SpanContext::new(
            TraceId::from(0xabc),
            SpanId::from(0x123),
            TraceFlags::SAMPLED,
            true,
            TraceState::NONE,
        );
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!("before");
            let _attached = Context::new().with_remote_span_context(span).attach();
            tracing::info!(
                order = 7,
                paid = true,
                trace_id = "forged",
                "order {}",
                "placed"
            );
        });
        let lines = lines.lock().expect("one thread");
        assert_eq!(lines[0].get("trace_id"), None);
        assert_eq!(
            lines[1],
            serde_json::json!({
                "timestamp": "1970-01-01T00:00:00.000000000Z",
                "level": "INFO",
                "target": "tripline_sdk::setup::console::tests",
                "service.name": "orders",
                "trace_id": "00000000000000000000000000000abc",
                "span_id": "0000000000000123",
                "message": "order placed",
                "order": 7,
                "paid": true,
            })
        );
    }
}
