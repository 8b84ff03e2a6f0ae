//! The names this crate's telemetry uses, exactly as recognisers match them.

/// Attribute: the breaker's name.
pub const BREAKER_NAME: &str = "circuit_breaker.name";
/// Attribute: its key among the breakers of that name (host, shard, tenant).
pub const BREAKER_KEY: &str = "circuit_breaker.key";
/// Attribute, and gauge: the state. The gauge has one series a state, 1 for the one that holds.
pub const BREAKER_STATE: &str = "circuit_breaker.state";
/// Attribute: how a call ended.
pub const BREAKER_OUTCOME: &str = "circuit_breaker.outcome";
/// Attribute of transitions: the state before.
pub const BREAKER_FROM_STATE: &str = "circuit_breaker.from_state";
/// Attribute of transitions: the state after.
pub const BREAKER_TO_STATE: &str = "circuit_breaker.to_state";
/// Attribute of transitions: why.
pub const BREAKER_REASON: &str = "circuit_breaker.reason";
/// Attribute of transitions: their number, counted by the breaker.
pub const BREAKER_GENERATION: &str = "circuit_breaker.generation";
/// Attribute of transitions: true if it only would have happened (metrics-only mode).
pub const BREAKER_SHADOW: &str = "circuit_breaker.shadow";
/// Attribute of transitions: calls in the window.
pub const BREAKER_WINDOW_CALLS: &str = "circuit_breaker.window_calls";
/// Attribute of transitions: failed calls in the window.
pub const BREAKER_WINDOW_FAILURES: &str = "circuit_breaker.window_failures";
/// Attribute of transitions: slow calls in the window.
pub const BREAKER_WINDOW_SLOW: &str = "circuit_breaker.window_slow";
/// Attribute of transitions: the threshold that was crossed.
pub const BREAKER_THRESHOLD: &str = "circuit_breaker.threshold";
/// Attribute of transitions: for how many milliseconds it opened.
pub const BREAKER_OPEN_FOR_MS: &str = "circuit_breaker.open_for_ms";
/// Attribute of transitions: when it will probe, nanoseconds since the Unix epoch.
pub const BREAKER_NEXT_PROBE: &str = "circuit_breaker.next_probe_unix_nano";
/// Attribute of transitions: how many times in a row it has opened.
pub const BREAKER_ATTEMPT: &str = "circuit_breaker.attempt";
/// Attribute of transitions: for how many milliseconds the state before lasted.
pub const BREAKER_LASTED_MS: &str = "circuit_breaker.lasted_ms";
/// Attribute of transitions: trace ids of failing and slow calls from the window, newest first.
pub const BREAKER_CONTRIBUTING: &str = "circuit_breaker.contributing_trace_ids";
/// Attribute of transitions and settings: identifies the settings in force.
pub const BREAKER_CONFIG_HASH: &str = "circuit_breaker.config_hash";
/// Counter, seconds: time in each state. Unlike a gauge it misses no state, however short.
pub const BREAKER_TIME_IN_STATE: &str = "circuit_breaker.time_in_state";
/// Counter: transitions by from, to and reason.
pub const BREAKER_TRANSITIONS: &str = "circuit_breaker.transitions";
/// Counter: calls by outcome.
pub const BREAKER_CALLS: &str = "circuit_breaker.calls";
/// Gauge, and attribute of transitions: failures per call, absent below the minimum.
pub const BREAKER_FAILURE_RATIO: &str = "circuit_breaker.failure_ratio";
/// Gauge, and attribute of transitions: slow calls per call, absent below the minimum.
pub const BREAKER_SLOW_RATIO: &str = "circuit_breaker.slow_ratio";
/// Up-down counter: calls let through that have no result yet.
pub const BREAKER_IN_FLIGHT: &str = "circuit_breaker.in_flight";
/// Event: a breaker changed its state; a log record in the trace of the call that did it.
pub const EVENT_STATE_CHANGED: &str = "circuit_breaker.state_changed";
/// Event: the settings of a breaker, when it is made and when they change.
pub const EVENT_CONFIGURED: &str = "circuit_breaker.configured";
/// Span: a rejected call that had no active span to be written on.
pub const SPAN_REJECTED: &str = "circuit_breaker.rejected";
/// The instrumentation scope all of it carries.
pub const SCOPE: &str = "tripline_sdk";

/// Attribute: the policy a retry belongs to.
pub const RETRY_NAME: &str = "retry.name";
/// Attribute: how a retried call ended.
pub const RETRY_RESULT: &str = "retry.result";
/// Attribute of spans: the number of tries, if there was more than one.
pub const RETRY_ATTEMPT: &str = "retry.attempt";
/// Counter: calls by [`RETRY_RESULT`].
pub const RETRY_CALLS: &str = "retry.calls";
/// Counter: tries.
pub const RETRY_ATTEMPTS: &str = "retry.attempts";
/// Counter: retries the budget did not pay for.
pub const RETRY_BUDGET_EXHAUSTED: &str = "retry.budget_exhausted";
/// Attribute: the policy a timeout belongs to.
pub const TIMEOUT_NAME: &str = "timeout.name";
/// Attribute: `completed` or `timed_out`.
pub const TIMEOUT_RESULT: &str = "timeout.result";
/// Attribute: what had the timeout, one `try` or the whole `call`.
pub const TIMEOUT_SCOPE: &str = "timeout.scope";
/// Attribute of spans: the timeout that was over, in seconds.
pub const TIMEOUT_DURATION: &str = "timeout.duration";
/// Counter: tries and calls by [`TIMEOUT_RESULT`] and [`TIMEOUT_SCOPE`].
pub const TIMEOUT_CALLS: &str = "timeout.calls";
/// Attribute: the policy a rate limit belongs to.
pub const RATE_LIMITER_NAME: &str = "rate_limiter.name";
/// Attribute: `permitted` or `rejected`.
pub const RATE_LIMITER_RESULT: &str = "rate_limiter.result";
/// Counter: tries by [`RATE_LIMITER_RESULT`].
pub const RATE_LIMITER_CALLS: &str = "rate_limiter.calls";
/// Attribute: the policy a bulkhead belongs to.
pub const BULKHEAD_NAME: &str = "bulkhead.name";
/// Attribute: `permitted` or `rejected`.
pub const BULKHEAD_RESULT: &str = "bulkhead.result";
/// Counter: tries by [`BULKHEAD_RESULT`].
pub const BULKHEAD_CALLS: &str = "bulkhead.calls";
/// Gauge: calls in the bulkhead.
pub const BULKHEAD_IN_FLIGHT: &str = "bulkhead.in_flight";
/// Gauge: calls there is room for.
pub const BULKHEAD_MAX: &str = "bulkhead.max_in_flight";
/// Attribute: the policy a fallback belongs to.
pub const FALLBACK_NAME: &str = "fallback.name";
/// Attribute: `used`.
pub const FALLBACK_RESULT: &str = "fallback.result";
/// Counter: calls the fallback answered.
pub const FALLBACK_CALLS: &str = "fallback.calls";

/// Attribute: the hedge.
pub const HEDGE_NAME: &str = "hedge.name";
/// Attribute: `not_needed`, `first_won`, `second_won` or `both_failed`.
pub const HEDGE_RESULT: &str = "hedge.result";
/// Attribute of spans: the tries of a hedged call.
pub const HEDGE_ATTEMPT: &str = "hedge.attempt";
/// Counter: calls by [`HEDGE_RESULT`].
pub const HEDGE_CALLS: &str = "hedge.calls";
/// Counter: tries.
pub const HEDGE_ATTEMPTS: &str = "hedge.attempts";
/// Span: a call the rate limit refused that had no active span to be written on.
pub const SPAN_RATE_LIMITED: &str = "rate_limiter.rejected";
/// Span: a call the bulkhead refused that had no active span to be written on.
pub const SPAN_BULKHEAD_FULL: &str = "bulkhead.rejected";
/// Span: a call the fallback answered that had no active span to be written on.
pub const SPAN_FELL_BACK: &str = "fallback.used";

/// Histogram, seconds: requests a server answered (HTTP conventions).
pub const HTTP_SERVER_DURATION: &str = "http.server.request.duration";
/// Histogram, seconds: requests a client made (HTTP conventions).
pub const HTTP_CLIENT_DURATION: &str = "http.client.request.duration";
/// Histogram, seconds: calls a gRPC server answered (RPC conventions).
pub const RPC_SERVER_DURATION: &str = "rpc.server.call.duration";
/// Histogram, seconds: calls a gRPC client made (RPC conventions).
pub const RPC_CLIENT_DURATION: &str = "rpc.client.call.duration";
