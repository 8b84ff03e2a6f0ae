SELECT count(DISTINCT trace_id)::UBIGINT AS traces, count(*)::UBIGINT AS spans
FROM (SELECT trace_id FROM ({fitting}) LIMIT {limit})
