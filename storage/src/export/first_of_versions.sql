OR s.start_time_unix_nano >= $0 AND s.start_time_unix_nano < $1 AND s.trace_id || s.span_id IN (
        -- The first span of each version: what was deployed shows by it.
        SELECT arg_min(trace_id || span_id, start_time_unix_nano) FROM spans
        WHERE start_time_unix_nano >= $0 AND start_time_unix_nano < $1
        GROUP BY service_name, service_namespace, environment, cluster, service_version)
