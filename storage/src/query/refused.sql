-- Calls that breakers refused between $1 and $2, by their own counters: growth of each instance's counter. The first
-- sample of a counter says nothing of when it grew, so what precedes the range is looked at too ($3).
WITH samples AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, "time", max(rejected)::BIGINT AS rejected, bool_or(is_delta) AS is_delta
    FROM breaker_samples
    WHERE rejected IS NOT NULL AND "time" >= make_timestamp_ns($3) AND "time" < make_timestamp_ns($2)
    GROUP BY ALL
)
SELECT breaker_id,
    sum(CASE WHEN is_delta THEN rejected WHEN before IS NULL THEN 0 WHEN rejected >= before THEN rejected - before ELSE rejected END)::UBIGINT
FROM (SELECT *, lag(rejected) OVER (PARTITION BY breaker_id, instance ORDER BY "time") AS before FROM samples)
WHERE "time" >= make_timestamp_ns($1)
GROUP BY 1
