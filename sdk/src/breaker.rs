//! The circuit breaker.
//!
//! A breaker watches calls to one peer and, when too many fail or are slow, refuses further ones
//! for a while: the peer gets room to recover, the caller gets its answer at once. Then it lets a
//! few *probes* through, and closes if they succeed.
//!
//! [`CircuitBreaker`] is what programs use: a cheap handle with a name, a clock and a listener.
//! [`Machine`] is the state machine inside, pure and replayable. [`KeyedBreakers`] holds one
//! breaker per host, shard or tenant. What trips and how it recovers is a [`BreakerConfig`].

mod config;
mod criteria;
mod event;
mod half_open;
mod handle;
mod keyed;
mod listener;
#[cfg(all(test, loom))]
mod loom_tests;
mod machine;
mod permit;
mod quota;
mod recent;
mod replay;
mod totals;
mod turns;
mod wall;
mod word;

pub use config::{
    BreakerConfig, CloseOn, HalfOpen, InvalidConfig, Mode, OnDrop, OpenTime, Ramp, SlowCalls,
    WindowConfig,
};
pub use event::{
    CONTRIBUTING_MAX, CallId, Outcome, Reason, RejectReason, Rejection, Snapshot, State, Totals,
    Transition,
};
pub use handle::{CircuitBreaker, CircuitBreakerBuilder, WatchedBreaker};
pub use keyed::{KeyedBreakers, KeyedConfig};
pub use listener::{CallOutcome, Listener, Origin};
pub use machine::{Admission, Machine};
pub use permit::{OwnedPermit, Permit};
pub use replay::{RecordedCall, ReplayReport, replay};
pub use wall::CallTimes;
