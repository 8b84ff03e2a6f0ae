-- One service's operations: sums (bucket NULL) and buckets of the duration histogram; the rank is that of
-- rollup/sum_red.sql. The last column of a sum is how many names there are.
WITH chosen AS MATERIALIZED (
    SELECT name,
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN sidecar THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN sidecar THEN 4 ELSE 3 END ELSE 5 END::UTINYINT AS rank,
        calls, errors, weight, error_weight, duration_histogram
    FROM ({red}) {where}
), ranked AS (
    SELECT * FROM chosen WHERE rank = (SELECT min(rank) FROM chosen)
), named AS (
    SELECT name, sum(calls)::UBIGINT AS calls, sum(errors)::UBIGINT AS errors, sum(weight) AS weight,
        sum(error_weight) AS error_weight, (count(*) OVER ())::UBIGINT AS names
    FROM ranked GROUP BY name ORDER BY 2 DESC, 1 LIMIT {limit}
)
SELECT name, NULL::USMALLINT AS bucket, calls, errors, weight, error_weight, names FROM named
UNION ALL
SELECT name, entry.key, sum(entry.value)::UBIGINT, 0, 0, 0, 0
FROM (SELECT name, unnest(map_entries(duration_histogram)) AS entry FROM ranked SEMI JOIN named USING (name))
GROUP BY ALL
