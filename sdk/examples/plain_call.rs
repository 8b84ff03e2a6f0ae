//! A policy around code that knows no tower: a payment provider that fails now and then.
//!
//! ```sh
//! cargo run -p tripline-sdk --example plain_call --features otlp
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tripline_sdk::{BreakerConfig, CircuitBreaker, Policy, RetryConfig, TokioClock};

struct Order(u64);

/// Takes the money; every second attempt fails.
async fn charge(order: &Order) -> Result<String, std::io::Error> {
    static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
    if ATTEMPTS.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
        return Err(std::io::Error::other("the provider hung up"));
    }
    Ok(format!("order {} is paid", order.0))
}

#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let order = Order(7);
    let telemetry = tripline_sdk::init()?; // OTEL_* variables say where to; flushes when dropped
    let breaker = CircuitBreaker::builder("payment", BreakerConfig::new())
        .clock(TokioClock::default())
        .listen(telemetry.telemetry())
        .build()?;
    let policy = Policy::builder("payment")
        .retry(RetryConfig::default())
        .breaker(breaker)
        .timeout(Duration::from_secs(1))
        .build()?;
    let receipt = policy.call(async || charge(&order).await).await?;
    println!("{receipt}");
    Ok(())
}
