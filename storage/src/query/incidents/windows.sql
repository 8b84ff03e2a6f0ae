-- Calls, errors (what spans stand for) and mean duration of each edge and of each answering service, before and during
-- each window.
-- A window is `number:before:during:end`, nanoseconds. Where calls fail in it, "during" begins with the first bucket
-- that fails at least half as much as the worst one: the quiet time before would hide what came after.
WITH windows AS (
    SELECT split_part(w, ':', 1)::INTEGER AS number, make_timestamp_ns(split_part(w, ':', 2)::BIGINT) AS before,
        make_timestamp_ns(split_part(w, ':', 3)::BIGINT) AS during, make_timestamp_ns(split_part(w, ':', 4)::BIGINT) AS finish
    FROM (SELECT unnest(string_split($1, ',')) AS w)
), buckets AS (
    SELECT number, bucket_start, bucket_start >= during AS is_during, environment, service_namespace, cluster, caller,
        callee_environment, callee_service_namespace, callee_cluster, callee,
        sum(weight) AS calls, sum(error_weight) AS errors, sum(calls) AS counted, sum(duration_sum_ns) AS duration_ns
    FROM ({edges}) JOIN windows ON bucket_start >= before AND bucket_start < finish
    WHERE bucket_start >= make_timestamp_ns($2) AND bucket_start < make_timestamp_ns($3)
    GROUP BY ALL
    UNION ALL
    SELECT number, bucket_start, bucket_start >= during AS is_during, NULL, NULL, NULL, NULL,
        environment, service_namespace, cluster, service_name,
        sum(weight), sum(error_weight), sum(calls), sum(duration_sum_ns)
    FROM ({red}) JOIN windows ON bucket_start >= before AND bucket_start < finish
    WHERE kind IN ('server', 'consumer') AND bucket_start >= make_timestamp_ns($2) AND bucket_start < make_timestamp_ns($3)
    GROUP BY ALL
), worst AS (
    SELECT *, max(CASE WHEN is_during THEN errors / greatest(calls, 1) END) OVER node AS peak
    FROM buckets
    WINDOW node AS (PARTITION BY number, environment, service_namespace, cluster, caller,
        callee_environment, callee_service_namespace, callee_cluster, callee)
), onsets AS (
    SELECT *, min(CASE WHEN is_during AND errors > 0 AND errors / greatest(calls, 1) >= peak / 2 THEN bucket_start END) OVER node AS onset
    FROM worst
    WINDOW node AS (PARTITION BY number, environment, service_namespace, cluster, caller,
        callee_environment, callee_service_namespace, callee_cluster, callee)
)
SELECT number, is_during, environment, service_namespace, cluster, caller,
    callee_environment, callee_service_namespace, callee_cluster, callee,
    round(sum(calls))::UBIGINT, round(sum(errors))::UBIGINT, (sum(duration_ns) / greatest(sum(counted), 1))::DOUBLE
FROM onsets
WHERE NOT is_during OR onset IS NULL OR bucket_start >= onset
GROUP BY ALL
