//! What parameters of pages may say where that is not free text. Anything else is an error that the page shows, as it is
//! of a range or a filter, never silently the default.

use crate::frame::Frame;
use crate::pages::TRACE_VIEWS;

/// What a parameter may say.
enum Choice {
    /// One of these.
    Word(&'static [&'static str]),
    /// A whole number.
    Number,
    /// Ids of spans, joined by commas.
    SpanIds,
    /// The id of one span.
    SpanId,
}

use Choice::{Number, SpanId, SpanIds, Word};

/// Every page.
const ANY: &str = "";
/// One trace.
const TRACE: &str = "/traces/";

/// Page (its path, or with a `/` at its end what all below it begin with), parameter, and what that may say.
const CHOICES: [(&str, &str, Choice); 16] = [
    (ANY, "compare", Word(&["week"])),
    (ANY, "proxies", Word(&["show"])),
    ("/graph", "top", Number),
    ("/graph", "zoom", Word(&["50", "fit"])),
    (TRACE, "view", Word(&TRACE_VIEWS)),
    (TRACE, "span", SpanId),
    (TRACE, "fold", SpanIds),
    (TRACE, "row", Number),
    (TRACE, "sidecars", Word(&["hide"])),
    (TRACE, "logs", Word(&["0"])),
    ("/logs", "view", Word(&["patterns"])),
    ("/explore", "view", Word(&["heatmap"])),
    (
        "/explore",
        "show",
        Word(&["value", "rate", "p50", "p95", "p99", "min", "max", "sum"]),
    ),
    ("/sql", "as", Word(&["chart"])),
    ("/breakers", "tab", Word(&["review"])),
    ("/incidents/", "format", Word(&["markdown"])),
];

/// The first parameter of a page that says what it cannot, and what it may say.
pub fn wrong(frame: &Frame) -> Option<(&'static str, String)> {
    CHOICES
        .iter()
        .filter(|(page, ..)| is_of(page, &frame.path))
        .find_map(|(_, name, choice)| {
            let said = frame.param(name)?;
            (!choice.fits(said)).then(|| (*name, format!("`{name}` is {}", choice.told())))
        })
}

/// Whether a path is of a page.
fn is_of(page: &str, path: &str) -> bool {
    match page {
        ANY => true,
        page if page.ends_with('/') => path.starts_with(page),
        page => path == page,
    }
}

impl Choice {
    fn fits(&self, said: &str) -> bool {
        match self {
            Word(words) => words.contains(&said),
            Number => said.parse::<usize>().is_ok(),
            SpanId => is_span_id(said),
            SpanIds => said.split(',').filter(|id| !id.is_empty()).all(is_span_id),
        }
    }

    /// What it may say, in words.
    fn told(&self) -> String {
        match self {
            Word([word]) => format!("`{word}` or absent"),
            Word(words) => format!("one of {}", words.join(", ")),
            Number => "a whole number".to_owned(),
            SpanId => "the id of a span, 16 hex digits".to_owned(),
            SpanIds => "ids of spans, 16 hex digits each, joined by commas".to_owned(),
        }
    }
}

fn is_span_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, name: &str, value: &str) -> Option<String> {
        let frame = Frame {
            path: path.to_owned(),
            params: vec![(name.to_owned(), value.to_owned())],
            ..Frame::default()
        };
        wrong(&frame).map(|(_, told)| told)
    }

    #[test]
    fn what_cannot_be_meant_is_told_on_its_page_alone() {
        let trace = "/traces/5b8aa5a2d2c872e8321cf37308d69df2";
        for (path, name, fine, wrong) in [
            ("/graph", "top", "20", "bogus"),
            ("/graph", "zoom", "fit", "huge"),
            ("/services/cart", "compare", "week", "month"),
            (trace, "span", "0515810000000003", "zz"),
            (trace, "fold", "0515810000000003,0515810000000002", "x,y"),
            (trace, "view", "flame", "fire"),
            (trace, "row", "7", "-1"),
            ("/logs", "view", "patterns", "flame"),
            ("/breakers", "tab", "review", "reviews"),
        ] {
            assert_eq!(told(path, name, fine), None, "{path} {name}");
            assert_eq!(told(path, name, ""), None, "{path} {name}");
            let said = told(path, name, wrong).expect(wrong);
            assert!(said.starts_with(&format!("`{name}` is ")), "{said}");
        }
        assert_eq!(told("/logs", "top", "bogus"), None);
        assert_eq!(told("/logs", "span", "zz"), None);
    }
}
