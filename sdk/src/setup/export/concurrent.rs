//! Several requests of one signal at a time, where that is asked for.
//!
//! The batch threads of the OpenTelemetry SDK wait for each export. Here an export is handed to the
//! export thread and the next may follow, until all slots are taken; with one slot nothing changes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::Severity;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLogRecord};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::runtime::Handle;

use crate::setup::runtime;

/// How many requests are under way, and may be. Clones are the same.
#[derive(Clone, Debug)]
pub(in crate::setup) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A request under way; dropping it makes room for the next, however it ended.
struct Slot(Arc<Inner>);

impl Slots {
    /// `most` requests at a time, at least one.
    pub(in crate::setup) fn new(most: usize) -> Self {
        Self(Arc::new(Inner {
            most: most.max(1),
            taken: Mutex::new(0),
            freed: Condvar::new(),
        }))
    }

    fn is_single(&self) -> bool {
        self.0.most == 1
    }

    /// Blocks while all are taken. The requests end by themselves: each has its timeout.
    fn take(&self) -> Slot {
        let taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self
            .0
            .freed
            .wait_while(taken, |taken| *taken >= self.0.most)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Slot(Arc::clone(&self.0))
    }

    /// Blocks until none is under way, `timeout` at most; whether that was reached.
    pub(in crate::setup) fn settle(&self, timeout: Duration) -> bool {
        let taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, _) = self
            .0
            .freed
            .wait_timeout_while(taken, timeout, |taken| *taken > 0)
            .unwrap_or_else(PoisonError::into_inner);
        *taken == 0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken -= 1;
        self.0.freed.notify_all();
    }
}

/// An exporter with so many requests at a time.
#[derive(Debug)]
pub(in crate::setup) struct Concurrent<E> {
    inner: Arc<E>,
    slots: Slots,
    runtime: Handle,
}

impl<E> Concurrent<E> {
    pub(super) fn new(inner: E, slots: Slots) -> std::io::Result<Self> {
        Ok(Self {
            inner: Arc::new(inner),
            slots,
            runtime: runtime::handle()?,
        })
    }

    /// Waits for what is under way, then shuts the exporter inside down in the rest of `timeout`.
    fn close(
        &self,
        timeout: Duration,
        shutdown: impl FnOnce(&E, Duration) -> OTelSdkResult,
    ) -> OTelSdkResult {
        let started = Instant::now();
        let settled = self.slots.settle(timeout);
        shutdown(&self.inner, timeout.saturating_sub(started.elapsed()))?;
        if settled {
            Ok(())
        } else {
            Err(OTelSdkError::Timeout(timeout))
        }
    }
}

impl<E: SpanExporter + 'static> SpanExporter for Concurrent<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        if self.slots.is_single() {
            return self.inner.export(batch).await;
        }
        let (slot, inner) = (self.slots.take(), Arc::clone(&self.inner));
        self.runtime.spawn(async move {
            // Its result is counted by the exporter inside.
            let _ = inner.export(batch).await;
            drop(slot);
        });
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.close(timeout, E::shutdown_with_timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Told before the first export: nobody else holds it yet.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}

impl<E: LogExporter + 'static> LogExporter for Concurrent<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        if self.slots.is_single() {
            return self.inner.export(batch).await;
        }
        let records: Vec<(SdkLogRecord, InstrumentationScope)> = batch
            .iter()
            .map(|(record, scope)| (record.clone(), scope.clone()))
            .collect();
        let (slot, inner) = (self.slots.take(), Arc::clone(&self.inner));
        self.runtime.spawn(async move {
            let records: Vec<_> = records
                .iter()
                .map(|(record, scope)| (record, scope))
                .collect();
            let _ = inner.export(LogBatch::new(&records)).await;
            drop(slot);
        });
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.close(timeout, E::shutdown_with_timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.inner.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}
