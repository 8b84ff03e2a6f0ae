-- Whom services call: of each name or address they call the latest calls, and who answered these. $1: the services.
WITH outgoing AS MATERIALIZED (
    SELECT environment, service_namespace, cluster, service_name, peer,
        arg_max({'trace_id': trace_id, 'span_id': span_id}, start_time, 8) AS latest
    FROM ({calls})
    WHERE kind IN ('client', 'producer') AND peer IS NOT NULL AND start_time IS NOT NULL
        AND service_name IN (SELECT unnest(string_split($1, chr(30))))
    GROUP BY ALL
),
examples AS MATERIALIZED (
    SELECT * EXCLUDE (example), example.trace_id AS trace_id, example.span_id AS span_id
    FROM (SELECT * EXCLUDE (latest), unnest(latest) AS example FROM outgoing)
),
answers AS (
    SELECT DISTINCT trace_id, parent_span_id AS span_id, service_name AS callee
    FROM ({calls})
    WHERE kind IN ('server', 'consumer') AND parent_span_id IS NOT NULL AND trace_id IN (SELECT trace_id FROM examples)
)
SELECT e.environment, e.service_namespace, e.cluster, e.service_name, e.peer, e.span_id, a.callee
FROM examples e
LEFT JOIN answers a ON a.trace_id = e.trace_id AND a.span_id = e.span_id AND a.callee <> e.service_name
ORDER BY ALL
