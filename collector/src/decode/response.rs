//! Responses as OTLP/JSON text.

use tripline_storage::attributes::escape_into;

/// `{}` on full success, else `partialSuccess` with its 64-bit count as a string (proto3 JSON), zero and empty
/// fields left out.
pub(super) fn partial_success_json(rejected_key: &str, rejected: u64, message: &str) -> String {
    if rejected == 0 && message.is_empty() {
        return "{}".to_owned();
    }
    let mut text = String::from(r#"{"partialSuccess":{"#);
    if rejected > 0 {
        text.push_str(&format!(r#""{rejected_key}":"{rejected}""#));
    }
    if !message.is_empty() {
        if rejected > 0 {
            text.push(',');
        }
        text.push_str(r#""errorMessage":"#);
        escape_into(&mut text, message);
    }
    text.push_str("}}");
    text
}

/// Counts travel as `int64`.
pub(super) fn rejected_i64(rejected: u64) -> i64 {
    i64::try_from(rejected).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r01_full_success_is_an_empty_object() {
        assert_eq!(partial_success_json("rejectedSpans", 0, ""), "{}");
    }

    #[test]
    fn r03_r04_n05_counts_are_strings_and_unset_fields_are_left_out() {
        assert_eq!(
            partial_success_json("rejectedSpans", 3, "a \"b\""),
            r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"a \"b\""}}"#
        );
        assert_eq!(
            partial_success_json("rejectedSpans", 0, "w"),
            r#"{"partialSuccess":{"errorMessage":"w"}}"#
        );
    }
}
