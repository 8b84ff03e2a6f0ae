-- Instances that are several processes: their counters fall and are back within two minutes, again and again, as
-- `breaker_transitions` takes them too.
WITH counted AS (
    SELECT breaker_id, service_name, service_instance_id, epoch_ns("time") AS ns,
        max(rejected) AS rejected, max(ok) AS ok, max(failed) AS failed, max(entered.open) AS opened
    FROM breaker_samples
    WHERE evidence = 'metric' AND NOT coalesce(is_delta, false)
        AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
        AND ($3 = '' OR service_name IN (SELECT unnest(string_split($3, chr(31)))))
    GROUP BY ALL
),
beside AS (
    SELECT *, last_value(rejected IGNORE NULLS) OVER before AS rejected0, last_value(ok IGNORE NULLS) OVER before AS ok0,
        last_value(failed IGNORE NULLS) OVER before AS failed0, last_value(opened IGNORE NULLS) OVER before AS opened0,
        max(rejected) OVER soon AS rejected1, max(ok) OVER soon AS ok1, max(failed) OVER soon AS failed1, max(opened) OVER soon AS opened1
    FROM counted
    WINDOW before AS (PARTITION BY breaker_id, service_instance_id ORDER BY ns ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        soon AS (PARTITION BY breaker_id, service_instance_id ORDER BY ns RANGE BETWEEN 1 FOLLOWING AND 120000000000 FOLLOWING)
),
turns AS (
    SELECT *, count(*) FILTER (coalesce(rejected < rejected0 AND rejected1 >= rejected0, false)
            OR coalesce(ok < ok0 AND ok1 >= ok0, false) OR coalesce(failed < failed0 AND failed1 >= failed0, false)
            OR coalesce(opened < opened0 AND opened1 >= opened0, false))
        OVER (PARTITION BY breaker_id, service_instance_id ORDER BY ns
            RANGE BETWEEN 120000000000 PRECEDING AND 120000000000 FOLLOWING) AS turns
    FROM beside
)
SELECT service_name, coalesce(service_instance_id, ''), NULL::VARCHAR, max(turns)::DOUBLE, count(DISTINCT breaker_id)::UBIGINT, 0::UBIGINT
FROM turns WHERE turns >= 3
GROUP BY 1, 2 ORDER BY 4 DESC
