-- Failed share at the entry points in three ranges, of what spans stand for. Entry points are
-- `service<31>operation<31>environment<31>namespace<31>cluster`.
WITH entries AS (
    SELECT split_part(e, chr(31), 1) AS service, split_part(e, chr(31), 2) AS operation,
        split_part(e, chr(31), 3) AS of_environment, split_part(e, chr(31), 4) AS of_namespace, split_part(e, chr(31), 5) AS of_cluster
    FROM (SELECT unnest(string_split($1, chr(30))) AS e)
)
SELECT sum(error_weight) FILTER (bucket_start < make_timestamp_ns($3)) / nullif(sum(weight) FILTER (bucket_start < make_timestamp_ns($3)), 0),
    sum(error_weight) FILTER (bucket_start >= make_timestamp_ns($4)) / nullif(sum(weight) FILTER (bucket_start >= make_timestamp_ns($4)), 0),
    sum(error_weight) FILTER (bucket_start >= make_timestamp_ns($6) AND bucket_start < make_timestamp_ns($4))
        / nullif(sum(weight) FILTER (bucket_start >= make_timestamp_ns($6) AND bucket_start < make_timestamp_ns($4)), 0)
FROM ({red}) JOIN entries ON service = service_name AND operation = name
    AND of_environment = coalesce(environment, '') AND of_namespace = coalesce(service_namespace, '') AND of_cluster = coalesce(cluster, '')
WHERE (bucket_start >= make_timestamp_ns($2) AND bucket_start < make_timestamp_ns($3))
    OR (bucket_start >= make_timestamp_ns($6) AND bucket_start < make_timestamp_ns($5))
