-- Doubles as text: JSON has no NaN. Exemplars hang on the first of the points of their stream and time.
WITH points AS (
    SELECT p.*,
        row_number() OVER (PARTITION BY p.series_id, p.time_unix_nano ORDER BY p.start_time_unix_nano) AS nth
    FROM metric_points p
    WHERE ($1 IS NULL OR p.time_unix_nano >= $1) AND ($2 IS NULL OR p.time_unix_nano < $2)
), hung AS (
    SELECT e.series_id, e.point_time_unix_nano AS time_unix_nano,
        to_json(list({
            time_unix_nano: e.time_unix_nano, value_int: e.value_int, value_double: e.value_double::VARCHAR,
            trace_id: e.trace_id, span_id: e.span_id,
            filtered_attributes: e.filtered_attributes::JSON::VARCHAR
        } ORDER BY e.time_unix_nano, e.span_id))::VARCHAR AS exemplars
    FROM exemplars e
    GROUP BY ALL
)
SELECT p.* EXCLUDE (nth) REPLACE (
        p.attributes::JSON::VARCHAR AS attributes,
        p.resource_attributes::JSON::VARCHAR AS resource_attributes,
        p.scope_attributes::JSON::VARCHAR AS scope_attributes,
        p.value::VARCHAR AS value, p.value_double::VARCHAR AS value_double, p.sum::VARCHAR AS sum,
        p.min::VARCHAR AS min, p.max::VARCHAR AS max, p.zero_threshold::VARCHAR AS zero_threshold,
        p.explicit_bounds::VARCHAR[] AS explicit_bounds, p.quantiles::VARCHAR[] AS quantiles,
        p.quantile_values::VARCHAR[] AS quantile_values),
    m.description, m.metadata::JSON::VARCHAR AS metadata,
    m.resource_schema_url, r.dropped_attributes_count AS resource_dropped_attributes_count,
    r.entity_refs::VARCHAR AS resource_entity_refs,
    m.scope_schema_url, m.scope_dropped_attributes_count,
    CASE WHEN p.nth = 1 THEN h.exemplars END AS exemplars
FROM points p
LEFT JOIN metrics m ON m.series_id = p.series_id
LEFT JOIN resources r ON r.resource_id = p.resource_id
LEFT JOIN hung h ON h.series_id = p.series_id AND h.time_unix_nano = p.time_unix_nano
-- By content, so that two stores with the same rows export the same bytes.
ORDER BY p.service_name, p.resource_attributes::JSON::VARCHAR, p.resource_id, p.scope_name, p.scope_id,
    p.name, p.type, p.attributes::JSON::VARCHAR, p.series_id, p.time_unix_nano
