WITH chosen AS (SELECT * FROM {breakers} {where}),
trips AS (
    SELECT breaker_id, arg_max({'trace': trace_id, 'span': span_id, 'evidence': trace_evidence, 'ns': epoch_ns("time")}, "time") AS trip
    FROM breaker_transitions
    WHERE to_state = 'open' AND trace_id IS NOT NULL AND breaker_id IN (SELECT breaker_id FROM chosen){until}
    GROUP BY breaker_id
)
SELECT breaker_id, environment, service_namespace, cluster, service_name, name, "key", pattern, origin, service_version,
    peer_service, peer_address, peer_evidence, state, instances, instances_open, epoch_ns(since), since_exact, evidence,
    confidence, epoch_ns(last_seen), trip.trace, trip.span, trip.evidence, trip.ns
FROM chosen LEFT JOIN trips USING (breaker_id)
ORDER BY CASE state WHEN 'open' THEN 1 WHEN 'forced_open' THEN 1 WHEN 'half_open' THEN 2 WHEN 'saturated' THEN 3
    WHEN 'throttling' THEN 3 ELSE 4 END, since DESC NULLS LAST, service_name, name, "key"
