-- From `spans_once` (each span once; of other segments only their halves): who called whom.
--
-- A call is what a server or consumer span (the entry) was caused by: the parent of a server, parent and links
-- of a consumer. A proxy's span folds into the application's span of the same hop.
by_id AS MATERIALIZED (
    -- One span an id; where two share it the outgoing one is the parent people mean.
    SELECT DISTINCT ON (trace_id, span_id) *, kind IN ('client', 'producer') AS goes_out
    FROM spans_once
    ORDER BY trace_id, span_id, goes_out DESC, start_time, service_name
),
hops AS MATERIALIZED (
    SELECT s.*,
        s.kind IN ('client', 'producer') AS goes_out,
        p.span_id IS NULL AND s.parent_span_id IS NOT NULL AND coalesce(s.is_dangling, true) AS dangles,
        p.goes_out AND p.service_name = s.service_name
            AND p.environment IS NOT DISTINCT FROM s.environment
            AND p.service_namespace IS NOT DISTINCT FROM s.service_namespace
            AND p.cluster IS NOT DISTINCT FROM s.cluster AS under_own_call,
        -- A proxy's outgoing span under the application's, and an application's entry under its proxy's.
        s.sidecar AND NOT p.sidecar AND p.goes_out
            AND (p.service_name = s.service_name OR p.service_name = split_part(s.service_name, '.', 1))
            AS folds_into_parent,
        p.sidecar AND NOT s.sidecar AND p.kind = 'server' AND s.kind = 'server'
            AND (p.service_name = s.service_name OR s.service_name = split_part(p.service_name, '.', 1))
            AS parent_folds_in,
        p.parent_span_id AS grandparent_span_id
    FROM spans_once s
    LEFT JOIN by_id p ON p.trace_id = s.trace_id AND p.span_id = s.parent_span_id
    WHERE s.kind IN ('client', 'producer', 'server', 'consumer')
),
folded AS (
    SELECT trace_id, parent_span_id AS span_id FROM hops WHERE parent_folds_in
),
entries AS MATERIALIZED (
    SELECT h.* EXCLUDE (parent_span_id),
        CASE WHEN h.parent_folds_in THEN h.grandparent_span_id ELSE h.parent_span_id END AS parent_span_id
    FROM hops h
    ANTI JOIN folded f ON f.trace_id = h.trace_id AND f.span_id = h.span_id
    WHERE NOT h.goes_out
),
causes AS (
    SELECT identity, trace_id AS cause_trace_id, parent_span_id AS cause_span_id, false AS by_link
    FROM entries WHERE parent_span_id IS NOT NULL
    UNION
    SELECT identity, link.trace_id, link.span_id, (link.trace_id, link.span_id) <> (trace_id, coalesce(parent_span_id, ''))
    FROM (SELECT identity, trace_id, parent_span_id, unnest(links) AS link FROM entries WHERE kind = 'consumer')
),
traced AS MATERIALIZED (
    SELECT e.identity, c.cause_trace_id, c.cause_span_id, c.by_link,
        p.span_id IS NOT NULL AS is_found,
        p.goes_out,
        NOT (p.service_name = e.service_name
            AND p.environment IS NOT DISTINCT FROM e.environment
            AND p.service_namespace IS NOT DISTINCT FROM e.service_namespace
            AND p.cluster IS NOT DISTINCT FROM e.cluster) AS is_foreign,
        o.dangles AND o.sidecar AS may_fold,
        CASE WHEN o.folds_into_parent THEN p.parent_span_id ELSE p.span_id END AS caller_span_id
    FROM causes c
    JOIN entries e USING (identity)
    LEFT JOIN by_id p ON p.trace_id = c.cause_trace_id AND p.span_id = c.cause_span_id
    LEFT JOIN hops o ON o.identity = p.identity AND o.sidecar AND o.goes_out
),
pairs AS MATERIALIZED (
    SELECT DISTINCT t.identity, c.identity AS caller_identity, coalesce(t.may_fold, false) AS may_fold
    FROM traced t
    JOIN by_id c ON c.trace_id = t.cause_trace_id AND c.span_id = t.caller_span_id
    WHERE t.goes_out OR t.is_foreign
),
paired AS (
    SELECT c.environment, c.service_namespace, c.cluster, c.service_name AS caller,
        e.environment AS callee_environment, e.service_namespace AS callee_service_namespace,
        e.cluster AS callee_cluster, e.service_name AS callee,
        CASE WHEN e.kind = 'consumer' OR c.kind = 'producer' THEN 'messaging' ELSE 'service' END AS kind,
        NULL::VARCHAR AS inferred,
        c.error OR e.error AS error,
        CASE WHEN c.kind = 'client' AND e.kind = 'server' THEN coalesce(c.duration_ns, e.duration_ns)
             ELSE e.duration_ns END AS duration_ns,
        CASE WHEN c.kind IN ('client', 'producer') THEN coalesce(c.start_time, e.start_time)
             ELSE e.start_time END AS start_time,
        coalesce(e.weight, c.weight) AS weight,
        p.may_fold AS is_open
    FROM pairs p
    JOIN entries e USING (identity)
    JOIN by_id c ON c.identity = p.caller_identity
),
-- Outgoing spans nobody answered: not those whose proxy or nested client speaks for them.
unanswered AS MATERIALIZED (
    SELECT o.*
    FROM hops o
    ANTI JOIN pairs p ON p.caller_identity = o.identity
    ANTI JOIN (SELECT trace_id, parent_span_id FROM hops WHERE goes_out AND under_own_call AND NOT sidecar) n
        ON n.trace_id = o.trace_id AND n.parent_span_id = o.span_id
    WHERE o.goes_out AND NOT coalesce(o.folds_into_parent, false) AND NOT o.is_covered
),
-- Consumers whose producer is unknown: the destination stands for it.
unprompted AS (
    SELECT e.*, EXISTS (FROM traced t WHERE t.identity = e.identity AND NOT t.is_found) AS is_open
    FROM entries e
    WHERE e.kind = 'consumer' AND e.peer_kind = 'messaging' AND NOT e.is_covered
        AND NOT EXISTS (FROM traced t WHERE t.identity = e.identity AND t.is_found)
),
calls AS (
    SELECT * FROM paired
    UNION ALL
    SELECT environment, service_namespace, cluster, service_name,
        environment, service_namespace, cluster, peer, peer_kind, 'callee',
        error, duration_ns, start_time, weight, peer_kind <> 'database'
    FROM unanswered WHERE peer IS NOT NULL
    UNION ALL
    SELECT environment, service_namespace, cluster, peer,
        environment, service_namespace, cluster, service_name, 'messaging', 'caller',
        error, duration_ns, start_time, weight, is_open
    FROM unprompted
)
