-- Versions of services with the first span of each, and change events. $3 are the services, each with its scope; $4 the
-- scopes the incident touches. An event that names no scope is about all of them.
WITH nodes AS (
    SELECT split_part(n, chr(31), 1) AS service, split_part(n, chr(31), 2) AS environment, split_part(n, chr(31), 3) AS namespace,
        split_part(n, chr(31), 4) AS cluster
    FROM (SELECT unnest(string_split($3, chr(30))) AS n)
),
scopes AS (
    SELECT split_part(s, chr(31), 1) AS environment, split_part(s, chr(31), 2) AS namespace, split_part(s, chr(31), 3) AS cluster
    FROM (SELECT unnest(string_split($4, chr(30))) AS s)
)
SELECT 'version' AS kind, coalesce(service_name, 'unknown_service') AS service, service_version AS what, epoch_ns(min(start_time)) AS ns,
    concat_ws(chr(31), coalesce(c.environment, ''), coalesce(c.service_namespace, ''), coalesce(c.cluster, '')) AS scope
FROM ({calls}) c SEMI JOIN nodes n ON n.service = c.service_name AND n.environment = coalesce(c.environment, '')
    AND n.namespace = coalesce(c.service_namespace, '') AND n.cluster = coalesce(c.cluster, '')
WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
GROUP BY ALL
UNION ALL
SELECT coalesce(json_extract_string(attributes."change.kind"::JSON, ''), 'change'), coalesce(json_extract_string(attributes."change.service"::JSON, ''), service_name, ''),
    coalesce(json_extract_string(attributes."change.description"::JSON, ''), body::VARCHAR, event_name), epoch_ns("time"), ''
FROM ({logs}) l SEMI JOIN scopes s ON (nullif(l.environment, '') IS NULL OR l.environment = s.environment)
    AND (nullif(l.service_namespace, '') IS NULL OR l.service_namespace = s.namespace)
    AND (nullif(l.cluster, '') IS NULL OR l.cluster = s.cluster)
WHERE "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2) AND event_name = 'tripline.change'
UNION ALL
SELECT 'settings', service_name, name || coalesce('/' || "key", '') || chr(31) || breaker_id || chr(31) || coalesce(service_instance_id, '') || chr(31) || coalesce(config_hash, ''), epoch_ns(valid_from), ''
FROM breaker_config b SEMI JOIN nodes n ON n.service = b.service_name AND n.environment = coalesce(b.environment, '')
    AND n.namespace = coalesce(b.service_namespace, '') AND n.cluster = coalesce(b.cluster, '')
WHERE valid_from < make_timestamp_ns($2)
ORDER BY ns
