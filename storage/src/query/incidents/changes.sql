-- Versions of services with the first span of each, and change events.
SELECT 'version' AS kind, coalesce(service_name, 'unknown_service') AS service, service_version AS what, epoch_ns(min(start_time)) AS ns
FROM ({calls})
WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
    AND service_name IN (SELECT unnest(string_split($3, chr(31))))
GROUP BY ALL
UNION ALL
SELECT coalesce(json_extract_string(attributes."change.kind"::JSON, ''), 'change'), coalesce(json_extract_string(attributes."change.service"::JSON, ''), service_name, ''),
    coalesce(json_extract_string(attributes."change.description"::JSON, ''), body::VARCHAR, event_name), epoch_ns("time")
FROM ({logs})
WHERE "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2) AND event_name = 'tripline.change'
UNION ALL
SELECT 'settings', service_name, name || coalesce('/' || "key", '') || chr(31) || breaker_id || chr(31) || coalesce(service_instance_id, '') || chr(31) || coalesce(config_hash, ''), epoch_ns(valid_from)
FROM breaker_config
WHERE valid_from < make_timestamp_ns($2) AND service_name IN (SELECT unnest(string_split($3, chr(31))))
ORDER BY ns
