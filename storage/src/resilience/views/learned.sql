-- Samples or marks ({rows}) as people read them: a number that nobody knew (`metric=number`, state `unknown`) is the state
-- that somebody said it means, for the service's own metric first. The rows themselves stay as they are.
SELECT * EXCLUDE (meaning) REPLACE (coalesce(meaning, state) AS state,
        CASE WHEN meaning IS NULL THEN confidence ELSE 50 END::UINTEGER AS confidence),
    meaning IS NOT NULL AS is_learned
FROM (
    SELECT s.*, coalesce(l.meanings[s.service_name], l.meanings['']) AS meaning
    FROM {rows} s
    LEFT JOIN (
        SELECT raw_state AS number, map_from_entries(list({'service': service_name, 'state': state})) AS meanings
        FROM {learned} GROUP BY raw_state
    ) l ON l.number = s.raw_state AND s.state = 'unknown'
)
