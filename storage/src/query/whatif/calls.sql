-- Calls a breaker wrote on spans of its own service: our SDK, or a library whose instrumentation names the outcome.
-- Spans that do not say how their call ended are no calls here: they would take the place of others.
SELECT coalesce(service_instance_id, '') AS instance, epoch_ns(start_time) AS start, coalesce(duration_ns, 0)::BIGINT AS length,
    coalesce("circuit_breaker.outcome", "resilience4j.circuit_breaker.outcome", '') AS outcome, span_id, weight::DOUBLE AS weight
FROM ({calls})
WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2) AND service_name = $3
    AND coalesce("circuit_breaker.name", "resilience4j.circuit_breaker.name") = $4 AND coalesce("circuit_breaker.key", '') = $5
    AND coalesce("circuit_breaker.outcome", "resilience4j.circuit_breaker.outcome") IN ({outcomes})
    AND coalesce(environment, '') = $6 AND coalesce(service_namespace, '') = $7 AND coalesce(cluster, '') = $8
{order}
