SELECT l.* REPLACE (
        l.attributes::JSON::VARCHAR AS attributes,
        l.resource_attributes::JSON::VARCHAR AS resource_attributes,
        l.scope_attributes::JSON::VARCHAR AS scope_attributes),
    r.entity_refs::VARCHAR AS resource_entity_refs
FROM logs l LEFT JOIN resources r ON r.resource_id = l.resource_id
WHERE ($1 IS NULL OR epoch_ns(l.time)::UBIGINT >= $1) AND ($2 IS NULL OR epoch_ns(l.time)::UBIGINT < $2)
    -- {more}
-- By content, so that two stores with the same rows export the same bytes.
ORDER BY l.service_name, l.resource_attributes::JSON::VARCHAR, l.resource_id, l.scope_name, l.scope_id, l.time
