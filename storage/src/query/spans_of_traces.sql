SELECT f.resource_ix, f.trace_id, f.span_id, f.parent_span_id, f.name, f.kind, f.status_code, epoch_ns(f.start_time), f.duration_ns
FROM {facts}.spans f
WHERE f.trace_id IN (SELECT unnest(string_split(?, ','))) AND {within}
