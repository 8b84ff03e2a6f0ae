SELECT
    s.series_id, s.name, s.kind AS type, s.unit,
    f.time, f.point_time,
    coalesce(f.time_exception, epoch_ns(f.time)::UBIGINT) AS time_unix_nano,
    coalesce(f.point_time_exception, epoch_ns(f.point_time)::UBIGINT) AS point_time_unix_nano,
    coalesce(f.value_double, f.value_int::DOUBLE) AS value, f.value_int, f.value_double,
    f.trace_id, f.span_id,
    {{f.filtered_attributes}} AS filtered_attributes,
    r.service_name, r.service_namespace, r.service_version, r.service_instance_id, r.environment, r.cluster,
    {{s.attributes}} AS attributes,
    {{r.attributes}} AS resource_attributes,
    c.name AS scope_name, c.version AS scope_version, {{c.attributes}} AS scope_attributes,
    r.resource_id, c.scope_id
FROM {facts}.exemplars f
JOIN {dictionaries}.series s ON s.series_ix = f.series_ix
JOIN {dictionaries}.resources r ON r.resource_ix = s.resource_ix
JOIN {dictionaries}.scopes c ON c.scope_ix = s.scope_ix
