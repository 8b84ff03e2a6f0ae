//! `baggage`, read and written.
//!
//! [W3C Baggage](https://www.w3.org/TR/baggage/), section 3. Members beyond the limits (64 members,
//! 8 192 bytes) are dropped whole, never cut.

use std::fmt::Write as _;

use opentelemetry::baggage::{Baggage, BaggageMetadata};

use super::trace_context::trim;

/// Limit of section 3.3.2.
const MEMBERS_MAX: usize = 64;
/// Limit of section 3.3.2, bytes of the whole header.
const BYTES_MAX: usize = 8_192;

/// The members of all headers together, as far as the limits go. Invalid ones are left out.
pub(super) fn parse(headers: &[&str]) -> Baggage {
    let mut baggage = Baggage::new();
    let mut bytes = 0;
    let listed = headers.iter().flat_map(|header| header.split(','));
    for (index, member) in listed.enumerate() {
        bytes += member.len() + usize::from(index > 0);
        if bytes > BYTES_MAX || baggage.len() == MEMBERS_MAX {
            break;
        }
        if let Some((key, value, properties)) = parse_member(member) {
            let _ = baggage.insert_with_metadata(key, value, BaggageMetadata::from(properties));
        }
    }
    baggage
}

fn parse_member(member: &str) -> Option<(String, String, String)> {
    let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
    let (key, value) = pair.split_once('=')?;
    let (key, value) = (trim(key), trim(value));
    let is_octet =
        |byte: u8| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
    let valid = !key.is_empty() && key.bytes().all(is_token) && value.bytes().all(is_octet);
    let properties = properties
        .split(';')
        .map(trim)
        .filter(|property| !property.is_empty())
        .collect::<Vec<_>>()
        .join(";");
    valid.then(|| (key.to_owned(), decode(value), properties))
}

/// The header of a baggage; nothing if it is empty.
pub(super) fn format(baggage: &Baggage) -> Option<String> {
    let mut header = String::new();
    let mut members = 0;
    for (key, (value, metadata)) in baggage {
        if !key.as_str().bytes().all(is_token) {
            continue;
        }
        let mut member = format!("{}={}", key.as_str(), encode(value.as_str()));
        if !metadata.as_str().is_empty() {
            member.push(';');
            member.push_str(metadata.as_str());
        }
        let comma = usize::from(!header.is_empty());
        if members == MEMBERS_MAX || header.len() + comma + member.len() > BYTES_MAX {
            break;
        }
        if comma > 0 {
            header.push(',');
        }
        header.push_str(&member);
        members += 1;
    }
    (!header.is_empty()).then_some(header)
}

/// A character of an HTTP token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        let plain = matches!(byte, 0x21 | 0x23 | 0x24 | 0x26..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
        if plain {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Percent-decoded; what is not UTF-8 then becomes U+FFFD (section 3.3.1.3).
fn decode(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| value.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Vec<(String, String, String)> {
        let mut members: Vec<_> = parse(headers)
            .iter()
            .map(|(key, (value, metadata))| {
                (
                    key.to_string(),
                    value.to_string(),
                    metadata.as_str().to_owned(),
                )
            })
            .collect();
        members.sort();
        members
    }

    fn member(key: &str, value: &str, properties: &str) -> (String, String, String) {
        (key.into(), value.into(), properties.into())
    }

    #[test]
    fn members_are_read_with_their_properties() {
        let expected = vec![
            member("a", "1", ""),
            member("b", "x=y", "p;q=2"),
            member("c", "a b,ü", ""),
        ];
        assert_eq!(
            read(&["a = 1 , b=x=y ; p;q=2", "c=a%20b%2C%C3%BC"]),
            expected
        );
    }

    #[test]
    fn an_invalid_member_does_not_harm_the_others() {
        let good = vec![member("a", "1", "")];
        for bad in ["no-value", "=1", "b d=1", "b=\"1\"", "b=1 2", ""] {
            assert_eq!(read(&[&format!("{bad},a=1")]), good, "{bad:?}");
        }
    }

    #[test]
    fn sixty_four_members_and_eight_kibibytes_are_the_most() {
        let many: Vec<String> = (0..70).map(|n| format!("k{n}=v")).collect();
        assert_eq!(parse(&[&many.join(",")]).len(), 64);
        let long = format!("a=1,big={},b=2", "x".repeat(BYTES_MAX));
        assert_eq!(read(&[&long]), vec![member("a", "1", "")]);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut baggage = Baggage::new();
        let _ = baggage.insert("user", "a b;c,d%\"ü");
        let header = format(&baggage).expect("not empty");
        assert!(header.is_ascii());
        assert_eq!(read(&[&header]), vec![member("user", "a b;c,d%\"ü", "")]);
        assert_eq!(format(&Baggage::new()), None);
    }
}
