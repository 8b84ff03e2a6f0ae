//! Both receivers in this process, on port 0, before a store that does as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tripline_collector::receive::{
    Listener, ReceiveConfig, Receiver, Sink, serve_grpc, serve_http,
};
use tripline_storage::store::AppendError;

/// What the stand-in does with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    Store,
    /// Waits until the behaviour changes, then does that.
    Hold,
    Overloaded,
    Unavailable,
    TooLarge,
    Closing,
}

/// What the stand-in has stored: items of each batch.
#[derive(Default)]
pub(super) struct Stored {
    batches: Mutex<Vec<usize>>,
    waiting: Mutex<usize>,
}

impl Stored {
    pub(super) fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().clone()
    }

    pub(super) fn items(&self) -> usize {
        self.batches().iter().sum()
    }

    pub(super) fn waiting(&self) -> usize {
        *self.waiting.lock().unwrap()
    }
}

pub(super) struct Server {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) stored: Arc<Stored>,
    pub(super) receiver: Receiver,
    behaviour: watch::Sender<Behaviour>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// A server with the shipped settings.
pub(super) async fn start() -> Server {
    start_with(|_| {}).await
}

/// A server with changed settings.
pub(super) async fn start_with(change: impl FnOnce(&mut ReceiveConfig)) -> Server {
    let mut config = ReceiveConfig::default();
    change(&mut config);
    let stored = Arc::new(Stored::default());
    let behaviour = watch::Sender::new(Behaviour::Store);
    let receiver = Receiver::new(config, sink(Arc::clone(&stored), behaviour.subscribe()))
        .expect("valid settings");
    let grpc = Listener::bind("127.0.0.1:0").await.expect("a free port");
    let http = Listener::bind("127.0.0.1:0").await.expect("a free port");
    let stop = watch::Sender::new(false);
    let address = |listener: &Listener| listener.address().unwrap().parse().unwrap();
    let (grpc_address, http_address) = (address(&grpc), address(&http));
    let tasks = vec![
        tokio::spawn(serve_grpc(grpc, receiver.clone(), stopped(&stop))),
        tokio::spawn(serve_http(http, receiver.clone(), stopped(&stop))),
    ];
    Server {
        grpc: grpc_address,
        http: http_address,
        stored,
        receiver,
        behaviour,
        stop,
        tasks,
    }
}

fn sink(stored: Arc<Stored>, behaviour: watch::Receiver<Behaviour>) -> Sink {
    let retry_after = Duration::from_millis(2_500);
    Sink::new(move |batch| {
        let (stored, mut behaviour) = (Arc::clone(&stored), behaviour.clone());
        async move {
            *stored.waiting.lock().unwrap() += 1;
            let now = *behaviour
                .wait_for(|now| *now != Behaviour::Hold)
                .await
                .expect("the server lives");
            *stored.waiting.lock().unwrap() -= 1;
            match now {
                Behaviour::Store | Behaviour::Hold => {
                    stored.batches.lock().unwrap().push(batch.items());
                    Ok(())
                }
                Behaviour::Overloaded => Err(AppendError::Overloaded { retry_after }),
                Behaviour::Unavailable => Err(AppendError::Unavailable {
                    retry_after,
                    source: std::io::Error::other("secret path /var/lib/x is full"),
                }),
                Behaviour::TooLarge => Err(AppendError::TooLarge { bytes: 2, limit: 1 }),
                Behaviour::Closing => Err(AppendError::Closing),
            }
        }
    })
}

pub(super) fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.subscribe();
    async move {
        let _sender_gone = stop.wait_for(|stop| *stop).await.is_err();
    }
}

impl Server {
    pub(super) fn behave(&self, behaviour: Behaviour) {
        self.behaviour.send_replace(behaviour);
    }

    /// Asks both receivers to stop.
    pub(super) fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until both have stopped.
    pub(super) async fn stopped(&mut self) {
        for task in self.tasks.drain(..) {
            tokio::time::timeout(Duration::from_secs(20), task)
                .await
                .expect("stops in time")
                .expect("does not panic");
        }
    }

    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        self.receiver.write_prometheus(&mut text);
        text
    }
}

/// Polls until `done`, at most ten seconds.
pub(super) async fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in time: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
