-- Calls that breakers refused between $1 and $2, by their own counters: growth of each instance's counter. The first
-- sample of a counter says nothing of when it grew, so what precedes the range is looked at too ($3); where the instance
-- had counted other calls by then, the counter began with what it shows, as many libraries make one when they first count.
WITH samples AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, epoch_ns("time") AS ns, max(rejected)::BIGINT AS rejected, bool_or(is_delta) AS is_delta
    FROM breaker_samples
    WHERE coalesce(rejected, ok, failed) IS NOT NULL AND "time" >= make_timestamp_ns($3) AND "time" < make_timestamp_ns($2)
    GROUP BY ALL
),
told AS (SELECT *, min(ns) OVER (PARTITION BY breaker_id, instance) AS first_ns FROM samples)
SELECT breaker_id,
    sum(CASE WHEN is_delta THEN rejected WHEN before IS NULL THEN CASE WHEN ns - first_ns >= 500000000 THEN rejected ELSE 0 END
        WHEN rejected >= before THEN rejected - before ELSE rejected END)::UBIGINT
FROM (SELECT *, lag(rejected) OVER (PARTITION BY breaker_id, instance ORDER BY ns) AS before FROM told WHERE rejected IS NOT NULL)
WHERE ns >= $1
GROUP BY 1
