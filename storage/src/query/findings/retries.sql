-- Attempts of each edge against the calls they stand for: a client span is a retry when an earlier one of the same
-- parent and callee had failed before it began, or when it says so itself, as gRPC's attempts do.
WITH attempts AS MATERIALIZED (
    SELECT coalesce(service_name, 'unknown_service') AS service_name, coalesce(peer, regexp_replace(name, '^Sent\.', '')) AS callee,
        hash(trace_id, parent_span_id) AS parent, status_code = 'error' AS failed, epoch_ns(start_time) AS ns, duration_ns,
        coalesce(TRY_CAST("http.request.resend_count" AS BIGINT), 0) > 0 AS says_so, false AS is_grpc
    FROM ({calls})
    WHERE kind = 'client' AND parent_span_id IS NOT NULL AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
        AND {in_scope}
        AND ($3 = '' OR coalesce(service_name, 'unknown_service') IN {asked} OR coalesce(peer, name) IN {asked})
    UNION ALL
    SELECT caller, callee, parent, false, epoch_ns(start_time), duration_ns, is_retry, true
    FROM ({grpc})
    WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2) AND {in_scope}
        AND ($3 = '' OR caller IN {asked} OR callee IN {asked})
),
failures AS (
    SELECT service_name, callee, parent, min(ns + duration_ns) AS first_end, arg_min(ns, ns + duration_ns) AS first_start FROM attempts WHERE failed GROUP BY ALL
),
compared AS (
    SELECT service_name, callee, is_grpc, says_so OR coalesce(first_end <= ns AND first_start < ns, false) AS is_retry
    FROM attempts LEFT JOIN failures USING (service_name, callee, parent)
),
-- A first attempt of gRPC is of a call that has a client's span in some languages, in others not.
added AS (
    SELECT service_name, callee, count(*) FILTER (is_retry) AS retries,
        greatest(count(*) FILTER (NOT is_retry AND NOT is_grpc),
            count(*) FILTER (NOT is_retry AND is_grpc) - count(*) FILTER (is_retry AND NOT is_grpc)) AS calls
    FROM compared GROUP BY ALL
)
SELECT service_name, callee, NULL::VARCHAR, (calls + retries)::DOUBLE / nullif(calls, 0) AS factor, (calls + retries)::UBIGINT, retries::UBIGINT
FROM added
WHERE retries >= 5 AND factor > 1.1
ORDER BY factor DESC
