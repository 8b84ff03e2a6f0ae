-- Of the halves of sealed segments (`stored`; `near` of those near the time asked about; `settled` of those whose plain
-- halves the asker counts as alone, as far as the rest may complete them) most are calls nobody will ever answer: to a third party, to a service
-- without telemetry. Those are told apart by their ids alone, and only the rest goes through the matching.
--
-- A plain half is a client's call that its own segment left unanswered, under a parent that is there. It is alone unless
-- a span elsewhere names it as parent or its own parent is a half too; then it is looked at with the rest.
stored AS NOT MATERIALIZED ({stored}),
near AS NOT MATERIALIZED ({near}),
rest AS MATERIALIZED (
    FROM stored WHERE NOT {plain}
    {hot}
),
asked AS MATERIALIZED (
    SELECT parent_id AS id FROM rest WHERE parent_id IS NOT NULL
    UNION
    SELECT hash(link.trace_id, link.span_id) FROM (SELECT unnest(links) AS link FROM rest WHERE links IS NOT NULL)
),
sought AS MATERIALIZED (
    -- Causes of entries that are neither halves to be matched nor hot, with their traces.
    SELECT * FROM (
        SELECT trace_id, parent_id AS id FROM rest WHERE kind IN ('server', 'consumer') AND parent_id IS NOT NULL
        UNION
        SELECT link.trace_id, hash(link.trace_id, link.span_id)
        FROM (SELECT unnest(links) AS link FROM rest WHERE links IS NOT NULL)
    ) ANTI JOIN rest USING (id)
),
found AS MATERIALIZED ({found}),
known AS MATERIALIZED (SELECT DISTINCT id FROM rest WHERE kind IN ('client', 'producer')),
-- Settled ones that are not alone after all.
unsettled AS MATERIALIZED (
    FROM ({settled}) WHERE {plain} AND (id IN (FROM asked) OR coalesce(parent_id IN (FROM known), false))
),
spans_once AS MATERIALIZED (
    FROM rest
    UNION ALL BY NAME
    FROM unsettled
    UNION ALL BY NAME
    FROM near WHERE {plain} AND (id IN (FROM asked) OR coalesce(parent_id IN (FROM known), false))
    UNION ALL BY NAME
    FROM found
),
alone AS NOT MATERIALIZED (
    SELECT s.* FROM near s ANTI JOIN asked USING (id) ANTI JOIN known k ON k.id = s.parent_id WHERE {plain}
)
