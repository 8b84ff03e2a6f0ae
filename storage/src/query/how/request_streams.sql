    SELECT series_id, resource_id, environment, service_namespace, cluster, service_name, service_instance_id, name, temporality,
        coalesce(attributes."http.response.status_code"::VARCHAR, attributes."http.status_code"::VARCHAR) AS http_status,
        coalesce(attributes."rpc.response.status_code"::VARCHAR, attributes."rpc.grpc.status_code"::VARCHAR) AS rpc_status,
        attributes."error.type"::VARCHAR AS error_type
    FROM metrics
    WHERE name IN ({names}) AND type IN ('histogram', 'exponential_histogram') AND temporality IN ('cumulative', 'delta')
    {and}
