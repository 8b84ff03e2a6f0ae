//! The customers: checkouts at a rate that adapts to the machine.
//!
//! The shop has a runtime of one thread, so how busy that thread is is what the shop costs. Above
//! [`BUSY_MAX`] the rate is halved, below it creeps back up (additive increase, multiplicative
//! decrease); a newcomer's laptop and a loaded CI machine both stay usable.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Semaphore;

use super::script::Dice;

/// The share of one core the shop may use.
const BUSY_MAX: f64 = 0.15;
/// Never slower than this, or nothing would be seen; checkouts a second.
const RATE_MIN: f64 = 1.0;
/// How often the rate is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Customers that wait at once; more stay at home.
const WAITING_MAX: usize = 64;

/// Sends checkouts to the gateway until it is dropped.
pub(super) async fn run(gateway: SocketAddr, rate_max: f64, seed: u64) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let waiting = Arc::new(Semaphore::new(WAITING_MAX));
    let mut dice = Dice::new(seed);
    let mut pace = Pace::new(rate_max);
    let mut looked = Instant::now();
    let mut busy = busy_time();
    loop {
        tokio::time::sleep(pace.gap()).await;
        if let Ok(permit) = Arc::clone(&waiting).try_acquire_owned() {
            let sku = dice.below(100);
            let customer = checkout(client.clone(), gateway, sku);
            tokio::spawn(async move {
                customer.await;
                drop(permit);
            });
        }
        let since = looked.elapsed();
        if since >= LOOK_EVERY {
            let now = busy_time();
            pace.adapt((now - busy).as_secs_f64() / since.as_secs_f64());
            (looked, busy) = (Instant::now(), now);
        }
    }
}

/// The time this runtime's workers have worked.
fn busy_time() -> Duration {
    let metrics = tokio::runtime::Handle::current().metrics();
    (0..metrics.num_workers())
        .map(|worker| metrics.worker_total_busy_duration(worker))
        .sum()
}

async fn checkout(client: Client<HttpConnector, Body>, gateway: SocketAddr, sku: u64) {
    let request = Request::post(format!("http://{gateway}/checkout"))
        .header("content-type", "application/json")
        .body(Body::from(format!(r#"{{"sku":{sku}}}"#)));
    let Ok(request) = request else { return };
    // Customers do not complain; the shop's own telemetry tells.
    if let Ok(answer) = client.request(request).await {
        let _ = http_body_util::BodyExt::collect(answer.into_body()).await;
    }
}

/// The rate, between [`RATE_MIN`] and what was asked for.
#[derive(Debug, Clone, Copy)]
struct Pace {
    rate: f64,
    max: f64,
}

impl Pace {
    fn new(max: f64) -> Self {
        let max = max.max(RATE_MIN);
        Self { rate: max, max }
    }

    fn gap(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }

    /// Takes into account that the shop used this share of a core.
    fn adapt(&mut self, busy: f64) {
        self.rate = if busy > BUSY_MAX {
            (self.rate / 2.0).max(RATE_MIN)
        } else {
            (self.rate + 0.5).min(self.max)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_when_the_machine_is_busy_and_comes_back() {
        let mut pace = Pace::new(8.0);
        pace.adapt(0.5);
        assert!((pace.rate - 4.0).abs() < f64::EPSILON);
        (0..20).for_each(|_| pace.adapt(0.9));
        assert!((pace.rate - RATE_MIN).abs() < f64::EPSILON);
        (0..100).for_each(|_| pace.adapt(0.01));
        assert!((pace.rate - 8.0).abs() < f64::EPSILON);
    }
}
