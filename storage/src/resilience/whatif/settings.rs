//! Settings as telemetry tells them (`breaker_config.config`) and as people edit them, to and from the SDK's own.
//!
//! The names are those of the event `circuit_breaker.configured` without its prefix. A setting that is absent takes the
//! SDK's default, except the criteria: where one is named, those not named are off.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tripline_sdk::{
    BreakerConfig, CloseOn, HalfOpen, InvalidConfig, Jitter, Mode, OnDrop, OpenTime, Ramp,
    SlowCalls, WindowConfig,
};

use super::history::Told;

/// Every name, with what it means.
pub const NAMES: &[(&str, &str)] = &[
    ("window.kind", "`time` or `count`"),
    (
        "window.length_s",
        "how far back a time window reaches, seconds",
    ),
    ("window.buckets", "in how many steps it slides"),
    ("window.size", "calls in a count window"),
    ("minimum_calls", "nothing trips below so many calls"),
    ("failure_ratio_threshold", "failed share that trips, 0 to 1"),
    (
        "failure_count_threshold",
        "failed calls in the window that trip",
    ),
    (
        "consecutive_failures_threshold",
        "failures in a row that trip",
    ),
    ("slow_ratio_threshold", "slow share that trips, 0 to 1"),
    (
        "judge_successes",
        "a success may trip it too, because it completes the minimum",
    ),
    (
        "slow_call_s",
        "from this duration on a call is slow, seconds",
    ),
    ("open.base_s", "first open time, seconds"),
    ("open.max_s", "longest open time, seconds"),
    (
        "open.multiplier",
        "what each further attempt multiplies it by",
    ),
    (
        "open.decay_s",
        "closed for so long forgets one attempt, seconds",
    ),
    ("half_open.permits", "probes in one half-open state"),
    ("half_open.concurrent", "probes in flight at once"),
    (
        "half_open.lease_s",
        "a probe older than this failed, seconds",
    ),
    (
        "half_open.close_on",
        "`ratios`, or the number of successes that close",
    ),
    (
        "half_open.decide_early",
        "decide as soon as the rest cannot matter",
    ),
    ("half_open.dedicated_probes", "ordinary calls are no probes"),
    (
        "on_drop",
        "what a dropped call counts as: `ignore` or `failure`",
    ),
    ("ramp.from", "share admitted just after closing"),
    ("ramp.over_s", "until everything is admitted, seconds"),
    (
        "mode",
        "who decides: `enforcing`, `metrics_only`, `forced_open` or `disabled`",
    ),
];

/// Settings that somebody changes, by their names.
pub type Edits = BTreeMap<String, String>;

/// Why settings cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A name nobody knows.
    #[error("{0} is no setting")]
    Unknown(String),
    /// A value that is none for its name.
    #[error("{0} has a value that cannot be read")]
    Unreadable(String),
    /// They cannot work together.
    #[error("{0}")]
    Invalid(String),
}

/// In the names that people give settings by, not those of the SDK's own fields.
impl From<InvalidConfig> for SettingsError {
    fn from(error: InvalidConfig) -> Self {
        let name = match error.setting {
            "window.length" => "window.length_s",
            "failure_ratio" => "failure_ratio_threshold",
            "failure_count" => "failure_count_threshold",
            "consecutive_failures" => "consecutive_failures_threshold",
            "slow_calls.ratio" => "slow_ratio_threshold",
            "slow_calls.threshold" => "slow_call_s",
            "open.base" => "open.base_s",
            same => same,
        };
        let why = error.why.replace("open.max", "open.max_s");
        Self::Invalid(format!("{name} {why}"))
    }
}

fn is_known(name: &str) -> bool {
    NAMES.iter().any(|(known, _)| *known == name)
}

/// What a breaker of another version told, without the names that this one does not know; those come second.
pub fn known(mut settings: Map<String, Value>) -> (Map<String, Value>, Vec<String>) {
    let strange = settings.keys().filter(|name| !is_known(name));
    let strange = strange.cloned().collect();
    settings.retain(|name, _| is_known(name));
    (settings, strange)
}

/// The SDK's settings these mean.
///
/// # Errors
/// The first that cannot be read or cannot work.
pub fn read(settings: &Map<String, Value>) -> Result<BreakerConfig, SettingsError> {
    let of = Reader(settings);
    if let Some(strange) = settings.keys().find(|name| !is_known(name)) {
        return Err(SettingsError::Unknown(strange.clone()));
    }
    let default = BreakerConfig::new();
    let has_criterion = [
        "failure_ratio_threshold",
        "failure_count_threshold",
        "consecutive_failures_threshold",
        "slow_ratio_threshold",
    ]
    .iter()
    .any(|name| settings.contains_key(*name));
    let slow = match (
        of.number("slow_call_s")?,
        of.number("slow_ratio_threshold")?,
    ) {
        (Some(threshold), Some(ratio)) => Some(SlowCalls {
            threshold: seconds("slow_call_s", threshold)?,
            ratio,
        }),
        _ => None,
    };
    let half = default.half_open;
    of.check_unused()?;
    let config = BreakerConfig {
        window: of.window()?,
        minimum_calls: of.count("minimum_calls")?.unwrap_or(default.minimum_calls),
        failure_ratio: match of.number("failure_ratio_threshold")? {
            None if !has_criterion => default.failure_ratio,
            ratio => ratio,
        },
        failure_count: of.count("failure_count_threshold")?,
        consecutive_failures: of.count("consecutive_failures_threshold")?,
        slow_calls: slow,
        judge_successes: of.flag("judge_successes")?.unwrap_or(false),
        open: OpenTime {
            base: of.seconds("open.base_s")?.unwrap_or(default.open.base),
            multiplier: of
                .number("open.multiplier")?
                .unwrap_or(default.open.multiplier),
            max: of.seconds("open.max_s")?.unwrap_or(default.open.max),
            jitter: Jitter::None,
            decay: of.seconds("open.decay_s")?.unwrap_or(default.open.decay),
        },
        half_open: HalfOpen {
            permits: of.small("half_open.permits")?.unwrap_or(half.permits),
            concurrent: of.small("half_open.concurrent")?.unwrap_or(half.concurrent),
            close_on: of.close_on()?,
            decide_early: of
                .flag("half_open.decide_early")?
                .unwrap_or(half.decide_early),
            lease: of.seconds("half_open.lease_s")?,
            dedicated_probes: of.flag("half_open.dedicated_probes")?.unwrap_or(false),
        },
        ramp: of.ramp()?,
        on_drop: match of.text("on_drop").as_deref() {
            None | Some("ignore") => OnDrop::Ignore,
            Some("failure") => OnDrop::Failure,
            Some(_) => return Err(SettingsError::Unreadable("on_drop".to_owned())),
        },
        mode: of.mode()?,
        seed: Some(0),
        stripes: 1,
        ..default
    };
    config.validate()?;
    Ok(config)
}

/// The same as telemetry writes them.
pub fn write(config: &BreakerConfig) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    match config.window {
        WindowConfig::Time { length, buckets } => {
            put("window.kind", json!("time"));
            put("window.length_s", json!(length.as_secs_f64()));
            put("window.buckets", json!(buckets));
        }
        WindowConfig::Count { size } => {
            put("window.kind", json!("count"));
            put("window.size", json!(size));
        }
    }
    put("minimum_calls", json!(config.minimum_calls));
    if let Some(ratio) = config.failure_ratio {
        put("failure_ratio_threshold", json!(ratio));
    }
    if let Some(count) = config.failure_count {
        put("failure_count_threshold", json!(count));
    }
    if let Some(count) = config.consecutive_failures {
        put("consecutive_failures_threshold", json!(count));
    }
    if let Some(slow) = config.slow_calls {
        put("slow_ratio_threshold", json!(slow.ratio));
        put("slow_call_s", json!(slow.threshold.as_secs_f64()));
    }
    put("judge_successes", json!(config.judge_successes));
    put("open.base_s", json!(config.open.base.as_secs_f64()));
    put("open.max_s", json!(config.open.max.as_secs_f64()));
    put("open.multiplier", json!(config.open.multiplier));
    put("open.decay_s", json!(config.open.decay.as_secs_f64()));
    let half = config.half_open;
    put("half_open.permits", json!(half.permits));
    put("half_open.concurrent", json!(half.concurrent));
    put(
        "half_open.lease_s",
        json!(config.probe_lease().as_secs_f64()),
    );
    put(
        "half_open.close_on",
        match half.close_on {
            CloseOn::Ratios => json!("ratios"),
            CloseOn::Successes(count) => json!(count),
        },
    );
    put("half_open.decide_early", json!(half.decide_early));
    put("half_open.dedicated_probes", json!(half.dedicated_probes));
    put(
        "on_drop",
        json!(match config.on_drop {
            OnDrop::Ignore => "ignore",
            OnDrop::Failure => "failure",
        }),
    );
    if let Some(ramp) = config.ramp {
        put("ramp.from", json!(ramp.from));
        put("ramp.over_s", json!(ramp.over.as_secs_f64()));
    }
    put("mode", json!(format!("{:?}", config.mode)));
    map
}

/// The same settings but for these.
///
/// # Errors
/// The first that cannot be read or cannot work with the others.
pub fn edited(config: &BreakerConfig, edits: &Edits) -> Result<BreakerConfig, SettingsError> {
    let mut settings = write(config);
    for (name, value) in edits {
        settings.insert(name.clone(), Value::String(value.clone()));
    }
    read(&settings)
}

/// What was told from time to time, with the same edits laid over each.
///
/// # Errors
/// As of [`edited`].
pub fn all_edited(told: &[Told], edits: &Edits) -> Result<Vec<Told>, SettingsError> {
    if edits.is_empty() {
        return Ok(told.to_vec());
    }
    told.iter()
        .map(|told| {
            Ok(Told {
                config: edited(&told.config, edits)?,
                ..*told
            })
        })
        .collect()
}

/// Settings as texts, as a form shows them.
pub fn texts(settings: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    settings
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// What makes `before` into `after`.
pub fn differences(before: &BreakerConfig, after: &BreakerConfig) -> Edits {
    let before = texts(&write(before));
    texts(&write(after))
        .into_iter()
        .filter(|(name, value)| before.get(name) != Some(value))
        .collect()
}

/// Reads values that are numbers, or the text of numbers as a form sends them.
struct Reader<'a>(&'a Map<String, Value>);

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.trim().to_lowercase()).filter(|text| !text.is_empty()),
            other => Some(other.to_string()),
        }
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, SettingsError> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| SettingsError::Unreadable(name.to_owned()))
            })
            .transpose()
    }

    fn number(&self, name: &str) -> Result<Option<f64>, SettingsError> {
        match self.parsed::<f64>(name)? {
            Some(number) if !number.is_finite() => Err(SettingsError::Unreadable(name.to_owned())),
            number => Ok(number),
        }
    }

    /// A whole number, though a variant may have stored it as `20.0`.
    fn count(&self, name: &str) -> Result<Option<u32>, SettingsError> {
        match self.number(name)? {
            None => Ok(None),
            Some(number)
                if number >= 0.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0 =>
            {
                Ok(Some(number as u32))
            }
            Some(_) => Err(SettingsError::Unreadable(name.to_owned())),
        }
    }

    fn small(&self, name: &str) -> Result<Option<u16>, SettingsError> {
        self.count(name)?
            .map(|count| {
                u16::try_from(count).map_err(|_| SettingsError::Unreadable(name.to_owned()))
            })
            .transpose()
    }

    fn seconds(&self, name: &str) -> Result<Option<Duration>, SettingsError> {
        self.number(name)?
            .map(|number| seconds(name, number))
            .transpose()
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, SettingsError> {
        self.parsed(name)
    }

    /// Both of its halves or none: one alone would be passed over.
    fn ramp(&self) -> Result<Option<Ramp>, SettingsError> {
        match (self.number("ramp.from")?, self.seconds("ramp.over_s")?) {
            (Some(from), Some(over)) => Ok(Some(Ramp { from, over })),
            (None, None) => Ok(None),
            _ => Err(SettingsError::Invalid(
                "ramp.from and ramp.over_s are given together".to_owned(),
            )),
        }
    }

    /// Settings that these leave unused have their limits too: a value out of them is a mistake to be told.
    fn check_unused(&self) -> Result<(), SettingsError> {
        let default = BreakerConfig::new();
        if let Some(from) = self.number("ramp.from")? {
            let over = Duration::from_secs(1);
            let ramp = Some(Ramp { from, over });
            BreakerConfig { ramp, ..default }.validate()?;
        }
        if let Some(ratio) = self.number("slow_ratio_threshold")? {
            let threshold = Duration::from_secs(1);
            let slow_calls = Some(SlowCalls { threshold, ratio });
            BreakerConfig {
                slow_calls,
                ..default
            }
            .validate()?;
        }
        if let Some(size) = self.count("window.size")? {
            let window = WindowConfig::Count { size };
            BreakerConfig { window, ..default }.validate()?;
        }
        if let WindowConfig::Time { length, buckets } = default.window {
            let window = WindowConfig::Time {
                length: self.seconds("window.length_s")?.unwrap_or(length),
                buckets: self.small("window.buckets")?.unwrap_or(buckets),
            };
            BreakerConfig { window, ..default }.validate()?;
        }
        Ok(())
    }

    fn window(&self) -> Result<WindowConfig, SettingsError> {
        let WindowConfig::Time { length, buckets } = BreakerConfig::new().window else {
            return Err(SettingsError::Unknown("window.kind".to_owned()));
        };
        match self.text("window.kind").as_deref() {
            None | Some("time") => Ok(WindowConfig::Time {
                length: self.seconds("window.length_s")?.unwrap_or(length),
                buckets: self.small("window.buckets")?.unwrap_or(buckets),
            }),
            Some("count") => Ok(WindowConfig::Count {
                size: self.count("window.size")?.unwrap_or(100),
            }),
            Some(_) => Err(SettingsError::Unreadable("window.kind".to_owned())),
        }
    }

    /// In any spelling: the event says `MetricsOnly`, people `metrics_only`.
    fn mode(&self) -> Result<Mode, SettingsError> {
        let folded = self
            .text("mode")
            .map(|text| text.replace(['_', '-', ' '], ""));
        match folded.as_deref() {
            None | Some("enforcing") => Ok(Mode::Enforcing),
            Some("metricsonly") => Ok(Mode::MetricsOnly),
            Some("forcedopen") => Ok(Mode::ForcedOpen),
            Some("disabled") => Ok(Mode::Disabled),
            Some(_) => Err(SettingsError::Unreadable("mode".to_owned())),
        }
    }

    fn close_on(&self) -> Result<CloseOn, SettingsError> {
        match self.text("half_open.close_on").as_deref() {
            None | Some("ratios") => Ok(CloseOn::Ratios),
            Some(_) => Ok(CloseOn::Successes(
                self.small("half_open.close_on")?.unwrap_or(1),
            )),
        }
    }
}

fn seconds(name: &str, value: f64) -> Result<Duration, SettingsError> {
    Duration::try_from_secs_f64(value).map_err(|_| SettingsError::Unreadable(name.to_owned()))
}
