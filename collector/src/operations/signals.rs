//! SIGTERM and SIGINT, as one future.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the first signal that asks the process to end.
pub async fn asked_to_end() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
