-- When something was heard of each instance: its first and its last log record, and the last of its spans and points.
SELECT environment, service_namespace, cluster, service_name, service_instance_id,
    epoch_ns(min(first_log)), epoch_ns(max(last_log)), epoch_ns(max(other))
FROM (
    SELECT resource_ix, NULL::TIMESTAMP_NS AS first_log, NULL::TIMESTAMP_NS AS last_log, max(start_time) AS other
    FROM {facts}.spans GROUP BY resource_ix
    UNION ALL
    SELECT resource_ix, min("time"), max("time"), NULL FROM {facts}.logs GROUP BY resource_ix
    UNION ALL
    SELECT s.resource_ix, NULL, NULL, max(p."time")
    FROM (
        SELECT series_ix, max("time") AS "time" FROM {facts}.number_points GROUP BY series_ix
        UNION ALL
        SELECT series_ix, max("time") FROM {facts}.histogram_points GROUP BY series_ix
    ) p JOIN {dictionaries}.series s USING (series_ix)
    GROUP BY s.resource_ix
) JOIN {dictionaries}.resources USING (resource_ix)
WHERE schema_url IS DISTINCT FROM 'tripline:reported'
GROUP BY 1, 2, 3, 4, 5
