-- Spans of some services ($3, joined by chr(30)) that may be refused calls: those that failed, and those that name the
-- outcome. Recognisers read them.
SELECT trace_id, span_id, parent_span_id, environment, service_namespace, cluster, service_name, service_instance_id,
    scope_name, name, kind, epoch_ns(start_time), status_message, peer, coalesce(weight, 1), attributes, events, {columns}
FROM ({spans})
WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
    AND list_contains(string_split($3, chr(30)), service_name)
    AND (status_code = 'error' OR status_message <> '' OR {outcomes})
LIMIT {limit}
