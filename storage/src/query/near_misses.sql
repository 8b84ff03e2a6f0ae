-- Breakers seen in the range by the errors of their callers alone, on spans or in logs: some call was refused, and nothing
-- of the breaker's own (a gauge, a counter, an event) came beside it.
WITH seen AS (
    SELECT service_name, name, origin
    FROM breaker_samples
    WHERE "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2) AND name IS NOT NULL
        -- A fallback or a timeout has none, and nothing to report.
        AND state IS NOT NULL
    GROUP BY ALL
    HAVING bool_and(evidence IN ('span', 'log')) AND bool_or(state IN ('open', 'forced_open', 'saturated', 'throttling'))
), told AS (
    -- A change that was reported has the reporter's own word for it; others were concluded from these very errors.
    SELECT DISTINCT service_name, name FROM breaker_transitions WHERE raw_state IS NOT NULL OR evidence NOT IN ('span', 'log')
)
SELECT coalesce(seen.service_name, 'unknown_service'), seen.name, seen.origin
FROM seen ANTI JOIN told ON seen.service_name IS NOT DISTINCT FROM told.service_name AND seen.name = told.name
ORDER BY 1, 2
LIMIT 50
