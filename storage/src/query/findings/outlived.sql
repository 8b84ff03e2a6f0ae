-- Calls whose callee worked on after its caller had given up: the timeout outside is shorter than the work inside. Who
-- got an answer did not give up, whatever the callee does after it.
WITH callers AS (
    SELECT hash(trace_id, span_id) AS id, service_name, epoch_ns(start_time) + duration_ns AS finish, duration_ns
    FROM ({calls})
    WHERE kind = 'client' AND status_code = 'error' AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2) AND duration_ns IS NOT NULL
        AND {in_scope}
),
callees AS (
    SELECT hash(trace_id, parent_span_id) AS id, service_name, epoch_ns(start_time) + duration_ns AS finish
    FROM ({calls})
    WHERE kind = 'server' AND parent_span_id IS NOT NULL AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
)
SELECT a.service_name, b.service_name, NULL::VARCHAR, count(*)::DOUBLE, max(a.duration_ns)::UBIGINT, median(b.finish - a.finish)::UBIGINT
FROM callers a JOIN callees b USING (id)
-- Clocks of two hosts differ; so do the ends of a call on both sides of a connection.
WHERE a.service_name <> b.service_name AND b.finish - a.finish > greatest(20000000, a.duration_ns // 10)
    AND ($3 = '' OR a.service_name IN {asked} OR b.service_name IN {asked})
GROUP BY ALL HAVING count(*) >= 3 ORDER BY 4 DESC
