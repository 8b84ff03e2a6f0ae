-- Instances that are several processes: a counter falls and is back one sample later or two, again and again, as
-- `breaker_transitions` takes them too.
WITH counted AS (
    SELECT breaker_id, service_name, service_instance_id, epoch_ns("time") AS ns, max(rejected) AS rejected,
        max(entered.open) AS opened, max(entered.closed) AS closed, max(entered.half_open) AS halved
    FROM breaker_samples
    WHERE evidence = 'metric' AND NOT coalesce(is_delta, false)
        AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
        AND {in_scope} AND ($3 = '' OR service_name IN {asked})
    GROUP BY ALL
),
-- The values before each sample, and the better of the two after it.
beside AS (
    SELECT *, last_value(rejected IGNORE NULLS) OVER before AS rejected0, last_value(opened IGNORE NULLS) OVER before AS opened0,
        last_value(closed IGNORE NULLS) OVER before AS closed0, last_value(halved IGNORE NULLS) OVER before AS halved0,
        greatest(nth_value(rejected, 1 IGNORE NULLS) OVER soon, nth_value(rejected, 2 IGNORE NULLS) OVER soon) AS rejected1,
        greatest(nth_value(opened, 1 IGNORE NULLS) OVER soon, nth_value(opened, 2 IGNORE NULLS) OVER soon) AS opened1,
        greatest(nth_value(closed, 1 IGNORE NULLS) OVER soon, nth_value(closed, 2 IGNORE NULLS) OVER soon) AS closed1,
        greatest(nth_value(halved, 1 IGNORE NULLS) OVER soon, nth_value(halved, 2 IGNORE NULLS) OVER soon) AS halved1
    FROM counted
    WINDOW before AS (PARTITION BY breaker_id, service_instance_id ORDER BY ns ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        soon AS (PARTITION BY breaker_id, service_instance_id ORDER BY ns ROWS BETWEEN 1 FOLLOWING AND 20 FOLLOWING)
),
turns AS (
    SELECT *, count(*) FILTER (coalesce(rejected < rejected0 AND rejected1 >= rejected0, false)
            OR coalesce(opened < opened0 AND opened1 >= opened0, false)
            OR coalesce(closed < closed0 AND closed1 >= closed0, false)
            OR coalesce(halved < halved0 AND halved1 >= halved0, false))
        OVER (PARTITION BY breaker_id, service_instance_id ORDER BY ns
            RANGE BETWEEN 120000000000 PRECEDING AND 120000000000 FOLLOWING) AS turns
    FROM beside
)
SELECT service_name, coalesce(service_instance_id, ''), NULL::VARCHAR, max(turns)::DOUBLE, count(DISTINCT breaker_id)::UBIGINT, 0::UBIGINT
FROM turns WHERE turns >= 3
GROUP BY 1, 2 ORDER BY 4 DESC
