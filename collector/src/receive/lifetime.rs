//! How long a connection lives: idle time, age, keepalive, and the call to finish when the server stops.
//!
//! A connection that is asked to go gets a grace period; then it is cut. Nothing a client does or fails to do
//! keeps a connection for ever.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use ::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::body::Body;
use tower::ServiceExt as _;

use super::config::ListenConfig;
use super::route::Service;

/// HTTP/2 flow-control windows: one ordinary batch in flight without waiting for an update.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// A byte stream to a client.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(super) struct Lifetime {
    settings: Arc<ListenConfig>,
    stopped: watch::Receiver<()>,
}

/// Requests running on a connection, and when the last one ended.
struct Activity {
    since: Instant,
    running: AtomicUsize,
    idle_since_ms: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            running: AtomicUsize::new(0),
            idle_since_ms: AtomicU64::new(0),
        }
    }

    fn idle_deadline(&self, limit: Duration) -> Instant {
        if self.running.load(Relaxed) > 0 {
            return Instant::now() + limit;
        }
        self.since + Duration::from_millis(self.idle_since_ms.load(Relaxed)) + limit
    }
}

/// Counts one request as running while it lives.
struct Running(Arc<Activity>);

impl Running {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.running.fetch_add(1, Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let now_ms = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since_ms.store(now_ms, Relaxed);
        self.0.running.fetch_sub(1, Relaxed);
    }
}

impl Lifetime {
    pub(super) fn new(settings: Arc<ListenConfig>, stopped: watch::Receiver<()>) -> Self {
        Self { settings, stopped }
    }

    pub(super) fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.settings.header_timeout_ms)
    }

    /// Serves a connection to its end.
    pub(super) async fn serve(mut self, io: Box<dyn Io>, service: Service) {
        let activity = Arc::new(Activity::new());
        let counted = {
            let activity = Arc::clone(&activity);
            tower::service_fn(move |request: Request<Incoming>| {
                let (service, running) = (service.clone(), Running::new(&activity));
                async move {
                    let answered: Result<Response<Body>, _> = service.oneshot(request).await;
                    drop(running);
                    answered
                }
            })
        };
        let builder = self.builder();
        let mut connection =
            pin!(builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(counted)));
        let reason = tokio::select! {
            ended = connection.as_mut() => return log_end(ended),
            _ = self.stopped.changed() => "server stops",
            () = too_old(&self.settings) => "too old",
            () = idle(&activity, &self.settings) => "idle",
        };
        tracing::debug!(reason, "asking a connection to finish");
        connection.as_mut().graceful_shutdown();
        let grace = Duration::from_millis(self.settings.connection_age_grace_ms);
        if let Ok(ended) = tokio::time::timeout(grace, connection).await {
            log_end(ended);
        }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let settings = &self.settings;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout());
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.concurrent_streams_max)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .keep_alive_interval(settings.keepalive_interval_ms.map(Duration::from_millis))
            .keep_alive_timeout(Duration::from_millis(settings.keepalive_timeout_ms));
        builder
    }
}

async fn too_old(settings: &ListenConfig) {
    match settings.connection_age_max_ms {
        Some(age) => tokio::time::sleep(Duration::from_millis(age)).await,
        None => std::future::pending().await,
    }
}

async fn idle(activity: &Activity, settings: &ListenConfig) {
    let limit = Duration::from_millis(settings.idle_timeout_ms);
    loop {
        let deadline = activity.idle_deadline(limit);
        if deadline <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(deadline).await;
    }
}

fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended with an error");
    }
}
