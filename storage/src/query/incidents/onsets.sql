-- Calls of each service in each second, as many as spans stand for: those it answered, and those made to peers that
-- send no spans themselves.
WITH chosen AS (
    SELECT coalesce(service_name, 'unknown_service') AS service, epoch_ns(start_time) // 1000000000 AS second,
        status_code = 'error' AS failed, duration_ns, coalesce(weight, 1) AS weight
    FROM ({calls}) WHERE kind IN ('server', 'consumer')
        AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
        AND service_name IN (SELECT unnest(string_split($3, chr(31))))
    UNION ALL
    SELECT peer, epoch_ns(start_time) // 1000000000, status_code = 'error', duration_ns, coalesce(weight, 1)
    FROM ({calls}) WHERE kind IN ('client', 'producer')
        AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
        AND peer IN (SELECT unnest(string_split($4, chr(31))))
)
SELECT service, second::BIGINT, sum(weight), coalesce(sum(weight) FILTER (failed), 0),
    coalesce(sum(duration_ns * weight), 0)::DOUBLE
FROM chosen GROUP BY ALL ORDER BY ALL
