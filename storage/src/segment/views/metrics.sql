SELECT
    s.series_id, s.name, s.kind AS type, s.unit, s.temporality, s.is_monotonic, s.description,
    {{s.metadata}} AS metadata,
    r.service_name, r.service_namespace, r.service_version, r.service_instance_id, r.environment, r.cluster,
    {{s.attributes}} AS attributes,
    {{r.attributes}} AS resource_attributes,
    c.name AS scope_name, c.version AS scope_version, {{c.attributes}} AS scope_attributes,
    r.resource_id, r.schema_url AS resource_schema_url, c.scope_id, c.schema_url AS scope_schema_url,
    c.dropped_attributes_count AS scope_dropped_attributes_count
FROM {dictionaries}.series s
JOIN {dictionaries}.resources r ON r.resource_ix = s.resource_ix
JOIN {dictionaries}.scopes c ON c.scope_ix = s.scope_ix
