SELECT to_json(x)::VARCHAR
FROM ({spans}) x
WHERE x.trace_id = $3
LIMIT {limit}
