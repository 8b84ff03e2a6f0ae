-- Edges that are to be taken away, as rows to be added up with others.
SELECT bucket_start, environment, service_namespace, cluster, caller, callee_environment, callee_service_namespace,
    callee_cluster, callee, kind, is_async, inferred, basis,
    -calls::BIGINT AS calls, -errors::BIGINT AS errors, -weight AS weight, -error_weight AS error_weight,
    -duration_sum_ns AS duration_sum_ns, NULL::BIGINT AS duration_min_ns, NULL::BIGINT AS duration_max_ns,
    map_from_entries(list_transform(map_entries(duration_histogram),
        lambda e: struct_pack(key := e.key, value := -e.value::BIGINT))) AS duration_histogram
FROM {rows}
