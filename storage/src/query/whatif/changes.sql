-- Changes of state of breaker $1 from $2 until $3, and of each instance the hundred before; restarts too, whatever they
-- changed. Oldest first.
SELECT coalesce(service_instance_id, '') AS instance, epoch_ns("time") AS at_ns, epoch_ns(time_lo) AS lo,
    coalesce(from_state, '') AS state_before, coalesce(to_state, '') AS state_after, reason, open_for_ms, generation
FROM breaker_transitions
WHERE breaker_id = $1 AND "time" < make_timestamp_ns($3)
    AND (coalesce(from_state, 'closed') IS DISTINCT FROM to_state OR reason = 'restart')
QUALIFY "time" >= make_timestamp_ns($2) OR row_number() OVER (PARTITION BY coalesce(service_instance_id, ''),
    "time" < make_timestamp_ns($2) ORDER BY "time" DESC, generation DESC) <= 100
ORDER BY at_ns, generation
