-- Breakers seen in the range by the errors of their callers alone.
WITH seen AS (
    SELECT service_name, name, origin
    FROM breaker_samples
    WHERE "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2) AND name IS NOT NULL
        -- A fallback or a timeout has none, and nothing to report.
        AND state IS NOT NULL
    GROUP BY ALL
    HAVING bool_and(evidence = 'span')
), told AS (
    SELECT DISTINCT service_name, name FROM breaker_transitions WHERE evidence <> 'span'
)
SELECT coalesce(seen.service_name, 'unknown_service'), seen.name, seen.origin
FROM seen ANTI JOIN told ON seen.service_name IS NOT DISTINCT FROM told.service_name AND seen.name = told.name
ORDER BY 1, 2
LIMIT 50
