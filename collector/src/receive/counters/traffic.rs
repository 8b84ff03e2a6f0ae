//! The counters as plain numbers: what pages show of them.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Counters, REASONS, Refusal, SIGNALS, TRANSPORTS, Transport};

/// What came of one signal by one transport since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// `traces`, `metrics` or `logs`; `none` for requests that named no signal.
    pub signal: &'static str,
    /// `grpc` or `http`.
    pub transport: &'static str,
    /// Items stored.
    pub accepted_items: u64,
    /// Items decoded and then refused or dropped.
    pub refused_items: u64,
    /// Items lost to a bug of ours.
    pub failed_items: u64,
    /// Requests answered with success.
    pub accepted_requests: u64,
    /// Bytes of the requests that were stored, unpacked.
    pub body_bytes: u64,
    /// Requests refused, by reason; reasons that never occurred are left out.
    pub refused_requests: Vec<(&'static str, u64)>,
}

/// What had been counted at one moment since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    accepted_items: [u64; SIGNALS.len()],
    refused_items: [u64; SIGNALS.len()],
    accepted_requests: [u64; TRANSPORTS.len()],
    refused_requests: [u64; TRANSPORTS.len()],
}

impl Tally {
    /// What was counted after `earlier`.
    #[must_use]
    pub fn since(self, earlier: &Self) -> Self {
        Self {
            accepted_items: less(self.accepted_items, &earlier.accepted_items),
            refused_items: less(self.refused_items, &earlier.refused_items),
            accepted_requests: less(self.accepted_requests, &earlier.accepted_requests),
            refused_requests: less(self.refused_requests, &earlier.refused_requests),
        }
    }

    /// Items of `signal` that were stored, and those that were decoded but not stored.
    pub fn items(&self, signal: &str) -> (u64, u64) {
        SIGNALS
            .iter()
            .position(|(name, _)| *name == signal)
            .map_or((0, 0), |at| {
                (self.accepted_items[at], self.refused_items[at])
            })
    }

    /// Requests by `transport` that were answered with success, and those that were refused.
    pub fn requests(&self, transport: Transport) -> (u64, u64) {
        let at = transport as usize;
        (self.accepted_requests[at], self.refused_requests[at])
    }
}

fn less<const N: usize>(mut counts: [u64; N], earlier: &[u64; N]) -> [u64; N] {
    for (count, before) in counts.iter_mut().zip(earlier) {
        *count = count.saturating_sub(*before);
    }
    counts
}

impl Counters {
    /// All there is to say of now, in few numbers.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (at, (signal, _)) in SIGNALS.iter().enumerate() {
            tally.accepted_items[at] = self.accepted(signal);
            tally.refused_items[at] = self.refused(signal);
        }
        for (at, transport) in [Transport::Grpc, Transport::Http].into_iter().enumerate() {
            let door = self.door(transport);
            tally.accepted_requests[at] = door.accepted;
            tally.refused_requests[at] = door.refused;
        }
        tally
    }

    /// One row a signal and transport, then those of requests that named no signal, if there were any.
    pub fn traffic(&self) -> Vec<Traffic> {
        let mut rows = Vec::new();
        for (&(signal, _), cells) in SIGNALS.iter().zip(&self.cells) {
            for (&transport, cell) in TRANSPORTS.iter().zip(cells) {
                rows.push(Traffic {
                    signal,
                    transport,
                    accepted_items: cell.accepted_items.load(Relaxed),
                    refused_items: cell.refused_items.load(Relaxed),
                    failed_items: cell.failed_items.load(Relaxed),
                    accepted_requests: cell.accepted_requests.load(Relaxed),
                    body_bytes: cell.body_bytes.load(Relaxed),
                    refused_requests: by_reason(&cell.refused_requests),
                });
            }
        }
        for (&transport, counts) in TRANSPORTS.iter().zip(&self.strays) {
            let refused_requests = by_reason(counts);
            if !refused_requests.is_empty() {
                rows.push(Traffic {
                    signal: "none",
                    transport,
                    refused_requests,
                    ..Traffic::default()
                });
            }
        }
        rows
    }

    /// Signal, reason and number of items or parts that were left out of requests otherwise accepted.
    pub fn dropped(&self) -> Vec<(&'static str, &'static str, u64)> {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped
            .iter()
            .map(|((signal, reason), count)| (*signal, *reason, *count))
            .collect()
    }
}

fn by_reason(counts: &[AtomicU64; REASONS]) -> Vec<(&'static str, u64)> {
    Refusal::WORDS
        .into_iter()
        .zip(counts.iter().map(|count| count.load(Relaxed)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_request_is_told_by_signal_transport_and_reason() {
        let counters = Counters::default();
        counters.store("traces", Transport::Grpc, 3, 100);
        counters.accept("traces", Transport::Grpc);
        let before = counters.tally();
        counters.store("traces", Transport::Http, 4, 10);
        counters.accept("traces", Transport::Http);
        counters.refuse("logs", Transport::Http, &Refusal::Unauthenticated);
        counters.refuse("logs", Transport::Http, &Refusal::Unauthenticated);
        counters.refuse_stray(Transport::Grpc, &Refusal::NotServed);
        counters.refuse_items("metrics", Transport::Grpc, &Refusal::Closing, 2);
        let since = counters.tally().since(&before);
        assert_eq!(
            (since.items("traces"), since.items("metrics")),
            ((4, 0), (0, 2))
        );
        assert_eq!(since.requests(Transport::Http), (1, 2));
        assert_eq!(since.requests(Transport::Grpc), (0, 1));
        let rows = counters.traffic();
        let told: Vec<_> = rows
            .iter()
            .filter(|row| !row.refused_requests.is_empty())
            .map(|row| (row.signal, row.transport, row.refused_requests.clone()))
            .collect();
        assert_eq!(
            told,
            [
                ("logs", "http", vec![("unauthenticated", 2)]),
                ("none", "grpc", vec![("not_served", 1)])
            ]
        );
        assert_eq!((rows[0].accepted_items, rows[0].body_bytes), (3, 100));
    }
}
