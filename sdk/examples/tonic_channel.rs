//! A tonic channel under a policy: health checks of a gRPC server, traced at both ends.
//!
//! ```sh
//! cargo run -p tripline-sdk --example tonic_channel --features tonic,tower
//! ```

use std::time::Duration;

use tonic::client::Grpc;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;
use tower::Layer;
use tripline_sdk::instrument::Instrument;
use tripline_sdk::{BreakerConfig, CircuitBreaker, Error, Outcome, Policy, TokioClock};

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct Check {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Health {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::var("HEALTH_ADDRESS").unwrap_or("http://127.0.0.1:50051".into());
    let channel = Endpoint::from_shared(address)?.connect_lazy();
    let traced = Instrument::global().client().peer("health").layer(channel);
    let breaker = CircuitBreaker::builder("health", BreakerConfig::new())
        .clock(TokioClock::default())
        .build()?;
    let policy = Policy::builder("health")
        .breaker(breaker)
        .timeout(Duration::from_millis(500))
        .build()?;

    let check = async || {
        let mut client = Grpc::new(traced.clone());
        client
            .ready()
            .await
            .map_err(|error| tonic::Status::unavailable(error.to_string()))?;
        let path = http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Check");
        let request = tonic::Request::new(Check::default());
        client
            .unary(request, path, ProstCodec::<Check, Health>::default())
            .await
    };
    // A server that says what it cannot do works.
    let classify = |result: Result<&tonic::Response<Health>, &Error<tonic::Status>>| match result {
        Err(Error::Call(status)) if status.code() == tonic::Code::Unimplemented => Outcome::Success,
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    match policy.call_classified(check, &classify).await {
        Ok(answer) => println!("status {}", answer.get_ref().status),
        Err(Error::Call(status)) => println!("{status}"),
        Err(refused) => println!("{refused}"),
    }
    Ok(())
}
