//! The examples, run as their readers would run them: each in a process of its own, over real
//! sockets.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[expect(dead_code, reason = "only its gRPC end is needed here")]
mod wire;

#[path = "../examples/axum_service.rs"]
mod axum_service;
#[path = "../examples/hyper_client.rs"]
mod hyper_client;
#[path = "../examples/plain_call.rs"]
mod plain_call;
#[path = "../examples/reqwest_client.rs"]
mod reqwest_client;
#[path = "../examples/tonic_channel.rs"]
mod tonic_channel;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tripline_sdk::setup::Protocol;
use wire::Collector;

/// Names the example a process of its own is to run.
const EXAMPLE: &str = "TRIPLINE_EXAMPLE";

/// The test a process enters to run an example: [`ran_as_a_child`] comes first in it.
const ENTRANCE: &str = "the_hyper_client_s_breaker_opens_on_a_server_that_is_down";

/// Runs an example, if this process was started for one.
fn ran_as_a_child() -> bool {
    let Ok(example) = std::env::var(EXAMPLE) else {
        return false;
    };
    match example.as_str() {
        "axum" => axum_service::main().unwrap(),
        "hyper" => hyper_client::main().unwrap(),
        "plain" => plain_call::main().unwrap(),
        "reqwest" => reqwest_client::main().unwrap(),
        "tonic" => tonic_channel::main().unwrap(),
        other => panic!("there is no example {other}"),
    }
    true
}

fn command(example: &str, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", ENTRANCE, "--nocapture"])
        .env(EXAMPLE, example)
        .env("OTEL_SDK_DISABLED", "true")
        .envs(environment.iter().copied());
    command
}

/// Runs an example to its end and answers what it printed.
fn output(example: &str, environment: &[(&str, &str)]) -> String {
    let output = command(example, environment).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The axum example on a free port; ended when dropped.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start() -> Self {
        let mut child = command("axum", &[("LISTEN", "127.0.0.1:0")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines
            .map(Result::unwrap)
            .find(|line| line.contains("listening"))
            .expect("it says where it listens");
        let line: serde_json::Value =
            serde_json::from_str(said.get(said.find('{').unwrap()..).unwrap()).unwrap();
        let address = said
            .split('"')
            .find(|part| part.starts_with("127.0.0.1:"))
            .unwrap_or_else(|| panic!("no address in {line}"))
            .to_owned();
        Self { child, address }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_axum_service_answers_and_refuses_with_problem_documents() {
    let service = Service::start();
    let get = |sku: u32| reqwest::get(format!("http://{}/stock/{sku}", service.address));
    let answer = get(7).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "7 of 7\n");
    let missing = get(0).await.unwrap();
    assert_eq!(missing.status(), 404);
    let problem: serde_json::Value = missing.json().await.unwrap();
    assert_eq!(problem["code"], "no_such_sku");
    assert_eq!(problem["traceId"].as_str().map(str::len), Some(32));
    assert!(problem["timestamp"].is_string(), "{problem}");
}

#[test]
fn the_reqwest_client_calls_the_axum_service_and_survives_its_absence() {
    let service = Service::start();
    let url = format!("http://{}/stock/7", service.address);
    let said = output("reqwest", &[("STOCK_URL", &url)]);
    assert!(said.contains("200 OK"), "{said}");
    drop(service);
    let said = output("reqwest", &[("STOCK_URL", &url)]);
    assert!(said.contains("failed: "), "{said}");
}

#[test]
fn the_hyper_client_s_breaker_opens_on_a_server_that_is_down() {
    if ran_as_a_child() {
        return;
    }
    let said = output("hyper", &[]);
    assert!(said.contains("inventory: closed -> open"), "{said}");
    assert!(said.contains("circuit breaker is open"), "{said}");
}

#[test]
fn the_plain_call_is_tried_again_and_succeeds() {
    assert!(output("plain", &[]).contains("order 7 is paid"));
}

#[test]
fn the_tonic_channel_reaches_a_server_and_reports_what_it_says() {
    let server = Collector::start();
    let address = server.endpoint(Protocol::Grpc);
    let said = output("tonic", &[("HEALTH_ADDRESS", &address)]);
    assert!(
        said.to_lowercase().contains("unimplemented") || said.contains("not implemented"),
        "{said}"
    );
}
