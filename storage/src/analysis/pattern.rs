//! The pattern of a message: what stays when its variable parts are taken out.
//!
//! A word with a digit in it, or that is long and hexadecimal, or that stands in quotes, is variable; words
//! are what blanks and `, ; : = ( ) [ ] { }` divide. Two messages have one pattern if the rest is equal.

/// What a variable part becomes.
pub const VARIABLE: &str = "<*>";
/// Characters of a message that are looked at.
const CHARS_MAX: usize = 400;
/// Characters of a regular expression between its ends; a filter takes 500.
const REGEX_MAX: usize = 480;

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

/// Variable parts with nothing between them are one.
fn variable(out: &mut String) {
    if !out.ends_with(VARIABLE) {
        out.push_str(VARIABLE);
    }
}

/// Whether the message is looked at to its end.
pub fn pattern_is_whole(message: &str) -> bool {
    message.chars().nth(CHARS_MAX).is_none()
}

/// A regular expression (RE2) that finds the messages of a pattern: a variable part is one word, or what stands between
/// quotes. `is_whole` when each message was looked at to its end; nothing may follow then.
pub fn pattern_regex(pattern: &str, is_whole: bool) -> String {
    let mut pieces: Vec<String> = Vec::new();
    let mut quote: Option<char> = None;
    for (at, part) in pattern.split(VARIABLE).enumerate() {
        if at > 0 {
            pieces.push(match quote {
                Some(end) => format!("[^{end}]*"),
                None => "\\S+".to_owned(),
            });
        }
        for c in part.chars() {
            pieces.push(if c == ' ' {
                "\\s+".to_owned()
            } else {
                escaped(c)
            });
        }
        // The quote that closes the variable part before does not open another.
        let rest = quote.map_or(part, |end| part.strip_prefix(end).unwrap_or(part));
        quote = rest.chars().next_back().filter(|c| matches!(c, '"' | '`'));
    }
    let mut out = "^".to_owned();
    let mut room = REGEX_MAX;
    for piece in pieces {
        let Some(left) = room.checked_sub(piece.chars().count()) else {
            // The beginning alone is longer than a filter takes.
            return out;
        };
        room = left;
        out.push_str(&piece);
    }
    if is_whole {
        out.push_str("\\s*$");
    }
    out
}

fn escaped(c: char) -> String {
    if c.is_ascii_punctuation() {
        format!("\\{c}")
    } else {
        c.to_string()
    }
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

    fn finds(one: &str, other: &str) -> bool {
        let regex = pattern_regex(&pattern(one), pattern_is_whole(one));
        assert!(regex_syntax::parse(&regex).is_ok(), "{regex}");
        assert!(regex.chars().count() <= 500, "{regex}");
        // The engine decides: its dialect is another.
        let conn = duckdb::Connection::open_in_memory().expect("DuckDB");
        conn.query_row(
            "SELECT regexp_matches(?, ?)",
            [other, regex.as_str()],
            |row| row.get(0),
        )
        .unwrap_or_else(|error| panic!("{regex}: {error}"))
    }

    #[test]
    fn its_regular_expression_finds_the_message_again() {
        let long = "{\"key\":[1, 2]} ".repeat(60);
        for message in [
            "Paid order 17 (fast) in 3.5ms",
            "a.b*c? [x] {1} \"q\" $5^2|",
            "one\ttwo 3 ",
            "<b>html 3</b> & \"two words\"5\"6 `x",
            "\"a b\"\"c d\" 9",
            "{\"msg\":\"order 3\",\"user\":{\"id\":4}}",
            "  ",
            "",
            long.as_str(),
        ] {
            assert!(finds(message, message), "{message}");
        }
        assert_eq!(pattern_regex("a <*> b", true), "^a\\s+\\S+\\s+b\\s*$");
        assert_eq!(pattern_regex("a <*>", false), "^a\\s+\\S+");
    }

    #[test]
    fn its_regular_expression_leaves_messages_of_other_patterns_out() {
        for (message, other) in [
            ("Paid order 7 in 3ms", "Paid order 8 in 4ms but late"),
            ("GET /cart/7 200", "GET /cart/8 500 upstream failed"),
            ("user \"ann b\" left", "user \"ann\" and \"bob\" left"),
            ("", "anything"),
        ] {
            assert!(!finds(message, other), "{message}: {other}");
        }
        assert!(finds("user \"ann b\" left", "user \"no one\" left"));
    }
}
