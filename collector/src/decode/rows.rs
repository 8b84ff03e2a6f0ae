//! Exported rows back into OTLP messages: the way of `tripline export` and of importing its Parquet files.
//!
//! A row is one JSON object with the columns of the public relations. Rows come ordered by resource and scope;
//! each [`Requests`] gathers neighbours under one envelope and hands out a request when it is large enough.

mod logs;
mod metrics;
mod spans;

pub use logs::LogRows;
pub use metrics::MetricRows;
pub use spans::SpanRows;

use opentelemetry_proto::tonic::common::v1::{EntityRef, InstrumentationScope};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde::Deserialize;

use super::{Malformed, Signal, hot};

/// Rows of one signal becoming requests.
pub trait Requests: Default {
    /// The signal.
    type Signal: Signal;

    /// Adds one row.
    ///
    /// # Errors
    /// The row is not of this relation.
    fn push(&mut self, row: &str) -> Result<(), Malformed>;

    /// Items gathered so far.
    fn items(&self) -> usize;

    /// The request gathered so far; begins a new one.
    fn take(&mut self) -> <Self::Signal as Signal>::Request;
}

/// Columns every relation has: resource and scope.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
struct Envelope {
    resource_id: u64,
    scope_id: u64,
    resource_attributes: Option<String>,
    resource_schema_url: Option<String>,
    resource_dropped_attributes_count: Option<u32>,
    resource_entity_refs: Option<String>,
    scope_name: Option<String>,
    scope_version: Option<String>,
    scope_attributes: Option<String>,
    scope_schema_url: Option<String>,
    scope_dropped_attributes_count: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entity {
    schema_url: String,
    r#type: String,
    id_keys: Vec<String>,
    description_keys: Vec<String>,
}

impl Envelope {
    fn resource(&self) -> Result<Resource, Malformed> {
        let entities: Vec<Entity> = match &self.resource_entity_refs {
            Some(text) => json(text)?,
            None => Vec::new(),
        };
        let entity_refs = entities.into_iter().map(|entity| EntityRef {
            schema_url: entity.schema_url,
            r#type: entity.r#type,
            id_keys: entity.id_keys,
            description_keys: entity.description_keys,
        });
        Ok(Resource {
            attributes: document(self.resource_attributes.as_deref())?,
            dropped_attributes_count: self.resource_dropped_attributes_count.unwrap_or(0),
            entity_refs: entity_refs.collect(),
        })
    }

    fn scope(&self) -> Result<InstrumentationScope, Malformed> {
        Ok(InstrumentationScope {
            name: self.scope_name.clone().unwrap_or_default(),
            version: self.scope_version.clone().unwrap_or_default(),
            attributes: document(self.scope_attributes.as_deref())?,
            dropped_attributes_count: self.scope_dropped_attributes_count.unwrap_or(0),
        })
    }

    fn resource_schema_url(&self) -> String {
        self.resource_schema_url.clone().unwrap_or_default()
    }

    fn scope_schema_url(&self) -> String {
        self.scope_schema_url.clone().unwrap_or_default()
    }
}

/// Parses a row or a column of JSON.
fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|error| Malformed::new("", &error.to_string()))
}

/// An attribute column; NULL is no attributes.
fn document(
    text: Option<&str>,
) -> Result<Vec<opentelemetry_proto::tonic::common::v1::KeyValue>, Malformed> {
    text.map_or_else(|| Ok(Vec::new()), hot::attributes)
}

/// An id column; NULL is no id.
fn id(text: Option<&str>) -> Result<Vec<u8>, Malformed> {
    let text = text.unwrap_or_default();
    super::json::number::hex(text).ok_or_else(|| Malformed::new("id", "not hexadecimal"))
}

/// A column of doubles printed as text.
fn double(text: &str) -> Result<f64, Malformed> {
    // DuckDB prints `nan`, `inf`, `-inf`, which is what Rust reads.
    text.parse()
        .map_err(|_| Malformed::new(text, "not a double"))
}

fn optional_double(text: Option<&str>) -> Result<Option<f64>, Malformed> {
    text.map(double).transpose()
}

fn doubles(texts: Option<Vec<String>>) -> Result<Vec<f64>, Malformed> {
    texts
        .unwrap_or_default()
        .iter()
        .map(|text| double(text))
        .collect()
}

/// The number of an enum's word; an unknown number was stored as text.
fn number_of(word: &str, words: &[&str]) -> Result<i32, Malformed> {
    if let Some(at) = words.iter().position(|known| *known == word) {
        return Ok(i32::try_from(at).expect("a handful of words"));
    }
    word.parse()
        .map_err(|_| Malformed::new(word, "not a word of this enum"))
}
