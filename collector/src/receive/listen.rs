//! Listening: TCP or a unix socket, accept, TLS, hand over; and stopping without losing what is in flight.
//!
//! Stopping goes: accept no more, ask every connection to finish, wait, cut what is left, shut the gate before the
//! store. After that nothing of this listener reaches the store.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Receiver;
use super::config::ListenConfig;
use super::gate::Gate;
use super::lifetime::{Io, Lifetime};
use super::route::{self, Service};
use super::tls::Tls;

/// Pause after an accept that failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket and its path.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Binds `host:port`, or `unix:/path` (`unix:///path` too).
    ///
    /// # Errors
    /// The address cannot be bound, for instance because it is in use.
    pub async fn bind(endpoint: &str) -> io::Result<Self> {
        let Some(path) = endpoint.strip_prefix("unix:") else {
            return Ok(Self::Tcp(TcpListener::bind(endpoint).await?));
        };
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        remove_stale(&path)?;
        Ok(Self::Unix(UnixListener::bind(&path)?, path))
    }

    /// The bound address, as `bind` takes it.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn address(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map(|address: SocketAddr| address.to_string()),
            Self::Unix(_, path) => Ok(format!("unix:{}", path.display())),
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Io>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _gone_already = std::fs::remove_file(path);
        }
    }
}

/// Removes a socket nobody listens on any more; one in use stays, and binding then fails.
fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let dead = std::os::unix::net::UnixStream::connect(path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if metadata.file_type().is_socket() && dead {
        std::fs::remove_file(path)
    } else {
        Ok(())
    }
}

/// Serves a listener until `shutdown`, then stops as the module says.
pub(super) async fn serve(
    listener: Listener,
    mut receiver: Receiver,
    settings: ListenConfig,
    tls: Option<Arc<Tls>>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let gate = Gate::new();
    receiver.gate = gate.clone();
    let drain = Duration::from_millis(receiver.config.drain_timeout_ms);
    let service = route::service(receiver);
    let settings = Arc::new(settings);
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepting = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepting => accepted,
        };
        let io = match accepted {
            Ok(io) => io,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let lifetime = Lifetime::new(Arc::clone(&settings), stopped.clone());
        let (service, tls) = (service.clone(), tls.clone());
        connections.spawn(async move {
            let _place = place;
            converse(io, tls, service, lifetime).await;
        });
    }
    drop(listener);
    drop(stop);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(drain, all_gone).await.is_err() {
        tracing::warn!(left = connections.len(), "connections cut at shutdown");
    }
    connections.shutdown().await;
    gate.shut(drain).await;
}

/// One connection: the handshake, where there is one, then HTTP.
async fn converse(io: Box<dyn Io>, tls: Option<Arc<Tls>>, service: Service, lifetime: Lifetime) {
    let Some(tls) = tls else {
        return lifetime.serve(io, service).await;
    };
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.current());
    match timeout(lifetime.header_timeout(), acceptor.accept(io)).await {
        Ok(Ok(io)) => lifetime.serve(Box::new(io), service).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}
