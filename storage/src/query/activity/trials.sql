-- Half-open states of breaker $1 that began between $2 and $3, newest first, with what they ended in.
WITH changes AS (
    SELECT service_instance_id, epoch_ns("time") AS ns, to_state,
        lead(epoch_ns("time")) OVER later AS next_ns, lead(to_state) OVER later AS next_state
    FROM breaker_transitions WHERE breaker_id = $1
    WINDOW later AS (PARTITION BY coalesce(service_instance_id, '') ORDER BY time_unix_nano)
)
SELECT service_instance_id, ns, next_ns, next_state, count(*) OVER ()::UBIGINT
FROM changes WHERE to_state = 'half_open' AND ns >= $2 AND ns < $3
ORDER BY ns DESC, service_instance_id LIMIT 50
