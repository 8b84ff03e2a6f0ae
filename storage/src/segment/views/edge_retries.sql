-- Attempts of each edge in each minute against the calls they stand for: a client span is a retry when an earlier one of
-- the same parent and callee had failed before it began, or when it says so itself, as gRPC's attempts do. Every attempt
-- stands in its own minute and, to be looked back at, in the next: so a filter on the minute reads the spans of two.
WITH attempts AS (
    SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service') AS caller,
        coalesce(peer, regexp_replace(name, '^Sent\.', '')) AS callee,
        hash(trace_id, parent_span_id) AS parent, epoch_ns(start_time) AS began,
        CASE WHEN status_code = 'error' THEN epoch_ns(start_time) + duration_ns END AS failed_at,
        coalesce(TRY_CAST("http.request.resend_count" AS BIGINT), 0) > 0 AS says_so, false AS is_grpc, start_time
    FROM ({calls})
    WHERE kind = 'client' AND parent_span_id IS NOT NULL AND start_time IS NOT NULL
    UNION ALL
    SELECT environment, service_namespace, cluster, caller, callee, parent, epoch_ns(start_time), NULL, is_retry, true, start_time
    FROM ({grpc})
),
placed AS (
    SELECT make_timestamp_ns(epoch_ns(start_time) // 60000000000 * 60000000000) AS bucket_start, true AS is_own, * EXCLUDE (start_time)
    FROM attempts
    UNION ALL
    SELECT make_timestamp_ns(epoch_ns(start_time) // 60000000000 * 60000000000 + 60000000000), false, * EXCLUDE (start_time)
    FROM attempts WHERE failed_at IS NOT NULL
),
compared AS (
    SELECT *, says_so OR coalesce(min(failed_at) OVER earlier <= began, false) AS is_retry
    FROM placed
    WINDOW earlier AS (PARTITION BY bucket_start, environment, service_namespace, cluster, caller, callee, parent
        ORDER BY began RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
-- A first attempt of gRPC is of a call that has a client's span in some languages, in others not.
added AS (
    SELECT bucket_start, environment, service_namespace, cluster, caller, callee, count(*) FILTER (is_retry) AS retries,
        greatest(count(*) FILTER (NOT is_retry AND NOT is_grpc),
            count(*) FILTER (NOT is_retry AND is_grpc) - count(*) FILTER (is_retry AND NOT is_grpc)) AS calls
    FROM compared WHERE is_own
    GROUP BY bucket_start, environment, service_namespace, cluster, caller, callee
)
SELECT bucket_start, environment, service_namespace, cluster, caller, callee, (calls + retries)::UBIGINT AS attempts,
    calls::UBIGINT AS calls, retries::UBIGINT AS retries, (calls + retries)::DOUBLE / greatest(calls, 1) AS retry_factor
FROM added
