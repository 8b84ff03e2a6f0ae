//! Keeps event names for events.
//!
//! The `tracing` bridge names every record after its call site (`event src/orders.rs:226`), because `tracing`
//! does. In OpenTelemetry a record with an event name *is* an event of that kind, so such a name would make an
//! event kind of every line of code.

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::LogRecord as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

/// Takes the call site's name away, before any processor that exports.
#[derive(Debug)]
pub(super) struct CallSitesAreNoEvents;

impl LogProcessor for CallSitesAreNoEvents {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        if record.event_name().is_some_and(is_call_site) {
            record.set_event_name("");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// What `tracing`'s macros call an event that was given no name.
fn is_call_site(name: &str) -> bool {
    name.starts_with("event ")
        && name
            .rsplit_once(':')
            .is_some_and(|(_, line)| line.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_call_site;

    #[test]
    fn only_call_sites_lose_their_name() {
        assert!(is_call_site("event collector/src/orders.rs:226"));
        assert!(!is_call_site("circuit_breaker.state_changed"));
        assert!(!is_call_site("event of the year"));
    }
}
