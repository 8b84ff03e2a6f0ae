//! What stands where an answer would be: that there is nothing, that it failed, or what is wrong with the question.

use leptos::prelude::*;

use crate::frame::Frame;
use crate::units;

/// A sentence where a list would be.
pub fn nothing(sentence: &str, advice: &str) -> AnyView {
    view! { <div class="nothing"><p>{sentence.to_owned()}</p><p class="quiet">{advice.to_owned()}</p></div> }.into_any()
}

/// A sentence where a list of a signal (`traces`, `logs`, `metrics`) would be, and when that signal was last seen.
pub fn nothing_of(signal: &str, sentence: &str, advice: &str, frame: &Frame) -> AnyView {
    let word = match signal {
        "traces" => "span",
        "logs" => "log record",
        _ => "metric point",
    };
    // Without any age the store could not be asked: then there is nothing to say.
    let seen = (!frame.newest.is_empty()).then(|| {
        let newest = frame.newest.iter().find(|(known, _)| known == signal);
        let (text, exact) = newest.map_or_else(
            || (format!("No {word} is stored at all."), None),
            |(_, newest)| {
                let text = format!(
                    "Last seen {}: the newest {word} stored.",
                    units::ago(*newest, frame.now_ns)
                );
                (text, Some(units::timestamp(*newest, 0)))
            },
        );
        view! { <p class="quiet" title=exact>{text}</p> }
    });
    let (sentence, advice) = (sentence.to_owned(), advice.to_owned());
    view! { <div class="nothing"><p>{sentence}</p>{narrowed(frame)}<p class="quiet">{advice}</p>{seen}</div> }
        .into_any()
}

/// Parameters that narrow a page to what has one name, in words.
const NAMES: [(&str, &str); 5] = [
    ("service", "service"),
    ("name", "operation"),
    ("environment", "environment"),
    ("service_namespace", "namespace"),
    ("cluster", "cluster"),
];

/// The names that a page is narrowed to, each with the way back: where nothing is found, it may be that nothing is called
/// that.
pub fn narrowed(frame: &Frame) -> Option<AnyView> {
    let named: Vec<AnyView> = NAMES
        .iter()
        .filter_map(|(param, word)| {
            let value = frame.param(param)?.to_owned();
            let back = frame.with(&[(*param, ""), ("cursor", ""), ("box", "")]);
            let line = view! {
                <p>{format!("Only the {word} named {value} was looked at. ")}<a href=back>{format!("Any {word}")}</a></p>
            };
            Some(line.into_any())
        })
        .collect();
    (!named.is_empty()).then(|| view! { <div class="narrowed">{named}</div> }.into_any())
}

/// The way on from an error: a link and its words.
#[derive(Debug, Clone)]
pub struct WayOn {
    words: String,
    link: String,
}

impl WayOn {
    /// The same question again: it may go well another time.
    pub fn again(frame: &Frame) -> Self {
        Self {
            words: "Try again".to_owned(),
            link: frame.with(&[]),
        }
    }

    /// This page without a parameter that it cannot use: asked again, it would be refused again.
    pub fn without(parameter: &str, frame: &Frame) -> Self {
        let words = match parameter {
            "from" | "to" => "With the default range".to_owned(),
            "q" => "Without the filter".to_owned(),
            "with" => "Choose another".to_owned(),
            other => format!("Without `{other}`"),
        };
        let is_range = matches!(parameter, "from" | "to");
        let gone: &[&str] = if is_range {
            &["from", "to", "cursor"]
        } else {
            &[parameter, "cursor"]
        };
        let changes: Vec<(&str, &str)> = gone.iter().map(|name| (*name, "")).collect();
        Self {
            words,
            link: frame.with(&changes),
        }
    }

    /// Where there is no address of this page that could be asked.
    pub fn home(frame: &Frame) -> Self {
        Self {
            words: "To the overview".to_owned(),
            link: frame.link("/", &[]),
        }
    }
}

/// An error shown as one, with the way on from it.
pub fn failure(title: &str, detail: &str, way: Option<WayOn>) -> AnyView {
    view! {
        <div class="failure" role="alert">
            <strong>{title.to_owned()}</strong>
            <p>{detail.to_owned()}</p>
            {way.map(|way| view! { <a class="button" href=way.link>{way.words}</a> })}
        </div>
    }
    .into_any()
}

/// What is wrong with a question, and where, if it is its filter.
#[derive(Debug, Clone)]
pub struct Complaint {
    /// In words.
    pub detail: String,
    /// The filter and the column, from 1.
    pub at: Option<(String, usize)>,
    /// The parameter that it is about; none when the question failed for another reason.
    pub parameter: Option<String>,
}

/// The panel of a question that cannot be asked, with a mark under the place and the way on.
pub fn complaint(complaint: &Complaint, frame: &Frame) -> AnyView {
    let place = complaint.at.as_ref().map(|(filter, column)| {
        let mark = format!("{}\u{25b2}", " ".repeat(column.saturating_sub(1)));
        let line = filter.replace(['\n', '\r', '\t'], " ");
        view! { <pre class="complaint">{format!("{line}\n{mark}")}</pre> }
    });
    let way = match &complaint.parameter {
        Some(parameter) => WayOn::without(parameter, frame),
        None => WayOn::again(frame),
    };
    view! {
        <section class="panel"><div class="failure" role="alert">
            <strong>"This search cannot be run"</strong>
            <p>{complaint.detail.clone()}</p>
            {place}
            <a class="button" href=way.link>{way.words}</a>
        </div></section>
    }
    .into_any()
}
