//! The shop: gateway → orders → inventory, payment (→ bank), recommendation, and shipping behind a queue.
//!
//! A checkout is simulated top down: every hop gets a client span, a server span, log lines and metrics in its
//! own service's pipeline. Orders guards payment with a breaker of its own, whose transitions are log events in
//! the tripping call's trace (`circuit_breaker.state_changed`), as the SDK names them.

use std::time::{Duration, Instant, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::logs::SdkLogger;
use opentelemetry_sdk::trace::{SdkTracer, Span};

use super::script::{Dice, Fault, fault_at};
use super::telemetry::Pipeline;

/// Failures in a row at which orders stops calling payment.
const TRIP_AFTER: u32 = 5;
/// How long it stays away.
const OPEN_FOR: Duration = Duration::from_secs(5);

/// Opens the shop: checkouts at `rate` a second until the task is aborted.
pub(super) async fn open(endpoint: String, seed: u64, rate: f64) -> anyhow::Result<()> {
    let mut shop = Shop::new(&endpoint, seed)?;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        shop.checkout();
    }
}

/// One service as the script plays it.
struct Service {
    name: &'static str,
    tracer: SdkTracer,
    logger: SdkLogger,
    requests: Counter<u64>,
    duration: Histogram<f64>,
    /// Kept: dropping it would end the exports.
    _pipeline: Pipeline,
}

impl Service {
    fn new(name: &'static str, endpoint: &str) -> anyhow::Result<Self> {
        let pipeline = Pipeline::new(name, "1.4.2", endpoint)?;
        let meter = pipeline.metrics.meter("shop");
        Ok(Self {
            name,
            tracer: pipeline.traces.tracer("shop"),
            logger: pipeline.logs.logger("shop"),
            requests: meter
                .u64_counter("shop.requests")
                .with_description("Requests served")
                .build(),
            duration: meter
                .f64_histogram("http.server.request.duration")
                .with_unit("s")
                .with_description("Duration of HTTP server requests")
                .build(),
            _pipeline: pipeline,
        })
    }

    fn start(
        &self,
        name: &'static str,
        kind: SpanKind,
        at: SystemTime,
        parent: &Context,
        attributes: Vec<KeyValue>,
    ) -> Context {
        let span: Span = self
            .tracer
            .span_builder(name)
            .with_kind(kind)
            .with_start_time(at)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, parent);
        Context::new().with_span(span)
    }

    fn log(
        &self,
        cx: &Context,
        severity: Severity,
        body: String,
        event: Option<&'static str>,
        attributes: Vec<(&'static str, AnyValue)>,
    ) {
        let mut record = self.logger.create_log_record();
        let span = cx.span().span_context().clone();
        record.set_timestamp(SystemTime::now());
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        record.set_body(AnyValue::from(body));
        if let Some(event) = event {
            record.set_event_name(event);
        }
        record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
        record.add_attributes(attributes);
        self.logger.emit(record);
    }

    fn served(&self, route: &'static str, status: i64, took: Duration) {
        let attributes = [
            KeyValue::new("http.route", route),
            KeyValue::new("http.response.status_code", status),
        ];
        self.requests.add(1, &attributes);
        self.duration.record(took.as_secs_f64(), &attributes);
    }
}

/// How one hop ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    Failed,
}

/// Orders' breaker around payment.
enum Breaker {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen,
}

impl Breaker {
    fn word(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

struct Shop {
    seed: u64,
    opened: Instant,
    dice: Dice,
    gateway: Service,
    orders: Service,
    inventory: Service,
    payment: Service,
    recommendation: Service,
    shipping: Service,
    breaker: Breaker,
    order_number: u64,
}

/// A moment that moves as the story is told.
struct Moment(SystemTime);

impl Moment {
    fn pass(&mut self, time: Duration) -> SystemTime {
        self.0 += time;
        self.0
    }
}

impl Shop {
    fn new(endpoint: &str, seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            seed,
            opened: Instant::now(),
            dice: Dice::new(seed),
            gateway: Service::new("gateway", endpoint)?,
            orders: Service::new("orders", endpoint)?,
            inventory: Service::new("inventory", endpoint)?,
            payment: Service::new("payment", endpoint)?,
            recommendation: Service::new("recommendation", endpoint)?,
            shipping: Service::new("shipping", endpoint)?,
            breaker: Breaker::Closed { failures: 0 },
            order_number: 1000,
        })
    }

    fn checkout(&mut self) {
        self.order_number += 1;
        let began = SystemTime::now();
        let mut now = Moment(began);
        let root = self.gateway.start(
            "POST /checkout",
            SpanKind::Server,
            began,
            &Context::new(),
            http_server("POST", "/checkout"),
        );
        now.pass(self.dice.millis(1, 3));
        let client = self.gateway.start(
            "POST /orders",
            SpanKind::Client,
            now.0,
            &root,
            http_client("POST", "orders", 8081),
        );
        let outcome = self.place_order(&client, &mut now);
        let status = if outcome == Outcome::Ok { 200 } else { 502 };
        end(&client, now.pass(self.dice.millis(0, 1)), status);
        self.recommend(&root, &mut now);
        end(&root, now.pass(self.dice.millis(1, 2)), status);
        self.gateway.served(
            "/checkout",
            status,
            now.0.duration_since(began).unwrap_or_default(),
        );
    }

    fn place_order(&mut self, parent: &Context, now: &mut Moment) -> Outcome {
        let began = now.pass(self.dice.millis(0, 1));
        let span = self.orders.start(
            "POST /orders",
            SpanKind::Server,
            began,
            parent,
            http_server("POST", "/orders"),
        );
        let order = self.order_number;
        self.orders.log(
            &span,
            Severity::Info,
            format!("placing order {order}"),
            None,
            vec![("order.id", AnyValue::from(order as i64))],
        );
        self.reserve(&span, now);
        let outcome = self.pay(&span, now);
        if outcome == Outcome::Ok {
            self.ship(&span, now);
        } else {
            self.orders.log(
                &span,
                Severity::Error,
                format!("order {order} could not be paid"),
                None,
                vec![("order.id", AnyValue::from(order as i64))],
            );
        }
        let status = if outcome == Outcome::Ok { 201 } else { 503 };
        end(&span, now.pass(self.dice.millis(1, 2)), status);
        self.orders.served(
            "/orders",
            status,
            now.0.duration_since(began).unwrap_or_default(),
        );
        outcome
    }

    fn reserve(&mut self, parent: &Context, now: &mut Moment) {
        let client = self.orders.start(
            "GET /stock/{sku}",
            SpanKind::Client,
            now.0,
            parent,
            http_client("GET", "inventory", 8082),
        );
        let began = now.pass(self.dice.millis(0, 1));
        let span = self.inventory.start(
            "GET /stock/{sku}",
            SpanKind::Server,
            began,
            &client,
            http_server("GET", "/stock/{sku}"),
        );
        now.pass(self.dice.millis(0, 1));
        let query = vec![
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new("db.namespace", "stock"),
            KeyValue::new("db.operation.name", "SELECT"),
            KeyValue::new(
                "db.query.text",
                "SELECT available FROM stock WHERE sku = $1",
            ),
            KeyValue::new("server.address", "stock-db"),
        ];
        let db = self
            .inventory
            .start("SELECT stock", SpanKind::Client, now.0, &span, query);
        db.span()
            .end_with_timestamp(now.pass(self.dice.millis(1, 6)));
        end(&span, now.pass(self.dice.millis(0, 1)), 200);
        self.inventory.served(
            "/stock/{sku}",
            200,
            now.0.duration_since(began).unwrap_or_default(),
        );
        end(&client, now.pass(self.dice.millis(0, 1)), 200);
    }

    fn pay(&mut self, parent: &Context, now: &mut Moment) -> Outcome {
        if let Breaker::Open { until } = self.breaker {
            if Instant::now() < until {
                return self.reject(parent, now);
            }
            self.change(parent, Breaker::HalfOpen, "wait_elapsed");
        }
        let client = self.orders.start(
            "POST /payments",
            SpanKind::Client,
            now.0,
            parent,
            http_client("POST", "payment", 8083),
        );
        client
            .span()
            .set_attribute(KeyValue::new("circuit_breaker.name", "payment"));
        client
            .span()
            .set_attribute(KeyValue::new("circuit_breaker.state", self.breaker.word()));
        let outcome = self.charge(&client, now);
        let word = if outcome == Outcome::Ok {
            "success"
        } else {
            "failure"
        };
        client
            .span()
            .set_attribute(KeyValue::new("circuit_breaker.outcome", word));
        end(
            &client,
            now.pass(self.dice.millis(0, 1)),
            if outcome == Outcome::Ok { 200 } else { 503 },
        );
        self.record(&client, outcome);
        outcome
    }

    fn charge(&mut self, parent: &Context, now: &mut Moment) -> Outcome {
        let began = now.pass(self.dice.millis(0, 1));
        let span = self.payment.start(
            "POST /payments",
            SpanKind::Server,
            began,
            parent,
            http_server("POST", "/payments"),
        );
        let bank = self.payment.start(
            "POST /charge",
            SpanKind::Client,
            now.0,
            &span,
            http_client("POST", "bank.example", 443),
        );
        let (wait, outcome) = match fault_at(self.seed, self.opened.elapsed()) {
            Fault::None if self.dice.percent(1) => (self.dice.millis(30, 60), Outcome::Failed),
            Fault::None => (self.dice.millis(15, 40), Outcome::Ok),
            Fault::Slow if self.dice.percent(20) => (self.dice.millis(700, 1000), Outcome::Failed),
            Fault::Slow => (self.dice.millis(300, 800), Outcome::Ok),
            Fault::Down => (self.dice.millis(950, 1000), Outcome::Failed),
        };
        let ended = now.pass(wait);
        if outcome == Outcome::Failed {
            bank.span().add_event_with_timestamp(
                "exception",
                ended,
                vec![
                    KeyValue::new("exception.type", "DeadlineExceeded"),
                    KeyValue::new("exception.message", "the bank did not answer within 1 s"),
                ],
            );
            self.payment.log(
                &bank,
                Severity::Error,
                "charging the card failed: deadline exceeded".into(),
                None,
                vec![("error.type", AnyValue::from("DEADLINE_EXCEEDED"))],
            );
        }
        let status = if outcome == Outcome::Ok { 200 } else { 503 };
        end(&bank, ended, if outcome == Outcome::Ok { 200 } else { 504 });
        end(&span, now.pass(self.dice.millis(0, 1)), status);
        self.payment.served(
            "/payments",
            status,
            now.0.duration_since(began).unwrap_or_default(),
        );
        outcome
    }

    fn reject(&mut self, parent: &Context, now: &mut Moment) -> Outcome {
        let attributes = vec![
            KeyValue::new("circuit_breaker.name", "payment"),
            KeyValue::new("circuit_breaker.state", "open"),
            KeyValue::new("circuit_breaker.outcome", "rejected"),
            KeyValue::new("service.peer.name", "payment"),
        ];
        let span = self.orders.start(
            "payment rejected",
            SpanKind::Internal,
            now.0,
            parent,
            attributes,
        );
        span.span()
            .set_status(Status::error("circuit breaker is open"));
        span.span()
            .end_with_timestamp(now.pass(Duration::from_micros(20)));
        Outcome::Failed
    }

    fn record(&mut self, cx: &Context, outcome: Outcome) {
        match (&mut self.breaker, outcome) {
            (Breaker::Closed { failures }, Outcome::Ok) => *failures = 0,
            (Breaker::Closed { failures }, Outcome::Failed) => {
                *failures += 1;
                if *failures >= TRIP_AFTER {
                    self.change(
                        cx,
                        Breaker::Open {
                            until: Instant::now() + OPEN_FOR,
                        },
                        "consecutive",
                    );
                }
            }
            (Breaker::HalfOpen, Outcome::Ok) => {
                self.change(cx, Breaker::Closed { failures: 0 }, "probe_ok")
            }
            (Breaker::HalfOpen, Outcome::Failed) => {
                self.change(
                    cx,
                    Breaker::Open {
                        until: Instant::now() + OPEN_FOR,
                    },
                    "probe_failed",
                );
            }
            (Breaker::Open { .. }, _) => {}
        }
    }

    fn change(&mut self, cx: &Context, to: Breaker, reason: &'static str) {
        let (from, to_word) = (self.breaker.word(), to.word());
        self.breaker = to;
        let severity = if to_word == "open" {
            Severity::Warn
        } else {
            Severity::Info
        };
        let attributes = vec![
            ("circuit_breaker.name", AnyValue::from("payment")),
            ("circuit_breaker.state.from", AnyValue::from(from)),
            ("circuit_breaker.state", AnyValue::from(to_word)),
            ("circuit_breaker.reason", AnyValue::from(reason)),
            ("service.peer.name", AnyValue::from("payment")),
        ];
        let body = format!("circuit breaker payment: {from} to {to_word} ({reason})");
        self.orders.log(
            cx,
            severity,
            body,
            Some("circuit_breaker.state_changed"),
            attributes,
        );
    }

    fn recommend(&mut self, parent: &Context, now: &mut Moment) {
        let attributes = vec![
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.service", "shop.Recommendation"),
            KeyValue::new("rpc.method", "List"),
            KeyValue::new("server.address", "recommendation"),
        ];
        let client = self.gateway.start(
            "shop.Recommendation/List",
            SpanKind::Client,
            now.0,
            parent,
            attributes.clone(),
        );
        let began = now.pass(self.dice.millis(0, 1));
        let span = self.recommendation.start(
            "shop.Recommendation/List",
            SpanKind::Server,
            began,
            &client,
            attributes,
        );
        now.pass(self.dice.millis(2, 12));
        span.span().end_with_timestamp(now.0);
        self.recommendation.served(
            "shop.Recommendation/List",
            200,
            now.0.duration_since(began).unwrap_or_default(),
        );
        client
            .span()
            .end_with_timestamp(now.pass(self.dice.millis(0, 1)));
    }

    fn ship(&mut self, parent: &Context, now: &mut Moment) {
        let messaging = |operation: &'static str| {
            vec![
                KeyValue::new("messaging.system", "kafka"),
                KeyValue::new("messaging.destination.name", "parcels"),
                KeyValue::new("messaging.operation.type", operation),
            ]
        };
        let sent = self.orders.start(
            "send parcels",
            SpanKind::Producer,
            now.0,
            parent,
            messaging("send"),
        );
        let link: SpanContext = sent.span().span_context().clone();
        sent.span()
            .end_with_timestamp(now.pass(self.dice.millis(0, 1)));
        let received = now.0 + self.dice.millis(2, 30);
        let mut consumer: Span = self
            .shipping
            .tracer
            .span_builder("process parcels")
            .with_kind(SpanKind::Consumer)
            .with_start_time(received)
            .with_attributes(messaging("process"))
            .with_links(vec![Link::with_context(link)])
            .start_with_context(&self.shipping.tracer, &Context::new());
        let took = self.dice.millis(3, 15);
        consumer.end_with_timestamp(received + took);
        self.shipping.served("process parcels", 200, took);
        let cx = Context::new().with_span(consumer);
        self.shipping.log(
            &cx,
            Severity::Info,
            format!(
                "{} hands parcel {} to the carrier",
                self.shipping.name, self.order_number
            ),
            None,
            vec![],
        );
    }
}

/// Ends a span as an HTTP call with `status`.
fn end(cx: &Context, at: SystemTime, status: i64) {
    let span = cx.span();
    span.set_attribute(KeyValue::new("http.response.status_code", status));
    if status >= 500 {
        span.set_status(Status::error(format!("HTTP {status}")));
    }
    span.end_with_timestamp(at);
}

fn http_server(method: &'static str, route: &'static str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route),
        KeyValue::new("url.scheme", "http"),
    ]
}

fn http_client(method: &'static str, peer: &'static str, port: i64) -> Vec<KeyValue> {
    vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("server.address", peer),
        KeyValue::new("server.port", port),
    ]
}
