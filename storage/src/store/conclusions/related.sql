-- Calls near breakers' own spans: 1 under them, or themselves; 2 beside them. $1: breaker, trace and span of each, and the
-- service that owns the breaker: what a report names in another service is not its own.
WITH asked AS MATERIALIZED (
    SELECT part[1] AS breaker_id, part[2] AS trace_id, part[3] AS span_id, part[4] AS service_name
    FROM (SELECT string_split(unnest(string_split($1, chr(30))), chr(31)) AS part)
),
spans AS MATERIALIZED (
    SELECT trace_id, span_id, parent_span_id, service_name, kind, peer
    FROM ({calls}) WHERE trace_id IN (SELECT trace_id FROM asked)
),
own AS (
    SELECT DISTINCT a.breaker_id, s.trace_id, s.span_id, s.parent_span_id, s.service_name, s.kind
    FROM asked a JOIN spans s USING (trace_id, span_id, service_name)
),
near AS (
    SELECT o.breaker_id, c.trace_id, c.span_id, c.service_name, any_value(c.peer) AS peer,
        min(CASE WHEN o.span_id IN (c.span_id, c.parent_span_id) THEN 1 ELSE 2 END) AS rank,
        bool_or(o.kind = 'internal' AND c.parent_span_id = o.span_id) AS is_within
    FROM own o JOIN spans c ON c.trace_id = o.trace_id AND c.service_name = o.service_name
    WHERE c.kind = 'client' AND (o.span_id IN (c.span_id, c.parent_span_id) OR c.parent_span_id = o.parent_span_id)
    GROUP BY ALL
),
answers AS (
    SELECT trace_id, parent_span_id AS span_id, min(service_name) AS callee
    FROM spans WHERE kind = 'server' GROUP BY ALL
)
SELECT n.breaker_id, n.rank::UTINYINT, coalesce(n.is_within, false), coalesce(nullif(a.callee, n.service_name), n.peer) AS callee,
    count(*)::UBIGINT
FROM near n LEFT JOIN answers a USING (trace_id, span_id)
WHERE coalesce(nullif(a.callee, n.service_name), n.peer) IS NOT NULL
GROUP BY ALL ORDER BY ALL
