SELECT
    resource_ix, scope_ix, span_id, parent_span_id, trace_state, flags, name, kind, epoch_ns(start_time),
    start_exception, duration_ns, end_exception, status_code, status_message, {{attributes}}, {{events}}, {{links}},
    dropped_attributes_count, dropped_events_count, dropped_links_count, sidecar, peer
FROM {facts}.spans
WHERE trace_id = ? AND {within} {near}
{order}
LIMIT {limit}
