//! What a restart finds.

use super::fixture::{append, config, log, number, spans};
use crate::store::{OpenError, Store, lock_holder};

#[test]
fn a_restart_finds_everything_committed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for round in 0..3 {
        let store = Store::open(config(dir.path())).expect("open");
        assert_eq!(store.stats().segments_refused, []);
        assert_eq!(number(&store, "SELECT count(*) FROM spans"), round * 100);
        let from = u64::try_from(round).expect("small") * 100;
        append(&store, spans("shop", from, from + 100)).expect("spans");
        append(&store, log("shop", "x")).expect("log");
    }
    let store = Store::open(config(dir.path())).expect("open");
    assert_eq!(
        number(&store, "SELECT count(DISTINCT span_id) FROM spans"),
        300
    );
    assert_eq!(number(&store, "SELECT count(*) FROM logs"), 3);
}

#[test]
fn a_second_store_is_refused_and_told_who_has_the_directory() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(lock_holder(dir.path()).expect("readable"), None);
    let store = Store::open(config(dir.path())).expect("open");
    store
        .announce(r#"{"http":"127.0.0.1:7070"}"#)
        .expect("announce");
    let Err(OpenError::Locked { pid, addresses, .. }) = Store::open(config(dir.path())) else {
        panic!("the second store opened");
    };
    assert_eq!(pid, Some(std::process::id()));
    assert!(addresses.contains("7070"), "{addresses}");
    assert_eq!(
        lock_holder(dir.path())
            .expect("readable")
            .and_then(|holder| holder.pid),
        pid
    );
    drop(store);
    assert_eq!(lock_holder(dir.path()).expect("readable"), None);
    Store::open(config(dir.path())).expect("free again");
}
