//! Layers over tower services, one a policy, with named futures and no boxes.
//!
//! Every layer asks one thing of the service inside: that its error can carry a [`Refusal`]
//! ([`MaybeRefused`]). `Box<dyn Error + Send + Sync>` can; for any other error put
//! [`GuardLayer`] innermost, which makes it an [`Error<E>`](crate::Error). Errors so never nest,
//! however many layers there are.
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tripline_sdk::layer::{BreakerLayer, GuardLayer, RetryLayer, TimeoutLayer};
//! use tripline_sdk::{BreakerConfig, CircuitBreaker, RetryConfig, TokioClock};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let breaker = CircuitBreaker::builder("inventory", BreakerConfig::new())
//!     .clock(TokioClock::default())
//!     .build()?;
//! let mut inventory = ServiceBuilder::new()
//!     .layer(RetryLayer::new(RetryConfig::default()))
//!     .layer(BreakerLayer::new(breaker))
//!     .layer(TimeoutLayer::new(Duration::from_secs(1)))
//!     .layer(GuardLayer)
//!     .service(service_fn(async |item: u32| Ok::<_, std::io::Error>(item + 1)));
//! assert_eq!(inventory.ready().await?.call(6).await?, 7);
//! # Ok(())
//! # }
//! ```
//!
//! The order matters; [`Policy`](crate::Policy) knows it, and is a layer too.

mod breaker;
mod guard;
mod hedge;
mod limit;
mod readiness;
mod retry;
mod timeout;

pub use breaker::{BreakerFuture, BreakerLayer, BreakerService};
pub use guard::{GuardFuture, GuardLayer, GuardService};
pub use hedge::{HedgeFuture, HedgeLayer, HedgeService};
pub use limit::{BulkheadLayer, BulkheadService, LimitFuture, RateLimitLayer, RateLimitService};
pub(crate) use readiness::Readiness;
pub use retry::{RetryFuture, RetryLayer, RetryService};
pub(crate) use timeout::InTime;
pub use timeout::{TimeoutFuture, TimeoutLayer, TimeoutService};

#[expect(unused_imports, reason = "named in the documentation above")]
use crate::refusal::{MaybeRefused, Refusal};
