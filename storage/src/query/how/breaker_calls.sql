WITH counted AS (
    SELECT service_instance_id, "time", coalesce(bool_or(is_delta), false) AS is_delta, max(ok) AS ok, max(failed) AS failed,
        max(slow) AS slow, max(ignored) AS ignored, max(rejected) AS rejected, max(cancelled) AS cancelled
    FROM breaker_samples
    WHERE breaker_id = {id} AND evidence <> 'span' AND "time" >= {before} AND "time" < {to}
    GROUP BY ALL
), counts AS (
    SELECT service_instance_id, "time", is_delta, 'ok' AS outcome, ok::BIGINT AS n FROM counted WHERE ok IS NOT NULL
    UNION ALL
    SELECT service_instance_id, "time", is_delta, 'failed', failed::BIGINT FROM counted WHERE failed IS NOT NULL
    UNION ALL
    SELECT service_instance_id, "time", is_delta, 'slow', slow::BIGINT FROM counted WHERE slow IS NOT NULL
    UNION ALL
    SELECT service_instance_id, "time", is_delta, 'ignored', ignored::BIGINT FROM counted WHERE ignored IS NOT NULL
    UNION ALL
    SELECT service_instance_id, "time", is_delta, 'rejected', rejected::BIGINT FROM counted WHERE rejected IS NOT NULL
    UNION ALL
    SELECT service_instance_id, "time", is_delta, 'cancelled', cancelled::BIGINT FROM counted WHERE cancelled IS NOT NULL
), grown AS (
    -- A counter only grows; less than before is a counter that began anew. Its first value says nothing of when it grew.
    SELECT outcome, "time", is_delta, n, lag(n) OVER (PARTITION BY outcome, service_instance_id ORDER BY "time") AS before
    FROM counts
)
SELECT outcome, coalesce(sum(CASE WHEN is_delta THEN n WHEN before IS NULL THEN 0 WHEN n >= before THEN n - before ELSE n END)
    FILTER ("time" >= {from}), 0)::UBIGINT AS calls
FROM grown
GROUP BY outcome
ORDER BY outcome
