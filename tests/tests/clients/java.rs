//! A servlet under the OpenTelemetry Java agent.

use std::process::Command;

use anyhow::Result;

use super::service::{Exemplars, Protocol, check, place};

fn command() -> Result<Command> {
    let target = place("java")?.join("target");
    let agent = target.join("opentelemetry-javaagent.jar");
    let mut command = Command::new("java");
    command
        .arg(format!("-javaagent:{}", agent.display()))
        .args(["-Xmx256m", "-cp"])
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
