SELECT ((epoch_ns(f.start_time) - {from}) // {width})::UINTEGER AS x,
    (CASE WHEN f.duration_ns > 1 THEN floor(log2(f.duration_ns) * 2) ELSE 0 END)::UINTEGER AS y,
    count(*)::UBIGINT, count(*) FILTER (f.status_code = 'error')::UBIGINT
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
{where}
GROUP BY x, y
