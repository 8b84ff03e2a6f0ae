SELECT
    "time", epoch_ns("time")::UBIGINT AS time_unix_nano, breaker_id, service_name,
    service_namespace, service_instance_id, environment, cluster, name, "key", state,
    -- No reporter says these yet; they are here for those that will.
    NULL::TIMESTAMP_NS AS since, NULL::UBIGINT AS since_unix_nano, NULL::BOOLEAN AS since_exact,
    failure_rate, slow_rate, window_calls, ok, failed, slow, ignored, rejected, cancelled, in_flight, permits_left,
    CASE WHEN coalesce(ns_closed, ns_open, ns_half_open) IS NOT NULL
        THEN {'closed': coalesce(ns_closed, 0), 'open': coalesce(ns_open, 0), 'half_open': coalesce(ns_half_open, 0)}
    END AS ns_in_state,
    evidence,
    CASE WHEN coalesce(entered_closed, entered_open, entered_half_open) IS NOT NULL
        THEN {'closed': entered_closed, 'open': entered_open, 'half_open': entered_half_open}
    END AS entered,
    is_delta, raw_state, pattern, origin, service_version, peer_service, peer_address, peer_evidence,
    trace_id, span_id, confidence::UTINYINT AS confidence, is_learned AS learned,
    hosts_ejected, hosts_healthy, hosts_total
FROM {evidence}
