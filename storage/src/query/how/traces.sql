SELECT trace_id, max(start_time) AS newest, count(*) AS spans_that_fit
FROM spans f
{where}
GROUP BY trace_id
ORDER BY newest DESC
LIMIT {limit}
