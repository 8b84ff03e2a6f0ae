SELECT epoch_ns("time"), coalesce(epoch_ns(time_lo), epoch_ns("time")), breaker_id, environment, service_namespace, cluster,
    service_name, service_instance_id, name, "key", from_state, to_state, reason, failure_rate, slow_rate, window_calls,
    threshold, open_for_ms, trace_id, span_id, trace_evidence, array_to_string(contributing_trace_ids, ','), evidence,
    confidence
FROM breaker_transitions {where}
ORDER BY "time" DESC, breaker_id, service_instance_id
