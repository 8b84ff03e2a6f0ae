-- Breakers whose own spans lead to several callees: one that fails has calls to all of them refused. A callee that its
-- caller has several names for is one.
WITH seen AS (
    SELECT breaker_id, environment, service_namespace, cluster, service_name, name || coalesce('/' || "key", '') AS name, peer_service AS called
    FROM breaker_samples
    WHERE evidence = 'span' AND pattern = 'breaker' AND peer_service IS NOT NULL
        AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
    UNION ALL
    SELECT b.breaker_id, b.environment, b.service_namespace, b.cluster, b.service_name, b.name || coalesce('/' || b."key", ''), u.callee
    FROM callees_under_breakers u JOIN breakers b USING (breaker_id)
    WHERE b.pattern = 'breaker' AND b.first_seen < make_timestamp_ns($2) AND b.last_seen >= make_timestamp_ns($1)
),
callees AS (
    SELECT DISTINCT s.breaker_id, s.service_name, s.name, coalesce(n.callee, s.called) AS callee
    FROM (SELECT * FROM seen WHERE {in_scope}) s
    LEFT JOIN callee_names n ON n.service_name = s.service_name AND n.called = s.called
        AND n.environment IS NOT DISTINCT FROM s.environment AND n.service_namespace IS NOT DISTINCT FROM s.service_namespace
        AND n.cluster IS NOT DISTINCT FROM s.cluster
)
SELECT any_value(service_name), any_value(name), breaker_id, count(DISTINCT callee)::DOUBLE AS callees, 0::UBIGINT, 0::UBIGINT,
    string_agg(DISTINCT callee, ', ' ORDER BY callee)
FROM callees GROUP BY breaker_id
HAVING count(DISTINCT callee) > 1 AND ($3 = '' OR bool_or(service_name IN {asked} OR callee IN {asked}))
ORDER BY callees DESC, breaker_id
