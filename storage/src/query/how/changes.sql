SELECT "time", time_lo, service_instance_id, from_state, to_state, reason, failure_rate, slow_rate, window_calls, threshold,
    trace_id, trace_evidence, evidence, confidence
FROM breaker_transitions
{where}
ORDER BY "time" DESC
LIMIT {limit}
