-- Entry spans by version and bucket of duration (eighths of a power of two, as the roll-ups have them); what was sent
-- again counts once.
SELECT environment, service_namespace, cluster, service_name, service_version, bucket, sum(calls)::UBIGINT,
    sum(errors)::UBIGINT, epoch_ns(min(first)), epoch_ns(max(last)), sum(weight), sum(error_weight)
FROM (
    SELECT resource_ix, CASE WHEN duration_ns >= 1 THEN ceil(log2(duration_ns) * 8) ELSE 0 END::USMALLINT AS bucket,
        count(*) AS calls, count(*) FILTER (status_code = 'error') AS errors,
        min(start_time) AS first, max(start_time) AS last, sum(coalesce(weight, 1)) AS weight,
        coalesce(sum(coalesce(weight, 1)) FILTER (status_code = 'error'), 0) AS error_weight
    FROM {facts}.spans
    WHERE kind IN ('server', 'consumer') AND NOT coalesce(sidecar, false) AND NOT coalesce(resent, false)
        AND start_time >= {from} AND start_time < {to}
    GROUP BY ALL
) JOIN {dictionaries}.resources USING (resource_ix)
GROUP BY ALL
