-- Failed and slow calls of the owners of breakers, one row a class and trace, and whether its breaker told of it: else it may
-- be a refused one. Members are
-- `owner<31>peer<31>breaker<31>key<31>id<31>environment<31>namespace<31>cluster`.
WITH members AS (
    SELECT split_part(m, chr(31), 1) AS owner, split_part(m, chr(31), 2) AS callee, split_part(m, chr(31), 3) AS breaker,
        split_part(m, chr(31), 4) AS "key", split_part(m, chr(31), 5) AS breaker_id,
        hash(split_part(m, chr(31), 6), split_part(m, chr(31), 7), split_part(m, chr(31), 8)) AS scope
    FROM (SELECT unnest(string_split($3, chr(30))) AS m)
),
-- The callee, and the names and addresses its caller has for it.
called AS (
    SELECT breaker_id, scope, owner, callee FROM members WHERE "key" = '' AND callee <> ''
    UNION
    SELECT m.breaker_id, m.scope, m.owner, n.called FROM members m JOIN callee_names n ON n.service_name = m.owner AND n.callee = m.callee
        AND hash(coalesce(n.environment, ''), coalesce(n.service_namespace, ''), coalesce(n.cluster, '')) = m.scope
    WHERE m."key" = ''
),
chosen AS MATERIALIZED (
    SELECT hash(coalesce(environment, ''), coalesce(service_namespace, ''), coalesce(cluster, '')) AS scope,
        trace_id, span_id, parent_span_id, service_name, kind, peer, status_code, epoch_ns(start_time) AS ns,
        coalesce("error.type", nullif("rpc.grpc.status_code", '0'), "rpc.response.status_code", "http.response.status_code",
            "http.status_code", nullif(status_message, '')) AS said,
        "circuit_breaker.name" AS breaker, "circuit_breaker.key" AS "key", "circuit_breaker.outcome" AS outcome
    FROM ({calls})
    WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
        AND service_name IN (SELECT owner FROM members) AND (status_code = 'error' OR "circuit_breaker.name" IS NOT NULL)
),
-- A call by the span its breaker wrote on, described by what the client under it says.
through AS (
    SELECT m.breaker_id, c.trace_id, c.span_id, c.ns,
        CASE WHEN c.outcome LIKE 'slow%' THEN 'slow' ELSE coalesce(u.said, c.said, 'error') END AS class
    FROM chosen c JOIN members m ON m.owner = c.service_name AND m.scope = c.scope AND m.breaker = c.breaker AND m."key" = coalesce(c."key", '')
    LEFT JOIN chosen u ON u.trace_id = c.trace_id AND u.parent_span_id = c.span_id AND u.status_code = 'error' AND u.kind = 'client'
    WHERE c.outcome IN ('failure', 'slow_failure', 'slow_success')
),
clients AS (
    SELECT m.breaker_id, c.trace_id, c.span_id, c.ns, coalesce(c.said, 'error') AS class
    FROM chosen c JOIN called m ON m.owner = c.service_name AND m.scope = c.scope AND m.callee = c.peer
    WHERE c.kind IN ('client', 'producer') AND c.status_code = 'error'
        AND m.breaker_id NOT IN (SELECT breaker_id FROM through)
)
SELECT breaker_id, class, trace_id, any_value(span_id), max(ns), is_told FROM
    (SELECT *, true AS is_told FROM through UNION ALL SELECT *, false FROM clients) GROUP BY ALL ORDER BY 1, 5 DESC
