-- Spans of some services ($3, joined by chr(30)) that may be refused calls: those that failed, and those that name the
-- outcome. Recognisers read them.
SELECT own_trace_id, own_span_id, own_parent_span_id, own_environment, own_service_namespace, own_cluster,
    own_service_name, own_service_instance_id, own_scope_name, own_name, own_kind, epoch_ns(own_start_time),
    own_status_message, own_peer, own_weight::DOUBLE AS weight, own_attributes, own_events, {columns}
FROM ({spans})
WHERE own_start_time >= make_timestamp_ns($1) AND own_start_time < make_timestamp_ns($2)
    AND list_contains(string_split($3, chr(30)), own_service_name)
    AND (own_status_code = 'error' OR own_status_message <> '' OR {outcomes})
LIMIT {limit}
