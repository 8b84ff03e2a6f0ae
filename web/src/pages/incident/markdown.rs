//! An incident as text for a chat or a report.

use std::fmt::Write as _;

use tripline_storage::model::{IncidentDetail, Phase};

use crate::pages::incidents::{chain, edge_of, verdict_word};
use crate::units;

/// The incident as Markdown, times frozen to UTC.
pub fn markdown(data: &IncidentDetail) -> String {
    let incident = &data.incident;
    let time = |ns: i64| units::timestamp(u64::try_from(ns).unwrap_or(0), 3);
    let mut out = format!("# {}\n\n", chain(incident));
    let end = incident
        .end_unix_nano
        .map_or_else(|| "going on".to_owned(), time);
    let _ = writeln!(
        out,
        "{} to {end}, incident `{}`\n",
        time(incident.start_unix_nano),
        incident.incident_id
    );
    if let Some(root) = &incident.root {
        let _ = writeln!(
            out,
            "## Likely root: {} (≈ {:.0} %)\n",
            root.service,
            100.0 * root.score
        );
        for clue in &root.evidence {
            let _ = writeln!(out, "- {}", clue.sentence);
        }
        out.push('\n');
    }
    out.push_str("## Order of trips\n\n");
    for breaker in &incident.breakers {
        let trace = breaker.trip.trace_id.as_deref().unwrap_or("no trace kept");
        let _ = writeln!(
            out,
            "- {} {} ({trace})",
            time(breaker.trip.time_unix_nano),
            edge_of(breaker)
        );
    }
    out.push_str("\n## Errors\n\n");
    for class in &data.error_classes {
        let mut breakers = incident.breakers.iter();
        let edge = breakers
            .find(|breaker| breaker.breaker_id == class.breaker_id)
            .map_or_else(String::new, |breaker| format!(", {}", edge_of(breaker)));
        let _ = writeln!(
            out,
            "- {} × {}{edge} (trace {}, {})",
            class.count, class.class, class.trace_id, class.label
        );
    }
    out.push_str("\n## Changes\n\n");
    for change in &data.changes {
        let _ = writeln!(
            out,
            "- {} {} {}: {}",
            time(change.time_unix_nano),
            change.kind,
            change.service,
            change.description
        );
    }
    out.push_str(
        "\n## Who is hurt\n\n| entry point | failed | degraded | unaffected |\n|---|---|---|---|\n",
    );
    for entry in &data.blast.entry_points {
        let _ = writeln!(
            out,
            "| {} {} | {:.0} | {:.0} | {:.0} |",
            entry.service, entry.name, entry.failed, entry.degraded, entry.unaffected
        );
    }
    out.push_str(
        "\n## Latency\n\nMedian / 95th percentile of the calls.\n\n| calls | before | during | after |\n|---|---|---|---|\n",
    );
    for course in &data.before_after.courses {
        let arrow = if course.peer.is_some() { "→ " } else { "" };
        let what = course.peer.as_ref().or(course.operation.as_ref());
        let _ = writeln!(
            out,
            "| {} {arrow}{} | {} | {} | {} |",
            course.service,
            what.map_or("", String::as_str),
            quantiles(Some(course.before)),
            quantiles(Some(course.during)),
            quantiles(course.after)
        );
    }
    let _ = writeln!(
        out,
        "\n**{}**: {}",
        verdict_word(&data.recovery),
        data.recovery.reason
    );
    out
}

/// `38 ms / 48 ms`.
fn quantiles(phase: Option<Phase>) -> String {
    let Some(phase) = phase.filter(|phase| phase.calls > 0) else {
        return "no calls".to_owned();
    };
    let [p50, p95] = [phase.latency.p50_ns, phase.latency.p95_ns].map(units::duration_or_dash);
    format!("{p50} / {p95}")
}
