-- Edges for good of sealed segments (`finals`) without what is to be taken away from them, and the others (`live`, of which
-- some say so: `is_minus`). Hardly any are touched; the rest passes as it is.
finals AS NOT MATERIALIZED ({finals}),
live AS MATERIALIZED ({live}),
touched AS MATERIALIZED (
    SELECT DISTINCT hash(bucket_start, caller, callee) AS edge FROM live WHERE is_minus
),
less AS (
    FROM finals WHERE kind = 'database' AND hash(bucket_start, caller, callee) IN (FROM touched)
    UNION ALL
    {minus}
)
FROM finals WHERE kind IS DISTINCT FROM 'database' OR hash(bucket_start, caller, callee) NOT IN (FROM touched)
UNION ALL
({merged})
UNION ALL
SELECT * EXCLUDE (is_minus) FROM live WHERE NOT is_minus
