//! A small store, and what senders put into it, for the tests of every module.

use std::path::Path;

use crate::ingest::{Batch, ResourceRow, Rows, ScopeRow};
use crate::store::{Store, StoreConfig};

/// Settings of a store in `dir` that takes little: two threads, 256 MiB of memory, no reserve.
pub(crate) fn small(dir: &Path) -> StoreConfig {
    StoreConfig {
        data_dir: dir.to_owned(),
        threads: 2,
        memory_bytes_max: 256 << 20,
        reserve_bytes: 0,
        ..StoreConfig::default()
    }
}

/// Such a store.
pub(crate) fn open(dir: &Path) -> Store {
    Store::open(small(dir)).expect("a store")
}

/// Rows of these senders, from a scope without a name.
pub(crate) fn batch(resources: Vec<ResourceRow>, rows: Rows) -> Batch {
    let scope = ScopeRow {
        attributes: "{}".to_owned(),
        ..ScopeRow::default()
    };
    Batch {
        resources,
        scopes: vec![scope],
        rows,
        bytes: 1_000,
    }
}

/// Stores it.
pub(crate) fn append(store: &Store, batch: Batch) {
    futures::executor::block_on(store.append(batch)).expect("stored");
}
