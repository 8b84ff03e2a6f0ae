-- Calls between services as the sidecars beside them count them, between $1 and $2: a hop once, by the sidecar that sent
-- it on, else by the one that let it in.
WITH hops AS MATERIALIZED (
    SELECT hash(trace_id, span_id) AS id, hash(trace_id, parent_span_id) AS parent_id, kind,
        environment, service_namespace, cluster, coalesce(service_name, 'unknown_service') AS service, peer,
        status_code = 'error' AS failed, duration_ns, weight
    FROM ({calls})
    WHERE sidecar AND kind IN ('client', 'server')
        AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
),
-- Whom a sidecar's call reached: whose entry lies below it.
reached AS (
    SELECT parent_id, any_value(service) AS service FROM (
        SELECT hash(trace_id, parent_span_id) AS parent_id, coalesce(service_name, 'unknown_service') AS service
        FROM ({calls})
        WHERE kind = 'server' AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
    ) SEMI JOIN (SELECT id AS parent_id FROM hops WHERE kind = 'client') USING (parent_id)
    GROUP BY parent_id
),
-- Who sent what a sidecar let in, where no other sidecar did.
senders AS (
    SELECT id, any_value(service) AS service FROM (
        SELECT hash(trace_id, span_id) AS id, coalesce(service_name, 'unknown_service') AS service
        FROM ({calls})
        WHERE kind = 'client' AND NOT sidecar AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
    ) SEMI JOIN (SELECT parent_id AS id FROM hops WHERE kind = 'server') USING (id)
    GROUP BY id
),
seen AS (
    SELECT environment, service_namespace, cluster, h.service AS caller, coalesce(r.service, h.peer) AS callee,
        true AS by_caller, failed, duration_ns, weight
    FROM hops h LEFT JOIN reached r ON r.parent_id = h.id
    WHERE kind = 'client'
    UNION ALL
    SELECT environment, service_namespace, cluster, s.service, h.service, false, failed, duration_ns, weight
    FROM hops h JOIN senders s ON s.id = h.parent_id
    WHERE kind = 'server'
)
SELECT environment, service_namespace, cluster, caller, callee, by_caller, count(*)::UBIGINT, count(*) FILTER (failed)::UBIGINT,
    sum(coalesce(weight, 1))::DOUBLE, coalesce(sum(coalesce(weight, 1)) FILTER (failed), 0)::DOUBLE,
    quantile_cont(duration_ns, 0.95)::DOUBLE
FROM seen WHERE callee IS NOT NULL
GROUP BY ALL ORDER BY 7 DESC, caller, callee LIMIT 500
