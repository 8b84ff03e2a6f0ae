//! Deadlines that come with requests: obeyed by policies, handed on by clients, never extended.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use opentelemetry::trace::FutureExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tripline_sdk::instrument::Instrument;
use tripline_sdk::layer::TimeoutLayer;
use tripline_sdk::{Deadline, Error, Policy, Refusal, parse_grpc_timeout};

const HTTP: &str = "x-envoy-expected-rq-timeout-ms";
const GRPC: &str = "grpc-timeout";

type Headers = &'static [(&'static str, &'static str)];

fn request(headers: Headers) -> Request<String> {
    let mut request = Request::get("/stock");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(String::new()).unwrap()
}

/// What the second hop's request says when the first hop's said `incoming`, and the handler's own
/// request already said `outgoing`.
async fn handed_on(incoming: Headers, outgoing: Headers) -> HeaderMap {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let heard = Arc::clone(&seen);
    let peer = service_fn(move |request: Request<String>| {
        *heard.lock().unwrap() = request.headers().clone();
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let client = Instrument::global().client().layer(peer);
    let handler = service_fn(move |_: Request<String>| {
        let client = client.clone();
        async move {
            client.oneshot(request(outgoing)).await.unwrap();
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let mut server = Instrument::global().server().layer(handler);
    server.call(request(incoming)).await.unwrap();
    seen.lock().unwrap().clone()
}

fn millis(headers: &HeaderMap) -> u64 {
    headers[HTTP].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_is_left_of_a_deadline_is_handed_on() {
    let left = millis(&handed_on(&[(HTTP, "2000")], &[]).await);
    assert!((1_000..=2_000).contains(&left), "{left}");
    let rpc: Headers = &[("content-type", "application/grpc"), (GRPC, "2S")];
    let left = handed_on(rpc, &[("content-type", "application/grpc")]).await;
    let left = parse_grpc_timeout(left[GRPC].to_str().unwrap()).unwrap();
    assert!(left > Duration::from_secs(1) && left <= Duration::from_secs(2));
    // From one protocol into the other.
    let left = millis(&handed_on(rpc, &[]).await);
    assert!((1_000..=2_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_shorter_time_of_the_handlers_own_stays_and_a_longer_one_does_not() {
    let own = millis(&handed_on(&[(HTTP, "60000")], &[(HTTP, "50")]).await);
    assert_eq!(own, 50);
    let cut = millis(&handed_on(&[(HTTP, "1000")], &[(HTTP, "60000")]).await);
    assert!(cut <= 1_000, "{cut}");
}

#[tokio::test]
async fn without_a_deadline_or_with_nonsense_nothing_is_added() {
    for incoming in [
        &[][..],
        &[(HTTP, "soon")],
        &[(HTTP, "-5")],
        // gRPC's header means nothing on a request that is not gRPC.
        &[(GRPC, "2S")],
    ] {
        let headers = handed_on(incoming, &[]).await;
        assert!(!headers.contains_key(HTTP), "{incoming:?}");
        assert!(!headers.contains_key(GRPC), "{incoming:?}");
    }
}

#[tokio::test]
async fn a_policy_takes_no_longer_than_its_request_has() {
    let policy = Policy::builder("stock")
        .deadline(Duration::from_secs(60))
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let hangs = async || std::future::pending::<Result<u32, &str>>().await;
    let started = Instant::now();
    let cut = policy
        .call(hangs)
        .with_context(Deadline::within(Duration::from_millis(50)))
        .await;
    assert_eq!(cut, Err(Error::Refused(Refusal::DeadlineExceeded)));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn work_nobody_waits_for_is_not_begun() {
    let policy = Policy::builder("stock").build().unwrap();
    let tries = AtomicU32::new(0);
    let call = async || {
        tries.fetch_add(1, Ordering::SeqCst);
        Ok::<_, &str>(7)
    };
    let late = policy
        .call(call)
        .with_context(Deadline::within(Duration::ZERO))
        .await;
    assert_eq!(late, Err(Error::Refused(Refusal::DeadlineExceeded)));
    assert_eq!(tries.load(Ordering::SeqCst), 0);
    assert_eq!(policy.call(call).await, Ok(7), "and without one it is");
}

#[tokio::test]
async fn a_timeout_layer_is_bounded_by_the_request_too() {
    let hangs = service_fn(async |(): ()| std::future::pending::<Result<(), Refusal>>().await);
    let mut service = TimeoutLayer::new(Duration::from_secs(60)).layer(hangs);
    let context = Deadline::within(Duration::from_millis(50));
    let call = {
        let _attached = context.attach();
        service.call(())
    };
    let Err(Refusal::Timeout { after }) = call.await else {
        panic!("it hangs");
    };
    assert!(after <= Duration::from_millis(50), "{after:?}");
}
