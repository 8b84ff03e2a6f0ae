//! A limit shared through a real Redis server, which these tests start. Without `redis-server` on
//! this machine they fail: `cargo xtask test` installs it.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tripline_sdk::{DecidedBy, RedisBucket, RedisBucketConfig, State};

/// A server on a free port, in memory only; ended when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let port = {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        Self::start_on(port)
    }

    fn start_on(port: u16) -> Self {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--dir", "/"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (Debian package redis-server)");
        let server = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn bucket(&self, key: &str, config: RedisBucketConfig) -> RedisBucket {
        // A busy machine is no reason for a local decision here.
        let config = RedisBucketConfig {
            timeout: Duration::from_secs(10),
            ..config
        };
        RedisBucket::new(&format!("redis://127.0.0.1:{}", self.port), key, config).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn instances_share_one_bucket_and_keys_do_not() {
    let server = Server::start();
    let config = RedisBucketConfig::new(0.001, 10);
    let (one, other) = (server.bucket("a", config), server.bucket("a", config));
    let mut allowed = 0;
    for turn in 0..20 {
        let bucket = if turn % 2 == 0 { &one } else { &other };
        let (decision, by) = bucket.check(1).await;
        assert_eq!(by, DecidedBy::Redis);
        allowed += u32::from(decision.allowed);
    }
    assert_eq!(allowed, 10);
    let (refused, _) = one.check(1).await;
    assert!(!refused.allowed && refused.remaining == 0 && refused.limit == 10);
    let wait = refused.retry_after.unwrap().as_secs();
    assert!((900..=1_000).contains(&wait), "{wait} s for one token");
    assert_eq!(one.check(11).await.0.retry_after, None, "never that many");
    assert!(server.bucket("b", config).check(10).await.0.allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_handed_out_twice_however_many_ask_at_once() {
    let server = Server::start();
    let bucket = Arc::new(server.bucket("a", RedisBucketConfig::new(0.001, 100)));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let bucket = Arc::clone(&bucket);
            tokio::spawn(async move {
                let mut allowed = 0;
                for _ in 0..50 {
                    let (decision, by) = bucket.check(1).await;
                    assert_eq!(by, DecidedBy::Redis);
                    allowed += u32::from(decision.allowed);
                }
                allowed
            })
        })
        .collect();
    let mut allowed = 0;
    for task in tasks {
        allowed += task.await.unwrap();
    }
    assert_eq!(allowed, 100);
}

#[tokio::test]
async fn a_bucket_fills_again_at_its_rate() {
    let server = Server::start();
    // Slow enough that what fills between two checks of a busy machine allows none.
    let bucket = server.bucket("a", RedisBucketConfig::new(1.0, 2));
    assert!(bucket.check(2).await.0.allowed);
    let (refused, _) = bucket.check(2).await;
    assert!(!refused.allowed);
    let wait = refused.retry_after.unwrap();
    assert!(wait <= Duration::from_secs(2), "{wait:?}");
    tokio::time::sleep(wait).await;
    assert!(bucket.check(2).await.0.allowed, "after what it said");
}

#[tokio::test]
async fn without_redis_the_local_share_decides_until_it_is_back() {
    let server = Server::start();
    let port = server.port;
    let config = RedisBucketConfig {
        local_share: 0.5,
        timeout: Duration::from_millis(500),
        ..RedisBucketConfig::new(0.001, 4)
    };
    let address = format!("redis://127.0.0.1:{port}");
    let bucket = RedisBucket::new(&address, "a", config).unwrap();
    assert_eq!(bucket.check(1).await.1, DecidedBy::Redis);
    drop(server);

    let mut allowed = 0;
    for _ in 0..6 {
        let (decision, by) = bucket.check(1).await;
        assert_eq!(by, DecidedBy::Local);
        allowed += u32::from(decision.allowed);
    }
    assert_eq!(allowed, 2, "half of four");
    assert_ne!(
        bucket.breaker().state(),
        State::Closed,
        "nobody waits for it"
    );
    let started = Instant::now();
    for _ in 0..100 {
        bucket.check(1).await;
    }
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "a fifth of what waiting a timeout each would take"
    );

    let _back = Server::start_on(port);
    let deadline = Instant::now() + Duration::from_secs(30);
    while bucket.check(1).await.1 != DecidedBy::Redis {
        assert!(Instant::now() < deadline, "it never asked again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
