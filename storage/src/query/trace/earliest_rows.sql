SELECT to_json(x)::VARCHAR
FROM (
    SELECT * FROM ({spans}) s
    WHERE s.trace_id = $3
    ORDER BY s.start_time_unix_nano, s.span_id
    LIMIT {limit}
) x
-- One sender after the other: a request has each once.
ORDER BY x.service_name, x.resource_id, x.scope_name, x.scope_id, x.start_time_unix_nano, x.span_id
