-- Refused calls a minute, by the growth of the breakers' own counters; a counter that fell began anew.
WITH samples AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, "time", max(rejected)::BIGINT AS rejected, bool_or(is_delta) AS is_delta
    FROM breaker_samples
    WHERE rejected IS NOT NULL AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
        AND breaker_id IN (SELECT unnest(string_split($3, ',')))
    GROUP BY ALL
),
grown AS (
    SELECT epoch_ns("time") AS ns, CASE WHEN is_delta THEN rejected ELSE rejected - CASE WHEN rejected >= before THEN before ELSE 0 END END AS grown
    FROM (SELECT *, lag(rejected) OVER (PARTITION BY breaker_id, instance ORDER BY "time") AS before FROM samples)
    WHERE is_delta OR before IS NOT NULL
)
SELECT (ns // 60000000000 * 60000000000)::BIGINT AS minute, sum(grown)::UBIGINT FROM grown GROUP BY 1 ORDER BY 1
