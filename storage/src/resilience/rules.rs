//! What a recogniser file says. The fields here are the format's documentation.
//!
//! A *source* names where a value comes from. Of a list of sources the first that is there wins.
//!
//! | source | its value |
//! |---|---|
//! | `some.attribute` | the attribute of this key, else of the key in another spelling: separators and case do not count (R8); of a log record without it, the member of a body that is JSON or logfmt |
//! | `*some.attribute` | the attribute whose key ends so where a word begins, in any spelling: `acme.some.attribute` |
//! | `@hole` | a hole of the rule's `text`, a member of its JSON, or `@peer`, the callee that is named; of an error `@message`, all of its text, and `@type`, its type; of a log record `@body`, all of its body |
//! | `=literal` | itself |
//! | `… \| istio_service` | of any but a literal: the service in Envoy's name for a cluster, `payment` of `outbound\|8080\|\|payment.shop.svc.cluster.local`; none where the cluster is no callee |
//! | `… \| envoy_cluster` | of `@before`: the cluster in the name of a statistic, `payment` of `cluster.payment` |
//! | `… \| finagle_label` | of `@before`: the client in the name of a statistic, `payment` of `clnt/payment` |
//! | `… \| polly_pipeline` | of any but a literal: the pipeline in Polly's name for a source, `client` of `client/https://payment/breaker` |
//! | `… \| polly_instance` | the same of its instance, `https://payment`; none where it has no name |
//! | `… \| linkerd_service` | of `@body`: the service that a line of Linkerd's log is about, `web` of `service{ns=shop name=web port=80}:endpoint{addr=10.0.0.7:80}` |
//! | `… \| linkerd_endpoint` | the same of its endpoint, `10.0.0.7:80` |
//! | `… \| grpc_target` | of any but a literal: whom gRPC's name for a target is of, `payment:443` of `dns:///payment:443`; none of a socket |
//! | `… \| dapr_app` | of any but a literal: the application in Dapr's name for a target, `payment` of `app_payment`; none of an actor or a component |
//!
//! A *wanted value* (`needs`, `unless`, labels of a `sink`, `rejected`) may have stars for any text: `OnCircuit*`. It is
//! compared with the whole value and, of a list or of flags joined by commas (`UO,DC`), with each element.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// One recogniser: everything one library or mesh is known by.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecogniserFile {
    /// The column `origin`.
    pub origin: String,
    /// For people.
    pub title: String,
    /// What to do so that its breakers report themselves, where refused calls alone say that there is one.
    #[serde(default)]
    pub enable: Option<String>,
    /// Where the names were read: project, file, version.
    pub source: Vec<String>,
    /// The column `pattern` where a rule says no other.
    #[serde(default = "breaker")]
    pub pattern: String,
    /// The origin's own words and numbers for states; canonical spellings need not be said.
    #[serde(default)]
    pub states: BTreeMap<String, String>,
    /// The origin's own words for reasons.
    #[serde(default)]
    pub reasons: BTreeMap<String, String>,
    /// Metric streams.
    #[serde(default, rename = "metric")]
    pub metrics: Vec<MetricRule>,
    /// Log records, and events of spans.
    #[serde(default, rename = "log")]
    pub logs: Vec<LogRule>,
    /// Spans by an attribute or a name.
    #[serde(default, rename = "span")]
    pub spans: Vec<SpanRule>,
    /// Errors that say a call was refused.
    #[serde(default, rename = "rejection")]
    pub rejections: Vec<RejectionRule>,
    /// What a replay of its breakers' calls goes by.
    pub replay: Option<ReplayRules>,
    /// Why it says nothing of that, if it does not.
    pub no_replay: Option<String>,
}

/// A library's breaker as what-if replays it: from the project's sources at the version named. It is never promised to be
/// reproduced: its baseline says how many of its recorded trips the replay finds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRules {
    /// Its defaults, as settings of ours: names as in the event `circuit_breaker.configured`, without the prefix.
    pub defaults: Map<String, Value>,
    /// Its rules that have no counterpart here, in words.
    pub differs: Vec<String>,
}

fn breaker() -> String {
    "breaker".to_owned()
}

/// How the name of a metric is compared, after R8 folded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// The whole name.
    #[default]
    Exact,
    /// Its end: prefixes are the user's.
    Suffix,
    /// Anywhere; `@prefix` is what stands before, folded, and `@before` the same as it is written.
    Contains,
    /// Whatever it is: an application's own. The streams are known by an attribute that the rule needs a value of, which
    /// is looked for first.
    Any,
}

/// A metric stream whose points are evidence.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricRule {
    /// Folded name: lower case, `_` for `.`, without unit and `_total`.
    pub name: String,
    /// How it is compared.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// Overrides the file's pattern.
    pub pattern: Option<String>,
    /// Sources of the breaker's name.
    pub breaker: Vec<String>,
    /// Sources of its key.
    #[serde(default)]
    pub key: Vec<String>,
    /// Sources of the callee.
    #[serde(default)]
    pub peer: Vec<String>,
    /// Sources of the label, whose value says what a stream counts.
    pub label: Option<Strings>,
    /// What a point is; by the label's value if there are several.
    pub sink: SinkSpec,
    /// Factor to the column's unit (percent to ratio: 0.01; seconds to nanoseconds: 1e9). Times in a state go by the unit
    /// of their stream, where that is one of time.
    pub scale: Option<f64>,
    /// A point counts what came since the point before, whatever its stream says.
    #[serde(default)]
    pub delta: bool,
    /// Of a histogram the sum of what was measured: tries, where each measurement is a call's. Else how often that was.
    #[serde(default)]
    pub sum: bool,
    /// Only of these instrumentation scopes (prefixes), if any are said.
    #[serde(default)]
    pub scope: Vec<String>,
    /// Sources that must have these values; `*` for any.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
}

/// One sink for all values of the label, or one or more by value.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum SinkSpec {
    /// The same for all.
    One(String),
    /// By value of the label, the most exact first; other values are nothing.
    ByLabel(BTreeMap<String, Strings>),
}

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Strings {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Strings {
    /// As a slice.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// What a log record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// A state was left for another. Fields: breaker, key, peer, from, to, reason, generation, failure_rate,
    /// slow_rate, window_calls, threshold, open_for_ms, attempt, contributing, config_hash.
    Transition,
    /// The settings; every attribute under `prefix` that is no field. Fields: breaker, key, peer, config_hash.
    Config,
    /// A call was refused, so the state was `state` (default open). Fields: breaker, key, peer, state.
    Rejection,
}

/// A log record, or an event of a span, that is evidence.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRule {
    /// Event names; also span events of these names. One with stars, `*circuit*transition*`, is for what no rule knows
    /// by its whole name; its first piece is what is looked for, so that should be rare.
    #[serde(default)]
    pub event: Vec<String>,
    /// A template of the body.
    pub text: Option<String>,
    /// Text in a body that is JSON, or in the attributes, written without blanks; its members become holes.
    pub json: Option<String>,
    /// What it says.
    pub says: Says,
    /// Overrides the file's pattern.
    pub pattern: Option<String>,
    /// `event` for the breaker's own report; else `log`.
    #[serde(default)]
    pub evidence: Option<String>,
    /// Only of these instrumentation scopes (prefixes), if any are said.
    #[serde(default)]
    pub scope: Vec<String>,
    /// Sources that must have these values; `*` for any.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
    /// Sources that must not have these values.
    #[serde(default)]
    pub unless: BTreeMap<String, String>,
    /// Prefix of the settings.
    pub prefix: Option<String>,
    /// Sources of the fields.
    pub fields: BTreeMap<String, Strings>,
    /// Rates are in percent.
    #[serde(default)]
    pub percent: bool,
}

/// Spans that carry a breaker's state or a call's outcome.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanRule {
    /// An attribute of this key, as is, with `_` for `.`, or with `circuitbreaker` for `circuit_breaker`; with a star
    /// before it, `*circuit_breaker.state`, any key that ends so.
    pub attribute: Option<String>,
    /// Or a span of this name.
    pub name: Option<String>,
    /// Overrides the file's pattern.
    pub pattern: Option<String>,
    /// Sources that must have these values; `*` for any.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
    /// Sources: breaker, key, peer, state, outcome.
    pub fields: BTreeMap<String, Strings>,
    /// Outcomes that mean the call was refused.
    #[serde(default)]
    pub rejected: Vec<String>,
    /// Outcomes that mean that the policy did something else with the call: answered it by a fallback, tried it again,
    /// ended it. They prove no state.
    #[serde(default)]
    pub acted: Vec<String>,
    /// The state a refusal proves.
    #[serde(default = "open")]
    pub rejected_state: String,
}

fn open() -> String {
    "open".to_owned()
}

/// An error that says a call was refused: an exception of a span, its status, or the error of a log record. Without a
/// name for the breaker it is shown where the call is, and is no evidence of any breaker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionRule {
    /// Exception types, as `exception.type` or `error.type` has them; a qualified one also within a status message.
    #[serde(default)]
    pub types: Vec<String>,
    /// Texts in a status message, in `exception.message`, or in the error or body of a log record.
    #[serde(default)]
    pub messages: Vec<String>,
    /// Only of these instrumentation scopes (prefixes), if any are said.
    #[serde(default)]
    pub scope: Vec<String>,
    /// Sources that must have these values; `*` for any.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
    /// Sources that must not have these values.
    #[serde(default)]
    pub unless: BTreeMap<String, String>,
    /// Overrides the file's pattern.
    pub pattern: Option<String>,
    /// A template of the message, for its holes.
    pub text: Option<String>,
    /// Sources of the breaker's name.
    #[serde(default)]
    pub breaker: Vec<String>,
    /// Only where one of these is there: the error alone is anybody's.
    #[serde(default)]
    pub named: bool,
    /// The state a refusal proves, where no hole `state` of the template says another.
    #[serde(default = "open")]
    pub state: String,
    /// `false` where the call went out and failed, and the error says what that did to the breaker.
    #[serde(default = "yes")]
    pub refuses: bool,
}

fn yes() -> bool {
    true
}

/// Why a recogniser file is none.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It does not follow the format.
    #[error("{file} is no recogniser file")]
    Format {
        /// Its name.
        file: String,
        /// What the parser says.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// It says something that means nothing.
    #[error("{file}: {reason}")]
    Meaning {
        /// Its name.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

impl RecogniserFile {
    /// Reads a file.
    ///
    /// # Errors
    /// It does not follow the format.
    pub fn parse(name: &str, text: &str) -> Result<Self, RulesError> {
        toml::from_str(text).map_err(|source| RulesError::Format {
            file: name.to_owned(),
            source: Box::new(source),
        })
    }
}
