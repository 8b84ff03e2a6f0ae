-- Calls of each service in each second, as many as spans stand for: those it answered, and those made to peers that
-- send no spans themselves.
-- $3 are the services, each with its scope; those of a peer are whoever calls it from one of these scopes.
WITH nodes AS (
    SELECT split_part(n, chr(31), 1) AS service, split_part(n, chr(31), 2) AS environment, split_part(n, chr(31), 3) AS namespace,
        split_part(n, chr(31), 4) AS cluster
    FROM (SELECT unnest(string_split($3, chr(30))) AS n)
),
scopes AS (SELECT DISTINCT environment, namespace, cluster FROM nodes),
chosen AS (
    SELECT coalesce(service_name, 'unknown_service') AS service, epoch_ns(start_time) // 1000000000 AS second,
        status_code = 'error' AS failed, duration_ns, coalesce(weight, 1) AS weight
    FROM ({calls}) c SEMI JOIN nodes n ON n.service = c.service_name AND n.environment = coalesce(c.environment, '')
        AND n.namespace = coalesce(c.service_namespace, '') AND n.cluster = coalesce(c.cluster, '')
    WHERE kind IN ('server', 'consumer')
        AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
    UNION ALL
    SELECT peer, epoch_ns(start_time) // 1000000000, status_code = 'error', duration_ns, coalesce(weight, 1)
    FROM ({calls}) c SEMI JOIN scopes s ON s.environment = coalesce(c.environment, '')
        AND s.namespace = coalesce(c.service_namespace, '') AND s.cluster = coalesce(c.cluster, '')
    WHERE kind IN ('client', 'producer')
        AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
        AND peer IN (SELECT service FROM nodes)
)
SELECT service, second::BIGINT, sum(weight), coalesce(sum(weight) FILTER (failed), 0),
    coalesce(sum(duration_ns * weight), 0)::DOUBLE
FROM chosen GROUP BY ALL ORDER BY ALL
