//! A hyper client under a policy: a server that is down, and a breaker that notices.
//!
//! ```sh
//! cargo run -p tripline-sdk --example hyper_client --features http,tower
//! ```

use std::time::Duration;

use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, ServiceExt};
use tripline_sdk::instrument::Instrument;
use tripline_sdk::layer::GuardLayer;
use tripline_sdk::{BreakerConfig, CircuitBreaker, Policy, RetryConfig, TokioClock};

type Body = Empty<bytes::Bytes>;

#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = BreakerConfig::new().only_consecutive(5);
    let breaker = CircuitBreaker::builder("inventory", config)
        .clock(TokioClock::default())
        .listen(|name: &str, change: &tripline_sdk::Transition| {
            println!("{name}: {} -> {}", change.from, change.to);
        })
        .build()?;
    let policy = Policy::builder("inventory")
        .retry(RetryConfig::default())
        .breaker(breaker)
        .timeout(Duration::from_secs(1))
        .build()?;
    let transport = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let traced = Instrument::global()
        .client()
        .peer("inventory")
        .layer(transport);
    let client = policy.layer(GuardLayer.layer(traced));

    // A port nobody listens on.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    for _ in 0..4 {
        let request = http::Request::get(format!("http://{nobody}/stock/7")).body(Body::new())?;
        match client.clone().oneshot(request).await {
            Ok(answer) => println!("{}", answer.status()),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
