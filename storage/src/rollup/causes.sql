-- Of whole traces of sealed segments (`raw`) the spans that entries elsewhere name as their cause (`sought`, by id) and that
-- are no halves of their segment (`halves`): others are found by them, and that is all they take part in.
--
-- A call to a database is counted for good where nobody answered it. Where somebody did, in its own segment, the span
-- has no peer here; else its peer says what is to be taken away from that count once somebody answers elsewhere.
WITH raw AS MATERIALIZED ({raw}),
answered AS (
    SELECT DISTINCT segment, parent_id AS id FROM raw
    WHERE parent_id IS NOT NULL AND kind IN ('client', 'producer', 'server', 'consumer')
)
SELECT r.* EXCLUDE (segment) REPLACE (
    CASE WHEN r.kind IN ('client', 'producer') THEN r.kind ELSE 'internal' END AS kind,
    CASE WHEN a.id IS NULL THEN r.peer END AS peer,
    false AS is_dangling, true AS is_covered)
FROM raw r
SEMI JOIN {sought} USING (id)
ANTI JOIN ({halves}) h USING (id)
LEFT JOIN answered a ON a.segment = r.segment AND a.id = r.id
WHERE NOT r.sidecar
