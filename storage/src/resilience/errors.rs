//! Errors that refused calls leave on log records and spans, and whose refusal such an error tells of.

use super::body::Body;
use super::evidence::Subject;
use super::index::{Origin, Rejection, is_scope};
use super::source::Item;
use super::{document, words};
use crate::ingest::ResourceRow;

/// Confidence in a state that the error of a refused call proves.
pub(super) const OF_ERROR: u32 = 80;

/// Where log records and spans carry the type of an error, and its message.
pub(super) const ERROR_TYPES: [&str; 2] = ["exception.type", "error.type"];
pub(super) const ERROR_MESSAGES: [&str; 5] = [
    "exception.message",
    "error.message",
    "error",
    "err",
    "exception",
];

/// The first of these attributes, or of the members of the body, that is a text as wanted.
pub(super) fn attribute(
    record: &Record<'_>,
    keys: &[&str],
    is_wanted: impl Fn(&str) -> bool,
) -> Option<String> {
    let item = Item {
        attributes: record.attributes,
        body: Some(&record.body),
        ..Item::default()
    };
    keys.iter()
        .filter_map(|key| document::text(&item.attribute(key)?))
        .find(|text| is_wanted(text))
}

/// One log record, or one event of a span as if it were one.
pub(super) struct Record<'a> {
    pub resource: Option<&'a ResourceRow>,
    pub scope: &'a str,
    pub time: Option<i64>,
    pub body: Body<'a>,
    pub attributes: &'a str,
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
}

/// The breaker whose refusal an error (its type and its text) tells of, and its state; its name is empty where the text
/// names none. An error whose type is not said has the one that the attributes say.
pub(super) fn rejected(
    rejection: &Rejection,
    origin: &Origin,
    resource: &ResourceRow,
    (kind, text): (Option<&str>, &str),
    record: &Record<'_>,
    peer: Option<&str>,
) -> Option<(Subject, &'static str)> {
    let mut item = Item {
        attributes: record.attributes,
        body: Some(&record.body),
        holes: rejection
            .template
            .as_ref()
            .and_then(|template| template.find(text))
            .unwrap_or_default(),
    };
    item.holes
        .extend(peer.map(|peer| ("peer".to_owned(), peer.to_owned())));
    item.holes.push(("message".to_owned(), text.to_owned()));
    let kind = kind
        .map(str::to_owned)
        .or_else(|| attribute(record, &ERROR_TYPES, |kind| !kind.is_empty()));
    item.holes
        .extend(kind.map(|kind| ("type".to_owned(), kind)));
    let is_other = || !rejection.needs.all(&item) || rejection.unless.any(&item);
    if !is_scope(&rejection.rule.scope, record.scope) || is_other() {
        return None;
    }
    // Whoever is closed refuses nothing.
    let said = item.holes.iter().find(|(hole, _)| hole == "state");
    let state = said
        .and_then(|(_, word)| origin.state(word))
        .filter(|state| *state != "closed");
    let pattern = rejection.rule.pattern.as_deref().unwrap_or(&origin.pattern);
    let (name, key) = refuser(rejection, pattern, &item, peer);
    if rejection.rule.named && name.is_empty() {
        return None;
    }
    let subject = Subject {
        key,
        ..Subject::of(resource, &origin.name, pattern, name)
    };
    Some((subject, state.unwrap_or(rejection.state)))
}

/// Name and key of the breaker that an error is of. Where the error names nobody but the callee, the vendor-neutral
/// attributes beside it may; whoever they call closed refuses nothing.
fn refuser(
    rejection: &Rejection,
    pattern: &str,
    item: &Item<'_>,
    peer: Option<&str>,
) -> (String, Option<String>) {
    let attribute = |ending: &str| {
        let text = document::text(&item.ending(ending)?)?;
        (!text.trim().is_empty()).then_some(text)
    };
    let told = item.text(&rejection.breaker);
    let is_breaker = pattern == "breaker";
    let Some(beside) = is_breaker
        .then(|| attribute("circuit_breaker.name"))
        .flatten()
    else {
        return (told.unwrap_or_default(), None);
    };
    let is_its_name = told.as_ref() == Some(&beside);
    let is_nobodys = told.as_deref().is_none_or(|name| Some(name) == peer);
    let is_closed = || {
        let state = attribute("circuit_breaker.state");
        state.and_then(|word| words::state(&word)) == Some("closed")
    };
    if is_its_name || is_nobodys && !is_closed() {
        (beside, attribute("circuit_breaker.key"))
    } else {
        (told.unwrap_or_default(), None)
    }
}
