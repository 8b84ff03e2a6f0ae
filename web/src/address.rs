//! Addresses within the app. Everything that comes from telemetry goes through here on its way into one.

/// A path with its parameters percent-encoded.
pub fn href(path: &str, params: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (at, (key, value)) in params.iter().enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        encode_into(&mut out, key);
        out.push('=');
        encode_into(&mut out, value);
    }
    out
}

/// One segment of a path, percent-encoded: a service may be called `a/b?c`.
pub fn segment(text: &str) -> String {
    let mut out = String::new();
    encode_into(&mut out, text);
    out
}

/// One segment of a path that is somebody's name. Nothing keeps a browser from taking `.` and `..` for steps, `%2E` included,
/// but their dots encoded twice; [`name_in`] reads them back.
pub fn name_segment(name: &str) -> String {
    match name {
        "." | ".." => segment(&name.replace('.', "%2E")),
        _ => segment(name),
    }
}

/// The name in a segment of a path, which was decoded once.
pub fn name_in(segment: &str) -> &str {
    match segment {
        "%2E" => ".",
        "%2E%2E" => "..",
        name => name,
    }
}

fn encode_into(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_hostile_text_encoded() {
        assert_eq!(
            href("/traces", &[("q", "a&b=\"<x>")]),
            "/traces?q=a%26b%3D%22%3Cx%3E"
        );
        assert_eq!(segment("a/b?c"), "a%2Fb%3Fc");
    }

    #[test]
    fn a_name_is_no_step_of_a_path() {
        for (name, written, decoded) in [
            ("..", "%252E%252E", "%2E%2E"),
            (".", "%252E", "%2E"),
            ("...", "...", "..."),
            ("a/../b", "a%2F..%2Fb", "a/../b"),
        ] {
            assert_eq!(name_segment(name), written);
            assert_eq!(name_in(decoded), name);
        }
    }
}
