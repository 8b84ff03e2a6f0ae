//! What the three signals share around their items: resource, scope, ids, and the writer they reuse.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{EntityRef, InstrumentationScope};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tripline_storage::attributes::AttributesWriter;
use tripline_storage::ingest::{Batch, ResourceRow, Rows, ScopeRow, is_proxy_resource};

use super::drops::{DropReason, Drops};
use super::values::{write_sorted, write_value};

/// The name of a service that does not say its own (`CONFORMANCE.md` C10): never dropped.
pub(super) const UNKNOWN_SERVICE: &str = "unknown_service";

/// The tables of a batch while it is being filled.
#[derive(Default)]
pub(super) struct Envelope {
    resources: Vec<ResourceRow>,
    scopes: Vec<ScopeRow>,
    pub(super) drops: Drops,
    writer: AttributesWriter,
}

/// A resource's index, and whether all its spans are a proxy's.
#[derive(Clone, Copy)]
pub(super) struct ResourceIndex {
    pub(super) index: u32,
    pub(super) is_proxy: bool,
}

impl Envelope {
    /// Adds a resource; a missing one is an unknown one, without attributes.
    pub(super) fn resource(
        &mut self,
        resource: Option<&Resource>,
        schema_url: &str,
    ) -> ResourceIndex {
        let unknown = Resource::default();
        let resource = resource.unwrap_or(&unknown);
        let mut row = ResourceRow {
            schema_url: some_text(schema_url),
            dropped_attributes_count: resource.dropped_attributes_count,
            ..ResourceRow::default()
        };
        let mut is_proxy = false;
        let mut old_environment = None;
        self.writer.clear();
        write_sorted(
            &mut self.writer,
            &resource.attributes,
            &mut self.drops,
            |key, value| {
                if let Value::StringValue(text) = value {
                    is_proxy |= is_proxy_resource(key, text);
                }
                let slot = match key {
                    "service.name" => &mut row.service_name,
                    "service.namespace" => &mut row.service_namespace,
                    "service.version" => &mut row.service_version,
                    "service.instance.id" => &mut row.service_instance_id,
                    "deployment.environment.name" => &mut row.environment,
                    "deployment.environment" => &mut old_environment,
                    "k8s.cluster.name" => &mut row.cluster,
                    _ => return,
                };
                *slot = as_text(value);
            },
        );
        self.writer.as_str().clone_into(&mut row.attributes);
        row.environment = row.environment.or(old_environment);
        row.service_name
            .get_or_insert_with(|| UNKNOWN_SERVICE.to_owned());
        row.entity_refs = self.entity_refs(&resource.entity_refs);
        ResourceIndex {
            index: intern(&mut self.resources, row),
            is_proxy,
        }
    }

    /// Adds a scope; a missing one has an empty name.
    pub(super) fn scope(&mut self, scope: Option<&InstrumentationScope>, schema_url: &str) -> u32 {
        let unknown = InstrumentationScope::default();
        let scope = scope.unwrap_or(&unknown);
        let row = ScopeRow {
            name: scope.name.clone(),
            version: scope.version.clone(),
            attributes: {
                self.writer.clear();
                write_sorted(
                    &mut self.writer,
                    &scope.attributes,
                    &mut self.drops,
                    |_, _| {},
                );
                self.writer.as_str().to_owned()
            },
            schema_url: some_text(schema_url),
            dropped_attributes_count: scope.dropped_attributes_count,
        };
        intern(&mut self.scopes, row)
    }

    fn entity_refs(&mut self, refs: &[EntityRef]) -> Option<String> {
        if refs.is_empty() {
            return None;
        }
        let writer = &mut self.writer;
        writer.clear();
        writer.begin_array();
        for entity in refs {
            writer.begin_object();
            writer.fixed_key("schema_url");
            writer.string(&entity.schema_url);
            writer.fixed_key("type");
            writer.string(&entity.r#type);
            for (name, keys) in [
                ("id_keys", &entity.id_keys),
                ("description_keys", &entity.description_keys),
            ] {
                writer.fixed_key(name);
                writer.begin_array();
                keys.iter().for_each(|key| writer.string(key));
                writer.end();
            }
            writer.end();
        }
        writer.end();
        Some(writer.as_str().to_owned())
    }

    /// The finished batch.
    pub(super) fn into_batch(self, rows: Rows) -> (Batch, Drops) {
        let Self {
            resources,
            scopes,
            drops,
            ..
        } = self;
        (
            Batch {
                resources,
                scopes,
                rows,
                bytes: 0,
            },
            drops,
        )
    }
}

/// The row's index, the last row's if it is the same (exporters repeat themselves in a row).
fn intern<T: PartialEq>(rows: &mut Vec<T>, row: T) -> u32 {
    if rows.last() != Some(&row) {
        rows.push(row);
    }
    u32::try_from(rows.len() - 1).expect("a body of 64 MiB holds fewer than 2^32 resources")
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A promoted attribute's text: other kinds than string as their hot encoding, nothing for the empty string.
fn as_text(value: &Value) -> Option<String> {
    if let Value::StringValue(text) = value {
        return some_text(text);
    }
    let mut writer = AttributesWriter::new();
    write_value(&mut writer, Some(value), &mut Drops::default());
    some_text(writer.as_str())
}

/// An id of the right length that is not all zero.
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let id: [u8; N] = bytes.try_into().ok()?;
    (id != [0; N]).then_some(id)
}

/// An optional id: none when empty, all zero or of a wrong length; the last is counted, for it is lost.
pub(super) fn association<const N: usize>(bytes: &[u8], drops: &mut Drops) -> Option<[u8; N]> {
    if !bytes.is_empty() && bytes.len() != N {
        drops.add(DropReason::Association);
    }
    id(bytes)
}
