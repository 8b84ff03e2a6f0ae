//! The two log events, as plain attributes before any exporter sees them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, Severity};
use opentelemetry::{SpanId, TraceFlags, TraceId};

use super::names;
use crate::breaker::{
    BreakerConfig, CallId, CloseOn, OnDrop, Origin, State, Transition, WindowConfig,
};

/// One event on its way to a logger.
pub(super) struct Event {
    name: &'static str,
    severity: Severity,
    body: String,
    at: SystemTime,
    call: Option<CallId>,
    attributes: Vec<(&'static str, AnyValue)>,
}

/// A logger whose record type is forgotten.
pub(super) trait Sink: Send + Sync {
    fn emit(&self, event: Event);
}

impl<L: Logger + Send + Sync> Sink for L {
    fn emit(&self, event: Event) {
        let mut record = self.create_log_record();
        record.set_event_name(event.name);
        record.set_timestamp(event.at);
        record.set_observed_timestamp(SystemTime::now());
        record.set_severity_number(event.severity);
        record.set_severity_text(event.severity.name());
        record.set_body(AnyValue::String(event.body.into()));
        record.add_attributes(event.attributes);
        if let Some(call) = event.call {
            record.set_trace_context(
                TraceId::from_bytes(call.trace_id.to_be_bytes()),
                SpanId::from_bytes(call.span_id.to_be_bytes()),
                Some(TraceFlags::SAMPLED),
            );
        }
        Logger::emit(self, record);
    }
}

pub(super) fn state_changed(
    origin: Origin<'_>,
    change: &Transition,
    at: SystemTime,
    call: Option<CallId>,
    config_hash: &str,
) -> Event {
    let count = |count: u64| AnyValue::Int(i64::try_from(count).unwrap_or(i64::MAX));
    let millis =
        |length: Duration| AnyValue::Int(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
    let mut attributes = named(origin);
    attributes.extend([
        (names::BREAKER_FROM_STATE, change.from.as_str().into()),
        (names::BREAKER_TO_STATE, change.to.as_str().into()),
        (names::BREAKER_REASON, change.reason.as_str().into()),
        (names::BREAKER_GENERATION, count(change.generation)),
        (names::BREAKER_SHADOW, AnyValue::Boolean(change.shadow)),
        (names::BREAKER_WINDOW_CALLS, count(change.window.calls)),
        (
            names::BREAKER_WINDOW_FAILURES,
            count(change.window.failures),
        ),
        (names::BREAKER_WINDOW_SLOW, count(change.window.slow)),
        (
            names::BREAKER_ATTEMPT,
            AnyValue::Int(i64::from(change.attempt)),
        ),
        (names::BREAKER_LASTED_MS, millis(change.lasted)),
        (names::BREAKER_CONFIG_HASH, config_hash.to_owned().into()),
    ]);
    let ratios = [
        (names::BREAKER_FAILURE_RATIO, change.window.failure_ratio()),
        (names::BREAKER_SLOW_RATIO, change.window.slow_ratio()),
        (names::BREAKER_THRESHOLD, change.threshold),
    ];
    let known = ratios
        .into_iter()
        .filter_map(|(name, ratio)| Some((name, ratio?.into())));
    attributes.extend(known);
    if let Some(open_for) = change.open_for {
        attributes.push((names::BREAKER_OPEN_FOR_MS, millis(open_for)));
        attributes.push((names::BREAKER_NEXT_PROBE, unix_nano(at + open_for)));
    }
    let traces: Vec<AnyValue> = change
        .contributing
        .iter()
        .flatten()
        .map(|call| format!("{:032x}", call.trace_id).into())
        .collect();
    if !traces.is_empty() {
        attributes.push((
            names::BREAKER_CONTRIBUTING,
            AnyValue::ListAny(Box::new(traces)),
        ));
    }
    Event {
        name: names::EVENT_STATE_CHANGED,
        severity: if change.to == State::Open {
            Severity::Warn
        } else {
            Severity::Info
        },
        body: format!(
            "circuit breaker {} {} -> {}: {}",
            origin.name, change.from, change.to, change.reason
        ),
        at,
        call: change.tripped_by.or(call),
        attributes,
    }
}

pub(super) fn configured(
    origin: Origin<'_>,
    config: &BreakerConfig,
    at: SystemTime,
    config_hash: &str,
) -> Event {
    let seconds = |length: Duration| AnyValue::Double(length.as_secs_f64());
    let mut attributes = named(origin);
    attributes.push((names::BREAKER_CONFIG_HASH, config_hash.to_owned().into()));
    match config.window {
        WindowConfig::Time { length, buckets } => attributes.extend([
            ("circuit_breaker.window.kind", "time".into()),
            ("circuit_breaker.window.length_s", seconds(length)),
            ("circuit_breaker.window.buckets", i64::from(buckets).into()),
        ]),
        WindowConfig::Count { size } => attributes.extend([
            ("circuit_breaker.window.kind", "count".into()),
            ("circuit_breaker.window.size", i64::from(size).into()),
        ]),
    }
    attributes.extend([
        (
            "circuit_breaker.minimum_calls",
            i64::from(config.minimum_calls).into(),
        ),
        (
            "circuit_breaker.judge_successes",
            AnyValue::Boolean(config.judge_successes),
        ),
        ("circuit_breaker.open.base_s", seconds(config.open.base)),
        ("circuit_breaker.open.max_s", seconds(config.open.max)),
        (
            "circuit_breaker.open.multiplier",
            config.open.multiplier.into(),
        ),
        (
            "circuit_breaker.half_open.permits",
            i64::from(config.half_open.permits).into(),
        ),
        (
            "circuit_breaker.half_open.concurrent",
            i64::from(config.half_open.concurrent).into(),
        ),
        (
            "circuit_breaker.half_open.lease_s",
            seconds(config.probe_lease()),
        ),
        (
            "circuit_breaker.half_open.close_on",
            match config.half_open.close_on {
                CloseOn::Ratios => "ratios".into(),
                CloseOn::Successes(count) => i64::from(count).into(),
            },
        ),
        (
            "circuit_breaker.half_open.decide_early",
            AnyValue::Boolean(config.half_open.decide_early),
        ),
        (
            "circuit_breaker.half_open.dedicated_probes",
            AnyValue::Boolean(config.half_open.dedicated_probes),
        ),
        ("circuit_breaker.open.decay_s", seconds(config.open.decay)),
        (
            "circuit_breaker.on_drop",
            match config.on_drop {
                OnDrop::Ignore => "ignore",
                OnDrop::Failure => "failure",
            }
            .into(),
        ),
        ("circuit_breaker.mode", format!("{:?}", config.mode).into()),
    ]);
    if let Some(ramp) = config.ramp {
        attributes.push(("circuit_breaker.ramp.from", ramp.from.into()));
        attributes.push(("circuit_breaker.ramp.over_s", seconds(ramp.over)));
    }
    let optional: [(&'static str, Option<AnyValue>); 5] = [
        (
            "circuit_breaker.failure_ratio_threshold",
            config.failure_ratio.map(Into::into),
        ),
        (
            "circuit_breaker.failure_count_threshold",
            config.failure_count.map(|n| i64::from(n).into()),
        ),
        (
            "circuit_breaker.consecutive_failures_threshold",
            config.consecutive_failures.map(|n| i64::from(n).into()),
        ),
        (
            "circuit_breaker.slow_ratio_threshold",
            config.slow_calls.map(|slow| slow.ratio.into()),
        ),
        (
            "circuit_breaker.slow_call_s",
            config.slow_calls.map(|slow| seconds(slow.threshold)),
        ),
    ];
    attributes.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    Event {
        name: names::EVENT_CONFIGURED,
        severity: Severity::Info,
        body: format!("circuit breaker {} configured", origin.name),
        at,
        call: None,
        attributes,
    }
}

fn named(origin: Origin<'_>) -> Vec<(&'static str, AnyValue)> {
    let mut attributes = vec![(names::BREAKER_NAME, origin.name.to_owned().into())];
    attributes.extend(
        origin
            .key
            .map(|key| (names::BREAKER_KEY, key.to_owned().into())),
    );
    attributes
}

fn unix_nano(at: SystemTime) -> AnyValue {
    let nanos = at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    AnyValue::Int(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// The same settings, the same hash, in every process of this version (FNV-1a).
pub(super) fn config_hash(config: &BreakerConfig) -> String {
    let text = format!(
        "{:?}",
        BreakerConfig {
            seed: None,
            ..*config
        }
    );
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}
