SELECT make_timestamp_ns({from} + (epoch_ns("time") - {from}) // {width} * {width}) AS from_time,
    CASE WHEN severity_number BETWEEN 1 AND 24 THEN (severity_number + 3) // 4 ELSE 0 END AS severity,
    service_name, count(*) AS records
FROM logs f
{where}
GROUP BY ALL
ORDER BY ALL
