//! The one thread of the process that exports: a runtime of its own, started when first needed.
//!
//! Exporters of the OpenTelemetry SDK block threads of their own while they wait for a request
//! that some runtime has to drive. Were that the program's runtime, an export could neither happen
//! in a program without one nor after it has stopped, which is when the last flush happens.

use std::sync::{Mutex, PoisonError, mpsc};

use opentelemetry::Context;
use tokio::runtime::{Builder, Handle};

static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);

/// The runtime's handle.
pub(super) fn handle() -> std::io::Result<Handle> {
    let mut running = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*running {
        return Ok(handle.clone());
    }
    let handle = start()?;
    *running = Some(handle.clone());
    Ok(handle)
}

fn start() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (started, wait) = mpsc::sync_channel(0);
    std::thread::Builder::new()
        .name("tripline-export".into())
        .spawn(move || {
            // Whatever runs here is the export itself: telemetry about it would never end.
            let _quiet = Context::enter_telemetry_suppressed_scope();
            let _ = started.send(());
            runtime.block_on(std::future::pending::<()>());
        })?;
    let _ = wait.recv();
    Ok(handle)
}
