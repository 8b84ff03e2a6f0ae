SELECT
    r.resource_id, r.service_name, r.service_namespace, r.service_version, r.service_instance_id,
    r.environment, r.cluster, {{r.attributes}} AS attributes, r.schema_url, r.dropped_attributes_count,
    r.entity_refs::JSON AS entity_refs
FROM {dictionaries}.resources r
