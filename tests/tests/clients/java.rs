//! A servlet under the OpenTelemetry Java agent.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::breakers::{self, Evidence, Guarded};
use super::service::{Exemplars, Protocol, check, place};

fn command() -> Result<Command> {
    let target = place("java")?.join("target");
    let agent = target.join("opentelemetry-javaagent.jar");
    let mut command = Command::new("java");
    command
        // Hystrix and resilience4j tell of themselves by Micrometer; the agent sends its meters when asked.
        .env("OTEL_INSTRUMENTATION_MICROMETER_ENABLED", "true")
        .env("OTEL_INSTRUMENTATION_HYSTRIX_EXPERIMENTAL_SPAN_ATTRIBUTES", "true")
        .arg(format!("-Dcsp.sentinel.log.dir={}", target.join("sentinel").display()))
        .arg(format!("-javaagent:{}", agent.display()))
        // A short life: what starts soonest is best.
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp"])
        .arg(format!("{0}/classes:{0}/lib/*", target.display()))
        .arg("dev.tripline.shop.Shop");
    Ok(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn java_over_grpc_is_found_by_sql_and_api() -> Result<()> {
    check(command()?, Protocol::Grpc, Exemplars::Sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn java_over_http_protobuf_is_found_by_sql_and_api() -> Result<()> {
    check(command()?, Protocol::HttpProtobuf, Exemplars::Sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn resilience4j_hystrix_and_sentinel_are_found_opening_and_closing() -> Result<()> {
    let all = [
        Guarded {
            route: "resilience4j",
            breaker: "payments-resilience4j",
            origin: "resilience4j",
            refusal: "does not permit further calls",
            open_for: Duration::from_millis(2800),
            evidence: Evidence::Metric,
            library: "resilience4j-circuitbreaker",
            lock: "java/pom.xml",
            fixture: "resilience4j",
        },
        Guarded {
            route: "hystrix",
            breaker: "payments-hystrix",
            origin: "hystrix",
            refusal: "short-circuited",
            open_for: Duration::from_millis(2800),
            evidence: Evidence::Metric,
            library: "hystrix-core",
            lock: "java/pom.xml",
            fixture: "hystrix",
        },
        Guarded {
            route: "sentinel",
            breaker: "payments-sentinel",
            origin: "sentinel",
            refusal: "DegradeException",
            open_for: Duration::from_millis(1200),
            evidence: Evidence::Event { is_traced: true },
            library: "sentinel-core",
            lock: "java/pom.xml",
            fixture: "sentinel",
        },
    ];
    breakers::check(command()?, Protocol::Grpc, &all).await
}
