-- From `spans_once` (each span once; of other segments only their halves): who called whom.
--
-- A call is what a server or consumer span (the entry) was caused by: the parent of a server, parent and links
-- of a consumer. A proxy's span folds into the application's span of the same hop.
shared AS (SELECT id FROM spans_once GROUP BY id HAVING count(*) > 1),
by_id AS MATERIALIZED (
    -- One span an id; where two share it the outgoing one is the parent people mean.
    SELECT s.*, s.kind IN ('client', 'producer') AS goes_out FROM spans_once s ANTI JOIN shared USING (id)
    UNION ALL
    (SELECT DISTINCT ON (s.id) s.*, s.kind IN ('client', 'producer') AS goes_out
    FROM spans_once s SEMI JOIN shared USING (id)
    ORDER BY s.id, goes_out DESC, s.start_time, s.service_name)
),
hops AS MATERIALIZED (
    SELECT s.*,
        s.kind IN ('client', 'producer') AS goes_out,
        p.id IS NULL AND s.parent_id IS NOT NULL AND coalesce(s.is_dangling, true) AS dangles,
        coalesce(p.goes_out AND p.service = s.service, false) AS under_own_call,
        -- A proxy's outgoing span under the application's, and an application's entry under its proxy's.
        coalesce(s.sidecar AND NOT p.sidecar AND p.goes_out AND s.kind IN ('client', 'producer')
            AND (p.service_name = s.service_name OR p.service_name = split_part(s.service_name, '.', 1)), false)
            AS folds_into_parent,
        coalesce(p.sidecar AND NOT s.sidecar AND p.kind = 'server' AND s.kind = 'server'
            AND (p.service_name = s.service_name OR s.service_name = split_part(p.service_name, '.', 1)), false)
            AS parent_folds_in,
        CASE WHEN p.sidecar THEN p.parent_span_id END AS grandparent_span_id,
        CASE WHEN p.sidecar THEN p.parent_id END AS grandparent_id
    FROM spans_once s
    LEFT JOIN by_id p ON p.id = s.parent_id
    WHERE s.kind IN ('client', 'producer', 'server', 'consumer')
),
folded AS (SELECT parent_id AS id FROM hops WHERE parent_folds_in),
entries AS MATERIALIZED (
    SELECT h.* EXCLUDE (parent_span_id, parent_id),
        CASE WHEN h.parent_folds_in THEN h.grandparent_span_id ELSE h.parent_span_id END AS parent_span_id,
        CASE WHEN h.parent_folds_in THEN h.grandparent_id ELSE h.parent_id END AS parent_id
    FROM hops h
    ANTI JOIN folded USING (id)
    WHERE NOT h.goes_out
),
linked AS (
    SELECT DISTINCT identity, link, hash(link.trace_id, link.span_id) AS cause_id
    FROM (SELECT identity, unnest(links) AS link FROM entries WHERE kind = 'consumer' AND links IS NOT NULL)
),
causes AS (
    SELECT identity, parent_id AS cause_id, parent_span_id AS cause_span_id,
        NULL::STRUCT(trace_id VARCHAR, span_id VARCHAR) AS link
    FROM entries WHERE parent_id IS NOT NULL
    UNION ALL
    SELECT l.identity, l.cause_id, NULL, l.link
    FROM linked l
    ANTI JOIN entries e ON e.identity = l.identity AND e.parent_id = l.cause_id
),
traced AS MATERIALIZED (
    SELECT e.identity, c.cause_span_id, c.link,
        p.id IS NOT NULL AS is_found,
        p.goes_out OR p.service <> e.service AS is_call,
        coalesce(o.dangles, false) AS may_fold,
        CASE WHEN o.folds_into_parent THEN o.parent_id ELSE p.id END AS caller_id
    FROM causes c
    JOIN entries e USING (identity)
    LEFT JOIN by_id p ON p.id = c.cause_id
    LEFT JOIN (SELECT * FROM hops WHERE sidecar AND goes_out) o ON o.identity = p.identity
),
pairs AS MATERIALIZED (
    SELECT DISTINCT identity, caller_id, may_fold FROM traced WHERE is_call
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
        CASE WHEN c.goes_out THEN coalesce(c.start_time, e.start_time) ELSE e.start_time END AS start_time,
        coalesce(e.weight, c.weight) AS weight,
        p.may_fold AS is_open
    FROM pairs p
    JOIN entries e USING (identity)
    JOIN by_id c ON c.id = p.caller_id
),
-- Outgoing spans nobody answered: not those whose proxy or nested client speaks for them.
unanswered AS MATERIALIZED (
    SELECT o.*
    FROM hops o
    ANTI JOIN pairs p ON p.caller_id = o.id
    ANTI JOIN (SELECT parent_id FROM hops WHERE goes_out AND under_own_call AND NOT sidecar) n ON n.parent_id = o.id
    WHERE o.goes_out AND NOT o.folds_into_parent AND NOT o.is_covered
),
-- Calls to databases that their own segment counts as unanswered, and that somebody answers elsewhere.
answered_after_all AS (
    SELECT o.* FROM by_id o
    SEMI JOIN pairs p ON p.caller_id = o.id
    WHERE o.is_covered AND o.goes_out AND NOT o.sidecar AND o.peer_kind = 'database'
),
-- Consumers whose producer is unknown: the destination stands for it.
unprompted AS (
    SELECT e.*, t.identity IS NOT NULL AS is_open
    FROM entries e
    LEFT JOIN (SELECT DISTINCT identity FROM traced WHERE NOT is_found) t USING (identity)
    ANTI JOIN (SELECT identity FROM traced WHERE is_found) f USING (identity)
    WHERE e.kind = 'consumer' AND e.peer_kind = 'messaging' AND NOT e.is_covered
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
),
-- What must be looked at again together with other segments: entries with a cause not found here, with just
-- those causes; outgoing spans nobody answered; and spans that others may still ask for.
halves AS (
    SELECT e.* EXCLUDE (parent_span_id, links, is_dangling, is_covered),
        w.parent_span_id, w.links, w.parent_span_id IS NOT NULL AS is_dangling,
        e.is_covered OR f.identity IS NOT NULL AS is_covered
    FROM entries e
    JOIN (
        SELECT identity, any_value(cause_span_id) AS parent_span_id, list(link) FILTER (link IS NOT NULL) AS links
        FROM traced WHERE NOT is_found OR may_fold
        GROUP BY identity
    ) w USING (identity)
    LEFT JOIN (SELECT DISTINCT identity FROM traced WHERE is_found AND NOT may_fold) f USING (identity)
    UNION ALL BY NAME
    -- A call to a database that is counted has its peer, one that is not has none.
    SELECT o.* EXCLUDE (is_dangling, is_covered, peer), o.dangles AS is_dangling,
        o.is_covered OR u.identity IS NULL OR o.peer_kind IS NOT DISTINCT FROM 'database' AS is_covered,
        CASE WHEN o.peer_kind = 'database' AND NOT o.sidecar
            AND (u.identity IS NULL AND NOT o.is_covered OR o.id IN (SELECT caller_id FROM pairs))
            THEN NULL ELSE o.peer END AS peer
    FROM hops o
    LEFT JOIN unanswered u USING (identity)
    LEFT JOIN (SELECT id FROM unanswered) up ON up.id = o.parent_id
    WHERE o.goes_out
        AND (o.kind = 'producer' OR o.dangles OR o.is_covered
            OR u.identity IS NOT NULL AND o.peer_kind IS DISTINCT FROM 'database'
            OR o.folds_into_parent AND up.id IS NOT NULL)
)
