//! Orders: reserves, charges, recommends and ships; every edge is guarded by a policy of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use opentelemetry::trace::TraceContextExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::Layer as _;
use tripline_sdk::instrument::{ClientService, Destination};
use tripline_sdk::problem::Problem;
use tripline_sdk::{
    Backoff, BreakerConfig, BudgetConfig, Bulkhead, CircuitBreaker, Classify as _, Clock as _,
    DefaultClassifier, Error, HalfOpen, Jitter, OpenTime, Outcome, Policy, RetryBudget,
    RetryConfig, SlowCalls, TokioClock, WindowConfig,
};

use super::inventory::shard_of;
use super::peer::{CallError, Peer};
use super::recommendation::{CANARY, STABLE};
use super::rpc::{Basket, RecommendClient};
use super::script::SHARDS;
use super::service::{Identity, Service, World, serve};
use super::shipping::Parcel;

const IDENTITY: Identity = Identity {
    service: "orders",
    version: "1.4.2",
    instance: "orders-1",
};
/// The queue to shipping.
pub(super) const PARCELS: Destination<'static> = Destination {
    system: "in_process",
    name: "parcels",
};
/// How many of a hundred recommendations come from the canary.
const CANARY_PERCENT: u64 = 30;

/// Where the services behind orders are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behind {
    pub(super) inventory: SocketAddr,
    pub(super) payment: SocketAddr,
    pub(super) stable: SocketAddr,
    pub(super) canary: SocketAddr,
}

struct Orders {
    service: Arc<Service>,
    inventory: Peer,
    /// One a shard: a dead shard must not take the living with it.
    shards: Vec<Shard>,
    payment: Peer,
    charge: Policy,
    stable: Recommendation,
    canary: Recommendation,
    parcels: mpsc::Sender<Parcel>,
    number: AtomicU64,
}

/// How a shard of inventory is asked. A breaker writes on the span it is called in, and a span holds the outcome of one
/// call: so the tries are apart from what guards each of them, and each has a span of its own.
struct Shard {
    /// Deadline and retries.
    tries: Policy,
    /// Breaker, timeout and bulkhead of one try.
    one_try: Policy,
}

/// One instance of recommendation, behind a breaker of its own.
struct Recommendation {
    client: RecommendClient<ClientService<tonic::transport::Channel>>,
    policy: Policy,
}

/// Starts orders in front of everything else.
pub(super) async fn start(
    world: &World,
    address: SocketAddr,
    behind: Behind,
    parcels: mpsc::Sender<Parcel>,
) -> anyhow::Result<SocketAddr> {
    let service = Service::start(world, IDENTITY)?;
    let orders = Orders {
        inventory: Peer::new(&service.instrument, "inventory", behind.inventory),
        shards: shards(&service)?,
        payment: Peer::new(&service.instrument, "payment", behind.payment),
        charge: payment_policy(&service)?,
        stable: Recommendation::new(&service, STABLE, behind.stable)?,
        canary: Recommendation::new(&service, CANARY, behind.canary)?,
        parcels,
        number: AtomicU64::new(1000),
        service: Arc::clone(&service),
    };
    let router = Router::new()
        .route("/orders", post(place))
        .with_state(Arc::new(orders));
    let router = service.router(router, service.instrument.server());
    serve(address, router).await
}

/// Reading stock may be repeated: three tries, from a budget that all shards share.
fn shards(service: &Service) -> anyhow::Result<Vec<Shard>> {
    let clock = TokioClock::default();
    let budget = Arc::new(RetryBudget::new(BudgetConfig::default(), clock.now()));
    let retry = RetryConfig {
        max_attempts: 3,
        backoff: Backoff {
            base: Duration::from_millis(20),
            ..Backoff::default()
        },
        ..RetryConfig::default()
    };
    let shard = |shard: u32| {
        let breaker = CircuitBreaker::builder("inventory", quick())
            .key(&format!("shard-{shard}"))
            .clock(clock)
            .listen(service.telemetry())
            .build()?;
        let tries = Policy::builder_on("inventory", clock)
            .deadline(Duration::from_secs(1))
            .retry_with_budget(retry, Arc::clone(&budget))
            .build()?;
        let one_try = Policy::builder_on("inventory", clock)
            .breaker(breaker)
            .timeout(Duration::from_millis(250))
            .bulkhead(Bulkhead::new(32))
            .build()?;
        Ok(Shard { tries, one_try })
    };
    (0..SHARDS).map(shard).collect()
}

/// What a try counts as for the retries around it: as for the breaker inside, and what that refuses is final.
fn judge(tried: Result<&Value, &Error<Error<CallError>>>) -> Outcome {
    match tried {
        Err(Error::Call(inside)) => DefaultClassifier.classify(Err::<&Value, _>(inside)),
        other => DefaultClassifier.classify(other),
    }
}

/// A charge is not repeated: nobody wants to pay twice.
fn payment_policy(service: &Service) -> anyhow::Result<Policy> {
    let slow = SlowCalls {
        threshold: Duration::from_millis(600),
        ratio: 0.8,
    };
    let breaker = CircuitBreaker::builder("payment", quick().slow_calls(slow))
        .clock(TokioClock::default())
        .listen(service.telemetry())
        .build()?;
    let policy = Policy::builder("payment")
        .breaker(breaker)
        .timeout(Duration::from_secs(1))
        .bulkhead(Bulkhead::new(32))
        .build()?;
    Ok(policy)
}

/// Settings for a shop of a few requests a second that is watched by somebody without patience.
fn quick() -> BreakerConfig {
    BreakerConfig::new()
        .window(WindowConfig::Time {
            length: Duration::from_secs(5),
            buckets: 10,
        })
        .minimum_calls(5)
        .failure_ratio(0.5)
        .open(OpenTime {
            base: Duration::from_secs(3),
            multiplier: 1.2,
            max: Duration::from_secs(5),
            jitter: Jitter::PlusMinus(0.1),
            decay: Duration::from_secs(10),
        })
        .half_open(HalfOpen {
            permits: 2,
            concurrent: 2,
            ..HalfOpen::default()
        })
}

impl Recommendation {
    fn new(service: &Service, identity: Identity, address: SocketAddr) -> anyhow::Result<Self> {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?;
        let traced = service.instrument.client().peer(identity.service);
        let traced = traced.address(&address.ip().to_string(), address.port());
        let breaker = CircuitBreaker::builder(identity.service, quick())
            .key(identity.instance)
            .clock(TokioClock::default())
            .listen(service.telemetry())
            .build()?;
        let policy = Policy::builder(identity.service)
            .breaker(breaker)
            .timeout(Duration::from_millis(300))
            .bulkhead(Bulkhead::new(32))
            .build()?;
        Ok(Self {
            client: RecommendClient::new(traced.layer(endpoint.connect_lazy())),
            policy,
        })
    }

    /// Asks in one of the four ways gRPC has.
    async fn ask(&self, order: u64, sku: u32) -> Result<u32, Error<tonic::Status>> {
        let basket = |sku| Basket { skus: vec![sku] };
        let several = || vec![basket(sku), basket(sku + 1)];
        let skus = Basket {
            skus: vec![sku, sku + 1, sku + 2],
        };
        let first = |found: Vec<super::rpc::Suggestion>| {
            found
                .first()
                .copied()
                .ok_or_else(|| tonic::Status::not_found("nothing goes with it"))
        };
        let call = async || match order % 4 {
            0 => self.client.suggest(basket(sku)).await,
            1 => self.client.browse(skus.clone()).await.and_then(first),
            2 => self.client.learn(several()).await,
            _ => self.client.advise(several()).await.and_then(first),
        };
        Ok(self.policy.call(call).await?.sku)
    }
}

/// What a customer wants.
#[derive(Debug, Deserialize)]
struct Wanted {
    sku: u32,
}

async fn place(
    State(orders): State<Arc<Orders>>,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let number = orders.number.fetch_add(1, Ordering::Relaxed);
    let service = &orders.service;
    tracing::info!(order = number, sku = wanted.sku, "placing order");
    service
        .within("reserve", orders.reserve(wanted.sku))
        .await?;
    service.within("charge", orders.charge(number)).await?;
    let also = service
        .within("recommend", orders.recommend(number, wanted.sku))
        .await;
    orders.ship(number);
    let placed = json!({ "order": number, "also": also });
    Ok((StatusCode::CREATED, Json(placed)))
}

impl Orders {
    async fn reserve(&self, sku: u32) -> Result<(), Problem> {
        let shard = shard_of(sku) as usize;
        let shard = self.shards.get(shard).ok_or_else(Problem::internal)?;
        let path = format!("/stock/{sku}");
        let tries = &shard.tries;
        tries
            .call_classified(|| self.ask_stock(&shard.one_try, &path), &judge)
            .await?;
        Ok(())
    }

    async fn ask_stock(&self, one_try: &Policy, path: &str) -> Result<Value, Error<CallError>> {
        let asked = one_try.call(|| self.inventory.get(path));
        self.service.within("ask stock", asked).await
    }

    async fn charge(&self, number: u64) -> Result<(), Problem> {
        let payment = json!({ "order": number, "cents": 4200 });
        let charged = self
            .charge
            .call(|| self.payment.post("/payments", &payment))
            .await;
        charged.map(drop).map_err(|error| {
            tracing::warn!(order = number, %error, "the order could not be paid");
            Problem::from(error)
        })
    }

    /// Recommendations are nice to have: without one there is the bestseller.
    async fn recommend(&self, number: u64, sku: u32) -> u32 {
        const BESTSELLER: u32 = 1;
        let use_canary = self.service.roll(|dice| dice.percent(CANARY_PERCENT));
        let instance = if use_canary {
            &self.canary
        } else {
            &self.stable
        };
        instance.ask(number, sku).await.unwrap_or_else(|error| {
            tracing::warn!(order = number, %error, "recommending the bestseller instead");
            BESTSELLER
        })
    }

    fn ship(&self, number: u64) {
        let mut headers = Vec::new();
        let sending = self.service.instrument.send(PARCELS, &mut headers);
        let parcel = Parcel {
            order: number,
            headers,
        };
        if self.parcels.try_send(parcel).is_err() {
            tracing::warn!(
                order = number,
                "shipping is behind; the parcel waits for a clerk"
            );
        }
        sending.span().end();
    }
}

#[cfg(test)]
mod tests {
    use tripline_sdk::Refusal;

    use super::*;

    #[test]
    fn a_try_that_failed_is_repeated_and_one_that_was_refused_is_not() {
        let failed = Error::Call(CallError::Answer {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "shard_down".to_owned(),
        });
        let after = Duration::from_millis(250);
        for (inside, expected) in [
            (failed, Outcome::Failure),
            (Error::Refused(Refusal::Timeout { after }), Outcome::Failure),
            (Error::Refused(Refusal::BulkheadFull), Outcome::Ignore),
        ] {
            assert_eq!(judge(Err(&Error::Call(inside))), expected);
        }
        assert_eq!(judge(Ok(&Value::Null)), Outcome::Success);
    }

    #[tokio::test]
    async fn what_the_breaker_refuses_is_tried_once() {
        let tries = AtomicU64::new(0);
        let retry = RetryConfig {
            max_attempts: 3,
            ..RetryConfig::default()
        };
        let outer = Policy::builder("stock")
            .retry(retry)
            .build()
            .expect("a policy");
        let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).expect("a breaker");
        breaker.set_mode(tripline_sdk::Mode::ForcedOpen);
        let one_try = Policy::builder("stock")
            .breaker(breaker)
            .timeout(Duration::from_secs(1))
            .build()
            .expect("a policy");
        let ask = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            let answer = async || Ok::<_, CallError>(Value::Null);
            one_try.call(answer).await
        };
        assert!(outer.call_classified(ask, &judge).await.is_err());
        assert_eq!(tries.load(Ordering::Relaxed), 1);
    }
}
