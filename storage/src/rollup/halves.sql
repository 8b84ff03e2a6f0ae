SELECT trace_id, span_id, parent_span_id, kind, start_time, duration_ns, error, environment, service_namespace,
    cluster, service_name, peer, peer_kind, sidecar, weight, links, is_dangling, is_covered
FROM {rows} WHERE is_half
