//! `/status`: the receivers' and the store's counters as tables, what is kept how long, and what took long.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tripline_storage::query;
use tripline_storage::store::{Durations, StoreStats};
use tripline_web::pages::{StatusSection, status as view};
use tripline_web::units;

use super::answer::page;
use super::request::PageRequest;
use crate::api::AppState;
use crate::config::StoreSection;
use crate::operations::query_times::SlowQuery;
use crate::receive::{Counters, Traffic, Transport};

/// `/status`.
pub(super) async fn status(State(state): State<AppState>, request: PageRequest) -> Response {
    let stats = state.store.stats();
    let counters = state.receiver.counters();
    let traffic = counters.traffic();
    let engine = state.ask(query::engine_version).await.ok();
    let sections = [
        ingest(&traffic),
        refused(&traffic, counters),
        dropped(counters),
        queue(&state, &stats),
        work(&stats),
        segments(&stats),
        retention(&state.config.store, &stats),
        slow_queries(&state.times.slowest()),
        about(&state, engine),
    ];
    page(&request.frame, StatusCode::OK, "Status", |frame| {
        view(&sections, frame)
    })
}

fn row(name: &str, value: String) -> Vec<(String, bool)> {
    vec![(name.to_owned(), false), (value, false)]
}

fn alarm(name: &str, value: u64) -> Vec<(String, bool)> {
    vec![(name.to_owned(), false), (units::count(value), value > 0)]
}

/// A table whose first column is words and the others are numbers.
fn section(title: &str, columns: &[&str], rows: Vec<Vec<(String, bool)>>) -> StatusSection {
    StatusSection {
        title: title.to_owned(),
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        words: 1,
        rows,
        when_empty: "",
    }
}

/// A signal as its items are called.
fn items_of(signal: &str) -> &'static str {
    match signal {
        "traces" => "Spans",
        "logs" => "Log records",
        "metrics" => "Metric points",
        _ => "No signal",
    }
}

fn port_of(transport: &str) -> &'static str {
    if transport == "grpc" {
        "OTLP/gRPC"
    } else {
        "OTLP/HTTP"
    }
}

fn word(text: &str) -> (String, bool) {
    (text.to_owned(), false)
}

/// Items and requests by signal and port.
fn ingest(traffic: &[Traffic]) -> StatusSection {
    let number = |value: u64| (units::count(value), false);
    let alarming = |value: u64| (units::count(value), value > 0);
    let rows = traffic
        .iter()
        .filter(|row| row.signal != "none")
        .map(|row| {
            let refused: u64 = row.refused_requests.iter().map(|(_, count)| count).sum();
            vec![
                word(items_of(row.signal)),
                word(port_of(row.transport)),
                number(row.accepted_items),
                alarming(row.refused_items),
                alarming(row.failed_items),
                number(row.accepted_requests),
                alarming(refused),
                (units::bytes(row.body_bytes), false),
            ]
        })
        .collect();
    let columns = [
        "Signal",
        "Port",
        "Accepted",
        "Refused or dropped",
        "Lost to an error",
        "Requests accepted",
        "Requests refused",
        "Unpacked",
    ];
    StatusSection {
        words: 2,
        ..section("Ingest since start", &columns, rows)
    }
}

/// Why requests were refused, by signal and port; and the last reason of each port in words.
fn refused(traffic: &[Traffic], counters: &Counters) -> StatusSection {
    let mut rows = Vec::new();
    for row in traffic {
        rows.extend(row.refused_requests.iter().map(|(reason, count)| {
            vec![
                word(items_of(row.signal)),
                word(port_of(row.transport)),
                word(&reason.replace('_', " ")),
                (units::count(*count), true),
            ]
        }));
    }
    for (transport, port) in [
        (Transport::Grpc, "OTLP/gRPC"),
        (Transport::Http, "OTLP/HTTP"),
    ] {
        if let Some(reason) = counters.door(transport).last_reason {
            let reason = format!("the last: {reason}");
            rows.push(vec![word(""), word(port), (reason, false), word("")]);
        }
    }
    StatusSection {
        words: 3,
        when_empty: "No request was refused since the start.",
        ..section(
            "Refused requests since start",
            &["Signal", "Port", "Reason", "Requests"],
            rows,
        )
    }
}

/// What was left out of requests that were accepted otherwise.
fn dropped(counters: &Counters) -> StatusSection {
    let rows = counters
        .dropped()
        .into_iter()
        .map(|(signal, reason, count)| {
            vec![
                word(items_of(signal)),
                word(&reason.replace('_', " ")),
                (units::count(count), count > 0),
            ]
        })
        .collect();
    StatusSection {
        words: 2,
        when_empty: "Nothing was dropped since the start.",
        ..section(
            "Dropped since start",
            &["Signal", "Reason", "Items or parts"],
            rows,
        )
    }
}

fn queue(state: &AppState, stats: &StoreStats) -> StatusSection {
    let (held, limit) = state.receiver.bytes_in_flight();
    let of = |held: usize, limit: usize| {
        format!(
            "{} of {}",
            units::bytes(held as u64),
            units::bytes(limit as u64)
        )
    };
    section(
        "Queue",
        &["", "Now"],
        vec![
            row("Requests in flight", of(held, limit)),
            row(
                "Waiting for a commit",
                of(stats.queue_bytes, stats.queue_bytes_max),
            ),
            alarm("Batches refused: queue full", stats.batches_overloaded),
            alarm("Batches refused: no commit", stats.batches_unavailable),
        ],
    )
}

fn work(stats: &StoreStats) -> StatusSection {
    let line = |name: &str, work: &Durations| {
        let mean = u32::try_from(work.count)
            .ok()
            .filter(|n| *n > 0)
            .map(|n| work.total / n);
        let text = |d: std::time::Duration| {
            units::duration(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
        };
        vec![
            (name.to_owned(), false),
            (units::count(work.count), false),
            (mean.map_or_else(|| "–".to_owned(), text), false),
            (
                if work.count > 0 {
                    text(work.max)
                } else {
                    "–".to_owned()
                },
                false,
            ),
        ]
    };
    let rows = vec![
        line("Commits", &stats.commits),
        line("Seals", &stats.seals),
        line("Compactions", &stats.compactions),
    ];
    section("Work of the store", &["", "Done", "Mean", "Longest"], rows)
}

fn segments(stats: &StoreStats) -> StatusSection {
    let number = |n: usize| units::count(n as u64);
    let mut rows = vec![
        row("Hot", number(stats.segments_hot)),
        row("Waiting to be sealed", number(stats.segments_rotated)),
        row("Sealed", number(stats.segments_sealed)),
        row("History only", number(stats.segments_history)),
        row("On disk", units::bytes(stats.disk_bytes)),
        row("Rows sealed", units::count(stats.rows_sealed)),
        row("Merged away", units::count(stats.segments_replaced)),
        row("Expired", units::count(stats.segments_expired)),
        alarm("Expired without history", stats.segments_given_up),
        alarm("Rows in quarantine", stats.rows_quarantined),
        alarm("Files refused", stats.segments_refused.len() as u64),
    ];
    for refused in &stats.segments_refused {
        rows.push(vec![
            (refused.file.clone(), false),
            (refused.reason.clone(), true),
        ]);
    }
    if let Some(error) = &stats.last_error {
        rows.push(vec![
            ("Last error".to_owned(), false),
            (error.clone(), true),
        ]);
    }
    section("Segments", &["", "Now"], rows)
}

/// What is deleted when, as it is configured.
fn retention(store: &StoreSection, stats: &StoreStats) -> StatusSection {
    let bound = match store.retention_bytes.bytes() {
        0 => "never".to_owned(),
        bytes => format!(
            "beyond {}, {} held",
            units::bytes(bytes),
            units::bytes(stats.disk_bytes)
        ),
    };
    section(
        "Retention",
        &["", "Deleted"],
        vec![
            row(
                "Raw telemetry, by age (retention_age)",
                format!("after {}", store.retention_age),
            ),
            row("Raw telemetry, by size (retention_bytes)", bound),
            row(
                "Roll-ups and breaker history (history_age)",
                format!("after {}", store.history_age),
            ),
        ],
    )
}

fn slow_queries(slowest: &[SlowQuery]) -> StatusSection {
    let nanos = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let rows = slowest
        .iter()
        .map(|slow| {
            let age = nanos(slow.ended.elapsed().unwrap_or_default());
            vec![
                word(&slow.text),
                (slow.outcome.to_owned(), slow.outcome != "ok"),
                (units::duration(nanos(slow.took)), false),
                (units::ago(0, age), false),
            ]
        })
        .collect();
    StatusSection {
        words: 2,
        when_empty: "Nobody ran a query of their own in the last hour.",
        ..section(
            "Slow queries of the last hour",
            &["Query", "Outcome", "Took", "Ended"],
            rows,
        )
    }
}

fn about(state: &AppState, engine: Option<String>) -> StatusSection {
    let addresses = &state.addresses;
    let or_off =
        |address: &Option<String>| address.clone().unwrap_or_else(|| "not served".to_owned());
    section(
        "This server",
        &["", ""],
        vec![
            row("Version", env!("CARGO_PKG_VERSION").to_owned()),
            row("DuckDB", engine.unwrap_or_else(|| "not known".to_owned())),
            row("OTLP/gRPC", or_off(&addresses.otlp_grpc)),
            row("OTLP/HTTP", or_off(&addresses.otlp_http)),
            row("UI and API", addresses.http.clone()),
            row("Data", state.config.data_dir.display().to_string()),
        ],
    )
}
