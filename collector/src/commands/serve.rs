//! `tripline serve`: open the store, bind the doors, serve until a signal, close in order.
//!
//! Where the store's engine gives up nothing can be taken or read any more: the process ends with an error, so that
//! who supervises it starts it again.
//!
//! Order down: the receivers stop first and finish what is in flight, then the pages, then the store commits what
//! is queued and joins its threads. A success answer given at any moment stays true.

mod bundle;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tripline_storage::store::{Store, Trouble};

use super::{ServeFlags, print_line};
use crate::config::Config;
use crate::operations::health::{self, Readiness};
use crate::operations::listening::{Addresses, Listeners};
use crate::operations::{logging, signals};
use crate::receive::{self, Receiver, Sink};

/// Arguments of `tripline serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    flags: ServeFlags,
    /// Look at an incident bundle (`tripline export --incident`), read-only, instead of a data directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data_dir", "otlp_grpc", "otlp_http"])]
    bundle: Option<PathBuf>,
}

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let Some(dir) = &args.bundle else {
        return run_with(&args.flags, |_| Ok(None));
    };
    let mut config = args.flags.load()?;
    // Deleted when serving has ended.
    let _unpacked = bundle::open(dir, &mut config)?;
    run_config(config, |_| Ok(None))
}

/// How long a companion may take to say its last.
const COMPANION_TIME: Duration = Duration::from_secs(5);

/// Something that runs beside the server and ends before it, so that what it sends last still arrives.
pub(super) struct Companion {
    /// Asks it to end.
    pub(super) stop: oneshot::Sender<()>,
    /// Answers, or is gone, when it has.
    pub(super) ended: oneshot::Receiver<()>,
}

impl Companion {
    /// Ends it, or gives up on it after a while.
    async fn end(self) {
        let _ = self.stop.send(());
        if tokio::time::timeout(COMPANION_TIME, self.ended)
            .await
            .is_err()
        {
            tracing::warn!("the companion did not end in time");
        }
    }
}

/// The same, with a companion started once everything is bound and ended before anything closes.
pub(super) fn run_with<F>(flags: &ServeFlags, companion: F) -> anyhow::Result<()>
where
    F: FnOnce(&Running) -> anyhow::Result<Option<Companion>>,
{
    run_config(flags.load()?, companion)
}

fn run_config<F>(config: Config, companion: F) -> anyhow::Result<()>
where
    F: FnOnce(&Running) -> anyhow::Result<Option<Companion>>,
{
    logging::init(&config.log)?;
    let shutdown_timeout = config.shutdown_timeout.get();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let running = Running::start(config).await?;
        print_line(&running.addresses.line());
        let companion = companion(&running)?;
        let ended = tokio::select! {
            signal = signals::asked_to_end() => Ok(signal?),
            trouble = running.gave_up() => Err(trouble),
        };
        match &ended {
            Ok(signal) => tracing::info!(signal, "shutting down"),
            Err(trouble) => tracing::error!(%trouble, "shutting down"),
        }
        if let Some(companion) = companion {
            companion.end().await;
        }
        running.stop(shutdown_timeout).await;
        ended.map(drop).map_err(anyhow::Error::from)
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// How often the store is asked whether its engine is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Refuses what cannot be served, before anything is opened or bound.
pub(super) fn check(config: &Config) -> anyhow::Result<()> {
    crate::site::check_bind(config.http, config.ui.token.is_some(), config.ui.insecure)?;
    logging::check(&config.log)?;
    Ok(receive::check(&config.receive)?)
}

/// A server that runs.
pub struct Running {
    /// The bound addresses.
    pub addresses: Addresses,
    store: Arc<Store>,
    stop: watch::Sender<bool>,
    receivers: Vec<JoinHandle<()>>,
    pages: JoinHandle<()>,
}

impl Running {
    /// Opens the store, binds the addresses, starts to serve. Nothing is left behind when it fails.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        check(&config)?;
        let data_dir = config.data_dir.clone();
        let store_config = config.store_config();
        let store = tokio::task::spawn_blocking(move || Store::open(store_config))
            .await
            .context("opening the store panicked")?
            .with_context(|| format!("cannot open the data directory {}", data_dir.display()))?;
        let store = Arc::new(store);
        let listeners = Listeners::bind(&config).await?;
        let addresses = listeners.addresses.clone();
        store
            .announce(&serde_json::to_string(&addresses).expect("plain strings serialise"))
            .context("cannot write the bound addresses into the lock file")?;

        let sink = Sink::from(Arc::clone(&store));
        let receiver = Receiver::new(config.receive.clone(), sink)?;
        let (stop, stopped) = watch::channel(false);
        let mut receivers = Vec::new();
        if let Some(listener) = listeners.otlp_grpc {
            let (receiver, stopped) = (receiver.clone(), wait(stopped.clone()));
            receivers.push(tokio::spawn(receive::serve_grpc(
                listener, receiver, stopped,
            )));
        }
        if let Some(listener) = listeners.otlp_http {
            let (receiver, stopped) = (receiver.clone(), wait(stopped.clone()));
            receivers.push(tokio::spawn(receive::serve_http(
                listener, receiver, stopped,
            )));
        }
        let state =
            crate::api::AppState::new(Arc::clone(&store), &config, &addresses, receiver.clone())?;
        let counters = Arc::clone(receiver.counters());
        tokio::spawn(state.ingest.clone().keep(counters, wait(stopped.clone())));
        let health = health::router(Readiness {
            store: Arc::clone(&store),
            receiver,
            times: state.times.clone(),
        });
        let router = health.merge(crate::site::router(state));
        let stopped = wait(stopped);
        let pages = tokio::spawn(async move {
            told(
                "http",
                axum::serve(listeners.http, router)
                    .with_graceful_shutdown(stopped)
                    .await,
            );
        });
        Ok(Self {
            addresses,
            store,
            stop,
            receivers,
            pages,
        })
    }

    /// Resolves when the store's engine is no more.
    async fn gave_up(&self) -> Trouble {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            if let Some(trouble @ Trouble::Broken { .. }) = self.store.trouble() {
                return trouble;
            }
        }
    }

    /// Stops in order within `bound`; what does not end by then is cut.
    pub async fn stop(self, bound: Duration) {
        let _ = self.stop.send(true);
        let deadline = tokio::time::Instant::now() + bound;
        for receiver in self.receivers {
            if tokio::time::timeout_at(deadline, receiver).await.is_err() {
                tracing::warn!("a receiver did not finish its requests in time");
            }
        }
        self.pages.abort();
        let left = deadline
            .saturating_duration_since(tokio::time::Instant::now())
            .max(Duration::from_secs(1));
        let store = self.store;
        let _ = tokio::task::spawn_blocking(move || store.close(left)).await;
    }
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn told<E: std::error::Error>(what: &str, outcome: Result<(), E>) {
    if let Err(error) = outcome {
        tracing::error!(what, %error, "stopped serving");
    }
}
