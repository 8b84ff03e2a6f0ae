//! Lengths of time as other systems write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::settings::Length;

/// A number or text; what a bare number counts depends on the system.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

fn read<'de, D: Deserializer<'de>>(
    deserializer: D,
    nanos_of_one: f64,
    parse: fn(&str) -> Option<Duration>,
) -> Result<Duration, D::Error> {
    let from_number = |number: f64| Duration::try_from_secs_f64(number * nanos_of_one / 1e9).ok();
    let length = match Written::deserialize(deserializer)? {
        Written::Number(number) => from_number(number),
        Written::Text(text) => match text.trim().parse() {
            Ok(number) => from_number(number),
            Err(_) => parse(text.trim()),
        },
    };
    length.ok_or_else(|| D::Error::custom("not a length of time"))
}

/// Spring Boot: milliseconds, `10s`, `500ms`, or ISO 8601 (`PT1M30S`).
pub(super) fn spring<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    read(deserializer, 1e6, |text| {
        iso_8601(text).or_else(|| with_units(text))
    })
}

/// The same for a setting that may be missing.
pub(super) fn spring_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    spring(deserializer).map(Some)
}

/// Go: nanoseconds, or what `time.ParseDuration` reads.
pub(super) fn go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    read(deserializer, 1.0, with_units)
}

/// .NET: `TimeSpan`, `[d.]hh:mm:ss[.fffffff]`; a bare number counts seconds here.
pub(super) fn dotnet<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    read(deserializer, 1e9, time_span)
}

fn with_units(text: &str) -> Option<Duration> {
    text.parse().ok().map(Length::get)
}

/// The time part of ISO 8601 durations, with days: `P1DT2H3M4.5S`.
fn iso_8601(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix(['P', 'p'])?;
    let (days, time) = rest.split_once(['T', 't']).unwrap_or((rest, ""));
    let lower = format!("{days}{time}").to_ascii_lowercase();
    with_units(&lower)
}

fn time_span(text: &str) -> Option<Duration> {
    let mut parts = text.split(':');
    let (first, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (days, hours) = first.split_once('.').unwrap_or(("0", first));
    let days: f64 = days.parse().ok()?;
    let hours: f64 = hours.parse().ok()?;
    let minutes: f64 = minutes.parse().ok()?;
    let seconds: f64 = seconds.parse().ok()?;
    Duration::try_from_secs_f64(((days * 24.0 + hours) * 60.0 + minutes) * 60.0 + seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_writes_time_differently() {
        let seconds = |length: Option<Duration>| length.map(|length| length.as_secs_f64());
        assert_eq!(seconds(iso_8601("PT1M30S")), Some(90.0));
        assert_eq!(seconds(iso_8601("P1DT0.5S")), Some(86_400.5));
        assert_eq!(seconds(time_span("00:00:30")), Some(30.0));
        assert_eq!(seconds(time_span("1.01:00:00.5")), Some(90_000.5));
        assert_eq!(seconds(with_units("1m30s")), Some(90.0));
        assert_eq!(iso_8601("30"), None);
        assert_eq!(time_span("30"), None);
    }
}
