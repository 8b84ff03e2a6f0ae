-- Entry spans by version and bucket of duration (eighths of a power of two, as the roll-ups have them).
SELECT r.service_version, CASE WHEN f.duration_ns >= 1 THEN ceil(log2(f.duration_ns) * 8) ELSE 0 END::USMALLINT AS bucket,
    count(*)::UBIGINT, count(*) FILTER (f.status_code = 'error')::UBIGINT, epoch_ns(min(f.start_time)), epoch_ns(max(f.start_time))
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
{where}
GROUP BY ALL
