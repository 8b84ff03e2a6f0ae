WITH sent AS (
    SELECT environment, service_namespace, cluster, service_name, start_time AS span, NULL::TIMESTAMP_NS AS log,
        NULL::TIMESTAMP_NS AS traced_log, NULL::TIMESTAMP_NS AS metric, service_version, service_instance_id
    FROM spans WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
    UNION ALL
    SELECT environment, service_namespace, cluster, service_name, NULL, time,
        CASE WHEN trace_id IS NOT NULL THEN time END, NULL, service_version, service_instance_id
    FROM logs WHERE time >= make_timestamp_ns($1) AND time < make_timestamp_ns($2)
    UNION ALL
    SELECT environment, service_namespace, cluster, service_name, NULL, NULL, NULL, time, service_version,
        service_instance_id
    FROM metric_points WHERE time >= make_timestamp_ns($1) AND time < make_timestamp_ns($2)
)
SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service') AS service,
    epoch_ns(max(span)), epoch_ns(max(log)), epoch_ns(max(traced_log)), epoch_ns(max(metric)),
    bool_or(service_version IS NOT NULL), bool_or(service_instance_id IS NOT NULL)
FROM sent GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
