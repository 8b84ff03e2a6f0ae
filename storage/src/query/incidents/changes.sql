-- Change events, and the settings of breakers. $3 are the services, each with its scope; $4 the scopes the incident touches.
-- An event that names no scope is about all of them. Documents are read of events alone, so they are told apart first.
WITH nodes AS (
    SELECT split_part(n, chr(31), 1) AS service, split_part(n, chr(31), 2) AS environment, split_part(n, chr(31), 3) AS namespace,
        split_part(n, chr(31), 4) AS cluster
    FROM (SELECT unnest(string_split($3, chr(30))) AS n)
),
scopes AS (
    SELECT split_part(s, chr(31), 1) AS environment, split_part(s, chr(31), 2) AS namespace, split_part(s, chr(31), 3) AS cluster
    FROM (SELECT unnest(string_split($4, chr(30))) AS s)
),
told AS MATERIALIZED (
    SELECT epoch_ns("time") AS ns, service_name, environment, service_namespace, cluster, event_name, attributes, body
    FROM ({logs})
    WHERE "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2) AND event_name = 'tripline.change'
)
SELECT coalesce(json_extract_string(attributes."change.kind"::JSON, ''), 'change') AS kind,
    coalesce(json_extract_string(attributes."change.service"::JSON, ''), service_name, '') AS service,
    coalesce(json_extract_string(attributes."change.description"::JSON, ''), body::VARCHAR, event_name) AS what, ns
FROM told l SEMI JOIN scopes s ON (nullif(l.environment, '') IS NULL OR l.environment = s.environment)
    AND (nullif(l.service_namespace, '') IS NULL OR l.service_namespace = s.namespace)
    AND (nullif(l.cluster, '') IS NULL OR l.cluster = s.cluster)
UNION ALL
SELECT 'settings', service_name, name || coalesce('/' || "key", '') || chr(31) || breaker_id || chr(31) || coalesce(service_instance_id, '') || chr(31) || coalesce(config_hash, ''), epoch_ns(valid_from)
FROM breaker_config b SEMI JOIN nodes n ON n.service = b.service_name AND n.environment = coalesce(b.environment, '')
    AND n.namespace = coalesce(b.service_namespace, '') AND n.cluster = coalesce(b.cluster, '')
WHERE valid_from < make_timestamp_ns($2)
ORDER BY ns
