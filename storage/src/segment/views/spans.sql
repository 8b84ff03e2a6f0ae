SELECT
    f.trace_id, f.span_id, f.parent_span_id, f.trace_state, f.flags,
    r.service_name, r.service_namespace, r.service_version, r.service_instance_id, r.environment, r.cluster,
    f.name, f.kind, f.start_time,
    CASE WHEN f.end_exception IS NULL THEN make_timestamp_ns(epoch_ns(f.start_time) + f.duration_ns)
         WHEN f.end_exception BETWEEN 1 AND 9223372036854775806 THEN make_timestamp_ns(f.end_exception::BIGINT)
    END AS end_time,
    f.duration_ns,
    coalesce(f.start_exception, epoch_ns(f.start_time)::UBIGINT) AS start_time_unix_nano,
    coalesce(f.end_exception, (epoch_ns(f.start_time) + f.duration_ns)::UBIGINT) AS end_time_unix_nano,
    f.status_code, f.status_message,
    {{f.attributes}} AS attributes,
    {{r.attributes}} AS resource_attributes,
    c.name AS scope_name, c.version AS scope_version, {{c.attributes}} AS scope_attributes,
    {{f.events}} AS events, {{f.links}} AS links,
    f.dropped_attributes_count, f.dropped_events_count, f.dropped_links_count,
    f.peer, f.peer_kind, f.sidecar, f.weight, f.resent,
    r.resource_id, r.schema_url AS resource_schema_url,
    r.dropped_attributes_count AS resource_dropped_attributes_count,
    c.scope_id, c.schema_url AS scope_schema_url,
    c.dropped_attributes_count AS scope_dropped_attributes_count
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
JOIN {dictionaries}.scopes c ON c.scope_ix = f.scope_ix
