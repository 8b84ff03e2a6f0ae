//! Several paused runtimes in one process, as a test binary has them.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::time::Duration;

use tokio::runtime::Runtime;
use tripline_sdk::{Clock, TokioClock};

fn paused() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// The only test of its binary: it must be the first to ask for the clock.
#[test]
fn a_runtime_moved_on_by_hours_does_not_stop_the_time_of_the_others() {
    const HOURS: Duration = Duration::from_hours(9);
    let (moved, fresh) = (paused(), paused());
    let passed = |runtime: &Runtime| {
        runtime.block_on(async {
            let clock = TokioClock::default();
            let begin = clock.now();
            tokio::time::sleep(Duration::from_secs(1)).await;
            clock.now().since(begin).as_secs()
        })
    };
    moved.block_on(async { tokio::time::sleep(HOURS).await });
    assert_eq!((passed(&moved), passed(&fresh)), (1, 1));
}
