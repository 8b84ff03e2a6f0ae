//! Clocks of a trace that disagree: nothing begins before what called it. Spans are drawn as they were sent, so that what
//! cannot be is told in words.

use std::collections::{BTreeMap, HashMap};

use leptos::prelude::*;
use tripline_storage::model::SpanRecord;

use crate::units;

/// What two services disagree about.
#[derive(Debug, PartialEq, Eq)]
struct Skew<'a> {
    caller: &'a str,
    callee: &'a str,
    /// Spans of the callee that show it.
    spans: u64,
    /// By how much at least, nanoseconds.
    ns: u64,
}

/// Services told at most, of each kind.
const TOLD_MAX: usize = 5;

/// Which services disagree and by how much at least; nothing where all clocks agree.
pub(super) fn note(spans: &[SpanRecord]) -> Option<AnyView> {
    let mut told = sentences(&skews(spans, early_ns), behind);
    told.extend(sentences(&skews(spans, late_ns), ahead));
    (!told.is_empty()).then(|| {
        let lines = told
            .into_iter()
            .map(|line| view! { <p class="note amber">{line}</p> })
            .collect_view();
        view! { {lines}<p class="note">"Spans are drawn as their senders' clocks have them."</p> }
            .into_any()
    })
}

/// A sentence for each of the worst, and how many there are besides.
fn sentences(skews: &[Skew<'_>], words: fn(&Skew<'_>) -> String) -> Vec<String> {
    let left = skews.len().saturating_sub(TOLD_MAX);
    let more = (left > 0).then(|| format!("The same of {left} more pairs of services."));
    skews.iter().take(TOLD_MAX).map(words).chain(more).collect()
}

fn behind(skew: &Skew<'_>) -> String {
    let (callee, caller) = (named(skew.callee), named(skew.caller));
    let at_least = units::duration(skew.ns);
    let shown = match skew.spans {
        1 => "a span of it begins before the span that called it".to_owned(),
        spans => format!(
            "{} spans of it begin before the spans that called them",
            units::count(spans)
        ),
    };
    if skew.callee == skew.caller {
        return format!("Clocks of {callee} differ by at least {at_least}: {shown}.");
    }
    format!("The clock of {callee} is at least {at_least} behind that of {caller}: {shown}.")
}

fn ahead(skew: &Skew<'_>) -> String {
    let spans = units::counted(skew.spans, "span");
    let verb = if skew.spans == 1 { "ends" } else { "end" };
    let (callee, caller) = (named(skew.callee), named(skew.caller));
    let most = units::duration(skew.ns);
    format!(
        "{spans} of {callee} {verb} up to {most} after the call of {caller} that had the answer: \
         the clock of {callee} is ahead by at least that, or it worked on after its answer."
    )
}

fn named(service: &str) -> &str {
    match service {
        "" => "a service without a name",
        name => name,
    }
}

/// How long a span begins before the one that called it.
fn early_ns(caller: &SpanRecord, callee: &SpanRecord) -> u64 {
    caller
        .start_time_unix_nano
        .saturating_sub(callee.start_time_unix_nano)
}

/// What a server does between its answer and the end of its span is no other clock, nanoseconds.
const LATE_MIN_NS: u64 = 1_000_000;

/// How long a span ends after the call that had its answer. One that failed may have given up before.
fn late_ns(caller: &SpanRecord, callee: &SpanRecord) -> u64 {
    let has_answer =
        caller.kind == "client" && callee.kind == "server" && caller.status_code != "error";
    if !has_answer {
        return 0;
    }
    let late = callee
        .end_time_unix_nano
        .saturating_sub(caller.end_time_unix_nano);
    if late < LATE_MIN_NS { 0 } else { late }
}

/// The pairs of services of which some spans are off, the worst first.
fn skews(spans: &[SpanRecord], off_ns: fn(&SpanRecord, &SpanRecord) -> u64) -> Vec<Skew<'_>> {
    let by_id: HashMap<&str, &SpanRecord> = spans
        .iter()
        .map(|span| (span.span_id.as_str(), span))
        .collect();
    let mut found: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for callee in spans {
        let parent = callee.parent_span_id.as_deref();
        let Some(caller) = parent.and_then(|id| by_id.get(id)).copied() else {
            continue;
        };
        let is_timed = caller.start_time_unix_nano > 0 && callee.start_time_unix_nano > 0;
        let ns = off_ns(caller, callee);
        if !is_timed || ns == 0 {
            continue;
        }
        let names = [caller, callee].map(|span| span.service_name.as_deref().unwrap_or_default());
        let (count, most) = found.entry((names[0], names[1])).or_default();
        *count += 1;
        *most = ns.max(*most);
    }
    let mut skews: Vec<Skew<'_>> = found
        .into_iter()
        .map(|((caller, callee), (spans, ns))| Skew {
            caller,
            callee,
            spans,
            ns,
        })
        .collect();
    skews.sort_by_key(|skew| std::cmp::Reverse(skew.ns));
    skews
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>, of: (&str, &str), start: u64, end: u64) -> SpanRecord {
        let (service_name, kind) = of;
        SpanRecord {
            span_id: id.to_owned(),
            parent_span_id: parent.map(str::to_owned),
            service_name: Some(service_name.to_owned()),
            kind: kind.to_owned(),
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            ..SpanRecord::default()
        }
    }

    #[test]
    fn who_begins_before_its_caller_is_told_by_the_most_it_shows() {
        let spans = [
            span("a", None, ("shop", "server"), 1_000, 9_000),
            span("b", Some("a"), ("shop", "client"), 1_100, 8_000),
            span("c", Some("b"), ("pay", "server"), 900, 7_000),
            span("d", Some("b"), ("pay", "server"), 400, 500),
            // In order, and without a time.
            span("e", Some("a"), ("mail", "consumer"), 5_000, 99_000),
            span("f", Some("a"), ("mail", "consumer"), 0, 0),
        ];
        let expected = Skew {
            caller: "shop",
            callee: "pay",
            spans: 2,
            ns: 700,
        };
        assert_eq!(skews(&spans, early_ns), [expected]);
        assert!(skews(&spans, late_ns).is_empty());
    }

    #[test]
    fn who_ends_after_an_answered_call_is_told_but_not_who_was_given_up() {
        let mut spans = [
            span("b", None, ("shop", "client"), 1_000, 2_000_000),
            span("c", Some("b"), ("pay", "server"), 1_100, 5_000_000),
        ];
        let found = skews(&spans, late_ns);
        assert_eq!((found.len(), found[0].ns), (1, 3_000_000));
        let told = ahead(&found[0]);
        assert!(
            told.starts_with("1 span of pay ends up to 3 ms after the call of shop"),
            "{told}"
        );
        spans[0].status_code = "error".to_owned();
        assert!(skews(&spans, late_ns).is_empty());
    }
}
