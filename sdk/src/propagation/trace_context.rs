//! `traceparent` and `tracestate`, read and written.
//!
//! [W3C Trace Context](https://www.w3.org/TR/trace-context/), sections 3.2 (traceparent), 3.3
//! (tracestate) and 4 (processing).

use std::collections::HashSet;

use opentelemetry::trace::{SpanContext, TraceState};
use opentelemetry::{SpanId, TraceFlags, TraceId};

/// Length of `00-<32>-<16>-<2>`.
const PARENT_LENGTH: usize = 55;
/// The recommendation's limit of list members.
const MEMBERS_MAX: usize = 32;
/// The flags that mean something: sampled (level 1) and random trace id (level 2).
const KNOWN_FLAGS: u8 = 0b11;

/// The parent a request names. Exactly one valid `traceparent` makes one.
pub(super) fn parse(parents: &[&str], states: &[&str]) -> Option<SpanContext> {
    let [parent] = parents else { return None };
    let (trace_id, span_id, flags) = parse_parent(trim(parent))?;
    let state = parse_state(states).unwrap_or_default();
    Some(SpanContext::new(trace_id, span_id, flags, true, state))
}

/// `traceparent` of a span: always version 00.
pub(super) fn format_parent(span: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        span.trace_id(),
        span.span_id(),
        span.trace_flags().to_u8() & KNOWN_FLAGS
    )
}

fn parse_parent(value: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let bytes = value.as_bytes();
    if bytes.len() < PARENT_LENGTH || [2, 35, 52].iter().any(|&at| bytes[at] != b'-') {
        return None;
    }
    let version = hex(&bytes[0..2])?;
    let known = version == 0;
    if version == 0xff || (known && bytes.len() != PARENT_LENGTH) {
        return None;
    }
    // A later version may say more, after another dash.
    if bytes.get(PARENT_LENGTH).is_some_and(|&next| next != b'-') {
        return None;
    }
    let trace_id = TraceId::from(hex(&bytes[3..35])?);
    let span_id = SpanId::from(u64::try_from(hex(&bytes[36..52])?).ok()?);
    let flags = u8::try_from(hex(&bytes[53..55])?).ok()? & KNOWN_FLAGS;
    let valid = trace_id != TraceId::INVALID && span_id != SpanId::INVALID;
    valid.then_some((trace_id, span_id, TraceFlags::new(flags)))
}

/// Lower-case hex digits, and nothing else.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// The joined `tracestate` headers; nothing if any part of them is invalid. Of a key that occurs
/// twice the first, most recent, member is kept.
fn parse_state(headers: &[&str]) -> Option<TraceState> {
    let mut members = Vec::new();
    let mut keys = HashSet::new();
    let listed = headers
        .iter()
        .flat_map(|header| header.split(','))
        .map(trim)
        .filter(|member| !member.is_empty());
    for (index, member) in listed.enumerate() {
        let (key, value) = member.split_once('=')?;
        if index == MEMBERS_MAX || !is_key(key) || !is_value(value) {
            return None;
        }
        if keys.insert(key) {
            members.push((key, value));
        }
    }
    TraceState::from_key_value(members).ok()
}

/// `key` or `tenant@system`.
fn is_key(key: &str) -> bool {
    let is_part = |part: &str, max: usize, may_start: fn(&u8) -> bool| {
        let bytes = part.as_bytes();
        (1..=max).contains(&bytes.len())
            && bytes.first().is_some_and(may_start)
            && bytes
                .iter()
                .all(|&byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
    };
    let letter_or_digit = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    match key.split_once('@') {
        None => is_part(key, 256, letter_or_digit),
        Some((tenant, system)) => {
            is_part(tenant, 241, letter_or_digit) && is_part(system, 14, u8::is_ascii_lowercase)
        }
    }
}

/// 1 to 256 printable characters without `,` and `=`, the last of them no space.
fn is_value(value: &str) -> bool {
    let bytes = value.as_bytes();
    (1..=256).contains(&bytes.len())
        && bytes
            .iter()
            .all(|&byte| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=')
        && bytes.last() != Some(&b' ')
}

/// Without optional white space: spaces and tabs.
pub(super) fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn is_parent(value: &str) -> bool {
        parse(&[value], &[]).is_some()
    }

    #[test]
    fn only_a_well_formed_parent_counts() {
        for good in [
            PARENT,
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-says",
            "\t 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
        ] {
            assert!(is_parent(good), "{good:?}");
        }
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0A-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "+0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-101",
        ] {
            assert!(!is_parent(bad), "{bad:?}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        assert!(parse(&[PARENT, PARENT], &[]).is_none());
        assert!(parse(&[], &["a=1"]).is_none());
    }

    #[test]
    fn unknown_flags_are_not_passed_on() {
        let all = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff";
        let span = parse(&[all], &[]).expect("a parent");
        assert!(format_parent(&span).ends_with("-03"));
    }

    fn state(headers: &[&str]) -> Option<String> {
        parse_state(headers).map(|state| state.header())
    }

    #[test]
    fn state_is_kept_or_dropped_as_a_whole() {
        let thirty_two: Vec<String> = (0..32).map(|n| format!("k{n}=v")).collect();
        let thirty_three = [thirty_two.clone(), vec!["one=more".into()]].concat();
        assert_eq!(state(&[&thirty_two.join(",")]), Some(thirty_two.join(",")));
        assert_eq!(state(&[&thirty_three.join(",")]), None);
        let long_key = format!("{}=1", "k".repeat(256));
        assert_eq!(state(&[&long_key]), Some(long_key.clone()));
        let too_long_key = format!("k{long_key}");
        let too_long_value = format!("a={}", "v".repeat(257));
        // 14 characters would be right; the API of OpenTelemetry refuses more than 13.
        let tenant = format!("{}@{}=1", "t".repeat(241), "v".repeat(13));
        assert_eq!(state(&[&tenant]), Some(tenant.clone()));
        for bad in [
            "foo",
            "foo=",
            "=1",
            "FOO=1",
            "foo =1",
            "foo.bar=1",
            "foo@=1",
            "@foo=1",
            "a@b@c=1",
            "foo=b=r",
            "foo=b\u{e9}r",
            "foo=b\tr",
            &too_long_key,
            &too_long_value,
            &format!("t{tenant}"),
            "good=1,BAD=2",
        ] {
            assert_eq!(state(&[bad]), None, "{bad:?}");
        }
    }

    #[test]
    fn headers_are_joined_in_order_and_white_space_goes() {
        assert_eq!(
            state(&["foo=1 ,\tbar=2", "", " , baz=3"]),
            Some("foo=1,bar=2,baz=3".into())
        );
        assert_eq!(state(&["foo=1,foo=2"]), Some("foo=1".into()));
        assert_eq!(
            state(&["a= leading space stays"]),
            Some("a= leading space stays".into())
        );
    }
}
