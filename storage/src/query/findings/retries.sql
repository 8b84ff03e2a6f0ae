-- Attempts of each edge against the calls they stand for: a client span is a retry when an earlier one of the same
-- parent and callee had failed before it began, or when it says so itself.
WITH attempts AS (
    SELECT service_name, coalesce(peer, name) AS callee, status_code = 'error' AS failed,
        coalesce(max(CASE WHEN status_code = 'error' THEN epoch_ns(start_time) + duration_ns END) OVER w <= epoch_ns(start_time), false)
            OR coalesce(TRY_CAST(attributes."http.request.resend_count"::VARCHAR AS BIGINT), 0) > 0 AS is_retry
    FROM ({spans})
    WHERE kind = 'client' AND parent_span_id IS NOT NULL AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
        AND ($3 = '' OR service_name IN (SELECT unnest(string_split($3, chr(31)))))
    WINDOW w AS (PARTITION BY trace_id, parent_span_id, service_name, coalesce(peer, name) ORDER BY start_time
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT service_name, callee, NULL::VARCHAR, count(*)::DOUBLE / nullif(count(*) FILTER (NOT is_retry), 0) AS factor,
    count(*)::UBIGINT, count(*) FILTER (is_retry)::UBIGINT
FROM attempts GROUP BY ALL
HAVING count(*) FILTER (is_retry) >= 5 AND factor > 1.1
ORDER BY factor DESC
