-- Rows of two kinds: sums (bucket NULL) and buckets of the duration histogram. What is to be taken away `is_minus`.
WITH chosen AS MATERIALIZED (
    SELECT environment, service_namespace, cluster, caller, callee_environment, callee_service_namespace,
        callee_cluster, callee, kind, is_async, inferred, basis, calls, errors, weight, duration_histogram, is_minus
    FROM ({edges}) {where}
)
SELECT environment, service_namespace, cluster, caller, callee_environment, callee_service_namespace,
    callee_cluster, callee, kind, is_async, inferred, NULL::USMALLINT AS bucket,
    sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(weight), basis, is_minus
FROM chosen GROUP BY ALL
UNION ALL
SELECT environment, service_namespace, cluster, caller, callee_environment, callee_service_namespace,
    callee_cluster, callee, kind, is_async, inferred, entry.key, sum(entry.value)::UBIGINT, 0, 0, NULL, is_minus
FROM (SELECT * EXCLUDE (duration_histogram), unnest(map_entries(duration_histogram)) AS entry FROM chosen)
GROUP BY ALL
