//! Messages: a span for the one that sends, a span for the one that processes, and the context in
//! the headers between them.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};

use super::Instrument;
use crate::propagation::{self, Carrier};

/// Where messages go.
///
/// ```
/// use tripline_sdk::instrument::{Destination, Instrument};
/// use opentelemetry::trace::TraceContextExt;
///
/// let parcels = Destination { system: "kafka", name: "parcels" };
/// let instrument = Instrument::global();
///
/// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
/// let sending = instrument.send(parcels, &mut headers);
/// sending.span().end(); // after the broker has it
///
/// let processing = instrument.process(parcels, &headers);
/// processing.span().end(); // after the work is done
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    /// The broker, in the words of `messaging.system`.
    pub system: &'a str,
    /// Queue, topic or exchange.
    pub name: &'a str,
}

impl Instrument {
    /// Begins a producer span under the current context and writes its context into `headers`. The
    /// span is the returned context's; end it when the message is sent.
    ///
    /// ```
    /// use opentelemetry::trace::{SpanKind, TraceContextExt};
    /// use tripline_sdk::instrument::{Destination, Instrument};
    /// # use opentelemetry::{global, trace::TracerProvider};
    /// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// # let spans = InMemorySpanExporter::default();
    /// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    /// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    /// let parcels = Destination { system: "nats", name: "parcels" };
    /// let sending = instrument.send(parcels, &mut headers);
    /// assert_eq!(headers[0].0, "traceparent");
    /// sending.span().end(); // after the broker has it
    /// let ended = spans.get_finished_spans().unwrap(); // what an exporter has got
    /// assert_eq!(ended[0].span_kind, SpanKind::Producer);
    /// ```
    #[must_use = "the span ends with `span().end()`"]
    pub fn send(&self, to: Destination<'_>, headers: &mut impl Carrier) -> Context {
        let parent = Context::current();
        let context = self.message("send", SpanKind::Producer, to, &parent, None);
        propagation::inject(&context, headers);
        context
    }

    /// Begins a consumer span in the trace of the message, linked to the span that sent it. Run the
    /// work in the returned context and end its span after.
    ///
    /// ```
    /// use opentelemetry::trace::TraceContextExt;
    /// use tripline_sdk::instrument::{Destination, Instrument};
    /// # use opentelemetry::{global, trace::TracerProvider};
    /// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// # let spans = InMemorySpanExporter::default();
    /// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    /// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    /// let headers = vec![("traceparent".to_owned(), parent.as_bytes().to_vec())];
    /// let parcels = Destination { system: "nats", name: "parcels" };
    /// let processing = instrument.process(parcels, &headers);
    /// let trace_id = processing.span().span_context().trace_id();
    /// assert_eq!(trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    /// processing.span().end(); // after the work is done
    /// let ended = spans.get_finished_spans().unwrap(); // what an exporter has got
    /// assert_eq!(ended[0].links.len(), 1, "a link to the sender");
    /// ```
    #[must_use = "the span ends with `span().end()`"]
    pub fn process(&self, from: Destination<'_>, headers: &impl Carrier) -> Context {
        let parent = propagation::extract(&Context::new(), headers);
        let sender = parent.span().span_context().clone();
        let link = sender.is_valid().then(|| Link::with_context(sender));
        self.message("process", SpanKind::Consumer, from, &parent, link)
    }

    fn message(
        &self,
        operation: &'static str,
        kind: SpanKind,
        destination: Destination<'_>,
        parent: &Context,
        link: Option<Link>,
    ) -> Context {
        let tracer = &self.shared.tracer;
        let builder = tracer
            .span_builder(format!("{operation} {}", destination.name))
            .with_kind(kind)
            .with_links(link.into_iter().collect())
            .with_attributes([
                KeyValue::new("messaging.system", destination.system.to_owned()),
                KeyValue::new("messaging.destination.name", destination.name.to_owned()),
                KeyValue::new("messaging.operation.type", operation),
                KeyValue::new("messaging.operation.name", operation),
            ]);
        parent.with_span(tracer.build_with_context(builder, parent))
    }
}
