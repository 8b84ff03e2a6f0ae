-- Attempts as gRPC's own instrumentation tells them (gRFC A72): `Attempt.x` is a span without a peer under that of its call
-- and says how many came before it. The call is `Sent.x`, or `x`, a client's span in some languages alone.
SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service') AS caller,
    coalesce(peer, regexp_replace(name, '^Attempt\.', '')) AS callee, hash(trace_id, parent_span_id) AS parent,
    start_time, duration_ns, TRY_CAST("previous-rpc-attempts" AS BIGINT) > 0 AS is_retry
FROM ({calls})
WHERE kind <> 'client' AND starts_with(name, 'Attempt.') AND start_time IS NOT NULL
    AND TRY_CAST("previous-rpc-attempts" AS BIGINT) IS NOT NULL
