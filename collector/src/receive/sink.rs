//! Where decoded batches go: the store in production, anything a test wants in a test.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use tripline_storage::ingest::Batch;
use tripline_storage::store::{AppendError, Store};

/// Takes a batch and resolves when it is committed and fsynced, or was not stored at all.
#[derive(Clone)]
pub struct Sink {
    append: Arc<dyn Fn(Batch) -> BoxFuture<'static, Result<(), AppendError>> + Send + Sync>,
}

impl From<Arc<Store>> for Sink {
    fn from(store: Arc<Store>) -> Self {
        Self::new(move |batch| {
            let store = Arc::clone(&store);
            async move { store.append(batch).await }
        })
    }
}

impl Sink {
    /// A sink out of a function.
    pub fn new<F, R>(append: F) -> Self
    where
        F: Fn(Batch) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), AppendError>> + Send + 'static,
    {
        Self {
            append: Arc::new(move |batch| Box::pin(append(batch))),
        }
    }

    pub(super) fn append(&self, batch: Batch) -> BoxFuture<'static, Result<(), AppendError>> {
        (self.append)(batch)
    }
}
