-- Who called whom in a range.
SELECT DISTINCT environment, service_namespace, cluster, caller,
    callee_environment, callee_service_namespace, callee_cluster, callee
FROM ({edges})
WHERE bucket_start >= make_timestamp_ns(?) AND bucket_start < make_timestamp_ns(?)
