-- Requests at entry points before ($2 to $3), during ($3 to $4) and after ($4 to $5) an incident: sums (bucket NULL) and
-- buckets of the duration histogram. Entry points are `service<31>operation<31>environment<31>namespace<31>cluster`.
WITH entries AS (
    SELECT e AS entry, split_part(e, chr(31), 1) AS service, split_part(e, chr(31), 2) AS operation,
        split_part(e, chr(31), 3) AS of_environment, split_part(e, chr(31), 4) AS of_namespace, split_part(e, chr(31), 5) AS of_cluster
    FROM (SELECT DISTINCT unnest(string_split($1, chr(30))) AS e)
),
chosen AS MATERIALIZED (
    SELECT entry, CASE WHEN bucket_start < make_timestamp_ns($3) THEN 0 WHEN bucket_start < make_timestamp_ns($4) THEN 1 ELSE 2 END::UTINYINT AS phase,
        calls, errors, weight, error_weight, duration_histogram
    FROM ({red}) JOIN entries ON service = service_name AND operation = name
        AND of_environment = coalesce(environment, '') AND of_namespace = coalesce(service_namespace, '') AND of_cluster = coalesce(cluster, '')
    WHERE bucket_start >= make_timestamp_ns($2) AND bucket_start < make_timestamp_ns($5)
)
SELECT entry, phase, NULL::USMALLINT AS bucket, sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(weight)::DOUBLE, sum(error_weight)::DOUBLE
FROM chosen GROUP BY ALL
UNION ALL
SELECT entry, phase, counted.key, sum(counted.value)::UBIGINT, 0::UBIGINT, 0, 0
FROM (SELECT entry, phase, unnest(map_entries(duration_histogram)) AS counted FROM chosen) GROUP BY ALL
