-- Breakers seen in the range by the errors of their callers alone, on spans or in logs, of the scope asked about: some call
-- was refused, and nothing of the breaker's own (a gauge, a counter, an event) came beside it.
WITH seen AS (
    SELECT environment, service_namespace, cluster, service_name, name, origin
    FROM breaker_samples
    WHERE "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2) AND name IS NOT NULL
        -- A fallback or a timeout has none, and nothing to report.
        AND state IS NOT NULL
        AND ($3::VARCHAR IS NULL OR environment = $3) AND ($4::VARCHAR IS NULL OR service_namespace = $4)
        AND ($5::VARCHAR IS NULL OR cluster = $5)
    GROUP BY ALL
    HAVING bool_and(evidence IN ('span', 'log')) AND bool_or(state IN ('open', 'forced_open', 'saturated', 'throttling'))
), told AS (
    -- A change that was reported has the reporter's own word for it; others were concluded from these very errors.
    SELECT DISTINCT environment, service_namespace, cluster, service_name, name
    FROM breaker_transitions WHERE raw_state IS NOT NULL OR evidence NOT IN ('span', 'log')
)
SELECT seen.environment, seen.service_namespace, seen.cluster, coalesce(seen.service_name, 'unknown_service') AS service,
    seen.name, seen.origin
FROM seen ANTI JOIN told ON seen.service_name IS NOT DISTINCT FROM told.service_name AND seen.name = told.name
    AND seen.environment IS NOT DISTINCT FROM told.environment
    AND seen.service_namespace IS NOT DISTINCT FROM told.service_namespace
    AND seen.cluster IS NOT DISTINCT FROM told.cluster
ORDER BY service, seen.name, seen.environment, seen.service_namespace, seen.cluster
LIMIT 50
