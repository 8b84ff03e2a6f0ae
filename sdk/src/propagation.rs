//! Trace context and baggage, from one process to the next, by the rules of the W3C.
//!
//! [`extract`] reads what a caller sent, [`inject`] writes what a peer shall know. Both work on a
//! [`Carrier`]: HTTP headers, gRPC metadata, or the headers of a message, for which maps and lists
//! of pairs are carriers already and three methods make one of anything else.
//!
//! ```
//! use opentelemetry::Context;
//! use opentelemetry::trace::TraceContextExt;
//! use tripline_sdk::propagation::{extract, inject};
//!
//! // A message as a broker's client hands it over.
//! let headers = vec![(
//!     "traceparent".to_owned(),
//!     b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec(),
//! )];
//! let context = extract(&Context::new(), &headers);
//! assert_eq!(
//!     context.span().span_context().trace_id().to_string(),
//!     "0af7651916cd43dd8448eb211c80319c"
//! );
//!
//! let mut reply: Vec<(String, Vec<u8>)> = Vec::new();
//! inject(&context, &mut reply);
//! assert_eq!(reply[0].0, "traceparent");
//! ```
//!
//! What cannot be right is not repaired: an invalid or doubled `traceparent` starts a new trace
//! and takes `tracestate` with it, an invalid `tracestate` is dropped whole
//! ([W3C Trace Context](https://www.w3.org/TR/trace-context/), sections 3.2 to 4.3), invalid
//! members of `baggage` are dropped one by one
//! ([W3C Baggage](https://www.w3.org/TR/baggage/), section 3.3). The propagator of the
//! OpenTelemetry SDK is laxer: it takes the first of two parents, accepts signs and
//! upper case in the version, and drops what follows a second `=` in baggage.

mod baggage;
mod carrier;
mod trace_context;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;

pub use carrier::{Carrier, Value};

/// The header that names trace and parent.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::{Context, trace::TraceContextExt};
/// use tripline_sdk::propagation::{TRACEPARENT, extract};
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let headers = HashMap::from([(TRACEPARENT.to_owned(), parent.to_owned())]);
/// assert!(extract(&Context::new(), &headers).span().span_context().is_remote());
/// ```
pub const TRACEPARENT: &str = "traceparent";
/// The header with what tracing systems add to it.
///
/// ```
/// use opentelemetry::{Context, trace::TraceContextExt};
/// use tripline_sdk::propagation::{TRACEPARENT, TRACESTATE, extract};
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let headers = [(TRACEPARENT, parent), (TRACESTATE, "shop=seven")];
/// let headers = Vec::from(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
/// let context = extract(&Context::new(), &headers);
/// assert_eq!(context.span().span_context().trace_state().get("shop"), Some("seven"));
/// ```
pub const TRACESTATE: &str = "tracestate";
/// The header with what applications pass along.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::{Context, KeyValue, baggage::BaggageExt};
/// use tripline_sdk::propagation::{BAGGAGE, inject};
/// let context = Context::new().with_baggage([KeyValue::new("tenant", "blue")]);
/// let mut headers: HashMap<String, String> = HashMap::new();
/// inject(&context, &mut headers);
/// assert_eq!(headers[BAGGAGE], "tenant=blue");
/// ```
pub const BAGGAGE: &str = "baggage";

/// `base` with the trace context and baggage a carrier brings; `base` itself if it brings none.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::{Context, baggage::BaggageExt};
/// use tripline_sdk::propagation::extract;
/// let headers = HashMap::from([("baggage".to_owned(), "tenant=blue".to_owned())]);
/// let context = extract(&Context::new(), &headers);
/// assert_eq!(context.baggage().get("tenant").map(|value| value.as_str()), Some("blue"));
/// ```
#[must_use]
pub fn extract(base: &Context, carrier: &impl Carrier) -> Context {
    extract_values(
        base,
        &carrier.get_all(TRACEPARENT),
        &carrier.get_all(TRACESTATE),
        &carrier.get_all(BAGGAGE),
    )
}

/// Writes the trace context and baggage of `context` into a carrier, replacing what was there: a
/// request that is forwarded must not name the parent of somebody else.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::Context;
/// use tripline_sdk::propagation::inject;
/// let mut headers = HashMap::from([("traceparent".to_owned(), "stale".to_owned())]);
/// inject(&Context::new(), &mut headers);
/// assert!(headers.is_empty());
/// ```
pub fn inject(context: &Context, carrier: &mut impl Carrier) {
    let span = context.span();
    let span = span.span_context();
    let parent = span.is_valid().then(|| trace_context::format_parent(span));
    let state =
        Some(span.trace_state().header()).filter(|state| parent.is_some() && !state.is_empty());
    let fields = [
        (TRACEPARENT, parent),
        (TRACESTATE, state),
        (BAGGAGE, baggage::format(context.baggage())),
    ];
    for (name, value) in fields {
        match value {
            Some(value) => carrier.set(name, value),
            None => carrier.remove(name),
        }
    }
}

fn extract_values(
    base: &Context,
    parents: &[&str],
    states: &[&str],
    baggage_values: &[&str],
) -> Context {
    let mut context = base.clone();
    if let Some(span) = trace_context::parse(parents, states) {
        context = context.with_remote_span_context(span);
    }
    let members = baggage::parse(baggage_values);
    if members.is_empty() {
        return context;
    }
    context.with_baggage(members)
}

/// The same rules as a propagator of OpenTelemetry, for code that asks the global one.
///
/// ```
/// use opentelemetry::global;
/// use tripline_sdk::propagation::W3cPropagator;
/// global::set_text_map_propagator(W3cPropagator);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct W3cPropagator;

impl TextMapPropagator for W3cPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        struct Into<'a>(&'a mut dyn Injector);
        impl Carrier for Into<'_> {
            fn get_all(&self, _: &str) -> Vec<&str> {
                Vec::new()
            }
            fn set(&mut self, name: &'static str, value: String) {
                self.0.set(name, value);
            }
            fn remove(&mut self, _: &'static str) {}
        }
        inject(context, &mut Into(injector));
    }

    fn extract_with_context(&self, base: &Context, extractor: &dyn Extractor) -> Context {
        let all = |name| extractor.get_all(name).unwrap_or_default();
        extract_values(base, &all(TRACEPARENT), &all(TRACESTATE), &all(BAGGAGE))
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: std::sync::LazyLock<[String; 3]> =
            std::sync::LazyLock::new(|| [TRACEPARENT, TRACESTATE, BAGGAGE].map(str::to_owned));
        FieldIter::new(&*FIELDS)
    }
}
