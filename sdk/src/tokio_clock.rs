//! The clock of whatever runs on tokio.

use std::sync::OnceLock;
use std::time::Duration;

use crate::clock::{Clock, Moment};

/// The runtime's clock: the machine's monotonic one, or tokio's virtual one in a paused test.
///
/// ```
/// use tripline_sdk::{Clock, TokioClock};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let clock = TokioClock::default();
/// let before = clock.now();
/// tokio::time::sleep(std::time::Duration::from_secs(60)).await;
/// assert_eq!(clock.now().since(before).as_secs(), 60);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: tokio::time::Instant,
}

impl Default for TokioClock {
    /// The origin lies a day before the process first asked, by the machine's clock: every paused
    /// runtime of a test process has a virtual clock of its own, and one that began earlier, or was
    /// asked after another had been moved on by hours, must not find itself before the origin,
    /// where time would stand still.
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        static ORIGIN: OnceLock<tokio::time::Instant> = OnceLock::new();
        let origin = ORIGIN.get_or_init(|| {
            let now = std::time::Instant::now();
            tokio::time::Instant::from_std(now.checked_sub(DAY).unwrap_or(now))
        });
        Self { origin: *origin }
    }
}

impl Clock for TokioClock {
    const SHARES_ORIGIN: bool = true;

    #[inline]
    fn now(&self) -> Moment {
        Moment::ZERO + self.origin.elapsed()
    }
}
