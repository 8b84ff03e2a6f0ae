-- Attempts of each edge in each minute against the calls they stand for: a client span is a retry when an earlier one of
-- the same parent and callee had failed before it began, or when it says so itself. Every attempt stands in its own
-- minute and, to be looked back at, in the next: so a filter on the minute reads the spans of two.
WITH attempts AS (
    SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service') AS caller, coalesce(peer, name) AS callee,
        hash(trace_id, parent_span_id) AS parent, epoch_ns(start_time) AS began,
        CASE WHEN status_code = 'error' THEN epoch_ns(start_time) + duration_ns END AS failed_at,
        coalesce(TRY_CAST("http.request.resend_count" AS BIGINT), 0) > 0 AS says_so, start_time
    FROM ({calls})
    WHERE kind = 'client' AND parent_span_id IS NOT NULL AND start_time IS NOT NULL
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
)
SELECT bucket_start, environment, service_namespace, cluster, caller, callee, count(*)::UBIGINT AS attempts,
    count(*) FILTER (NOT is_retry)::UBIGINT AS calls, count(*) FILTER (is_retry)::UBIGINT AS retries,
    count(*)::DOUBLE / greatest(count(*) FILTER (NOT is_retry), 1) AS retry_factor
FROM compared WHERE is_own
GROUP BY bucket_start, environment, service_namespace, cluster, caller, callee
