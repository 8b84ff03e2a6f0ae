-- The traces that halves to be matched and hot spans are of, and those that they link to.
WITH stored AS NOT MATERIALIZED ({stored}),
rest AS NOT MATERIALIZED (
    SELECT trace_id, links FROM stored WHERE NOT {plain}
    {hot}
)
SELECT trace_id FROM rest
UNION
SELECT link.trace_id FROM (SELECT unnest(links) AS link FROM rest WHERE links IS NOT NULL)
