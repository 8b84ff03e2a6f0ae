SELECT "time", severity_text, service_name, body, trace_id, span_id, attributes
FROM logs f
{where}
ORDER BY "time" DESC
LIMIT {limit}
