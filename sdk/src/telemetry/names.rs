//! The names this crate's telemetry uses, exactly as recognisers match them.
//!
//! ```
//! use opentelemetry::KeyValue;
//! use tripline_sdk::telemetry::names;
//! let attribute = KeyValue::new(names::BREAKER_NAME, "inventory");
//! assert_eq!(attribute.key.as_str(), "circuit_breaker.name");
//! ```

/// Each name as a constant, whose example says what it is.
macro_rules! names {
    ($($(#[$doc:meta])+ $name:ident = $value:literal;)+) => {$(
        $(#[$doc])+
        ///
        /// ```
        #[doc = concat!("use tripline_sdk::telemetry::names::", stringify!($name), ";")]
        #[doc = concat!("assert_eq!(", stringify!($name), ", \"", $value, "\");")]
        /// ```
        pub const $name: &str = $value;
    )+};
}

names! {
    /// Attribute: the breaker's name.
    BREAKER_NAME = "circuit_breaker.name";
    /// Attribute: its key among the breakers of that name (host, shard, tenant).
    BREAKER_KEY = "circuit_breaker.key";
    /// Attribute, and gauge: the state. The gauge has one series a state, 1 for the one that holds.
    BREAKER_STATE = "circuit_breaker.state";
    /// Attribute: how a call ended.
    BREAKER_OUTCOME = "circuit_breaker.outcome";
    /// Attribute of spans: when the breaker let the call through, or refused it, nanoseconds since
    /// the Unix epoch.
    BREAKER_ADMITTED = "circuit_breaker.admitted_unix_nano";
    /// Attribute of spans: for how many nanoseconds the call ran, as the breaker measured it.
    BREAKER_DURATION = "circuit_breaker.duration_ns";
    /// Attribute of spans: the origin of the breaker's clock, from which steps of its window are
    /// counted, nanoseconds since the Unix epoch.
    BREAKER_CLOCK_START = "circuit_breaker.clock_start_unix_nano";
    /// Attribute of spans: the number of the breaker's turn in which it let the call through, or
    /// refused it, counted since it was made. What calls did in the same nanosecond they did in the
    /// order of these numbers.
    BREAKER_ADMITTED_SEQUENCE = "circuit_breaker.admitted_sequence";
    /// Attribute of spans: the number of the turn in which the call's result counted.
    BREAKER_ENDED_SEQUENCE = "circuit_breaker.ended_sequence";
    /// Attribute of transitions: the state before.
    BREAKER_FROM_STATE = "circuit_breaker.from_state";
    /// Attribute of transitions: the state after.
    BREAKER_TO_STATE = "circuit_breaker.to_state";
    /// Attribute of transitions: why.
    BREAKER_REASON = "circuit_breaker.reason";
    /// Attribute of transitions: their number, counted by the breaker.
    BREAKER_GENERATION = "circuit_breaker.generation";
    /// Attribute of transitions: true if it only would have happened (metrics-only mode).
    BREAKER_SHADOW = "circuit_breaker.shadow";
    /// Attribute of transitions: calls in the window.
    BREAKER_WINDOW_CALLS = "circuit_breaker.window_calls";
    /// Attribute of transitions: failed calls in the window.
    BREAKER_WINDOW_FAILURES = "circuit_breaker.window_failures";
    /// Attribute of transitions: slow calls in the window.
    BREAKER_WINDOW_SLOW = "circuit_breaker.window_slow";
    /// Attribute of transitions: the threshold that was crossed.
    BREAKER_THRESHOLD = "circuit_breaker.threshold";
    /// Attribute of transitions: for how many milliseconds it opened.
    BREAKER_OPEN_FOR_MS = "circuit_breaker.open_for_ms";
    /// Attribute of transitions: when it will probe, nanoseconds since the Unix epoch.
    BREAKER_NEXT_PROBE = "circuit_breaker.next_probe_unix_nano";
    /// Attribute of transitions: how many times in a row it has opened.
    BREAKER_ATTEMPT = "circuit_breaker.attempt";
    /// Attribute of transitions: for how many milliseconds the state before lasted.
    BREAKER_LASTED_MS = "circuit_breaker.lasted_ms";
    /// Attribute of transitions: trace ids of failing and slow calls from the window, newest first.
    BREAKER_CONTRIBUTING = "circuit_breaker.contributing_trace_ids";
    /// Attribute of transitions and settings: identifies the settings in force.
    BREAKER_CONFIG_HASH = "circuit_breaker.config_hash";
    /// Counter, seconds: time in each state. Unlike a gauge it misses no state, however short.
    BREAKER_TIME_IN_STATE = "circuit_breaker.time_in_state";
    /// Counter: transitions by from, to and reason.
    BREAKER_TRANSITIONS = "circuit_breaker.transitions";
    /// Counter: calls by outcome.
    BREAKER_CALLS = "circuit_breaker.calls";
    /// Gauge, and attribute of transitions: failures per call, absent below the minimum.
    BREAKER_FAILURE_RATIO = "circuit_breaker.failure_ratio";
    /// Gauge, and attribute of transitions: slow calls per call, absent below the minimum.
    BREAKER_SLOW_RATIO = "circuit_breaker.slow_ratio";
    /// Up-down counter: calls let through that have no result yet.
    BREAKER_IN_FLIGHT = "circuit_breaker.in_flight";
    /// Event: a breaker changed its state; a log record in the trace of the call that did it.
    EVENT_STATE_CHANGED = "circuit_breaker.state_changed";
    /// Event: the settings of a breaker, when it is made and when they change.
    EVENT_CONFIGURED = "circuit_breaker.configured";
    /// Span: a rejected call that had no active span to be written on.
    SPAN_REJECTED = "circuit_breaker.rejected";
    /// The instrumentation scope all of it carries.
    SCOPE = "tripline_sdk";

    /// Attribute: the policy a retry belongs to.
    RETRY_NAME = "retry.name";
    /// Attribute: how a retried call ended.
    RETRY_RESULT = "retry.result";
    /// Attribute of spans: the number of tries, if there was more than one.
    RETRY_ATTEMPT = "retry.attempt";
    /// Counter: calls by [`RETRY_RESULT`].
    RETRY_CALLS = "retry.calls";
    /// Counter: tries.
    RETRY_ATTEMPTS = "retry.attempts";
    /// Counter: retries the budget did not pay for.
    RETRY_BUDGET_EXHAUSTED = "retry.budget_exhausted";
    /// Attribute: the policy a timeout belongs to.
    TIMEOUT_NAME = "timeout.name";
    /// Attribute: `completed` or `timed_out`.
    TIMEOUT_RESULT = "timeout.result";
    /// Attribute: what had the timeout, one `try` or the whole `call`.
    TIMEOUT_SCOPE = "timeout.scope";
    /// Attribute of spans: the timeout that was over, in seconds.
    TIMEOUT_DURATION = "timeout.duration";
    /// Counter: tries and calls by [`TIMEOUT_RESULT`] and [`TIMEOUT_SCOPE`].
    TIMEOUT_CALLS = "timeout.calls";
    /// Attribute: the policy a rate limit belongs to.
    RATE_LIMITER_NAME = "rate_limiter.name";
    /// Attribute: `permitted` or `rejected`.
    RATE_LIMITER_RESULT = "rate_limiter.result";
    /// Counter: tries by [`RATE_LIMITER_RESULT`].
    RATE_LIMITER_CALLS = "rate_limiter.calls";
    /// Attribute: the policy a bulkhead belongs to.
    BULKHEAD_NAME = "bulkhead.name";
    /// Attribute: `permitted` or `rejected`.
    BULKHEAD_RESULT = "bulkhead.result";
    /// Counter: tries by [`BULKHEAD_RESULT`].
    BULKHEAD_CALLS = "bulkhead.calls";
    /// Gauge: calls in the bulkhead.
    BULKHEAD_IN_FLIGHT = "bulkhead.in_flight";
    /// Gauge: calls there is room for.
    BULKHEAD_MAX = "bulkhead.max_in_flight";
    /// Attribute: the policy a fallback belongs to.
    FALLBACK_NAME = "fallback.name";
    /// Attribute: `used`.
    FALLBACK_RESULT = "fallback.result";
    /// Counter: calls the fallback answered.
    FALLBACK_CALLS = "fallback.calls";

    /// Attribute: the hedge.
    HEDGE_NAME = "hedge.name";
    /// Attribute: `not_needed`, `first_won`, `second_won` or `both_failed`.
    HEDGE_RESULT = "hedge.result";
    /// Attribute of spans: the tries of a hedged call.
    HEDGE_ATTEMPT = "hedge.attempt";
    /// Counter: calls by [`HEDGE_RESULT`].
    HEDGE_CALLS = "hedge.calls";
    /// Counter: tries.
    HEDGE_ATTEMPTS = "hedge.attempts";
    /// Span: a call the rate limit refused that had no active span to be written on.
    SPAN_RATE_LIMITED = "rate_limiter.rejected";
    /// Span: a call the bulkhead refused that had no active span to be written on.
    SPAN_BULKHEAD_FULL = "bulkhead.rejected";
    /// Span: a call the fallback answered that had no active span to be written on.
    SPAN_FELL_BACK = "fallback.used";

    /// Histogram, seconds: requests a server answered (HTTP conventions).
    HTTP_SERVER_DURATION = "http.server.request.duration";
    /// Histogram, seconds: requests a client made (HTTP conventions).
    HTTP_CLIENT_DURATION = "http.client.request.duration";
    /// Histogram, seconds: calls a gRPC server answered (RPC conventions).
    RPC_SERVER_DURATION = "rpc.server.call.duration";
    /// Histogram, seconds: calls a gRPC client made (RPC conventions).
    RPC_CLIENT_DURATION = "rpc.client.call.duration";
}
