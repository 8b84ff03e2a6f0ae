//! How wide text is drawn, and text cut to the room there is. The server does not know the reader's font: it takes the
//! widest of those that browsers fall back to (DejaVu Sans), so that no other runs over.

/// Size of a label and of the small lines of a box, in the units of the drawing.
pub const SMALL: Font = Font {
    size: 11.0,
    stretch: 1.0,
};
/// Of the name in a box.
pub const NAME: Font = Font {
    size: 13.0,
    stretch: 1.1,
};

/// How text is set.
#[derive(Debug, Clone, Copy)]
pub struct Font {
    size: f64,
    /// Bold letters are wider.
    stretch: f64,
}

impl Font {
    /// Width of a text on one line.
    pub fn width(self, text: &str) -> f64 {
        text.chars().map(ems).sum::<f64>() * self.size * self.stretch
    }

    /// The text, or as much of its beginning as there is room for.
    pub fn cut(self, text: &str, room: f64) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let mut characters: Vec<char> = text.chars().collect();
        while characters.pop().is_some() {
            let short: String = characters.iter().chain(&['…']).collect();
            if self.width(&short) <= room {
                return short;
            }
        }
        String::new()
    }

    /// The same from the middle: of `prod / eu-west-1` and `prod / eu-west-2` either end may be what differs.
    pub fn cut_inside(self, text: &str, room: f64) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let characters: Vec<char> = text.chars().collect();
        for kept in (1..characters.len()).rev() {
            let (start, end) = (
                &characters[..kept / 2],
                &characters[characters.len() - (kept - kept / 2)..],
            );
            let short: String = start.iter().chain(&['…']).chain(end).collect();
            if self.width(&short) <= room {
                return short;
            }
        }
        String::new()
    }
}

/// Width of a character in font sizes, on the wide side.
fn ems(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '|' | '!' | '\'' | ' ' | '·' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => 0.45,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1.0,
        'A'..='Z' => 0.79,
        other if other.is_ascii() => 0.64,
        // A glyph, or a letter of a script whose letters are squares.
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_and_what_does_not_is_cut_to_the_room() {
        for (text, room) in [
            ("in_process:parcels", 147.0),
            ("queue · 0.27/s · p95 12 ms", 147.0),
            ("WWWWWWWWWWWWWWWWWWWWWWWWWWWW", 147.0),
            ("名前がとても長いサービスの名前です", 60.0),
            ("a", 0.5),
        ] {
            for font in [SMALL, NAME] {
                let cut = font.cut(text, room);
                assert!(font.width(&cut) <= room, "{cut}");
                assert!(cut == text || cut.is_empty() || cut.ends_with('…'), "{cut}");
                let cut = font.cut_inside(text, room);
                assert!(font.width(&cut) <= room, "{cut}");
            }
        }
        assert_eq!(NAME.cut("in_process:parcels", 147.0), "in_process:parcels");
        assert_eq!(SMALL.cut("aaaaaaaaaa", 36.0), "aaa…");
    }

    #[test]
    fn a_place_that_is_too_long_keeps_both_ends() {
        let told = |number: u32| {
            SMALL.cut_inside(&format!("production / payments / eu-west-{number}"), 147.0)
        };
        assert!(
            told(1).starts_with("produc") && told(1).ends_with("west-1"),
            "{}",
            told(1)
        );
        assert_ne!(told(1), told(2));
        assert_eq!(SMALL.cut_inside("prod / eu-1", 147.0), "prod / eu-1");
    }
}
