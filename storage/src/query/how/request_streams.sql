    SELECT series_id, resource_id, environment, service_namespace, cluster, service_name, service_instance_id, name, temporality,
        coalesce(json_extract_string(attributes."http.response.status_code"::JSON, ''), json_extract_string(attributes."http.status_code"::JSON, '')) AS http_status,
        coalesce(json_extract_string(attributes."rpc.response.status_code"::JSON, ''), json_extract_string(attributes."rpc.grpc.status_code"::JSON, '')) AS rpc_status,
        json_extract_string(attributes."error.type"::JSON, '') AS error_type
    FROM metrics
    WHERE name IN ({names}) AND type IN ('histogram', 'exponential_histogram') AND temporality IN ('cumulative', 'delta')
    {and}
