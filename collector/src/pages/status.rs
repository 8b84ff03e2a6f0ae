//! `/status`: the receivers' and the store's counters as tables.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tripline_storage::store::{Durations, StoreStats};
use tripline_web::pages::{StatusSection, status as view};
use tripline_web::units;

use super::page;
use super::request::PageRequest;
use crate::api::AppState;

/// `/status`.
pub(super) async fn status(State(state): State<AppState>, request: PageRequest) -> Response {
    let stats = state.store.stats();
    let sections = [
        ingest(&state),
        queue(&state, &stats),
        work(&stats),
        segments(&stats),
        about(&state),
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

fn section(title: &str, columns: &[&str], rows: Vec<Vec<(String, bool)>>) -> StatusSection {
    StatusSection {
        title: title.to_owned(),
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        rows,
    }
}

fn ingest(state: &AppState) -> StatusSection {
    let counters = state.receiver.counters();
    let rows = [
        ("traces", "Spans"),
        ("logs", "Log records"),
        ("metrics", "Metric points"),
    ]
    .into_iter()
    .map(|(signal, name)| {
        let refused = counters.refused(signal);
        vec![
            (name.to_owned(), false),
            (units::count(counters.accepted(signal)), false),
            (units::count(refused), refused > 0),
        ]
    })
    .collect();
    section(
        "Ingest since start",
        &["Signal", "Accepted", "Refused or dropped"],
        rows,
    )
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

fn about(state: &AppState) -> StatusSection {
    let addresses = &state.addresses;
    let or_off =
        |address: &Option<String>| address.clone().unwrap_or_else(|| "not served".to_owned());
    section(
        "This server",
        &["", ""],
        vec![
            row("Version", env!("CARGO_PKG_VERSION").to_owned()),
            row("OTLP/gRPC", or_off(&addresses.otlp_grpc)),
            row("OTLP/HTTP", or_off(&addresses.otlp_http)),
            row("UI and API", addresses.http.clone()),
            row("Data", state.config.data_dir.display().to_string()),
        ],
    )
}
