-- Instances that refused or probed when they fell silent, between $1 and $2, and that nobody heard of in that state again:
-- they sent nothing more, or began anew, or samples have another state after the silence. One that is heard again as it
-- was held on meanwhile, and what was reported within a silence tells by itself until when it did.
SELECT ns, breaker_id, environment, service_namespace, cluster, service_name, service_instance_id, name, "key", from_state
FROM (
    SELECT *, start_time_unix_nano::BIGINT AS ns, lead(from_state) OVER w AS next_from, lead(reason) OVER w AS next_reason,
        lead(start_time_lo_unix_nano = start_time_unix_nano) OVER w AS is_next_exact
    FROM breaker_intervals
    WINDOW w AS (PARTITION BY breaker_id, service_instance_id ORDER BY start_time, end_time NULLS LAST)
)
WHERE state = 'stale' AND from_state IN ('open', 'forced_open', 'half_open') AND pattern IN ('breaker', 'ejection')
    AND ns >= $1 AND ns < $2
    AND NOT coalesce(next_from = 'stale' OR is_next_exact AND next_reason IS DISTINCT FROM 'restart', false)
ORDER BY ns
