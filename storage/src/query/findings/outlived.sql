-- Calls whose callee worked on after its caller had given up: the timeout outside is shorter than the work inside. Who
-- got an answer did not give up, whatever the callee does after it.
WITH callers AS (
    SELECT hash(trace_id, span_id) AS id, environment, service_name, service_instance_id AS instance, epoch_ns(start_time) AS start, duration_ns
    FROM ({calls})
    WHERE kind = 'client' AND status_code = 'error' AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2) AND duration_ns IS NOT NULL
        AND {in_scope}
),
callees AS (
    SELECT hash(trace_id, parent_span_id) AS id, service_name, service_instance_id AS instance, epoch_ns(start_time) AS start, duration_ns
    FROM ({calls})
    WHERE kind = 'server' AND parent_span_id IS NOT NULL AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
),
pairs AS (
    SELECT a.service_name AS caller, b.service_name AS callee, a.duration_ns, b.duration_ns - a.duration_ns AS longer, b.start - a.start AS late,
        min(b.start - a.start) OVER (PARTITION BY a.environment, a.service_name, a.instance, b.service_name, b.instance) AS apart
    FROM callers a JOIN callees b USING (id)
    WHERE a.service_name <> b.service_name AND ($3 = '' OR a.service_name IN {asked} OR b.service_name IN {asked})
),
-- A call is never answered before it is made, and now and then at once. Where that is not so, clocks of two hosts are
-- apart, and only how long each took can be compared.
outlived AS (SELECT *, CASE WHEN apart BETWEEN 0 AND 20000000 THEN longer::HUGEINT + late ELSE longer END AS outlived_ns FROM pairs)
SELECT caller, callee, NULL::VARCHAR, count(*)::DOUBLE, max(duration_ns)::UBIGINT, median(outlived_ns)::UBIGINT
FROM outlived
-- The ends of a call differ on both sides of a connection.
WHERE outlived_ns > greatest(20000000, duration_ns // 10)
GROUP BY ALL HAVING count(*) >= 3 ORDER BY 4 DESC
