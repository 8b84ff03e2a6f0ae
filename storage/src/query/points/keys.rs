//! What streams say of themselves: the values they can be grouped by, and under which keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use duckdb::Connection;

use super::ids_text;
use crate::ask::Ask;
use crate::filter::{Key, KeyScope, Signal, field_named};
use crate::model::{AttributeValue, Attributes, MetricSeries};
use crate::query::{QueryError, document};

/// A stream with what is not shown of it.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// Without its points.
    pub series: MetricSeries,
    /// Version of its service.
    pub service_version: Option<String>,
    /// Instrumentation scope.
    pub scope_name: Option<String>,
    /// Its version.
    pub scope_version: Option<String>,
    /// The same for equal resources.
    pub resource_id: u64,
    /// Attributes of the resource, shared by its streams.
    pub resource: Arc<Attributes>,
}

const RESOURCES: &str = "SELECT resource_id, attributes::JSON::VARCHAR FROM resources \
     WHERE resource_id IN (SELECT unnest(string_split(?, ','))::UBIGINT)";

/// Reads the attributes of the streams' resources, each once.
pub(super) fn read_resources(
    conn: &Connection,
    streams: &mut BTreeMap<u64, Stream>,
) -> Result<(), QueryError> {
    let mut resources: BTreeMap<u64, Arc<Attributes>> = streams
        .values()
        .map(|stream| (stream.resource_id, Arc::default()))
        .collect();
    if resources.is_empty() {
        return Ok(());
    }
    let ids = ids_text(resources.keys());
    let mut statement = conn.ask(RESOURCES)?;
    let mut rows = statement.query([ids])?;
    while let Some(row) = rows.next()? {
        let text: Option<String> = row.get(1)?;
        resources.insert(row.get(0)?, Arc::new(document::attributes(text.as_deref())));
    }
    for stream in streams.values_mut() {
        if let Some(resource) = resources.get(&stream.resource_id) {
            stream.resource = Arc::clone(resource);
        }
    }
    Ok(())
}

impl Stream {
    /// Its value of a key, looked up as a filter does: a field, else an attribute of its own, else of its resource.
    pub(super) fn value(&self, key: &Key) -> Option<AttributeValue> {
        if key.scope == KeyScope::Anywhere
            && let Some(field) = field_named(Signal::Metrics, &key.name)
        {
            return self.field(field.names[0]);
        }
        let own = match key.scope {
            KeyScope::Resource => None,
            _ => value_in(&self.series.attributes, &key.name),
        };
        match key.scope {
            KeyScope::Item => own,
            _ => own.or_else(|| value_in(&self.resource, &key.name)),
        }
    }

    /// A field by the first of its names.
    fn field(&self, name: &str) -> Option<AttributeValue> {
        let series = &self.series;
        let text = match name {
            "service" => series.service_name.clone(),
            "version" => self.service_version.clone(),
            "instance" => series.service_instance_id.clone(),
            "environment" => series.scope.environment.clone(),
            "namespace" => series.scope.service_namespace.clone(),
            "cluster" => series.scope.cluster.clone(),
            "scope.name" => self.scope_name.clone(),
            "scope.version" => self.scope_version.clone(),
            "kind" => Some(series.kind.clone()),
            "unit" => Some(series.unit.clone()),
            "temporality" => series.temporality.clone(),
            "monotonic" => return series.is_monotonic.map(AttributeValue::Bool),
            _ => None,
        };
        text.filter(|text| !text.is_empty())
            .map(AttributeValue::String)
    }
}

fn value_in(attributes: &Attributes, key: &str) -> Option<AttributeValue> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(attribute.value.clone()).filter(|value| *value != AttributeValue::Empty)
}

/// Fields that streams are grouped by.
const FIELDS: [&str; 6] = [
    "service",
    "instance",
    "version",
    "environment",
    "namespace",
    "cluster",
];
/// Keys listed at most.
const KEYS_MAX: usize = 100;

/// The keys of these streams as a filter writes them: attributes of their own, then fields and attributes of their
/// resources in which they differ.
pub(super) fn keys(streams: &BTreeMap<u64, Stream>) -> Vec<String> {
    let mut own: BTreeMap<String, String> = BTreeMap::new();
    let mut of_resource: HashMap<&str, Spread<'_>> = HashMap::new();
    let mut resources: HashMap<u64, &Attributes> = HashMap::new();
    for stream in streams.values() {
        for attribute in &stream.series.attributes {
            own.entry(attribute.key.clone()).or_insert_with(|| {
                let scope = match field_named(Signal::Metrics, &attribute.key) {
                    Some(_) => KeyScope::Item,
                    None => KeyScope::Anywhere,
                };
                let name = attribute.key.clone();
                Key { scope, name }.to_string()
            });
        }
        resources.insert(stream.resource_id, &stream.resource);
    }
    for attribute in resources.values().flat_map(|attributes| attributes.iter()) {
        of_resource
            .entry(&attribute.key)
            .or_insert_with(|| Spread::of(&attribute.value))
            .see(&attribute.value);
    }
    let differing_fields = FIELDS.into_iter().filter(|name| {
        let mut values = streams.values().map(|stream| stream.field(name));
        let first = values.next();
        first.is_some_and(|first| values.any(|value| value != first))
    });
    // What a field says is not said again.
    let mut differing: Vec<String> = of_resource
        .into_iter()
        .filter(|(key, _)| field_named(Signal::Metrics, key).is_none())
        .filter(|(_, spread)| spread.differs || spread.resources < resources.len())
        .map(|(key, _)| {
            let (scope, name) = (KeyScope::Resource, key.to_owned());
            Key { scope, name }.to_string()
        })
        .collect();
    differing.sort();
    let fields: Vec<String> = differing_fields.map(str::to_owned).collect();
    own.into_values()
        .chain(fields)
        .chain(differing)
        .take(KEYS_MAX)
        .collect()
}

/// How the resources differ in one attribute.
struct Spread<'a> {
    first: &'a AttributeValue,
    differs: bool,
    resources: usize,
}

impl<'a> Spread<'a> {
    fn of(first: &'a AttributeValue) -> Self {
        Self {
            first,
            differs: false,
            resources: 0,
        }
    }

    fn see(&mut self, value: &AttributeValue) {
        self.differs |= value != self.first;
        self.resources += 1;
    }
}
