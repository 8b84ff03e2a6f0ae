-- Calls of breaker $1 by outcome between $2 and $3, by its own counters: growth of each instance's counter. The first
-- sample of a counter says nothing of when it grew, so what precedes the range is looked at too ($4); where the instance
-- had counted other calls by then, the counter began with what it shows, as many libraries make one when they first count.
WITH counted AS (
    SELECT coalesce(service_instance_id, '') AS instance, epoch_ns("time") AS ns, coalesce(bool_or(is_delta), false) AS is_delta,
        max(ok)::BIGINT AS ok, max(failed)::BIGINT AS failed, max(slow)::BIGINT AS slow, max(ignored)::BIGINT AS ignored,
        max(rejected)::BIGINT AS rejected, max(cancelled)::BIGINT AS cancelled
    FROM breaker_samples
    WHERE breaker_id = $1 AND evidence <> 'span' AND "time" >= make_timestamp_ns($4) AND "time" < make_timestamp_ns($3)
    GROUP BY ALL
),
counts AS (
    UNPIVOT counted ON ok, failed, slow, ignored, rejected, cancelled INTO NAME outcome VALUE n
),
grown AS (
    SELECT outcome, ns, is_delta, n,
        lag(n) OVER (PARTITION BY outcome, instance ORDER BY ns) AS before,
        min(ns) OVER (PARTITION BY instance) AS first_ns
    FROM counts
)
SELECT outcome,
    coalesce(sum(CASE WHEN is_delta THEN n WHEN before IS NULL THEN CASE WHEN ns - first_ns >= 500000000 THEN n ELSE 0 END
        WHEN n >= before THEN n - before ELSE n END) FILTER (ns >= $2), 0)::UBIGINT
FROM grown GROUP BY outcome
