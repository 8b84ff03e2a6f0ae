SELECT
    f.time, f.observed_time, f.trace_id, f.span_id, f.severity_number, f.severity_text, f.event_name,
    f.body, f.body_type, f.flags,
    r.service_name, r.service_namespace, r.service_version, r.service_instance_id, r.environment, r.cluster,
    coalesce(f.time_exception, epoch_ns(f.time)::UBIGINT) AS time_unix_nano,
    coalesce(f.observed_exception, epoch_ns(f.observed_time)::UBIGINT) AS observed_time_unix_nano,
    {{f.attributes}} AS attributes,
    {{r.attributes}} AS resource_attributes,
    c.name AS scope_name, c.version AS scope_version, {{c.attributes}} AS scope_attributes,
    f.dropped_attributes_count,
    r.resource_id, r.schema_url AS resource_schema_url,
    r.dropped_attributes_count AS resource_dropped_attributes_count,
    c.scope_id, c.schema_url AS scope_schema_url,
    c.dropped_attributes_count AS scope_dropped_attributes_count
FROM {facts}.logs f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
JOIN {dictionaries}.scopes c ON c.scope_ix = f.scope_ix
