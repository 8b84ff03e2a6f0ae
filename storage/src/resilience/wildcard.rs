//! Patterns with `*`, which stands for any text: `OnCircuit*`, `*circuit*transition*`.

/// Whether a text is as the pattern says. Without a star it is the pattern itself.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

/// The first piece of a pattern that is said: what a search looks for. Empty where it is all stars.
pub(super) fn literal(pattern: &str) -> &str {
    pattern
        .split('*')
        .find(|part| !part.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text) in [
            ("a", "a"),
            ("*", ""),
            ("*", "a"),
            ("OnCircuit*", "OnCircuitOpened"),
            ("*circuit*transition*", "acme.circuit_breaker.transition"),
            ("*circuit*transition*", "circuittransition"),
            ("a*a", "aa"),
            ("a**b", "a-b"),
        ] {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("", "a"),
            ("a*a", "a"),
            ("OnCircuit*", "BeforeOnCircuitOpened"),
            ("*circuit*transition*", "transition.circuit"),
        ] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
        assert_eq!(literal("*circuit*transition*"), "circuit");
        assert_eq!(literal("**"), "");
    }
}
