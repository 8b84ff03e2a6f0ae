//! The variables of OpenTelemetry that its Rust SDK leaves to the program.
//!
//! [Environment variable specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
//! An empty variable is an unset one.

use super::SetupError;

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// Its name in variables.
    pub(super) const fn upper(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Its name in prose and paths.
    pub(super) const fn lower(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

/// The value of a variable that is set and not empty.
pub(super) fn read(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

/// Only `true`, in any case, is true.
pub(super) fn is_true(name: &str) -> bool {
    read(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Whether `OTEL_<SIGNAL>_EXPORTER` asks for OTLP.
pub(super) fn exports(signal: Signal) -> Result<bool, SetupError> {
    let variable = format!("OTEL_{}_EXPORTER", signal.upper());
    exporter_of(read(&variable).as_deref()).map_err(|value| SetupError::Variable {
        variable,
        value,
        expected: "otlp, none",
    })
}

fn exporter_of(value: Option<&str>) -> Result<bool, String> {
    let Some(value) = value else { return Ok(true) };
    let mut exporters = value.split(',').map(str::trim);
    if exporters.clone().any(|name| name == "otlp") {
        return Ok(true);
    }
    if exporters.all(|name| name == "none") {
        return Ok(false);
    }
    Err(value.to_owned())
}

/// The setting of one signal, or else the one for all: `OTEL_EXPORTER_OTLP_[<SIGNAL>_]<NAME>`.
pub(super) fn otlp(signal: Signal, name: &str) -> Option<String> {
    read(&format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.upper()))
        .or_else(|| read(&format!("OTEL_EXPORTER_OTLP_{name}")))
}

/// `OTEL_BSP_MAX_CONCURRENT_EXPORTS`; one where it is silent.
pub(super) fn concurrent_exports() -> Result<usize, SetupError> {
    let variable = "OTEL_BSP_MAX_CONCURRENT_EXPORTS";
    number_of(read(variable).as_deref()).map_err(|value| SetupError::Variable {
        variable: variable.into(),
        value,
        expected: "a number of at least 1",
    })
}

fn number_of(value: Option<&str>) -> Result<usize, String> {
    let Some(value) = value else { return Ok(1) };
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(value.to_owned()),
    }
}

/// Whether `OTEL_PROPAGATORS` leaves the two of the W3C in.
pub(super) fn propagates() -> bool {
    read("OTEL_PROPAGATORS").is_none_or(|list| {
        list.split(',')
            .map(str::trim)
            .any(|name| matches!(name, "tracecontext" | "baggage"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_at_a_time_are_one_or_more() {
        assert_eq!(number_of(None), Ok(1));
        assert_eq!(number_of(Some("4")), Ok(4));
        assert_eq!(number_of(Some("0")), Err("0".into()));
        assert_eq!(number_of(Some("many")), Err("many".into()));
    }

    #[test]
    fn exporters_are_otlp_or_none() {
        assert_eq!(exporter_of(None), Ok(true));
        assert_eq!(exporter_of(Some("otlp")), Ok(true));
        assert_eq!(exporter_of(Some("console, otlp")), Ok(true));
        assert_eq!(exporter_of(Some("none")), Ok(false));
        assert_eq!(exporter_of(Some("zipkin")), Err("zipkin".into()));
    }
}
