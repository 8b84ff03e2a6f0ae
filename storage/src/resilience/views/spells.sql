-- States of each instance from its first evidence on, one after the other: its changes, and by R5 the silences between
-- samples of one that exports metrics. A silence ends with what is heard next, in the state held before unless that says
-- another. Whether the last state still holds depends on the time of asking and is not decided here (`stale_at`).
WITH told AS (SELECT *, coalesce(service_instance_id, '') AS instance FROM {transitions} WHERE "time" IS NOT NULL),
known AS (SELECT * FROM {known}),
silences AS (SELECT breaker_id, instance, unnest(silences, recursive := true) FROM known),
firsts AS (
    SELECT breaker_id, instance, min(epoch_ns("time")) AS ns, arg_min({'state': from_state}, epoch_ns("time")) AS before
    FROM told GROUP BY breaker_id, instance
),
-- `kind` orders what is at one time: 0 a state, 1 the end of a silence, 2 its beginning.
moments AS (
    SELECT breaker_id, instance, 0 AS kind, epoch_ns("time") AS ns, epoch_ns(coalesce(time_lo, "time")) AS lo, generation,
        from_state, coalesce(to_state, 'unknown') AS state,
        coalesce(to_state = 'open' AND from_state IS DISTINCT FROM 'half_open', false) AS is_trip, reason, evidence, confidence
    FROM told
    UNION ALL
    SELECT k.breaker_id, k.instance, 0, epoch_ns(first_seen), epoch_ns(first_seen), NULL, NULL,
        coalesce(CASE WHEN f.ns IS NULL THEN sample.state ELSE before.state END, 'unknown'), false, NULL,
        coalesce(sample.evidence, 'config'), coalesce(sample.confidence, 10)::UTINYINT
    FROM known k LEFT JOIN firsts f USING (breaker_id, instance)
    WHERE first_seen IS NOT NULL AND coalesce(epoch_ns(first_seen) < f.ns, true)
    UNION ALL
    SELECT breaker_id, instance, 1, to_ns, to_ns, NULL, 'stale', NULL, false, NULL, evidence, confidence FROM silences
    UNION ALL
    SELECT breaker_id, instance, 2, from_ns, from_ns, NULL, NULL, 'stale', false, NULL, 'silence', 100 FROM silences
),
held AS (
    SELECT *, lag(kind) OVER w AS kind_before, last_value(CASE WHEN kind = 0 THEN state END IGNORE NULLS) OVER w AS held
    FROM moments WINDOW w AS (PARTITION BY breaker_id, instance ORDER BY ns, kind, generation NULLS FIRST, lo
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
-- A change within a silence ends it there.
spells AS (
    SELECT * REPLACE (coalesce(state, held) AS state, CASE WHEN kind = 2 THEN held ELSE from_state END AS from_state),
        lead(ns) OVER (PARTITION BY breaker_id, instance ORDER BY ns, kind, generation NULLS FIRST, lo) AS end_ns
    FROM held WHERE kind <> 1 OR kind_before = 2
)
SELECT
    s.breaker_id, service_name, service_namespace, environment, cluster, name, "key", pattern, peer_service,
    service_instance_id, service_version, origin, s.state, from_state, ns, lo, end_ns, is_trip, reason, s.evidence,
    s.confidence, CASE WHEN end_ns IS NULL THEN epoch_ns(last_seen) END AS heard_until,
    CASE WHEN end_ns IS NULL THEN epoch_ns(last_seen) + 3 * interval_ns END AS stale_at
FROM spells s JOIN known k USING (breaker_id, instance)
