-- Calls of each service in each second, as many as spans stand for: those it answered, and those made to peers that
-- send no spans themselves.
-- $3 are the services, each with its scope; those of a peer are whoever calls it from one of these scopes.
WITH nodes AS (
    SELECT split_part(n, chr(31), 1) AS service, split_part(n, chr(31), 2) AS environment, split_part(n, chr(31), 3) AS namespace,
        split_part(n, chr(31), 4) AS cluster
    FROM (SELECT unnest(string_split($3, chr(30))) AS n)
),
scopes AS (SELECT DISTINCT environment, namespace, cluster FROM nodes),
-- Spans are read once, and added up before anything is joined.
added AS MATERIALIZED (
    SELECT kind IN ('server', 'consumer') AS answers,
        CASE WHEN kind IN ('server', 'consumer') THEN service_name ELSE peer END AS service,
        coalesce(environment, '') AS environment, coalesce(service_namespace, '') AS namespace, coalesce(cluster, '') AS cluster,
        epoch_ns(start_time) // 1000000000 AS second, sum(coalesce(weight, 1)) AS calls,
        coalesce(sum(coalesce(weight, 1)) FILTER (status_code = 'error'), 0) AS errors,
        sum(duration_ns * coalesce(weight, 1)) AS duration
    FROM ({calls})
    WHERE kind IN ('server', 'consumer', 'client', 'producer')
        AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
        AND CASE WHEN kind IN ('server', 'consumer') THEN service_name ELSE peer END IN (SELECT service FROM nodes)
    GROUP BY ALL
),
chosen AS (
    FROM added a SEMI JOIN nodes n ON n.service = a.service AND n.environment = a.environment AND n.namespace = a.namespace
        AND n.cluster = a.cluster
    WHERE answers
    UNION ALL
    FROM added a SEMI JOIN scopes s ON s.environment = a.environment AND s.namespace = a.namespace AND s.cluster = a.cluster
    WHERE NOT answers
)
SELECT service, second::BIGINT, sum(calls)::DOUBLE, sum(errors)::DOUBLE, coalesce(sum(duration), 0)::DOUBLE
FROM chosen GROUP BY ALL ORDER BY ALL
