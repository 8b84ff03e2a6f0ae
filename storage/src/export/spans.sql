SELECT s.* REPLACE (
        s.attributes::JSON::VARCHAR AS attributes,
        s.resource_attributes::JSON::VARCHAR AS resource_attributes,
        s.scope_attributes::JSON::VARCHAR AS scope_attributes,
        s.events::JSON::VARCHAR AS events,
        s.links::JSON::VARCHAR AS links),
    r.entity_refs::VARCHAR AS resource_entity_refs
FROM spans s LEFT JOIN resources r ON r.resource_id = s.resource_id
WHERE ($1 IS NULL OR s.start_time_unix_nano >= $1) AND ($2 IS NULL OR s.start_time_unix_nano < $2)
    -- {more}
-- By content, so that two stores with the same rows export the same bytes.
ORDER BY s.service_name, s.resource_attributes::JSON::VARCHAR, s.resource_id, s.scope_name, s.scope_id, s.start_time_unix_nano, s.span_id
