//! One call in flight: its span, its clock, and the one place where both end.

use std::time::Instant;

use http::{HeaderMap, StatusCode};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};

use super::opening::{Opening, Protocol, Side};
use super::{Instrument, http_call, rpc_call};
use crate::telemetry::names;

/// A call from its first byte to its last. Dropped before that, it was cancelled.
pub(super) struct Call {
    instrument: Instrument,
    side: Side,
    protocol: Protocol,
    dimensions: Vec<KeyValue>,
    context: Context,
    started: Instant,
    /// The gRPC status, once it is known.
    rpc_status: Option<i32>,
    answered: bool,
    ended: bool,
}

impl Call {
    pub(super) fn begin(instrument: &Instrument, opening: Opening, parent: &Context) -> Self {
        let Opening {
            side,
            protocol,
            name,
            attributes,
            dimensions,
            linked,
        } = opening;
        let kind = match side {
            Side::Server => SpanKind::Server,
            Side::Client => SpanKind::Client,
        };
        let tracer = &instrument.shared.tracer;
        let mut builder = tracer
            .span_builder(name)
            .with_kind(kind)
            .with_attributes(attributes);
        if let Some(linked) = linked {
            builder = builder.with_links(vec![opentelemetry::trace::Link::with_context(linked)]);
        }
        let span = tracer.build_with_context(builder, parent);
        let call = Self {
            instrument: instrument.clone(),
            side,
            protocol,
            dimensions,
            context: parent.with_span(span),
            started: Instant::now(),
            rpc_status: None,
            answered: false,
            ended: false,
        };
        call.count_active(1);
        call
    }

    /// The context the call runs in.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// The head of the answer is there.
    pub(super) fn answer(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.answered = true;
        match self.protocol {
            Protocol::Http => {
                let code = KeyValue::new("http.response.status_code", i64::from(status.as_u16()));
                self.context.span().set_attribute(code.clone());
                self.dimensions.push(code);
                if http_call::is_error(self.side, status) {
                    self.fail(status.as_str().to_owned(), String::new());
                }
            }
            Protocol::Rpc => self.rpc_status = rpc_call::status(headers),
        }
    }

    /// The trailers are there.
    pub(super) fn trail(&mut self, trailers: &HeaderMap) {
        if self.protocol == Protocol::Rpc {
            self.rpc_status = rpc_call::status(trailers).or(self.rpc_status);
        }
    }

    /// There is no answer, or its body broke off.
    pub(super) fn break_off(&mut self, error_type: &str) {
        if self.protocol == Protocol::Rpc && self.side == Side::Client {
            // What tonic makes of a transport that fails.
            self.rpc_status.get_or_insert(rpc_call::UNAVAILABLE);
        }
        self.fail(error_type.to_owned(), String::new());
        self.end();
    }

    /// Nobody wanted the rest. For a client that has its answer that is not worth a word.
    pub(super) fn cancel(&mut self) {
        match (self.protocol, self.side) {
            _ if self.ended => return,
            (Protocol::Rpc, _) => {
                self.rpc_status.get_or_insert(rpc_call::CANCELLED);
            }
            (Protocol::Http, Side::Client) if self.answered => {}
            (Protocol::Http, _) => {
                let error = KeyValue::new("error.type", "cancelled");
                self.context.span().set_attribute(error.clone());
                self.dimensions.push(error);
            }
        }
        self.end();
    }

    fn fail(&mut self, error_type: String, description: String) {
        let span = self.context.span();
        span.set_status(Status::error(description));
        let error = KeyValue::new("error.type", error_type);
        span.set_attribute(error.clone());
        self.dimensions.push(error);
    }

    /// It is over.
    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if self.protocol == Protocol::Rpc {
            let status = self.rpc_status.unwrap_or(rpc_call::UNKNOWN);
            let name = rpc_call::status_name(status);
            let code = KeyValue::new("rpc.response.status_code", name);
            self.context.span().set_attribute(code.clone());
            self.dimensions.push(code);
            let told = self
                .dimensions
                .iter()
                .any(|d| d.key.as_str() == "error.type");
            if rpc_call::is_error(self.side, status) && !told {
                self.fail(name.to_owned(), String::new());
            }
        }
        self.count_active(-1);
        let shared = &self.instrument.shared;
        let (histogram, _name) = match (self.protocol, self.side) {
            (Protocol::Http, Side::Server) => (&shared.http_server, names::HTTP_SERVER_DURATION),
            (Protocol::Http, Side::Client) => (&shared.http_client, names::HTTP_CLIENT_DURATION),
            (Protocol::Rpc, Side::Server) => (&shared.rpc_server, names::RPC_SERVER_DURATION),
            (Protocol::Rpc, Side::Client) => (&shared.rpc_client, names::RPC_CLIENT_DURATION),
        };
        let duration = self.started.elapsed().as_secs_f64();
        // In its context, for a meter that makes exemplars itself.
        let _attached = self.context.clone().attach();
        histogram.record(duration, &self.dimensions);
        #[cfg(feature = "otlp")]
        if let Some(exemplars) = shared.exemplars.get() {
            let span = self.context.span();
            let span = span.span_context();
            exemplars.offer(_name, duration, &self.dimensions, None, span);
        }
        self.context.span().end();
    }

    fn count_active(&self, change: i64) {
        if (self.protocol, self.side) == (Protocol::Http, Side::Server) {
            let named =
                |d: &&KeyValue| matches!(d.key.as_str(), "http.request.method" | "url.scheme");
            let few: Vec<KeyValue> = self.dimensions.iter().filter(named).cloned().collect();
            self.instrument.shared.active.add(change, &few);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.ended {
            self.break_off("panic");
        }
        self.cancel();
    }
}
