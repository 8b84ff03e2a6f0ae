-- Adds up the rows of several segments; histograms add bucket by bucket.
SELECT bucket_start, environment, service_namespace, cluster, service_name, name, kind, sidecar, basis,
    sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(weight), sum(error_weight),
    sum(duration_sum_ns)::HUGEINT, min(duration_min_ns), max(duration_max_ns),
    CASE WHEN count(duration_histogram) <= 1 THEN any_value(duration_histogram)
    ELSE map_from_entries(list_transform(
        list_sort(list_distinct(list_transform(flatten(list(map_entries(duration_histogram))), lambda e: e.key))),
        lambda bucket: struct_pack(key := bucket, value := list_sum(list_transform(
            list_filter(flatten(list(map_entries(duration_histogram))), lambda e: e.key = bucket),
            lambda e: e.value))::UBIGINT)))
    END
FROM ({rows})
GROUP BY ALL
