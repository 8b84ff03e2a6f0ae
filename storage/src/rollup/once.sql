-- Each span once: a span resent by its client is stored again, and counts once.
stored AS MATERIALIZED ({stored}),
resent AS (SELECT identity FROM stored GROUP BY identity HAVING count(*) > 1),
spans_once AS MATERIALIZED (
    SELECT s.* FROM stored s ANTI JOIN resent USING (identity)
    UNION ALL
    SELECT DISTINCT ON (s.identity) s.* FROM stored s SEMI JOIN resent USING (identity)
    ORDER BY s.identity
)
