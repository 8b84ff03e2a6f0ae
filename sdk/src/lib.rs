//! Resilience policies that report themselves.
//!
//! # One breaker
//!
//! A [`CircuitBreaker`] watches the calls to one peer. While it is closed calls pass; when too many
//! of them fail or are slow it *opens* and refuses further ones at once; after a while it lets a
//! few probes through and closes if they succeed.
//!
//! ```
//! use std::time::Duration;
//! use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, SlowCalls};
//!
//! let config = BreakerConfig::new()
//!     .failure_ratio(0.5)
//!     .minimum_calls(20)
//!     .slow_calls(SlowCalls { threshold: Duration::from_secs(1), ratio: 0.8 });
//! let inventory = CircuitBreaker::new("inventory", config)?;
//!
//! match inventory.acquire() {
//!     Ok(permit) => permit.finish(Outcome::Success), // after making the call
//!     Err(refused) => println!("{refused}, again in {:?}", refused.retry_after),
//! }
//! # Ok::<(), tripline_sdk::InvalidConfig>(())
//! ```
//!
//! A permit that is dropped accounts for itself, so cancelled futures and panics cannot leave the
//! breaker stuck. For a peer of many parts (hosts, shards, tenants) use [`KeyedBreakers`].
//!
//! # The rest of the policy
//!
//! A breaker alone is half a policy: with feature `tower`, `Policy` puts a deadline, a retry with a
//! [`RetryBudget`], the breaker, a timeout for each try, a [`RateLimit`] and a [`Bulkhead`] around a
//! call, in the one order that works, and refuses the others with the reason.
//!
#![cfg_attr(
    feature = "tower",
    doc = r#"
```
use std::time::Duration;
use tripline_sdk::{
    BreakerConfig, Bulkhead, CircuitBreaker, Error, Policy, Refusal, RetryConfig, TokioClock,
};

# #[tokio::main(flavor = "current_thread", start_paused = true)]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let breaker = CircuitBreaker::builder("inventory", BreakerConfig::new().only_consecutive(3))
    .clock(TokioClock::default())
    .build()?;
let policy = Policy::builder("inventory")
    .deadline(Duration::from_secs(5))
    .retry(RetryConfig::default()) // three tries, exponential backoff with full jitter
    .breaker(breaker)
    .timeout(Duration::from_secs(1)) // of each try, so that hangs are failures
    .bulkhead(Bulkhead::new(64))
    .build()?;

// Three tries hang, each for a second; the third failure opens the breaker.
let hangs = async || std::future::pending::<Result<u32, std::io::Error>>().await;
assert!(policy.call(hangs).await.is_err());
let refused = policy.call(async || Ok::<_, std::io::Error>(7)).await;
assert!(matches!(refused, Err(Error::Refused(Refusal::Breaker(_)))));
# Ok(())
# }
```

The same policy is a `tower::Layer` for services, and with feature `serde` it
comes from a file: [`settings`].
"#
)]
//!
//! Beyond on and off there are [`Throttle`] (refuse in proportion), [`AdaptiveLimit`] (find the
//! right concurrency), [`Shedder`] (drop the least important first), [`HedgePolicy`] (send a second
//! try when the first is slow) and [`Deadline`].
//!
//! # What if
//!
//! Nothing in the core reads a clock or the network: time is handed in. [`replay`] therefore runs
//! recorded calls against other settings through the very state machine that runs in production.
//!
//! # Telemetry
//!
//! With feature `telemetry`, give `telemetry::Telemetry` to your breakers as their [`Listener`]:
//! metrics, a log event for each transition in the trace of the call that caused it, and
//! attributes on the caller's span.
//!
//! [`init`] sets up the whole of a service's telemetry, [`instrument`] is its middleware:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let telemetry = tripline_sdk::init()?;
//!     let app: Router = Router::new()
//!         .route("/", get(async || "hello"))
//!         .layer(telemetry.instrument().server());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Features
//!
//! | feature | adds | needs |
//! |---|---|---|
//! | none | the core: every policy above, pure, for `wasm32` too | nothing |
//! | `tower` | `Policy`, layers over tower services | tokio's timer, tower's traits |
//! | `telemetry` | OpenTelemetry metrics, events, span attributes; [`propagation`] | the OpenTelemetry API |
//! | `serde` | [`settings`] from files with reload, [`presets`] of other systems | serde |
//! | `http` | [`instrument`], [`problem`], [`bearer`]: middleware for HTTP and gRPC | `http`, tower's traits |
//! | `redis` | `RedisBucket`, a limit shared by instances | a Redis server, tokio |
//! | `axum` | routes in spans, problems as answers of handlers | axum |
//! | `tonic` | metadata as a carrier, interceptors, problems as `Status` | tonic |
//! | `otlp` | [`init`] and [`setup`]: everything exported over OTLP | the OpenTelemetry SDK, `tracing` |
#![deny(missing_docs)]

#[cfg(feature = "http")]
pub mod bearer;
mod breaker;
mod bulkhead;
mod classify;
mod clock;
mod concurrency;
mod deadline;
mod hedge;
#[cfg(feature = "http")]
pub mod instrument;
#[cfg(feature = "tower")]
pub mod layer;
mod limit;
#[cfg(feature = "tower")]
mod policy;
#[cfg(feature = "serde")]
pub mod presets;
#[cfg(feature = "http")]
pub mod problem;
#[cfg(feature = "telemetry")]
pub mod propagation;
mod random;
mod refusal;
mod report;
mod retry;
#[cfg(any(feature = "http", feature = "otlp"))]
mod rfc3339;
#[cfg(feature = "serde")]
pub mod settings;
#[cfg(feature = "otlp")]
pub mod setup;
mod shed;
mod sync;
#[cfg(feature = "tower")]
mod tally;
#[cfg(feature = "telemetry")]
pub mod telemetry;
mod throttle;
#[cfg(feature = "tower")]
mod tokio_clock;
mod window;

pub use breaker::*;
pub use bulkhead::{Bulkhead, Place};
pub use classify::{Classify, DefaultClassifier};
pub use clock::{Clock, ManualClock, Moment, MonotonicClock};
pub use concurrency::{AdaptiveLimit, ConcurrencyAlgorithm, Gradient2, LimitedCall, Sample, Vegas};
pub use deadline::{Deadline, format_grpc_timeout, parse_grpc_timeout};
pub use hedge::HedgePolicy;
pub use limit::*;
#[cfg(feature = "tower")]
pub use policy::{Part, Policy, PolicyBuilder, PolicyError, PolicyService, TryFuture, TryService};
pub use random::{Chance, Jitter};
pub use refusal::{Error, MaybeRefused, Refusal};
pub use report::{PartsPresent, PolicyCounts, PolicyEvent, WatchedPolicy};
pub use retry::{Backoff, BackoffJitter, BudgetConfig, RetryBudget, RetryConfig};
#[cfg(feature = "otlp")]
pub use setup::init;
pub use shed::{Priority, ShedConfig, Shedder};
pub use throttle::{Throttle, ThrottleConfig};
#[cfg(feature = "tower")]
pub use tokio_clock::TokioClock;
pub use window::Sums;
