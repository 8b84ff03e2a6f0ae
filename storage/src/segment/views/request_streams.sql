SELECT q.series_id, q.resource_id, q.environment, q.service_namespace, q.cluster, q.service_name, q.service_instance_id,
    q.name, q.temporality,
    coalesce(q.documents."http.response.status_code"::VARCHAR, q.documents."http.status_code"::VARCHAR) AS http_status,
    coalesce(q.documents."rpc.response.status_code"::VARCHAR, q.documents."rpc.grpc.status_code"::VARCHAR) AS rpc_status,
    q.documents."error.type"::VARCHAR AS error_type
FROM (
    SELECT s.series_id, r.resource_id, r.environment, r.service_namespace, r.cluster, r.service_name, r.service_instance_id,
        s.name, s.temporality, {{s.attributes}} AS documents
    FROM {dictionaries}.series s
    JOIN {dictionaries}.resources r ON r.resource_ix = s.resource_ix
    WHERE s.name IN ({names}) AND s.kind IN ('histogram', 'exponential_histogram')
        AND s.temporality IN ('cumulative', 'delta')
) q
