SELECT "time", service_name, attributes, value, count, sum, min, max
FROM metric_points
WHERE series_id IN (SELECT series_id FROM metrics f {where})
    AND {time}
ORDER BY series_id, "time"
