//! The thread that sends at once when a breaker changes its state, and that moves breakers on
//! which time alone moves on.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Providers, SetupError};
use crate::telemetry::Telemetry;

/// Transitions this close together are sent together.
const GATHER: Duration = Duration::from_millis(50);
/// Breakers are looked at this often when none of them says when to.
const IDLE: Duration = Duration::from_secs(1);
/// And never more often than this.
const BUSY: Duration = Duration::from_millis(10);

enum Wake {
    Flush,
    Stop,
}

/// Asks for a flush, without waiting for it.
#[derive(Clone, Debug)]
pub(super) struct Waker(SyncSender<Wake>);

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Flush => "Flush",
            Self::Stop => "Stop",
        })
    }
}

/// The other end of a [`Waker`].
pub(super) struct Woken(Receiver<Wake>);

impl Waker {
    pub(super) fn new() -> (Self, Woken) {
        let (sender, receiver) = sync_channel(1);
        (Self(sender), Woken(receiver))
    }

    /// One request is enough for any number of transitions: a full channel is fine.
    pub(super) fn wake(&self) {
        let _ = self.0.try_send(Wake::Flush);
    }
}

/// The thread; dropping it ends it.
#[derive(Debug)]
pub(super) struct Flusher {
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    pub(super) fn start(
        waker: Waker,
        woken: Woken,
        providers: Providers,
        telemetry: Telemetry,
    ) -> Result<Self, SetupError> {
        let thread = std::thread::Builder::new()
            .name("tripline-flush".into())
            .spawn(move || run(&woken.0, &providers, &telemetry))
            .map_err(SetupError::Thread)?;
        Ok(Self {
            waker,
            thread: Some(thread),
        })
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let _ = self.waker.0.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(woken: &Receiver<Wake>, providers: &Providers, telemetry: &Telemetry) {
    loop {
        let wait = telemetry.tick().unwrap_or(IDLE).clamp(BUSY, IDLE);
        match woken.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Wake::Flush) => {
                std::thread::sleep(GATHER);
                let _ = providers.logs.force_flush();
                let _ = providers.metrics.force_flush();
            }
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
