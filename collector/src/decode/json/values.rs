//! Values, attributes, resources, scopes.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::fields;
use super::reader::{Parsed, Reader};

/// `{}` and `null` are the empty value.
pub(super) fn any_value(r: &mut Reader<'_>) -> Parsed<AnyValue> {
    let mut any = AnyValue::default();
    if r.null()? {
        return Ok(any);
    }
    fields!(r, any, {} one of value {
        "stringValue" => Value::StringValue(r.text()?),
        "boolValue" => Value::BoolValue(r.boolean()?),
        "intValue" => Value::IntValue(r.integer()?),
        "doubleValue" => Value::DoubleValue(r.double()?),
        "arrayValue" => Value::ArrayValue(array_value(r)?),
        "kvlistValue" => Value::KvlistValue(kvlist_value(r)?),
        "bytesValue" => Value::BytesValue(r.bytes()?),
        "stringValueStrindex" => Value::StringValueStrindex(r.integer()?),
    });
    Ok(any)
}

fn array_value(r: &mut Reader<'_>) -> Parsed<ArrayValue> {
    let mut array = ArrayValue::default();
    fields!(r, array, { "values" => values = r.list(any_value)?, });
    Ok(array)
}

fn kvlist_value(r: &mut Reader<'_>) -> Parsed<KeyValueList> {
    let mut list = KeyValueList::default();
    fields!(r, list, { "values" => values = attributes(r)?, });
    Ok(list)
}

pub(super) fn attributes(r: &mut Reader<'_>) -> Parsed<Vec<KeyValue>> {
    r.list(|r| {
        let mut attribute = KeyValue::default();
        fields!(r, attribute, {
            "key" => key = r.text()?,
            "value" => value = Some(any_value(r)?),
            "keyStrindex" => key_strindex = r.integer()?,
        });
        Ok(attribute)
    })
}

pub(super) fn resource(r: &mut Reader<'_>) -> Parsed<Resource> {
    let mut resource = Resource::default();
    fields!(r, resource, {
        "attributes" => attributes = attributes(r)?,
        "droppedAttributesCount" => dropped_attributes_count = r.integer()?,
        "entityRefs" => entity_refs = r.list(entity_ref)?,
    });
    Ok(resource)
}

fn entity_ref(r: &mut Reader<'_>) -> Parsed<EntityRef> {
    let mut entity = EntityRef::default();
    fields!(r, entity, {
        "schemaUrl" => schema_url = r.text()?,
        "type" => r#type = r.text()?,
        "idKeys" => id_keys = r.list(Reader::text)?,
        "descriptionKeys" => description_keys = r.list(Reader::text)?,
    });
    Ok(entity)
}

pub(super) fn scope(r: &mut Reader<'_>) -> Parsed<InstrumentationScope> {
    let mut scope = InstrumentationScope::default();
    fields!(r, scope, {
        "name" => name = r.text()?,
        "version" => version = r.text()?,
        "attributes" => attributes = attributes(r)?,
        "droppedAttributesCount" => dropped_attributes_count = r.integer()?,
    });
    Ok(scope)
}
