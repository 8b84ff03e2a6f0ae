//! The store's counters as Prometheus families.

use tripline_storage::store::{DURATION_BUCKETS_SECONDS, Durations, StoreStats};

use super::prometheus::Exposition;

/// Writes everything [`StoreStats`] knows.
pub(super) fn write(text: &mut Exposition, stats: &StoreStats) {
    text.family(
        "tripline_store_accepted_total",
        "counter",
        "Items committed since start.",
    );
    for (signal, count) in [
        ("spans", stats.spans_accepted),
        ("logs", stats.logs_accepted),
        ("data_points", stats.points_accepted),
    ] {
        text.sample(
            "tripline_store_accepted_total",
            &[("signal", signal)],
            count as f64,
        );
    }
    text.family(
        "tripline_store_refused_batches_total",
        "counter",
        "Batches the store refused, nothing of them stored.",
    );
    for (reason, count) in [
        ("overloaded", stats.batches_overloaded),
        ("unavailable", stats.batches_unavailable),
    ] {
        text.sample(
            "tripline_store_refused_batches_total",
            &[("reason", reason)],
            count as f64,
        );
    }
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
    durations(
        text,
        "tripline_store_commit_seconds",
        "Group commits.",
        &stats.commits,
    );
    durations(
        text,
        "tripline_store_seal_seconds",
        "Seals of rotated segments.",
        &stats.seals,
    );
    durations(
        text,
        "tripline_store_compaction_seconds",
        "Compactions.",
        &stats.compactions,
    );
    text.family("tripline_store_segments", "gauge", "Segments by state.");
    for (state, count) in [
        ("hot", stats.segments_hot),
        ("rotated", stats.segments_rotated),
        ("sealed", stats.segments_sealed),
        ("history", stats.segments_history),
        ("refused", stats.segments_refused.len()),
    ] {
        text.sample("tripline_store_segments", &[("state", state)], count as f64);
    }
    text.single(
        "tripline_store_disk_bytes",
        "gauge",
        "Bytes of all segment files.",
        stats.disk_bytes as f64,
    );
    text.single(
        "tripline_store_sealed_rows",
        "gauge",
        "Sealed rows known now.",
        stats.rows_sealed as f64,
    );
    text.single(
        "tripline_store_quarantined_rows",
        "gauge",
        "Rows that could not be sealed.",
        stats.rows_quarantined as f64,
    );
    text.family(
        "tripline_store_segments_ended_total",
        "counter",
        "Segments that are no more, by cause.",
    );
    for (cause, count) in [
        ("replaced", stats.segments_replaced),
        ("expired", stats.segments_expired),
    ] {
        text.sample(
            "tripline_store_segments_ended_total",
            &[("cause", cause)],
            count as f64,
        );
    }
    let failing = f64::from(u8::from(stats.last_error.is_some()));
    text.single(
        "tripline_store_background_failing",
        "gauge",
        "1 while background work fails.",
        failing,
    );
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
