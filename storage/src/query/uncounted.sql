-- Breakers that may have refused calls between $1 and $2 and count none: they exported no such counter from $3 to $4, for
-- the range may be shorter than an interval of exports.
SELECT DISTINCT breaker_id FROM breaker_intervals
WHERE state NOT IN ('closed', 'disabled', 'metrics_only', 'stale')
    AND start_time_lo < make_timestamp_ns($2) AND coalesce(end_time >= make_timestamp_ns($1), true)
    AND breaker_id NOT IN (
        SELECT breaker_id FROM breaker_samples
        WHERE rejected IS NOT NULL AND "time" >= make_timestamp_ns($3) AND "time" < make_timestamp_ns($4)
    )
