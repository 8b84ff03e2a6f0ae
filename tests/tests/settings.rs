//! What the SDK reports of a breaker's settings is what what-if reads of them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use opentelemetry::global;
use opentelemetry::logs::{AnyValue, LoggerProvider as _};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use serde_json::{Map, Value};
use tripline_sdk::telemetry::{Telemetry, names};
use tripline_sdk::{
    BreakerConfig, CircuitBreaker, CloseOn, HalfOpen, Jitter, Mode, OnDrop, OpenTime, Ramp,
    SlowCalls, WindowConfig,
};
use tripline_storage::resilience::whatif::settings;

/// The settings that a breaker with this configuration reports when it is made, by the names that are stored.
fn reported(config: BreakerConfig) -> Result<Map<String, Value>> {
    let logs = InMemoryLogExporter::default();
    let loggers = SdkLoggerProvider::builder()
        .with_simple_exporter(logs.clone())
        .build();
    let telemetry = Telemetry::new(&global::meter("settings"), loggers.logger("settings"));
    let _breaker = CircuitBreaker::builder("stock", config)
        .listen(telemetry)
        .build()?;
    let emitted = logs.get_emitted_logs()?;
    let told = emitted
        .iter()
        .find(|log| log.record.event_name() == Some(names::EVENT_CONFIGURED))
        .context("an event")?;
    // What the recogniser keeps apart.
    let others = [names::BREAKER_NAME, names::BREAKER_CONFIG_HASH];
    told.record
        .attributes_iter()
        .filter(|(key, _)| !others.contains(&key.as_str()))
        .map(|(key, value)| {
            let name = key.as_str().strip_prefix("circuit_breaker.");
            Ok((name.context("a prefix")?.to_owned(), json(value)?))
        })
        .collect()
}

fn json(value: &AnyValue) -> Result<Value> {
    Ok(match value {
        AnyValue::Int(number) => Value::from(*number),
        AnyValue::Double(number) => Value::from(*number),
        AnyValue::Boolean(flag) => Value::from(*flag),
        AnyValue::String(text) => Value::from(text.as_str()),
        other => bail!("{other:?} is no setting"),
    })
}

/// Every setting there is, none as it is by default: one that is new must be given a value here.
fn everything() -> BreakerConfig {
    let seconds = Duration::from_secs;
    BreakerConfig {
        window: WindowConfig::Time {
            length: seconds(7),
            buckets: 7,
        },
        minimum_calls: 13,
        failure_ratio: Some(0.35),
        failure_count: Some(17),
        consecutive_failures: Some(9),
        slow_calls: Some(SlowCalls {
            threshold: Duration::from_millis(750),
            ratio: 0.85,
        }),
        judge_successes: true,
        open: OpenTime {
            base: seconds(3),
            multiplier: 1.7,
            max: seconds(44),
            jitter: Jitter::Full,
            decay: seconds(33),
        },
        half_open: HalfOpen {
            permits: 6,
            concurrent: 2,
            close_on: CloseOn::Successes(4),
            decide_early: false,
            lease: Some(seconds(8)),
            dedicated_probes: true,
        },
        ramp: Some(Ramp {
            from: 0.2,
            over: seconds(12),
        }),
        on_drop: OnDrop::Failure,
        call_timeout: Some(seconds(5)),
        mode: Mode::MetricsOnly,
        seed: Some(3),
        stripes: 2,
    }
}

/// What a replay needs of it: chance is recorded, threads are one, and the lease is told as it comes out.
fn needed(config: BreakerConfig) -> BreakerConfig {
    BreakerConfig {
        open: OpenTime {
            jitter: Jitter::None,
            ..config.open
        },
        half_open: HalfOpen {
            lease: Some(config.probe_lease()),
            ..config.half_open
        },
        call_timeout: None,
        seed: Some(0),
        stripes: 1,
        ..config
    }
}

#[test]
fn every_setting_that_the_sdk_reports_is_read_back() -> Result<()> {
    let mut told = BTreeSet::new();
    let counting = BreakerConfig::new().window(WindowConfig::Count { size: 31 });
    for config in [
        everything(),
        counting,
        counting.only_consecutive(4).mode(Mode::ForcedOpen),
        BreakerConfig::new().call_timeout(Duration::from_secs(2)),
        BreakerConfig::new().mode(Mode::Disabled),
    ] {
        let settings = reported(config)?;
        let read = settings::read(&settings).with_context(|| format!("{settings:?}"))?;
        ensure!(read == needed(config), "{read:?}\n{config:?}");
        told.extend(settings.into_iter().map(|(name, _)| name));
    }
    for (name, _) in settings::NAMES {
        ensure!(told.contains(*name), "{name} is never reported");
    }
    Ok(())
}
