-- The first traces with a span that fits, by what is known of the whole of each; and how many there are in all.
WITH fitting AS MATERIALIZED (
    SELECT DISTINCT trace_id FROM ({fitting})
), whole AS (
    SELECT trace_id, {value} AS value, min(start_ns) AS first_ns
    FROM ({spans}) SEMI JOIN fitting USING (trace_id)
    GROUP BY trace_id
)
SELECT trace_id, (count(*) OVER ())::UBIGINT AS total
FROM whole
ORDER BY value DESC NULLS LAST, first_ns DESC NULLS LAST, trace_id
LIMIT {limit}
