//! What resilience did to a span: refused, tried again, served by a fallback, limited.

use leptos::prelude::*;
use tripline_storage::model::{AttributeValue, Refusal, SpanRecord};

use super::breaker_marks::path_of;
use crate::address::segment;
use crate::frame::Frame;
use crate::units;

/// Attributes that number an attempt, the first being 0 or 1: of our SDK, of OpenTelemetry's HTTP conventions, of
/// gRPC's and of what gRPC itself tells, and of Envoy's.
const ATTEMPTS: [(&str, i64); 5] = [
    ("retry.attempt", 1),
    ("http.request.resend_count", 0),
    ("rpc.grpc.retry_count", 0),
    ("previous-rpc-attempts", 0),
    ("envoy.attempt_count", 1),
];

/// Names of spans and of span events that say what served or refused the call.
const SAID: [(&str, &str); 5] = [
    ("fallback.used", "served by a fallback"),
    ("circuit-breaker fallback", "served by a fallback"),
    ("rate_limiter.rejected", "over the rate limit"),
    ("bulkhead.rejected", "bulkhead full"),
    ("hedge.started", "hedged"),
];

/// Attributes whose value `fallback`, `true` or a name says that a fallback answered.
const FELL_BACK: [&str; 2] = ["fallback.result", "resilience.fallback"];

/// Which attempt a span is, if not the first: 1 for the first retry.
fn retry(span: &SpanRecord) -> Option<i64> {
    ATTEMPTS.iter().find_map(|(key, first)| {
        let number = match value(span, key)? {
            AttributeValue::Int(number) => *number,
            AttributeValue::String(text) => text.parse().ok()?,
            _ => return None,
        };
        number.checked_sub(*first).filter(|retry| *retry > 0)
    })
}

fn value<'a>(span: &'a SpanRecord, key: &str) -> Option<&'a AttributeValue> {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key)?;
    Some(&found.value)
}

fn said(span: &SpanRecord) -> impl Iterator<Item = &'static str> {
    let by_name = SAID.into_iter().filter(|(name, _)| {
        span.name == *name || span.events.iter().any(|event| event.name == *name)
    });
    let by_attribute = FELL_BACK
        .iter()
        .any(|key| !matches!(value(span, key), None | Some(AttributeValue::Bool(false))));
    by_name
        .map(|(_, words)| words)
        .chain(by_attribute.then_some("served by a fallback"))
}

/// The tags of a row of the waterfall.
pub(super) fn tags(span: &SpanRecord, refusal: Option<&Refusal>, frame: &Frame) -> AnyView {
    let refused = refusal.map(|refusal| {
        let link = breaker_link(span, refusal, frame);
        let words = format!("refused by {}", who(refusal));
        let tripped = refusal.trip.as_ref().and_then(|trip| {
            let trace = trip.trace_id.as_deref()?;
            let link = frame.link(&format!("/traces/{}", segment(trace)), &[]);
            Some(view! { <a class="tag" href=link>"tripped by →"</a> })
        });
        let tag = match link {
            Some(link) => view! { <a class="tag refused" href=link>{words}</a> }.into_any(),
            None => view! { <span class="tag refused">{words}</span> }.into_any(),
        };
        view! { {tag} {tripped} }
    });
    let retry = retry(span)
        .map(|retry| view! { <span class="tag retry">{format!("retry {retry}")}</span> });
    let said = said(span)
        .map(|words| view! { <span class="tag">{words}</span> })
        .collect_view();
    view! { {refused}{retry}{said} }.into_any()
}

/// The same in the span's panel, as facts.
pub(super) fn facts(
    span: &SpanRecord,
    refusal: Option<&Refusal>,
    frame: &Frame,
) -> Option<AnyView> {
    let refusal = refusal?;
    let trip = refusal.trip.as_ref().map(|trip| {
        let at = units::time_of_day(u64::try_from(trip.time_unix_nano).unwrap_or(0), 3);
        let trace = trip.trace_id.as_deref().map(|trace| {
            let link = frame.link(&format!("/traces/{}", segment(trace)), &[]);
            view! { " by " <a href=link><code class="id">{trace.to_owned()}</code></a> }
        });
        view! { ", tripped " {at} " UTC" {trace} }
    });
    let breaker = match breaker_link(span, refusal, frame) {
        Some(link) => {
            view! { {of(&refusal.pattern)} " " <a href=link>{named(refusal)}</a> }.into_any()
        }
        None => view! { {who(refusal)} ", which the call does not name" }.into_any(),
    };
    let sure = format!(
        " · known by {}, {} of 100 sure",
        refusal.origin, refusal.confidence
    );
    Some(
        view! {
            <dt>"Refused"</dt>
            <dd>"by " {breaker} {trip} <span class="quiet">{sure}</span></dd>
        }
        .into_any(),
    )
}

/// The breaker's page at the time of the call: the trip nearest to it. None where nobody knows which breaker it is.
fn breaker_link(span: &SpanRecord, refusal: &Refusal, frame: &Frame) -> Option<String> {
    if refusal.name.is_empty() {
        return None;
    }
    let path = path_of(&refusal.service_name, &refusal.name, refusal.key.as_deref());
    // The owner's scope is known where the span is its own.
    let is_own = span.service_name.as_ref() == Some(&refusal.service_name);
    let page = if is_own {
        frame.link_in(&span.scope, &path, &[])
    } else {
        frame.link(&path, &[])
    };
    let at = units::timestamp(span.start_time_unix_nano, 3);
    let joint = if page.contains('?') { '&' } else { '?' };
    Some(format!("{page}{joint}at={at}"))
}

/// The breaker in words; without a name, its kind and the library that has it.
fn who(refusal: &Refusal) -> String {
    let kind = of(&refusal.pattern);
    if !refusal.name.is_empty() {
        return format!("{kind} {}", named(refusal));
    }
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind} of {}", refusal.origin)
}

fn named(refusal: &Refusal) -> String {
    match &refusal.key {
        Some(key) => format!("{} / {key}", refusal.name),
        None => refusal.name.clone(),
    }
}

/// `breaker`, `rate limit`, …
fn of(pattern: &str) -> String {
    pattern.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answered_in_the_place_of_a_call_is_known_by_the_name_of_its_span() {
        let named = |name: &str| SpanRecord {
            name: name.to_owned(),
            ..SpanRecord::default()
        };
        for name in ["fallback.used", "circuit-breaker fallback"] {
            let span = named(name);
            let words: Vec<&str> = said(&span).collect();
            assert_eq!(words, ["served by a fallback"], "{name}");
        }
        let span = named("circuit-breaker");
        assert_eq!(said(&span).count(), 0);
    }
}
