//! A reqwest client under a policy, its spans sent along: `call` for code without tower.
//!
//! ```sh
//! cargo run -p tripline-sdk --example reqwest_client --features http,tower
//! ```

use std::time::Duration;

use tower::{Layer, ServiceExt, service_fn};
use tripline_sdk::instrument::Instrument;
use tripline_sdk::{BreakerConfig, CircuitBreaker, Error, Policy, TokioClock};

#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let breaker = CircuitBreaker::builder("example.com", BreakerConfig::new())
        .clock(TokioClock::default())
        .build()?;
    let policy = Policy::builder("example.com")
        .deadline(Duration::from_secs(10))
        .breaker(breaker)
        .timeout(Duration::from_secs(3))
        .build()?;
    let client = reqwest::Client::new();
    let traced = Instrument::global().client().layer(service_fn(
        async |request: http::Request<reqwest::Body>| {
            let answer = client.execute(request.try_into()?).await?;
            Ok::<http::Response<reqwest::Body>, reqwest::Error>(answer.into())
        },
    ));

    let url = std::env::var("STOCK_URL").unwrap_or("http://127.0.0.1:8080/stock/7".into());
    let answer = policy
        .call(async || {
            let request = http::Request::get(&url).body(reqwest::Body::default());
            let request = request.expect("the address was parsed by reqwest before");
            traced.clone().oneshot(request).await
        })
        .await;
    match answer {
        Ok(answer) => println!("{}", answer.status()),
        Err(Error::Refused(refusal)) => println!("not called: {refusal}"),
        Err(Error::Call(error)) => println!("failed: {error}"),
    }
    Ok(())
}
