SELECT q.series_id, q.resource_id, q.environment, q.service_namespace, q.cluster, q.service_name, q.service_instance_id,
    q.name, q.temporality,
    coalesce(json_extract_string(q.documents."http.response.status_code"::JSON, ''), json_extract_string(q.documents."http.status_code"::JSON, '')) AS http_status,
    coalesce(json_extract_string(q.documents."rpc.response.status_code"::JSON, ''), json_extract_string(q.documents."rpc.grpc.status_code"::JSON, '')) AS rpc_status,
    json_extract_string(q.documents."error.type"::JSON, '') AS error_type
FROM (
    SELECT s.series_id, r.resource_id, r.environment, r.service_namespace, r.cluster, r.service_name, r.service_instance_id,
        s.name, s.temporality, {{s.attributes}} AS documents
    FROM {dictionaries}.series s
    JOIN {dictionaries}.resources r ON r.resource_ix = s.resource_ix
    WHERE s.name IN ({names}) AND s.kind IN ('histogram', 'exponential_histogram')
        AND s.temporality IN ('cumulative', 'delta')
) q
