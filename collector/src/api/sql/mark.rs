//! Where in a statement a message of DuckDB's points: it repeats a line of it, cut to some eighty characters, and marks
//! a place below.

/// The marked place in `text`, in bytes; `None` where the message marks none, or more than one place looks like it.
pub(super) fn marked(message: &str, text: &str) -> Option<usize> {
    const LINE: &str = "\nLINE ";
    const CUT: &str = "...";
    let (_, rest) = message.rsplit_once(LINE)?;
    let (digits, rest) = rest.split_once(": ")?;
    let (shown, below) = rest.split_once('\n')?;
    let above = digits.parse::<usize>().ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(above).map(str::len).sum();
    let line = text.get(start..)?.split('\n').next()?;
    let spaces = below.find(|mark| mark != ' ')?;
    if !below[spaces..].starts_with('^') {
        return None;
    }
    // "LINE 3: " stands above the first of them; the line break before it is not shown.
    let width = spaces.checked_sub(LINE.len() - 1 + digits.len() + ": ".len())?;
    let at = byte_at(shown, width)?;
    let (shown, at) = match shown.strip_prefix(CUT) {
        Some(rest) if !line.starts_with(CUT) => (rest, at.checked_sub(CUT.len())?),
        _ => (shown, at),
    };
    let shown = if line.contains(shown) {
        shown
    } else {
        shown.strip_suffix(CUT)?
    };
    let found = line.find(shown)?;
    (line.rfind(shown) == Some(found)).then_some(start + found + at)
}

/// The byte of the character that is printed after so many columns. DuckDB gives control characters none; how wide it
/// takes those beyond Latin, Greek and Cyrillic to be is not known here.
fn byte_at(shown: &str, width: usize) -> Option<usize> {
    let mut column = 0;
    for (at, character) in shown.char_indices() {
        if character.is_control() {
            continue;
        }
        if column == width {
            return Some(at);
        }
        let is_narrow = matches!(character, '\0'..='\u{2ff}' | '\u{370}'..='\u{482}');
        if !is_narrow {
            return None;
        }
        column += 1;
    }
    (column == width).then_some(shown.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands where DuckDB 2.0.0 points; the messages are its own.
    fn pointed<'a>(message: &str, text: &'a str) -> Option<&'a str> {
        marked(message, text).map(|at| &text[at..])
    }

    #[test]
    fn a_mark_is_found_in_the_statement() {
        let message = "Binder Error: Referenced column \"nope\" not found in FROM clause!\nCandidate bindings: \
                       \"attributes\"\n\nLINE 2: \t'é', nope FROM o\n             ^^^^";
        let text = "SELECT\n\t'é', nope FROM o";
        assert_eq!(pointed(message, text), Some("nope FROM o"));
        let message = "Catalog Error: Scalar Function with name nopé does not exist!\n\n\
                       LINE 2: FROM o WHERE nopé(1)\n                     ^^^^^^^";
        let text = "SELECT a\nFROM o WHERE nopé(1)";
        assert_eq!(pointed(message, text), Some("nopé(1)"));
        let cut = format!("LINE 1: ...{}', nope FROM o", "x".repeat(48));
        let column = cut.find("nope").expect("there");
        let message = format!("Binder Error: no\n\n{cut}\n{}^^^^", " ".repeat(column));
        let text = format!("SELECT '{}', nope FROM o", "x".repeat(200));
        assert_eq!(pointed(&message, &text), Some("nope FROM o"));
        let text = "SELECT b, c";
        assert_eq!(
            pointed("no\nLINE 1: SELECT b...\n               ^", text),
            Some("b, c")
        );
    }

    #[test]
    fn nothing_is_guessed() {
        let text = "SELECT a\nFROM t";
        for message in [
            "Conversion Error: no mark",
            "x\nLINE 1: SELECT a",
            "x\nLINE many: SELECT a\n               ^",
            "x\nLINE 0: SELECT a\n               ^",
            "x\nLINE 3: SELECT a\n               ^",
            "x\nLINE 1: SELECT b\n               ^",
            "x\nLINE 1: SELECT a\n  ^",
            "x\nLINE 1: SELECT a\n               and more",
        ] {
            assert_eq!(marked(message, text), None, "{message}");
        }
        let wide = "SELECT '漢', nope";
        let message = format!("x\nLINE 1: {wide}\n                      ^");
        assert_eq!(marked(&message, wide), None);
        let twice = "SELECT ab, ab";
        assert_eq!(marked("x\nLINE 1: ...ab...\n           ^", twice), None);
    }
}
