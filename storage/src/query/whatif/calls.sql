-- Calls a breaker wrote on spans of its own service: our SDK, or a library whose instrumentation names the outcome, each by the
-- attributes that its recogniser file names. They count by the times that the breaker itself says, where these lie about the
-- span, and in its turns; else the span is the call. Spans that do not say how their call ended are no calls here: they would
-- take the place of others.
SELECT instance, coalesce(admitted, began) AS start,
    CASE WHEN admitted IS NULL THEN lasted ELSE coalesce(TRY_CAST("circuit_breaker.duration_ns" AS BIGINT), lasted) END AS length,
    outcome, span_id, weight, CASE WHEN admitted IS NOT NULL THEN TRY_CAST("circuit_breaker.clock_start_unix_nano" AS BIGINT) END AS clock,
    CASE WHEN admitted IS NOT NULL THEN TRY_CAST("circuit_breaker.admitted_sequence" AS BIGINT) END AS admitted_turn,
    CASE WHEN admitted IS NOT NULL THEN TRY_CAST("circuit_breaker.ended_sequence" AS BIGINT) END AS ended_turn
FROM (
    SELECT coalesce(service_instance_id, '') AS instance, epoch_ns(start_time) AS began, coalesce(duration_ns, 0)::BIGINT AS lasted,
        coalesce({outcome}) AS outcome, span_id, weight::DOUBLE AS weight,
        CASE WHEN TRY_CAST("circuit_breaker.admitted_unix_nano" AS BIGINT) BETWEEN began - 1000000000 AND began + least(lasted, 86400000000000) + 1000000000
            THEN TRY_CAST("circuit_breaker.admitted_unix_nano" AS BIGINT) END AS admitted,
        "circuit_breaker.duration_ns", "circuit_breaker.clock_start_unix_nano", "circuit_breaker.admitted_sequence",
        "circuit_breaker.ended_sequence"
    FROM ({calls})
    -- A span may begin up to a minute before its call does.
    WHERE start_time >= make_timestamp_ns(greatest($1::BIGINT, 0) - 60000000000) AND start_time < make_timestamp_ns(least($2::BIGINT, 9000000000000000000) + 1000000000) AND service_name = $3
        AND coalesce({name}) = $4 AND coalesce({key}, '') = $5 AND coalesce({outcome}) IN ({outcomes})
        AND coalesce(environment, '') = $6 AND coalesce(service_namespace, '') = $7 AND coalesce(cluster, '') = $8
)
WHERE coalesce(admitted, began) >= $1::BIGINT AND coalesce(admitted, began) < $2::BIGINT
{order}
