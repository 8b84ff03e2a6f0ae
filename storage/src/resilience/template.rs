//! Texts with holes: `CircuitBreaker '{breaker}' changed state from {from} to {to}`.

/// A compiled template.
#[derive(Debug, Clone)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Hole(String),
}

/// What filled the holes, by name.
pub(super) type Captures = Vec<(String, String)>;

/// Go's `%q` and others write names in them.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Without quotes or brackets around it.
fn bare(text: &str) -> &str {
    let text = text.trim().trim_matches(QUOTES);
    let inside = text.strip_prefix('[');
    inside
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text)
}

impl Template {
    /// Reads a template; `None` when it has no literal text or two holes side by side.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (literal, hole, after) = match rest.split_once('{') {
                Some((literal, tail)) => {
                    let (hole, after) = tail.split_once('}')?;
                    (literal, Some(hole), after)
                }
                None => (rest, None, ""),
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            if let Some(hole) = hole {
                if matches!(parts.last(), Some(Part::Hole(_))) {
                    return None;
                }
                parts.push(Part::Hole(hole.to_owned()));
            }
            rest = after;
        }
        let has_literal = parts.iter().any(|part| matches!(part, Part::Literal(_)));
        has_literal.then_some(Self { parts })
    }

    /// The longest piece of literal text: what a search looks for first.
    pub(super) fn needle(&self) -> &str {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Literal(text) => Some(text.trim()),
                Part::Hole(_) => None,
            })
            .max_by_key(|text| text.len())
            .unwrap_or_default()
    }

    /// Finds the template anywhere in a text. A hole at either end takes one word; quotes and brackets around what fills a
    /// hole are no part of it.
    pub(super) fn find(&self, text: &str) -> Option<Captures> {
        let first = match self.parts.first()? {
            Part::Literal(literal) => literal,
            Part::Hole(_) => match self.parts.get(1)? {
                Part::Literal(literal) => literal,
                Part::Hole(_) => return None,
            },
        };
        text.match_indices(first.as_str())
            .find_map(|(at, _)| self.match_from(text, at))
    }

    fn match_from(&self, text: &str, at: usize) -> Option<Captures> {
        let mut captures = Captures::new();
        let (mut rest, mut hole) = (&text[at..], None);
        for part in &self.parts {
            match (part, hole.take()) {
                (Part::Literal(literal), None) => rest = rest.strip_prefix(literal.as_str())?,
                (Part::Literal(literal), Some(name)) => {
                    let end = rest.find(literal.as_str())?;
                    captures.push((name, bare(&rest[..end]).to_owned()));
                    rest = &rest[end + literal.len()..];
                }
                // A leading hole ends where the search began.
                (Part::Hole(name), None)
                    if captures.is_empty() && rest.len() == text.len() - at =>
                {
                    let is_leading = matches!(self.parts.first(), Some(Part::Hole(_)));
                    if is_leading {
                        let word = text[..at]
                            .trim_end()
                            .rsplit([' ', '"', '\t', '\n'])
                            .next()?;
                        captures.push((name.clone(), word.to_owned()));
                    } else {
                        hole = Some(name.clone());
                    }
                }
                (Part::Hole(name), _) => hole = Some(name.clone()),
            }
        }
        if let Some(name) = hole {
            let rest = rest.trim_start_matches(['"', '\'', '`', '[']);
            let end = rest
                .find(|c: char| c.is_whitespace() || ",;.'\")]}".contains(c))
                .unwrap_or(rest.len());
            captures.push((name, rest[..end].to_owned()));
        }
        let is_there =
            |end: Option<&(String, String)>| end.is_none_or(|(_, text)| !text.trim().is_empty());
        (is_there(captures.first()) && is_there(captures.last())).then_some(captures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(template: &str, text: &str) -> Option<Vec<String>> {
        let template = Template::parse(template).expect("a template");
        Some(
            template
                .find(text)?
                .into_iter()
                .map(|(_, value)| value)
                .collect(),
        )
    }

    #[test]
    fn holes_are_filled_wherever_the_text_stands() {
        assert_eq!(
            found(
                "CircuitBreaker '{breaker}' changed state from {from} to {to}",
                "2026: CircuitBreaker 'a b' changed state from CLOSED to OPEN (x)"
            ),
            Some(vec!["a b".into(), "CLOSED".into(), "OPEN".into()])
        );
        assert_eq!(
            found(
                "{breaker} breaker: {from} -> {to}",
                "the pay breaker: closed -> open."
            ),
            Some(vec!["pay".into(), "closed".into(), "open".into()])
        );
        for text in [
            r#"breaker "pay" changed from "closed" to "open""#,
            "breaker [pay] changed from [closed] to [open]",
            "breaker `pay` changed from 'closed' to 'open'.",
        ] {
            assert_eq!(
                found("breaker {breaker} changed from {from} to {to}", text),
                Some(vec!["pay".into(), "closed".into(), "open".into()]),
                "{text}"
            );
        }
        assert_eq!(
            found("at {address}, {why}", "at [::1]:80, down"),
            Some(vec!["[::1]:80".into(), "down".into()])
        );
    }

    #[test]
    fn a_text_that_only_begins_alike_is_none() {
        assert_eq!(found("from {from} to {to}", "from here on"), None);
        assert_eq!(found("state {to}", "state "), None);
        assert!(Template::parse("{a}{b} x").is_none());
        assert!(Template::parse("{a}").is_none());
    }
}
