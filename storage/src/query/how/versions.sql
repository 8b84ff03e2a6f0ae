SELECT service_version, count(*) AS calls, count(*) FILTER (status_code = 'error') AS errors,
    quantile_cont(duration_ns, [0.5, 0.95, 0.99]) AS p50_p95_p99_ns, min(start_time) AS first, max(start_time) AS last,
    -- A weight is how many calls a span stands for.
    coalesce(sum(coalesce(weight, 1)) FILTER (status_code = 'error'), 0) / sum(coalesce(weight, 1)) AS error_ratio
FROM spans
{where}
GROUP BY ALL
ORDER BY first DESC
