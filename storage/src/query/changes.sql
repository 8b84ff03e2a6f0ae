-- Events that say a change happened, and how many there are. One that names no service, or no scope, is about all of
-- them. Documents are read of those events alone, so they are told apart first.
WITH told AS MATERIALIZED (
    SELECT epoch_ns("time") AS ns, service_name, attributes, body
    FROM ({logs})
    WHERE event_name = 'tripline.change'
        AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
        AND ($4::VARCHAR IS NULL OR environment IS NULL OR environment = $4)
        AND ($5::VARCHAR IS NULL OR service_namespace IS NULL OR service_namespace = $5)
        AND ($6::VARCHAR IS NULL OR cluster IS NULL OR cluster = $6)
)
SELECT *, (count(*) OVER ())::UBIGINT AS total
FROM (
    SELECT ns,
        coalesce(nullif(json_extract_string(attributes."change.service"::JSON, ''), ''), nullif(service_name, '')) AS service,
        coalesce(nullif(json_extract_string(attributes."change.kind"::JSON, ''), ''), 'change') AS kind,
        coalesce(nullif(json_extract_string(attributes."change.description"::JSON, ''), ''), nullif(body::VARCHAR, ''), 'not described') AS description
    FROM told
)
WHERE $3::VARCHAR IS NULL OR service IS NULL OR service = $3
ORDER BY ns {direction}, service {direction}, kind {direction}, description {direction}
LIMIT {limit}
