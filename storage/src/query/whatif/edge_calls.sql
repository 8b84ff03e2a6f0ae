-- Calls from the owner of a breaker to its callee (any of the names in $4), where the breaker writes on no span. Which of them
-- it refused recognisers say.
SELECT coalesce(service_instance_id, '') AS instance, epoch_ns(start_time) AS start, coalesce(duration_ns, 0)::BIGINT AS length,
    CASE WHEN status_code = 'error' THEN 'failure' ELSE 'success' END AS outcome, span_id, weight::DOUBLE AS weight,
    NULL::BIGINT AS clock, NULL::BIGINT AS admitted_turn, NULL::BIGINT AS ended_turn
FROM ({calls})
WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2) AND service_name = $3
    AND kind IN ('client', 'producer') AND peer IN (SELECT unnest(string_split($4, chr(31)))) AND $5 = $5
    AND coalesce(environment, '') = $6 AND coalesce(service_namespace, '') = $7 AND coalesce(cluster, '') = $8
{order}
