SELECT least(({to} - 1 - {from}) // {width}, (epoch_ns(f.time) - {from}) // {width})::UINTEGER AS step,
    CASE WHEN f.severity_number BETWEEN 1 AND 24 THEN (f.severity_number + 3) // 4 ELSE 0 END::UTINYINT AS severity,
    coalesce(r.service_name, '') AS service, count(*)::UBIGINT
FROM {facts}.logs f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
{where}
GROUP BY ALL
