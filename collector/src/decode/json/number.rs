//! Number and id texts: pure functions.

/// Length of the JSON number `text` begins with; 0 when it begins with none.
pub(in crate::decode) fn prefix(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes[from.min(bytes.len())..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    match digits(at) {
        0 => return 0,
        // No leading zeros: `01` is the number 0 followed by something else, which is an error there.
        _ if bytes[at] == b'0' => at += 1,
        count => at += count,
    }
    if bytes.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return 0,
            count => at += 1 + count,
        }
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        match digits(at + 1 + sign) {
            0 => return 0,
            count => at += 1 + sign + count,
        }
    }
    at
}

/// The exact integer of a number text, `1.0` and `1e3` included; none for a fraction or beyond 64 bits.
pub(in crate::decode) fn integer(text: &str) -> Option<i128> {
    if text.is_empty() || prefix(text) != text.len() {
        return None;
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let magnitude = if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        unsigned.parse::<u64>().ok()?
    } else {
        scaled(unsigned)?
    };
    let value = i128::from(magnitude);
    Some(if negative { -value } else { value })
}

/// A number with a point or an exponent, if it is whole.
fn scaled(text: &str) -> Option<u64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    if significant.trim_start_matches('0').is_empty() {
        return Some(0);
    }
    // An exponent beyond i32 is a number beyond 64 bits or a fraction.
    let exponent = i64::from(exponent.parse::<i32>().ok()?);
    let point = i64::try_from(whole.len()).ok()? + exponent;
    let zeros = point - i64::try_from(significant.len()).ok()?;
    let zeros = u32::try_from(zeros).ok()?;
    let significant = significant.trim_start_matches('0').parse::<u64>().ok()?;
    significant.checked_mul(10_u64.checked_pow(zeros)?)
}

/// A finite number, or one of the three words; none beyond the range of a double.
pub(in crate::decode) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        "" => None,
        _ if prefix(text) == text.len() => {
            text.parse().ok().filter(|value: &f64| value.is_finite())
        }
        _ => None,
    }
}

/// Bytes of hexadecimal digits of either case; none for an odd count or another character.
pub(in crate::decode) fn hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n11_whole_numbers_have_many_spellings() {
        let max = i128::from(u64::MAX);
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("5", Some(5)),
            ("1.0", Some(1)),
            ("1e3", Some(1000)),
            ("1.5E+1", Some(15)),
            ("1500e-2", Some(15)),
            ("0.000e999999999999", Some(0)),
            ("18446744073709551615", Some(max)),
            ("1.8446744073709551615e19", Some(max)),
            ("18446744073709551616", None),
            ("1e20", None),
            ("1.5", None),
            ("1e-1", None),
            ("1e999999999999", None),
            ("-9223372036854775808", Some(i128::from(i64::MIN))),
            ("", None),
            (" 1", None),
            ("+1", None),
            ("01", None),
            (".5", None),
            ("1.", None),
            ("0x10", None),
            ("NaN", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
    }

    #[test]
    fn n06_doubles_are_numbers_strings_or_three_words() {
        assert!(double("NaN").is_some_and(f64::is_nan));
        assert_eq!(double("Infinity"), Some(f64::INFINITY));
        assert_eq!(double("-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(double("-0.0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
        assert_eq!(double("5"), Some(5.0));
        for refused in ["1e999", "nan", "inf", "+1", "", "1 ", "Infinity "] {
            assert_eq!(double(refused), None, "{refused}");
        }
    }

    #[test]
    fn n01_ids_are_hexadecimal_of_any_case() {
        assert_eq!(hex("5B8e"), Some(vec![0x5b, 0x8e]));
        assert_eq!(hex(""), Some(vec![]));
        for refused in ["5", "0x5b", "zz", "5b 8e"] {
            assert_eq!(hex(refused), None, "{refused}");
        }
    }
}
