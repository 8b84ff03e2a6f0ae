//! What was accepted and what was not, by signal, transport and reason; written as Prometheus text.
//!
//! The `otelcol_receiver_*` names are those of the reference collector, so existing dashboards work.
//! Requests count by what their clients heard, items by what became of them: of a request past its deadline that is stored
//! later, the request counts as refused, its items as accepted and among those that nobody heard of.
//! Requests refused before decoding have an unknown number of items: they count as requests only.

mod traffic;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::refusal::Refusal;
use crate::decode::{DropReason, Drops};

pub use traffic::{Tally, Traffic};

/// The protocol a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC, gRPC-web included.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

const SIGNALS: [(&str, &str); 3] = [
    ("traces", "spans"),
    ("metrics", "metric_points"),
    ("logs", "log_records"),
];
const TRANSPORTS: [&str; 2] = ["grpc", "http"];
const REASONS: usize = Refusal::WORDS.len();

/// One number of a cell.
type Read = fn(&Cell) -> &AtomicU64;

#[derive(Default)]
struct Cell {
    accepted_items: AtomicU64,
    refused_items: AtomicU64,
    failed_items: AtomicU64,
    unheard_items: AtomicU64,
    accepted_requests: AtomicU64,
    body_bytes: AtomicU64,
    refused_requests: [AtomicU64; REASONS],
}

/// All counters of the receivers. Reading them changes nothing.
#[derive(Default)]
pub struct Counters {
    cells: [[Cell; 2]; 3],
    /// Requests that named no signal: a path that is not served, a protocol the connection cannot carry.
    strays: [[AtomicU64; REASONS]; 2],
    dropped: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    /// Why the last request of each transport was refused.
    last_refusals: [Mutex<Option<String>>; 2],
}

/// What came by one transport since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Door {
    /// Requests answered with success.
    pub accepted: u64,
    /// Requests refused.
    pub refused: u64,
    /// Why the last was refused, in words.
    pub last_reason: Option<String>,
}

impl Counters {
    fn cell(&self, signal: &str, transport: Transport) -> &Cell {
        let at = SIGNALS
            .iter()
            .position(|(name, _)| *name == signal)
            .unwrap_or(0);
        &self.cells[at][transport as usize]
    }

    /// Items stored, of a request of so many bytes.
    pub(super) fn store(&self, signal: &str, transport: Transport, items: u64, bytes: u64) {
        let cell = self.cell(signal, transport);
        cell.accepted_items.fetch_add(items, Relaxed);
        cell.body_bytes.fetch_add(bytes, Relaxed);
    }

    /// A request answered with success.
    pub(super) fn accept(&self, signal: &str, transport: Transport) {
        self.cell(signal, transport)
            .accepted_requests
            .fetch_add(1, Relaxed);
    }

    /// Items that are stored though their client does not know it: it was refused at its deadline, or hung up.
    pub(super) fn leave_unheard(&self, signal: &str, transport: Transport, items: u64) {
        self.cell(signal, transport)
            .unheard_items
            .fetch_add(items, Relaxed);
    }

    /// Items of a request that was otherwise accepted, left out for good.
    pub(super) fn drop_items(&self, signal: &'static str, transport: Transport, drops: &Drops) {
        self.cell(signal, transport)
            .refused_items
            .fetch_add(drops.rejected(), Relaxed);
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in drops.iter() {
            let reason: DropReason = reason;
            *dropped.entry((signal, reason.as_str())).or_default() += count;
        }
    }

    /// A refused request.
    pub(super) fn refuse(&self, signal: &str, transport: Transport, refusal: &Refusal) {
        self.note_refusal(
            &self.cell(signal, transport).refused_requests,
            transport,
            refusal,
        );
    }

    /// A refused request of which the signal is not known.
    pub(crate) fn refuse_stray(&self, transport: Transport, refusal: &Refusal) {
        self.note_refusal(&self.strays[transport as usize], transport, refusal);
    }

    fn note_refusal(&self, counts: &[AtomicU64; REASONS], transport: Transport, refusal: &Refusal) {
        let (.., word) = refusal.row();
        if let Some(at) = Refusal::WORDS.iter().position(|known| *known == word) {
            counts[at].fetch_add(1, Relaxed);
        }
        *self.last_refusals[transport as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(refusal.to_string());
    }

    /// The items of a request that was refused after decoding.
    pub(super) fn refuse_items(
        &self,
        signal: &str,
        transport: Transport,
        refusal: &Refusal,
        items: u64,
    ) {
        let cell = self.cell(signal, transport);
        let failed = matches!(refusal, Refusal::Internal);
        let counter = if failed {
            &cell.failed_items
        } else {
            &cell.refused_items
        };
        counter.fetch_add(items, Relaxed);
    }

    /// Items of `signal` stored, by both transports.
    pub fn accepted(&self, signal: &str) -> u64 {
        [Transport::Grpc, Transport::Http]
            .iter()
            .map(|transport| self.cell(signal, *transport).accepted_items.load(Relaxed))
            .sum()
    }

    /// Items of `signal` decoded but not stored, by both transports.
    pub fn refused(&self, signal: &str) -> u64 {
        [Transport::Grpc, Transport::Http]
            .iter()
            .map(|transport| self.cell(signal, *transport))
            .map(|cell| cell.refused_items.load(Relaxed) + cell.failed_items.load(Relaxed))
            .sum()
    }

    /// Requests by one transport, whatever their signal.
    pub fn door(&self, transport: Transport) -> Door {
        let cells = self
            .cells
            .iter()
            .map(|by_transport| &by_transport[transport as usize]);
        let total = |counts: &[AtomicU64; REASONS]| -> u64 {
            counts.iter().map(|count| count.load(Relaxed)).sum()
        };
        let mut door = Door {
            refused: total(&self.strays[transport as usize]),
            last_reason: self.last_refusals[transport as usize]
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            ..Door::default()
        };
        for cell in cells {
            door.accepted += cell.accepted_requests.load(Relaxed);
            door.refused += total(&cell.refused_requests);
        }
        door
    }

    /// Appends all counters in Prometheus text format.
    pub fn write_prometheus(&self, out: &mut String) {
        self.write_items(out);
        self.write_requests(out);
        head(
            out,
            "tripline_receiver_dropped_total",
            "counter",
            "items or parts left out, by reason",
        );
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        for ((signal, reason), count) in dropped.iter() {
            let _ = writeln!(
                out,
                "tripline_receiver_dropped_total{{signal=\"{signal}\",reason=\"{reason}\"}} {count}"
            );
        }
    }

    fn write_items(&self, out: &mut String) {
        let outcomes: [(&str, Read); 3] = [
            ("accepted", |cell| &cell.accepted_items),
            ("refused", |cell| &cell.refused_items),
            ("failed", |cell| &cell.failed_items),
        ];
        for (outcome, read) in outcomes {
            for ((_, items), cells) in SIGNALS.iter().zip(&self.cells) {
                let name = format!("otelcol_receiver_{outcome}_{items}");
                head(out, &name, "counter", "items by outcome");
                for (transport, cell) in TRANSPORTS.iter().zip(cells) {
                    let count = read(cell).load(Relaxed);
                    let _ = writeln!(
                        out,
                        "{name}{{receiver=\"otlp\",transport=\"{transport}\"}} {count}"
                    );
                }
            }
        }
    }

    fn write_requests(&self, out: &mut String) {
        let name = "tripline_receiver_requests_total";
        head(out, name, "counter", "requests by what was answered");
        self.each_cell(|labels, cell| {
            let accepted = ("accepted", &cell.accepted_requests);
            let refused = Refusal::WORDS.into_iter().zip(&cell.refused_requests);
            for (outcome, count) in std::iter::once(accepted).chain(refused) {
                let count = count.load(Relaxed);
                let _ = writeln!(out, "{name}{{{labels},outcome=\"{outcome}\"}} {count}");
            }
        });
        for (transport, counts) in TRANSPORTS.iter().zip(&self.strays) {
            for (outcome, count) in Refusal::WORDS.iter().zip(counts) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let labels = format!("signal=\"none\",transport=\"{transport}\"");
                    let _ = writeln!(out, "{name}{{{labels},outcome=\"{outcome}\"}} {count}");
                }
            }
        }
        let totals: [(&str, &str, Read); 2] = [
            (
                "tripline_receiver_unheard_items_total",
                "accepted items whose client had heard a refusal, or hung up",
                |cell| &cell.unheard_items,
            ),
            (
                "tripline_receiver_body_bytes_total",
                "bytes of stored requests, unpacked",
                |cell| &cell.body_bytes,
            ),
        ];
        for (name, help, read) in totals {
            head(out, name, "counter", help);
            self.each_cell(|labels, cell| {
                let _ = writeln!(out, "{name}{{{labels}}} {}", read(cell).load(Relaxed));
            });
        }
    }

    fn each_cell(&self, mut visit: impl FnMut(&str, &Cell)) {
        for ((signal, _), cells) in SIGNALS.iter().zip(&self.cells) {
            for (transport, cell) in TRANSPORTS.iter().zip(cells) {
                visit(
                    &format!("signal=\"{signal}\",transport=\"{transport}\""),
                    cell,
                );
            }
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

pub(super) fn write_gauge(out: &mut String, name: &str, help: &str, value: usize) {
    head(out, name, "gauge", help);
    let _ = writeln!(out, "{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_out_under_the_names_of_the_reference_collector() {
        let counters = Counters::default();
        counters.store("traces", Transport::Grpc, 3, 100);
        counters.leave_unheard("traces", Transport::Grpc, 3);
        counters.refuse("logs", Transport::Http, &Refusal::Closing);
        counters.refuse_items("logs", Transport::Http, &Refusal::Closing, 2);
        counters.refuse_stray(Transport::Http, &Refusal::NotServed);
        let mut text = String::new();
        counters.write_prometheus(&mut text);
        for line in [
            "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"} 3",
            "tripline_receiver_unheard_items_total{signal=\"traces\",transport=\"grpc\"} 3",
            "tripline_receiver_requests_total{signal=\"traces\",transport=\"grpc\",outcome=\"accepted\"} 0",
            "otelcol_receiver_refused_log_records{receiver=\"otlp\",transport=\"http\"} 2",
            "tripline_receiver_requests_total{signal=\"logs\",transport=\"http\",outcome=\"closing\"} 1",
            "tripline_receiver_requests_total{signal=\"none\",transport=\"http\",outcome=\"not_served\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert_eq!(
            (counters.accepted("traces"), counters.refused("logs")),
            (3, 2)
        );
    }
}
