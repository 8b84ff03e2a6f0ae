SELECT make_timestamp_ns({from} + (epoch_ns(start_time) - {from}) // {width} * {width}) AS from_time,
    (2 ** ((CASE WHEN duration_ns > 1 THEN floor(log2(duration_ns) * 2) ELSE 0 END) / 2))::BIGINT AS from_ns,
    count(*) AS spans, count(*) FILTER (status_code = 'error') AS failed
FROM spans f
{where}
GROUP BY ALL
ORDER BY ALL
