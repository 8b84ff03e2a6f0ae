//! The pattern of a message: what stays when its variable parts are taken out.
//!
//! A word with a digit in it, or that is long and hexadecimal, or that stands in quotes, is variable; words
//! are what blanks and `, ; : = ( ) [ ] { }` divide. Two messages have one pattern if the rest is equal.

/// What a variable part becomes.
pub const VARIABLE: &str = "<*>";
/// Characters of a message that are looked at.
const CHARS_MAX: usize = 400;

/// The pattern of a message.
pub fn pattern(message: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let mut quote = None;
    for c in message.chars().take(CHARS_MAX) {
        if let Some(end) = quote {
            if c == end {
                quote = None;
                variable(&mut out);
                out.push(c);
            }
        } else if (c == '"' || c == '`') && word.is_empty() {
            quote = Some(c);
            out.push(c);
        } else if c.is_whitespace() || ",;:=()[]{}".contains(c) {
            end_word(&mut word, &mut out);
            // Runs of blanks and line breaks are one blank.
            let c = if c.is_whitespace() { ' ' } else { c };
            if !(c == ' ' && out.ends_with(' ')) {
                out.push(c);
            }
        } else {
            word.push(c);
        }
    }
    if quote.is_some() {
        variable(&mut out);
    }
    end_word(&mut word, &mut out);
    out.truncate(out.trim_end().len());
    out
}

fn end_word(word: &mut String, out: &mut String) {
    if word.is_empty() {
        return;
    }
    let is_hex = word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if is_hex || word.chars().any(|c| c.is_ascii_digit()) {
        variable(out);
    } else {
        out.push_str(word);
    }
    word.clear();
}

/// Lists of variable parts are one: `1, 2, 3` and `1, 2` are the same.
fn variable(out: &mut String) {
    if !out.ends_with(VARIABLE) {
        out.push_str(VARIABLE);
    }
}

/// A regular expression (RE2) that finds the messages of a pattern.
pub fn pattern_regex(pattern: &str) -> String {
    let parts: Vec<String> = pattern
        .split(VARIABLE)
        .map(|part| {
            let words: Vec<String> = part.split(' ').map(escaped).collect();
            words.join("\\s+")
        })
        .collect();
    format!("^{}", parts.join(".*?"))
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_parts_are_taken_out() {
        for (message, expected) in [
            ("Paid order 17 in 3.5ms", "Paid order <*> in <*>"),
            ("user=\"ann b\" logged in", "user=\"<*>\" logged in"),
            ("GET /cart/8f14e45f-ceea-467f 200", "GET <*> <*>"),
            (
                "connection to 10.0.0.1:5432 refused",
                "connection to <*>:<*> refused",
            ),
            ("deadbeefcafe  gone\n away", "<*> gone away"),
            ("card declined", "card declined"),
            ("", ""),
        ] {
            assert_eq!(pattern(message), expected);
        }
    }

    #[test]
    fn its_regular_expression_finds_the_message_again() {
        for message in [
            "Paid order 17 (fast) in 3.5ms",
            "a.b*c? [x] {1} \"q\" $5^2|",
            "one\ttwo 3",
        ] {
            let regex = pattern_regex(&pattern(message));
            assert!(regex_syntax::parse(&regex).is_ok(), "{regex}");
        }
        assert_eq!(pattern_regex("a <*> b"), "^a\\s+.*?\\s+b");
    }
}
