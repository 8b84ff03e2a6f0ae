//! The store's counters as Prometheus families.

use tripline_storage::store::{DURATION_BUCKETS_SECONDS, Durations, StoreStats, WORK};

use super::prometheus::Exposition;

/// Writes everything [`StoreStats`] knows.
pub(super) fn write(text: &mut Exposition, stats: &StoreStats) {
    intake(text, stats);
    work(text, stats);
    segments(text, stats);
    let failing = f64::from(u8::from(stats.last_error.is_some()));
    text.single(
        "tripline_store_background_failing",
        "gauge",
        "1 while background work fails.",
        failing,
    );
    labelled(
        text,
        ["tripline_store_failing", "gauge"],
        "1 for work that failed when it was last tried.",
        "work",
        &WORK.map(|work| (work, u64::from(stats.failing.contains(&work)))),
    );
}

/// What came in, what was refused, and what waits.
fn intake(text: &mut Exposition, stats: &StoreStats) {
    labelled(
        text,
        ["tripline_store_accepted_total", "counter"],
        "Items committed since start.",
        "signal",
        &[
            ("spans", stats.spans_accepted),
            ("logs", stats.logs_accepted),
            ("data_points", stats.points_accepted),
        ],
    );
    labelled(
        text,
        ["tripline_store_refused_batches_total", "counter"],
        "Batches the store refused, nothing of them stored.",
        "reason",
        &[
            ("overloaded", stats.batches_overloaded),
            ("unavailable", stats.batches_unavailable),
            ("invalid", stats.batches_invalid),
        ],
    );
    text.single(
        "tripline_store_queue_bytes",
        "gauge",
        "Bytes queued or being committed.",
        stats.queue_bytes as f64,
    );
    text.single(
        "tripline_store_queue_bytes_max",
        "gauge",
        "The queue's bound.",
        stats.queue_bytes_max as f64,
    );
}

/// How long commits, seals and compactions took.
fn work(text: &mut Exposition, stats: &StoreStats) {
    for (name, help, took) in [
        (
            "tripline_store_commit_seconds",
            "Group commits.",
            &stats.commits,
        ),
        (
            "tripline_store_seal_seconds",
            "Seals of rotated segments.",
            &stats.seals,
        ),
        (
            "tripline_store_compaction_seconds",
            "Compactions.",
            &stats.compactions,
        ),
    ] {
        durations(text, name, help, took);
    }
}

/// What there is of segments, of their bytes and rows, and what became of the others.
fn segments(text: &mut Exposition, stats: &StoreStats) {
    labelled(
        text,
        ["tripline_store_segments", "gauge"],
        "Segments by state.",
        "state",
        &[
            ("hot", stats.segments_hot as u64),
            ("rotated", stats.segments_rotated as u64),
            ("sealed", stats.segments_sealed as u64),
            ("history", stats.segments_history as u64),
            ("refused", stats.segments_refused.len() as u64),
        ],
    );
    for (name, help, value) in [
        (
            "tripline_store_disk_bytes",
            "Bytes of all segment files.",
            stats.disk_bytes,
        ),
        (
            "tripline_store_sealed_rows",
            "Sealed rows known now.",
            stats.rows_sealed,
        ),
        (
            "tripline_store_quarantined_rows",
            "Rows that could not be sealed.",
            stats.rows_quarantined,
        ),
    ] {
        text.single(name, "gauge", help, value as f64);
    }
    labelled(
        text,
        ["tripline_store_segments_ended_total", "counter"],
        "Segments that are no more, by cause.",
        "cause",
        &[
            ("replaced", stats.segments_replaced),
            ("expired", stats.segments_expired),
            ("given_up", stats.segments_given_up),
        ],
    );
}

/// A family with one label: its values, each with a count.
fn labelled(
    text: &mut Exposition,
    [name, kind]: [&str; 2],
    help: &str,
    label: &str,
    counts: &[(&str, u64)],
) {
    text.family(name, kind, help);
    for (value, count) in counts {
        text.sample(name, &[(label, *value)], *count as f64);
    }
}

/// A histogram family without labels.
fn durations(text: &mut Exposition, name: &str, help: &str, durations: &Durations) {
    text.family(name, "histogram", help);
    histogram(text, name, &[], durations);
}

/// One histogram of a family; buckets accumulate as Prometheus wants them.
pub(super) fn histogram(
    text: &mut Exposition,
    name: &str,
    labels: &[(&str, &str)],
    durations: &Durations,
) {
    let bucket = format!("{name}_bucket");
    let mut at = |bound: &str, below: u64| {
        let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("le", bound)]).collect();
        text.sample(&bucket, &labels, below as f64);
    };
    let mut below = 0;
    for (bound, count) in DURATION_BUCKETS_SECONDS.iter().zip(durations.buckets) {
        below += count;
        at(&bound.to_string(), below);
    }
    at("+Inf", durations.count);
    text.sample(
        &format!("{name}_sum"),
        labels,
        durations.total.as_secs_f64(),
    );
    text.sample(&format!("{name}_count"), labels, durations.count as f64);
}
