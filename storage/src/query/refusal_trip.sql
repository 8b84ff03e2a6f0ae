-- The last time before $4 that a breaker opened.
SELECT time_unix_nano::BIGINT, trace_id
FROM breaker_transitions
WHERE service_name = $1 AND name = $2 AND coalesce("key", '') = $3 AND to_state IN ('open', 'forced_open')
    AND "time" <= make_timestamp_ns($4)
ORDER BY "time" DESC
LIMIT 1
