SELECT
    trace_id, span_id, parent_span_id, trace_state, flags, environment, service_namespace, cluster,
    service_name, service_version, service_instance_id, name, kind, start_time_unix_nano,
    end_time_unix_nano, duration_ns, status_code, status_message, attributes::JSON::VARCHAR,
    resource_attributes::JSON::VARCHAR, scope_name, scope_version, events::JSON::VARCHAR, links::JSON::VARCHAR,
    dropped_attributes_count, dropped_events_count, dropped_links_count, coalesce(sidecar, false)
FROM ({spans})
WHERE trace_id = ?
ORDER BY start_time_unix_nano, span_id
LIMIT 100001
