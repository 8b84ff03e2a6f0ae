SELECT count(*)::UBIGINT AS counted
FROM (
    SELECT DISTINCT span_id, environment, service_namespace, cluster, service_name, start_time_unix_nano
    FROM ({relation})
    WHERE trace_id = ?
)
