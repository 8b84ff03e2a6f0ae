-- What must be looked at again together with other segments: entries with a cause not found here, with just
-- those causes; outgoing spans nobody answered; and spans that others may still ask for.
SELECT trace_id, span_id, parent_span_id, kind, start_time, duration_ns, error, environment, service_namespace,
    cluster, service_name, peer, peer_kind, sidecar, weight, links, is_dangling, is_covered
FROM (
    SELECT e.* EXCLUDE (parent_span_id, links, is_dangling, is_covered),
        w.parent_span_id, w.links, w.parent_span_id IS NOT NULL AS is_dangling,
        e.is_covered OR e.identity IN (SELECT identity FROM traced WHERE is_found AND NOT coalesce(may_fold, false))
            AS is_covered
    FROM entries e
    JOIN (
        SELECT identity,
            any_value(cause_span_id) FILTER (NOT by_link) AS parent_span_id,
            list(struct_pack(trace_id := cause_trace_id, span_id := cause_span_id)) FILTER (by_link) AS links
        FROM traced WHERE NOT is_found OR may_fold
        GROUP BY identity
    ) w USING (identity)
    UNION ALL BY NAME
    SELECT o.* EXCLUDE (is_dangling, is_covered), o.dangles AS is_dangling,
        o.is_covered OR u.identity IS NULL OR o.peer_kind IS NOT DISTINCT FROM 'database' AS is_covered
    FROM hops o
    LEFT JOIN unanswered u USING (identity)
    WHERE o.goes_out
        AND (o.kind = 'producer' OR o.dangles
            OR u.identity IS NOT NULL AND o.peer_kind IS DISTINCT FROM 'database'
            OR o.is_covered
            OR o.folds_into_parent
                AND (o.trace_id, o.parent_span_id) IN (SELECT (trace_id, span_id) FROM unanswered))
)
