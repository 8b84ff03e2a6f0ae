SELECT environment, service_namespace, cluster, service_name AS caller, environment AS callee_environment,
    service_namespace AS callee_service_namespace, cluster AS callee_cluster, peer AS callee, peer_kind AS kind,
    'callee' AS inferred, error, duration_ns, start_time, weight
FROM {alone} WHERE peer IS NOT NULL
