//! The threads of the store, and whether they still do their work: none of them ends before the store closes, unless it
//! panics.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread, and the channel that closes when it ends.
pub(super) struct Thread {
    name: &'static str,
    handle: JoinHandle<()>,
    ended: mpsc::Receiver<()>,
}

impl Thread {
    /// Starts it.
    pub(super) fn spawn(
        name: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (end, ended) = mpsc::sync_channel(1);
        let handle = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _end = end;
                run();
            })?;
        Ok(Self {
            name,
            handle,
            ended,
        })
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it does nothing any more.
    pub(super) fn has_ended(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits for its end, at most `within`.
    pub(super) fn join(self, within: Duration) {
        match self.ended.recv_timeout(within) {
            Err(mpsc::RecvTimeoutError::Timeout) => {
                tracing::warn!(thread = self.name, "a store thread did not end in time");
            }
            _ => drop(self.handle.join()),
        }
    }
}
