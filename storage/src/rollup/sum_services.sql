-- Rows of two kinds: sums (bucket NULL) and buckets of the duration histogram. The rank says how well a span
-- stands for a call to its service: its own entry spans, else its proxy's, else its outgoing spans, else its proxy's
-- outgoing ones, else any.
WITH chosen AS MATERIALIZED (
    SELECT environment, service_namespace, cluster, service_name,
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN sidecar THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN sidecar THEN 4 ELSE 3 END ELSE 5 END::UTINYINT AS rank,
        basis, calls, errors, weight, bucket_start, duration_histogram,
        CASE WHEN kind = 'consumer' THEN calls ELSE 0 END AS messages
    FROM ({red}) {where}
)
SELECT environment, service_namespace, cluster, service_name, rank, NULL::USMALLINT AS bucket,
    sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(weight), basis, epoch_ns(max(bucket_start)),
    sum(messages)::UBIGINT
FROM chosen GROUP BY ALL
UNION ALL
SELECT environment, service_namespace, cluster, service_name, rank, entry.key, sum(entry.value)::UBIGINT,
    0, 0, NULL, NULL, 0
FROM (SELECT * EXCLUDE (duration_histogram), unnest(map_entries(duration_histogram)) AS entry FROM chosen)
GROUP BY ALL
