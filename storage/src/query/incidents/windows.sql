-- Calls, errors and mean duration of each edge and of each answering service, before and during each window.
-- A window is `number:before:during:end`, nanoseconds.
WITH windows AS (
    SELECT split_part(w, ':', 1)::INTEGER AS number, make_timestamp_ns(split_part(w, ':', 2)::BIGINT) AS before,
        make_timestamp_ns(split_part(w, ':', 3)::BIGINT) AS during, make_timestamp_ns(split_part(w, ':', 4)::BIGINT) AS finish
    FROM (SELECT unnest(string_split($1, ',')) AS w)
)
SELECT number, bucket_start >= during AS is_during, environment, service_namespace, cluster, caller,
    callee_environment, callee_service_namespace, callee_cluster, callee,
    sum(calls)::UBIGINT, sum(errors)::UBIGINT, (sum(duration_sum_ns) / greatest(sum(calls), 1))::DOUBLE
FROM service_edges JOIN windows ON bucket_start >= before AND bucket_start < finish
WHERE bucket_start >= make_timestamp_ns($2) AND bucket_start < make_timestamp_ns($3)
GROUP BY ALL
UNION ALL
SELECT number, bucket_start >= during AS is_during, NULL, NULL, NULL, NULL,
    environment, service_namespace, cluster, service_name,
    sum(calls)::UBIGINT, sum(errors)::UBIGINT, (sum(duration_sum_ns) / greatest(sum(calls), 1))::DOUBLE
FROM red JOIN windows ON bucket_start >= before AND bucket_start < finish
WHERE kind IN ('server', 'consumer') AND bucket_start >= make_timestamp_ns($2) AND bucket_start < make_timestamp_ns($3)
GROUP BY ALL
