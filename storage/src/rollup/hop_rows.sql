-- Spans as `rollup/hops.sql` and `rollup/halves_stored.sql` have them, as they are kept in memory.
SELECT trace_id, id, parent_id, identity, kind, epoch_ns(start_time), duration_ns, coalesce(error, false), weight,
    coalesce(sidecar, false), coalesce(is_dangling, true), coalesce(is_covered, true),
    environment, service_namespace, cluster, service_name, peer, peer_kind,
    array_to_string(list_transform(links, lambda link: hash(link.trace_id, link.span_id)), ','),
    array_to_string(list_transform(links, lambda link: link.trace_id), ',')
FROM ({rows})
