-- Refused calls a minute from $4 to $5, by the growth of the breakers' own counters; a counter that fell began anew, and
-- one that the instance had not when it counted other calls begins with what it shows. The samples around are read for
-- the growth at both ends: the first one after the end counts calls of before it.
WITH samples AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, epoch_ns("time") AS ns, max(rejected)::BIGINT AS rejected, bool_or(is_delta) AS is_delta
    FROM breaker_samples
    WHERE coalesce(rejected, ok, failed) IS NOT NULL AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
        AND breaker_id IN (SELECT unnest(string_split($3, ',')))
    GROUP BY ALL
),
told AS (SELECT *, min(ns) OVER (PARTITION BY breaker_id, instance) AS first_ns FROM samples),
grown AS (
    SELECT ns, CASE WHEN is_delta OR before IS NULL OR rejected < before THEN rejected ELSE rejected - before END AS grown
    FROM (
        SELECT *, lag(rejected) OVER counter AS before, lag(ns) OVER counter AS before_ns
        FROM told WHERE rejected IS NOT NULL WINDOW counter AS (PARTITION BY breaker_id, instance ORDER BY ns)
    )
    WHERE (is_delta OR before IS NOT NULL OR ns - first_ns >= 500000000) AND ns >= $4 AND coalesce(before_ns, ns) <= $5
)
SELECT (ns // 60000000000 * 60000000000)::BIGINT AS minute, sum(grown)::UBIGINT FROM grown GROUP BY 1 ORDER BY 1
