//! Parameters of the URL, read once and strictly: an unknown one is an error, not a filter silently ignored.

mod questions;
mod values;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tripline_storage::filter::{Filter, Key, Signal};
use tripline_storage::model::{AttributeFilter, ScopeFilter, TimeRange};

pub use self::values::hex_id;
use self::values::{attribute, duration_ns};
use super::AppState;
use super::problem::Problem;
use super::when::When;

/// Rows of a list unless asked otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Rows of a list at most.
const LIMIT_MAX: usize = 10_000;

/// The parameters, and when they were sent: a relative time means something by that alone.
#[derive(Debug, Clone, Default)]
pub struct Params {
    /// Decoded, in order.
    pub pairs: Vec<(String, String)>,
    /// What is now, and the range where none is said.
    pub when: When,
}

impl FromRequestParts<AppState> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map(|query| Self {
                pairs: query.0,
                when: state.when(),
            })
            .map_err(|error| Problem::parameter("query", error.body_text()))
    }
}

impl Params {
    /// A parameter; an empty one is an absent one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// Refuses parameters that the address does not know.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self
            .pairs
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()))
        {
            None => Ok(()),
            Some((key, _)) if known.is_empty() => Err(Problem::parameter(
                key,
                format!("`{key}` is not known here: this address takes no parameters"),
            )),
            Some((key, _)) => Err(Problem::parameter(
                key,
                format!("`{key}` is not known here; known are {}", known.join(", ")),
            )),
        }
    }

    /// The range of `from` and `to`, or the last hour (of a bundle: all of its time).
    pub fn range(&self) -> Result<TimeRange, Problem> {
        let range = self
            .when
            .range(self.get("from"), self.get("to"))
            .map_err(|why| {
                let is_end = why.starts_with("`to`");
                Problem::parameter(if is_end { "to" } else { "from" }, why)
            })?;
        let (from, to) = range.resolve(self.when.now_ns);
        let nanos = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        Ok(TimeRange {
            from_unix_nano: nanos(from),
            to_unix_nano: nanos(to),
        })
    }

    /// The range, if one is asked for.
    fn range_if_any(&self) -> Result<Option<TimeRange>, Problem> {
        if self.get("from").is_none() && self.get("to").is_none() {
            Ok(None)
        } else {
            self.range().map(Some)
        }
    }

    fn limit(&self) -> Result<usize, Problem> {
        match self.get("limit") {
            None => Ok(LIMIT_DEFAULT),
            Some(text) => match text.parse::<usize>() {
                Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
                _ => Err(Problem::parameter(
                    "limit",
                    format!("`limit` is a number from 1 to {LIMIT_MAX}"),
                )),
            },
        }
    }

    /// Environment, namespace and cluster.
    pub fn scope(&self) -> ScopeFilter {
        ScopeFilter {
            environment: self.text("environment"),
            service_namespace: self.text("service_namespace"),
            cluster: self.text("cluster"),
        }
    }

    fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(word) if words.contains(&word) => Ok(Some(word.to_owned())),
            Some(_) => Err(Problem::parameter(
                name,
                format!("`{name}` is one of {}", words.join(", ")),
            )),
        }
    }

    /// Whether it is asked for; saying nothing is `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        let word = self.word(name, &["true", "false", "1", "0"])?;
        Ok(matches!(word.as_deref(), Some("true" | "1")))
    }

    fn duration(&self, name: &str) -> Result<Option<i64>, Problem> {
        self.get(name)
            .map(|text| {
                duration_ns(text).ok_or_else(|| {
                    Problem::parameter(
                        name,
                        format!("`{name}` is a duration: 250us, 100ms, 1.5s, 2m"),
                    )
                })
            })
            .transpose()
    }

    fn id(&self, name: &str, digits: usize) -> Result<Option<String>, Problem> {
        self.get(name)
            .map(|text| hex_id(name, text, digits))
            .transpose()
    }

    fn attributes(&self) -> Result<Vec<AttributeFilter>, Problem> {
        self.pairs
            .iter()
            .filter(|(key, value)| key == "attr" && !value.is_empty())
            .map(|(_, text)| attribute(text))
            .collect()
    }

    /// `q`, or `filter`: the filter grammar.
    fn filter(&self, signal: Signal) -> Result<Option<Filter>, Problem> {
        for name in ["q", "filter"] {
            if let Some(text) = self.get(name).filter(|text| !text.trim().is_empty()) {
                return Filter::parse(text, signal)
                    .map(Some)
                    .map_err(|error| Problem::filter(name, text, &error));
            }
        }
        Ok(None)
    }

    /// One of these words, as what it stands for.
    fn chosen<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(asked) = self.get(name) else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == asked);
        found.map(|(_, meant)| Some(*meant)).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Problem::parameter(name, format!("`{name}` is one of {}", known.join(", ")))
        })
    }

    /// One key of the filter grammar.
    fn key(&self, name: &str, signal: Signal) -> Result<Option<Key>, Problem> {
        self.get(name)
            .map(|text| {
                Key::parse(text, signal).map_err(|error| {
                    Problem::parameter(
                        name,
                        format!(
                            "`{name}` is one key, for example service, http.route or \
                             resource.k8s.pod.name: {error}"
                        ),
                    )
                })
            })
            .transpose()
    }

    /// `as_of`: what counts as now for an incident that goes on; the present unless it is said.
    pub fn as_of(&self) -> Result<i64, Problem> {
        let Some(text) = self.get("as_of") else {
            return Ok(self.when.now());
        };
        self.when
            .moment(text)
            .and_then(|ns| i64::try_from(ns).ok())
            .ok_or_else(|| Problem::parameter("as_of", "`as_of` is not a time"))
    }
}
