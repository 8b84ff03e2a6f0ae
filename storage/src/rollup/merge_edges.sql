-- Adds up the rows of several segments; histograms add bucket by bucket. Rows of what is to be taken away are negative.
SELECT bucket_start, environment, service_namespace, cluster, caller, callee_environment, callee_service_namespace,
    callee_cluster, callee, kind, is_async, inferred, basis,
    sum(calls)::UBIGINT AS calls, greatest(sum(errors), 0)::UBIGINT AS errors, sum(weight) AS weight,
    sum(error_weight) AS error_weight, sum(duration_sum_ns)::HUGEINT AS duration_sum_ns,
    min(duration_min_ns) AS duration_min_ns, max(duration_max_ns) AS duration_max_ns,
    CASE WHEN count(duration_histogram) <= 1 THEN any_value(duration_histogram)
    ELSE map_from_entries(list_filter(list_transform(
        list_sort(list_distinct(list_transform(flatten(list(map_entries(duration_histogram))), lambda e: e.key))),
        lambda bucket: struct_pack(key := bucket, value := greatest(0, list_sum(list_transform(
            list_filter(flatten(list(map_entries(duration_histogram))), lambda e: e.key = bucket),
            lambda e: e.value))))), lambda e: e.value > 0))
    END::MAP(USMALLINT, UBIGINT) AS duration_histogram
FROM ({rows})
GROUP BY ALL
HAVING sum(calls) > 0
