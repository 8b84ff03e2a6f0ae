WITH fitting AS (
    SELECT DISTINCT trace_id
    FROM spans f
    {where}
)
SELECT trace_id, min(start_time) AS started,
    (max(epoch_ns(start_time) + duration_ns) - min(epoch_ns(start_time))) / 1e6 AS duration_ms,
    count(DISTINCT (span_id, environment, service_namespace, cluster, service_name, start_time)) AS span_count,
    count(DISTINCT (span_id, environment, service_namespace, cluster, service_name, start_time))
        FILTER (status_code = 'error') AS failed_count
FROM spans SEMI JOIN fitting USING (trace_id)
GROUP BY trace_id
ORDER BY {order} DESC NULLS LAST, started DESC
LIMIT {limit}
